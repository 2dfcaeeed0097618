//! CRS's regression tests, where they are at hand: the folder named by `PALISADE_CRS` has
//! `regression/tests` and overrides beside it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_ftw::{
    Engine, Exchange, Framing, Logged, Message, Observed, Outcome, Output, Overrides, Parts,
    Request, Response, Stage, Test, Totals, backend, parse_overrides, parse_tests, run,
};

const FOLDER: &str = "PALISADE_CRS";

/// How many tests CRS 4.28 has.
const TESTS: usize = 5_003;

/// `regression` in CRS's folder.
fn regression() -> Option<PathBuf> {
    let folder = std::env::var_os(FOLDER).map(PathBuf::from);
    if folder.is_none() {
        say(&format!(
            "SKIPPED: CRS's regression tests: {FOLDER} doesn't say where CRS is"
        ));
    }
    Some(folder?.join("regression"))
}

/// Says it where tests that pass are seen too.
fn say(line: &str) {
    let line = format!("{line}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// All YAML files below `folder`, by name.
fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(yaml_files(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
        {
            files.push(path);
        }
    }
    files.sort_unstable();
    files
}

fn suite(regression: &Path) -> Vec<Test> {
    let mut tests = Vec::new();
    for path in yaml_files(&regression.join("tests")) {
        let bytes = fs::read(&path).unwrap();
        let parsed = parse_tests(&Arc::from(&*path), &bytes);
        tests.extend(parsed.unwrap_or_else(|error| panic!("{error}")));
    }
    tests
}

/// Whether an HTTP parser finds in the bytes what the parts are.
fn is_well_formed(parts: &Parts) -> bool {
    let is_word =
        |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_ascii_whitespace());
    let is_token = |name: &str| {
        let marks = |byte: u8| b"!#$%&'*+-.^_`|~".contains(&byte);
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || marks(byte))
    };
    is_word(&parts.method)
        && is_word(&parts.uri)
        && is_word(&parts.version)
        && parts
            .headers
            .iter()
            .all(|(name, value)| is_token(name) && !value.contains(['\r', '\n']))
}

#[test]
fn every_test_is_read() {
    let Some(regression) = regression() else {
        return;
    };
    let tests = suite(&regression);
    let stages: usize = tests.iter().map(|test| test.stages.len()).sum();
    say(&format!("CRS: {} tests, {stages} stages", tests.len()));
    assert_eq!(tests.len(), TESTS);
    for name in ["coraza", "httpd", "nginx"] {
        let path = regression.join(format!("{name}-overrides.yaml"));
        let parsed = parse_overrides(&Arc::from(&*path), &fs::read(&path).unwrap());
        let overrides = parsed.unwrap_or_else(|error| panic!("{error}"));
        assert!(!overrides.list.is_empty(), "{name}");
    }
}

#[test]
fn what_is_made_is_read_again() {
    let Some(regression) = regression() else {
        return;
    };
    let (mut well_formed, mut others) = (0, 0);
    for test in suite(&regression) {
        for stage in &test.stages {
            let bytes = stage.input.message.to_bytes();
            let request = Request::read(&bytes);
            assert!(bytes.starts_with(request.head), "{}", test.id);
            match &stage.input.message {
                Message::Parts(parts) if is_well_formed(parts) => {
                    check_same(parts, &bytes, &request, &test);
                    well_formed += 1;
                }
                _ => others += 1,
            }
        }
    }
    say(&format!(
        "CRS: {well_formed} well-formed requests, {others} others"
    ));
    assert!(well_formed > 4_900, "{well_formed}");
}

#[track_caller]
fn check_same(parts: &Parts, bytes: &[u8], request: &Request<'_>, test: &Test) {
    let id = test.id;
    assert_eq!(request.method, parts.method.as_bytes(), "{id}");
    assert_eq!(request.target, parts.uri.as_bytes(), "{id}");
    assert_eq!(request.protocol, parts.version.as_bytes(), "{id}");
    for ((name, value), field) in parts.headers.iter().zip(&request.headers) {
        assert_eq!(field.name, name.as_bytes(), "{id}");
        assert_eq!(*field.value, *value.trim().as_bytes(), "{id}");
    }
    let added = request.headers.len().checked_sub(parts.headers.len());
    let added_max = if parts.autocomplete_headers { 3 } else { 0 };
    assert!(added.is_some_and(|added| added <= added_max), "{id}");
    let sent = bytes.strip_prefix(request.head).unwrap();
    let announces = |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-length");
    match request.framing {
        // Where a length is announced that is none, or nobody announces one.
        Framing::None => assert!(
            sent.is_empty() || !parts.autocomplete_headers || parts.headers.iter().any(announces),
            "{id}"
        ),
        Framing::Length => assert!(sent.starts_with(&request.body), "{id}"),
        Framing::Chunked => assert!(request.body.len() < sent.len(), "{id}"),
    }
}

#[test]
fn the_backend_answers_what_it_is_asked_for() {
    let Some(regression) = regression() else {
        return;
    };
    let mut reflected = 0;
    for test in suite(&regression) {
        for stage in &test.stages {
            let bytes = stage.input.message.to_bytes();
            let request = Request::read(&bytes);
            if request.target.starts_with(b"/reflect") {
                let response = backend::answer(&request);
                reflected += usize::from(response.status == 200 && !response.body.is_empty());
            }
        }
    }
    say(&format!("CRS: {reflected} answers that are asked for"));
    assert!(reflected > 80, "{reflected}");
}

/// Logs just what the next stage expects.
struct Oracle<'t> {
    stages: Box<dyn Iterator<Item = &'t Stage> + 't>,
}

impl Engine for Oracle<'_> {
    fn judge(&mut self, exchange: &Exchange<'_>) -> Observed {
        let output = &self.stages.next().unwrap().output;
        let ids = output.log.expect_ids.iter();
        let mut logged: Vec<Logged> = ids
            .map(|id| Logged {
                rule_id: Some(*id),
                line: format!("[id \"{id}\"]"),
            })
            .collect();
        logged.extend(output.log.match_regex.iter().map(|pattern| Logged {
            rule_id: None,
            line: sample(&pattern.to_string()),
        }));
        let status = output.status.unwrap_or(exchange.backend_response().status);
        Observed {
            response: (!output.expect_error).then(|| Response::empty(status)),
            logged,
        }
    }
}

/// A text that has CRS's pattern in it: its first alternative, without its escapes.
fn sample(pattern: &str) -> String {
    let first = pattern.split('|').next().unwrap_or_default();
    first.replace('\\', "")
}

#[test]
fn who_logs_what_is_expected_passes() {
    let Some(regression) = regression() else {
        return;
    };
    let tests = suite(&regression);
    let mut oracle = Oracle {
        stages: Box::new(tests.iter().flat_map(|test| &test.stages)),
    };
    let summary = run(&mut oracle, &tests, &Overrides::default());
    let totals = Totals {
        passed: TESTS,
        ..Totals::default()
    };
    let reports = summary.reports.iter().map(ToString::to_string);
    let failed: Vec<String> = reports
        .filter(|report| !report.ends_with("passed"))
        .collect();
    assert_eq!(failed, [""; 0]);
    assert_eq!(summary.totals(), totals);
}

/// Logs nothing and refuses nothing.
struct Silent;

impl Engine for Silent {
    fn judge(&mut self, exchange: &Exchange<'_>) -> Observed {
        Observed {
            response: Some(exchange.backend_response()),
            logged: Vec::new(),
        }
    }
}

#[test]
fn who_logs_nothing_fails_where_something_is_expected() {
    let Some(regression) = regression() else {
        return;
    };
    let tests = suite(&regression);
    let summary = run(&mut Silent, &tests, &Overrides::default());
    for (test, report) in tests.iter().zip(&summary.reports) {
        let wants = |stage: &Stage| {
            let Output {
                status,
                expect_error,
                log,
                ..
            } = &stage.output;
            *expect_error
                || status.is_some_and(|status| status != 200)
                || !log.expect_ids.is_empty()
                || log.match_regex.is_some()
        };
        let fails = matches!(report.outcome, Outcome::Failed(_));
        assert_eq!(fails, test.stages.iter().any(wants), "{report}");
    }
    let totals = summary.totals();
    say(&format!("CRS, an engine that does nothing: {totals}"));
    assert!(totals.failed > 4_000, "{totals}");
}
