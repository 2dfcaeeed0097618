//! The SecLang community's vectors (secrules-language-tests), where they are at hand: a folder named by
//! `PALISADE_SECLANG_VECTORS`, with `transformations/*.json` and `operators/*.json`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use palisade_seclang::{
    Groups, Operator, OperatorCache, SourceError, Sources, Transformation, UnicodeMap,
};
use serde_json::Value;

const FOLDER: &str = "PALISADE_SECLANG_VECTORS";

/// Vectors that aren't compared, and why.
struct NotApplicable {
    name: &'static str,
    /// With this argument only.
    param: Option<&'static str>,
    /// With this value only.
    input: Option<&'static str>,
    why: &'static str,
}

const NOT_APPLICABLE: &[NotApplicable] = &[
    all_of(
        "phpArgsNames",
        "no such transformation in ModSecurity 2 or 3",
    ),
    all_of(
        "detectSQLi",
        "decided by the injection detector, which has tests of its own",
    ),
    all_of(
        "detectXSS",
        "decided by the injection detector, which has tests of its own",
    ),
    NotApplicable {
        name: "cssDecode",
        param: None,
        input: Some(
            "test\\a\\b\\f\\n\\r\\t\\v\\?\\'\\\"\\\0\\12\\123\\1234\\12345\\123456\\ff01\\ff5e\\\n\\\0  string",
        ),
        why: "has a NUL where ModSecurity 2's own test has the digit 0; its runner ends at the NUL before",
    },
    all_of("geoLookup", "decided by the country database"),
    with_param(
        "rx",
        r"<\?(?!xml)",
        "look-around is refused: not linear-time",
    ),
    with_param(
        "rxGlobal",
        r"<\?(?!xml)",
        "look-around is refused: not linear-time",
    ),
    with_param(
        "ipMatch",
        "10.0.0.0/100",
        "refused when rules are loaded, where ModSecurity makes it match nothing",
    ),
    NotApplicable {
        input: Some("0000:0000:0000:0000:0000:ffff:ffff:ffff"),
        ..with_param(
            "ipMatch",
            "0:0::/80",
            "an IPv4-mapped address is the IPv4 address, and so in no range of IPv6",
        )
    },
];

const fn all_of(name: &'static str, why: &'static str) -> NotApplicable {
    NotApplicable {
        name,
        param: None,
        input: None,
        why,
    }
}

const fn with_param(name: &'static str, param: &'static str, why: &'static str) -> NotApplicable {
    NotApplicable {
        name,
        param: Some(param),
        input: None,
        why,
    }
}

/// `cmdLine` has another name in its file.
const RENAMED: (&str, &str) = ("cmd_line", "cmdLine");

/// Prints so that a passing test shows it too.
fn say(line: &str) {
    let line = format!("{line}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os(FOLDER).map(PathBuf::from);
    if folder.is_none() {
        say(&format!(
            "SKIPPED: SecLang vectors: {FOLDER} is unset; expected the folder of secrules-language-tests"
        ));
    }
    folder
}

fn vectors(folder: &Path, kind: &str) -> Vec<Value> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder.join(kind))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort_unstable();
    let read =
        |path: PathBuf| -> Vec<Value> { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    files.into_iter().flat_map(read).collect()
}

fn text<'v>(vector: &'v Value, key: &str) -> &'v str {
    vector[key].as_str().unwrap_or_default()
}

/// A character is a byte.
fn latin1(text: &str) -> Vec<u8> {
    let byte = |character| u8::try_from(u32::from(character)).unwrap();
    text.chars().map(byte).collect()
}

/// As ModSecurity's own runner reads the values: `\xHH` and `\uHHHH` are bytes, and `\x` before two
/// letters or digits that are none is what `sscanf` makes of them.
fn decoded(text: &[u8]) -> Vec<u8> {
    escapes(&escapes(text, b'x', 2), b'u', 4)
}

fn escapes(text: &[u8], letter: u8, digits: usize) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let [byte, tail @ ..] = rest {
        let escape = tail
            .strip_prefix(&[letter])
            .and_then(|tail| tail.get(..digits));
        rest = match escape {
            Some(escape) if *byte == b'\\' && escape.iter().all(u8::is_ascii_alphanumeric) => {
                let hex = escape
                    .iter()
                    .map_while(|byte| char::from(*byte).to_digit(16));
                let code = hex.fold(0_u32, |code, digit| code << 4 | digit);
                out.push(code.to_be_bytes()[3]);
                &tail[1 + digits..]
            }
            _ => {
                out.push(*byte);
                tail
            }
        };
    }
    out
}

/// How many vectors ran, failed, and are not applicable, and what is to be told.
#[derive(Default)]
struct Totals {
    run: usize,
    failures: Vec<String>,
    not_applicable: BTreeMap<(&'static str, &'static str), usize>,
}

impl Totals {
    /// Whether the vector is one that isn't compared.
    fn skips(&mut self, vector: &Value) -> bool {
        let is_it = |expected: Option<&str>, key| expected.is_none_or(|it| it == text(vector, key));
        let found = NOT_APPLICABLE.iter().find(|one| {
            is_it(Some(one.name), "name") && is_it(one.param, "param") && is_it(one.input, "input")
        });
        if let Some(NotApplicable { name, why, .. }) = found {
            *self.not_applicable.entry((name, why)).or_default() += 1;
        }
        found.is_some()
    }

    fn expect(&mut self, vector: &Value, problem: Option<String>) {
        self.run += 1;
        self.failures
            .extend(problem.map(|problem| format!("{vector}: {problem}")));
    }

    fn finish(self, kind: &str, run_expected: usize) {
        for ((name, why), count) in &self.not_applicable {
            say(&format!("  {name}: {count} not applicable: {why}"));
        }
        say(&format!(
            "SecLang vectors, {kind}: {} run, {} failed, {} not applicable",
            self.run,
            self.failures.len(),
            self.not_applicable.values().sum::<usize>()
        ));
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n"));
        assert!(
            self.run >= run_expected,
            "only {} {kind} vectors were found",
            self.run
        );
    }
}

/// The output is as it is said to be, and "changed" is said exactly where that is another value (the
/// vectors' own `ret` isn't: ModSecurity says "changed" of each `hexDecode`, whatever came of it).
#[test]
fn transformations() {
    let Some(folder) = folder() else { return };
    let mut totals = Totals::default();
    for vector in vectors(&folder, "transformations") {
        if !totals.skips(&vector) {
            let problem = transformation_problem(&vector);
            totals.expect(&vector, problem);
        }
    }
    totals.finish("transformations", 350);
}

fn transformation_problem(vector: &Value) -> Option<String> {
    let name = match text(vector, "name") {
        name if name == RENAMED.0 => RENAMED.1,
        name => name,
    };
    let Some(transformation) = Transformation::named(name.as_bytes()) else {
        return Some("no such transformation".to_owned());
    };
    // In these files, a character is its bytes in UTF-8.
    let input = decoded(text(vector, "input").as_bytes());
    let expected = decoded(text(vector, "output").as_bytes());
    let mut out = Vec::new();
    let changed = transformation.apply(&input, &mut out, &UnicodeMap::default());
    let output = if changed { &out } else { &input };
    if *output != expected {
        return Some(format!(
            "got {}, expected {}",
            output.escape_ascii(),
            expected.escape_ascii()
        ));
    }
    (changed != (input != expected)).then(|| format!("said changed: {changed}"))
}

/// Whether it matches is as it is said to be, and so are the groups where they are told.
#[test]
fn operators() {
    let Some(folder) = folder() else { return };
    let mut totals = Totals::default();
    let sources = Files(folder.join("operators"));
    for vector in vectors(&folder, "operators") {
        let parsed = parse(&vector, &sources);
        if totals.skips(&vector) {
            // What is said not to be decided here isn't, or says otherwise.
            if let Ok(Operator::Match(matcher)) = parsed {
                assert!(
                    matcher_problem(&vector, &matcher).is_some(),
                    "{vector} is applicable"
                );
            }
        } else {
            let problem = match parsed {
                Ok(Operator::Match(matcher)) => matcher_problem(&vector, &matcher),
                other => Some(format!("{other:?}")),
            };
            totals.expect(&vector, problem);
        }
    }
    totals.finish("operators", 3_900);
}

fn parse(vector: &Value, sources: &Files) -> Result<Operator, palisade_seclang::OperatorError> {
    let param = latin1(text(vector, "param"));
    Operator::parse(text(vector, "name").as_bytes(), &param, sources)
}

fn matcher_problem(vector: &Value, matcher: &palisade_seclang::Matcher) -> Option<String> {
    // In these files, a character is a byte, and "\0" is a NUL.
    let value = decoded(&latin1(&text(vector, "input").replace("\\0", "\0")));
    let (mut cache, mut groups) = (OperatorCache::default(), Groups::default());
    let matches = matcher.matches(&value, b"", &mut cache).is_some();
    if matches != (vector["ret"] == 1) {
        return Some(format!("matches: {matches}"));
    }
    let expected = vector["re_groups"].as_array()?;
    matcher.captures(&value, &mut cache, &mut groups);
    let found: Vec<&[u8]> = groups.iter().map(|part| &value[part]).collect();
    let expected: Vec<&[u8]> = expected
        .iter()
        .map(|group| group.as_str().unwrap().as_bytes())
        .collect();
    // Of all matches, the vectors tell some of the groups, in order.
    let is_global = text(vector, "name") == "rxGlobal";
    let mut rest = found.iter();
    let are_there = expected
        .iter()
        .all(|group| rest.any(|found| found == group));
    (found != expected && !(is_global && are_there)).then(|| format!("groups {found:?}"))
}

struct Files(PathBuf);

impl Sources for Files {
    /// Paths are those of ModSecurity's source tree.
    fn read(&self, name: &str) -> Result<Vec<u8>, SourceError> {
        let (_, path) = name.split_once("operators/").unwrap_or(("", name));
        fs::read(self.0.join(path)).map_err(|error| SourceError(error.to_string()))
    }
}
