//! libinjection's published test files, and what holds of both detectors.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::scan::tests::bytes_looked_at;
use crate::{html, sqli, xss};

/// Tells, through the harness too.
pub(crate) fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").unwrap();
}

/// The folder that a variable names; where it isn't set, says what is skipped.
pub(crate) fn folder(variable: &str, skipped: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    if folder.is_none() {
        say(&format!("SKIPPED: {skipped}: {variable} is not set"));
    }
    folder
}

#[test]
fn libinjections_test_files() {
    let Some(folder) = folder("PALISADE_LIBINJECTION", "libinjection's 480 test files") else {
        return;
    };
    let files = std::fs::read_dir(folder.join("tests")).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort_unstable();
    let failures: Vec<String> = files.iter().filter_map(|file| failure(file)).collect();
    let (run, failed) = (files.len(), failures.len());
    say(&format!(
        "libinjection's test files: {run} run, {failed} failed"
    ));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(run >= 480, "{run} files");
}

/// What is wrong with what we make of a file. Its kind is in its name, as in libinjection's
/// `testdriver.c`, which trims too.
fn failure(file: &Path) -> Option<String> {
    let name = file.file_name().unwrap().to_str().unwrap();
    let text = std::fs::read(file).unwrap();
    let (input, expected) = input_and_expected(&text);
    let actual = match name.split('-').nth(1).unwrap() {
        "tokens" => sqli::tests::print_tokens(input),
        "folding" => sqli::tests::print_folded(input),
        "sqli" => sqli::detect(input).map_or(Vec::new(), |found| found.as_bytes().to_vec()),
        "html5" => html::tests::print_tokens(input),
        "xss" => u8::from(xss::detect(input)).to_string().into(),
        kind => panic!("{name}: {kind} is no kind of test"),
    };
    let actual = trim(&actual);
    let lines = |text: &[u8]| -> Vec<Vec<u8>> {
        let lines = text.split(|byte| *byte == b'\n');
        lines.map(<[u8]>::to_vec).collect()
    };
    let (actual, expected) = (lines(actual), lines(expected));
    let is_same = actual.len() == expected.len()
        && (actual.iter().zip(&expected)).all(|(actual, expected)| is_same(actual, expected));
    let show = |lines: &[Vec<u8>]| lines.join(&b'\n').escape_ascii().to_string();
    (!is_same).then(|| {
        format!(
            "{name}: {} expected, got {}",
            show(&expected),
            show(&actual)
        )
    })
}

fn input_and_expected(text: &[u8]) -> (&[u8], &[u8]) {
    let split = |text, mark: &[u8]| {
        let at = crate::scan::find_sequence(text, mark).unwrap();
        (&text[..at], &text[at + mark.len()..])
    };
    let (head, expected) = split(text, b"--EXPECTED--\n");
    let (_, input) = split(head, b"--INPUT--\n");
    (trim(input), trim(expected))
}

fn trim(text: &[u8]) -> &[u8] {
    let is_trimmed = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\t' | b'\r');
    let end = text.iter().rposition(|byte| !is_trimmed(byte));
    &text[..end.map_or(0, |end| end + 1)]
}

/// Words that were merged are in our table in capitals; libinjection keeps them as they were.
fn is_same(actual: &[u8], expected: &[u8]) -> bool {
    let is_phrase = actual.iter().filter(|byte| **byte == b' ').count() > 1;
    actual == expected || (is_phrase && actual.eq_ignore_ascii_case(expected))
}

#[test]
fn time_is_linear() {
    for part in PARTS {
        for begin in BEGINS {
            check_linear([*begin, part.repeat(1_000).as_str()].concat().as_bytes());
        }
        check_linear(part.repeat(128 * 1024 / part.len()).as_bytes());
    }
}

/// What opens something that may never end.
const BEGINS: &[&str] = &[
    "",
    "'",
    "\"",
    "`",
    "/*",
    "{",
    "$",
    "$a$",
    "q'",
    "b'",
    "x'",
    "u&'",
    "<",
    "<!--",
    "<%",
    "<![CDATA[",
    "<a ",
    "<a b=",
    "<a b='",
    "<a href=",
];

/// What makes readers look at the same bytes again and again, unless they take care.
const PARTS: &[&str] = &[
    "like.",
    "select.",
    "in.",
    "a.",
    ".",
    "@",
    "@@",
    "$",
    "$a",
    "$a$",
    "$aa$b",
    "$$",
    "$1",
    "b'0",
    "x'f",
    "q'(",
    "nq'<",
    "n'",
    "u&'",
    "\\",
    "\\'",
    "''",
    "'\\",
    "\"\"",
    "`",
    "``",
    "[",
    "/*",
    "*/",
    "/*/",
    "/**/",
    "--\n",
    "-- ",
    "-",
    "+",
    "1+",
    "1,",
    "a,-1",
    ",-",
    "(",
    ")",
    "((",
    "{a ",
    "}",
    "{`",
    "1e",
    "0x",
    "0b",
    "0b1",
    "1.e",
    "1 and ",
    "a or",
    "not ",
    "in ",
    "in(",
    "union all ",
    ";if ",
    ";",
    "user(",
    "collate a_ ",
    "\\%1",
    "int ",
    "0 \0",
    "sp_",
    "sp_password--",
    "'+'",
    "'a'='",
    "#",
    "#\n",
    "<",
    "<!",
    "<!--a-->",
    "<%a%>",
    "<!a>",
    "<!-",
    "-->",
    "-\0",
    "--!",
    "<a",
    "</",
    "</>",
    "<a/",
    "/",
    "/>",
    ">",
    "<a b=c ",
    "b=",
    "=",
    "= ",
    "='",
    "on",
    "onx=1 ",
    "href=&#0",
    "href=java\0",
    "src=\"data",
    "\0",
    "style\0",
    "attributename=on",
    "]]",
    "]]>",
    "%",
    "%>",
    "&#",
    "&#x0",
    "<s\0",
    "a\0",
];

/// How often each byte is looked at, at most: up to five times as SQL, up to five times as HTML, and
/// some searches before that.
const LOOKS_MAX: usize = 16;

#[track_caller]
fn check_linear(input: &[u8]) {
    let looked_at = bytes_looked_at(|| {
        let _ = (sqli::detect(input), xss::detect(input));
    });
    let most = LOOKS_MAX * input.len() + 100;
    let begin = input.get(..40).unwrap_or(input);
    assert!(
        looked_at <= most,
        "{looked_at} looks at {} bytes: {}...",
        input.len(),
        begin.escape_ascii()
    );
}

proptest! {
    #[test]
    fn time_is_linear_for_any_repetition(
        begin in sqli::tests::sql(),
        part in prop_oneof![sqli::tests::sql(), html::tests::html()],
        count in 100..400_usize,
    ) {
        check_linear(&[begin, part.repeat(count)].concat());
    }
}

#[test]
fn harmless_values_are_harmless() {
    let Some(folder) = folder("PALISADE_CORPUS", "values of harmless requests") else {
        return;
    };
    let text = std::fs::read(folder.join("benign.json")).unwrap();
    let requests: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let mut values = 0;
    for_each_text(&requests, &mut |text| {
        for value in text.split(['&', '?', ';', '=']) {
            let found = (
                sqli::detect(value.as_bytes()),
                xss::detect(value.as_bytes()),
            );
            assert_eq!(found, (None, false), "{value:?}");
            values += 1;
        }
    });
    assert!(values > 1_000, "{values} values");
}

fn for_each_text(json: &serde_json::Value, look: &mut impl FnMut(&str)) {
    match json {
        serde_json::Value::String(text) => look(text),
        serde_json::Value::Array(items) => items.iter().for_each(|item| for_each_text(item, look)),
        serde_json::Value::Object(members) => {
            members.values().for_each(|item| for_each_text(item, look));
        }
        _ => {}
    }
}
