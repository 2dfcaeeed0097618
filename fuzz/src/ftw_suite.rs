//! go-ftw's files: tests, and overrides. Input: a file of tests, and, behind a line of `=====`, one of overrides.

use std::path::Path;
use std::sync::Arc;

use palisade_ftw::{
    Engine, Exchange, Logged, Observed, Outcome as TestOutcome, Overrides, Request, SuiteError,
    Test, parse_overrides, parse_tests, run,
};

use crate::{Outcome, check_message};

/// What tells the two files apart.
const BORDER: &[u8] = b"\n=====\n";

/// Lets everything through, and logs the path in one rule's name.
struct Passing {
    exchanges: usize,
}

impl Engine for Passing {
    fn judge(&mut self, exchange: &Exchange<'_>) -> Observed {
        self.exchanges += 1;
        Observed {
            response: Some(exchange.backend_response()),
            logged: vec![Logged {
                rule_id: Some(1),
                line: format!("[id \"1\"] {}", exchange.request.target.escape_ascii()),
            }],
        }
    }
}

/// What is read runs to its end, each test with one outcome, and again with the same; else there is an
/// error for each thing that is wrong, with its place.
pub fn check(data: &[u8]) -> Outcome {
    let border = data.windows(BORDER.len()).position(|part| part == BORDER);
    let (tests, overrides) = match border {
        Some(at) => (
            data.get(..=at).unwrap_or_default(),
            data.get(at + BORDER.len()..).unwrap_or_default(),
        ),
        None => (data, &b""[..]),
    };
    let file: Arc<Path> = Path::new("920100.yaml").into();
    let tests_read = read(parse_tests(&file, tests), tests);
    let overrides_read = read(parse_overrides(&file, overrides), overrides);
    let (Some(tests), Some(overrides)) = (tests_read, overrides_read) else {
        return Outcome::Refused;
    };
    check_requests(&tests);
    let first = outcomes(&tests, &overrides);
    assert_eq!(first, outcomes(&tests, &overrides));
    Outcome::Accepted
}

/// What was read, if nothing is wrong.
fn read<T>(read: Result<T, SuiteError>, content: &[u8]) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(error) => {
            assert!(!error.problems.is_empty(), "refused without an error");
            // YAML also ends lines at a CR; the end of a file counts as a line of its own.
            let is_end = |byte: &&u8| matches!(byte, b'\n' | b'\r');
            let lines = content.iter().filter(is_end).count() + 2;
            for problem in &error.problems {
                check_message(&problem.to_string());
                let line = usize::try_from(problem.location.line()).unwrap_or(usize::MAX);
                assert!(line <= lines, "{problem}");
            }
            None
        }
    }
}

/// Whatever a test says, there is a request that is sent.
fn check_requests(tests: &[Test]) {
    for stage in tests.iter().flat_map(|test| &test.stages) {
        let bytes = stage.input.message.to_bytes();
        let request = Request::read(&bytes);
        assert!(request.body.len() <= bytes.len(), "{:?}", stage.input);
    }
}

fn outcomes(tests: &[Test], overrides: &Overrides) -> Vec<String> {
    let mut engine = Passing { exchanges: 0 };
    let summary = run(&mut engine, tests, overrides);
    let stages: usize = tests.iter().map(|test| test.stages.len()).sum();
    // Once more where `retry_once` says so, and all of that once more with overrides.
    assert!(engine.exchanges <= 4 * stages, "{}", engine.exchanges);
    assert_eq!(summary.reports.len(), tests.len());
    let totals = summary.totals();
    let counted = totals.passed + totals.overridden + totals.overrides_not_needed + totals.failed;
    assert_eq!(counted, tests.len());
    let reports = summary.reports.iter().zip(tests);
    reports
        .map(|(report, test)| {
            assert_eq!(report.id, test.id);
            let is_override_known = |rule| overrides.list.iter().any(|one| one.rule_id == rule);
            match report.outcome {
                TestOutcome::Overridden { .. } | TestOutcome::OverrideNotNeeded { .. } => {
                    assert!(is_override_known(test.id.rule_id), "{report}");
                }
                TestOutcome::Passed | TestOutcome::Failed(_) => {}
            }
            report.to_string()
        })
        .collect()
}
