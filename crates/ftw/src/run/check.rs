//! What came of a request against what must.

use std::fmt;

use crate::engine::Observed;
use crate::suite::{LogExpectations, Output, Pattern};

use super::session::RedirectError;

/// What was expected, and what came instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The request can't be made.
    #[error("the request can't follow a redirect: {0}")]
    Redirect(RedirectError),
    /// No answer was expected.
    #[error("expected no answer, got status {0}")]
    Answered(u16),
    /// An answer was expected.
    #[error("expected an answer, got none; logged {}", Ids(.logged))]
    NotAnswered {
        /// The rules that were logged.
        logged: Vec<u64>,
    },
    /// The answer has another status.
    #[error("expected status {expected}, got {got}; logged {}", Ids(.logged))]
    Status {
        /// The status that was expected.
        expected: u16,
        /// The answer's.
        got: u16,
        /// The rules that were logged.
        logged: Vec<u64>,
    },
    /// The pattern is nowhere in the answer.
    #[error("expected an answer with `{0}`")]
    NotInResponse(Pattern),
    /// The pattern is in no line of the log.
    #[error("expected a line with `{expected}`, logged {}", Ids(.logged))]
    NoLineMatches {
        /// What was looked for.
        expected: Pattern,
        /// The rules that were logged.
        logged: Vec<u64>,
    },
    /// Rules were not logged.
    #[error("expected rules {}, logged {}", Ids(.missing), Ids(.logged))]
    MissingIds {
        /// Those that were not.
        missing: Vec<u64>,
        /// Those that were.
        logged: Vec<u64>,
    },
    /// Another number of rules than one was logged.
    #[error("expected one rule alone, logged {}", Ids(.logged))]
    NotIsolated {
        /// The rules that were logged.
        logged: Vec<u64>,
    },
    /// The pattern is in a line of the log.
    #[error("expected no line with `{unwanted}`, got: {line}")]
    LineMatches {
        /// What was looked for.
        unwanted: Pattern,
        /// The line.
        line: String,
    },
    /// Rules were logged that must not.
    #[error("expected rules {} not to be logged, logged {}", Ids(.unwanted), Ids(.logged))]
    UnwantedIds {
        /// Those that must not.
        unwanted: Vec<u64>,
        /// All that were.
        logged: Vec<u64>,
    },
}

/// Rules, or the word for none.
struct Ids<'i>(&'i [u64]);

impl fmt::Display for Ids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, id) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{id}")?;
        }
        Ok(())
    }
}

/// Whether `observed` is what was expected, in go-ftw's order.
pub(super) fn check(expected: &Output, observed: &Observed) -> Result<(), Mismatch> {
    match (&observed.response, expected.expect_error) {
        (None, true) => return Ok(()),
        (Some(response), true) => return Err(Mismatch::Answered(response.status)),
        (None, false) => {
            let logged = observed.rule_ids();
            return Err(Mismatch::NotAnswered { logged });
        }
        (Some(response), false) => {
            if let Some(status) = expected.status.filter(|status| *status != response.status) {
                return Err(Mismatch::Status {
                    expected: status,
                    got: response.status,
                    logged: observed.rule_ids(),
                });
            }
            if let Some(pattern) = &expected.response_contains
                && !pattern.is_match(&response.to_bytes())
            {
                return Err(Mismatch::NotInResponse(pattern.clone()));
            }
        }
    }
    check_presence(&expected.log, expected.isolated, observed)?;
    check_absence(&expected.log, observed)
}

fn check_presence(
    expected: &LogExpectations,
    isolated: bool,
    observed: &Observed,
) -> Result<(), Mismatch> {
    let logged = observed.rule_ids();
    if let Some(pattern) = &expected.match_regex
        && matching_line(pattern, observed).is_none()
    {
        return Err(Mismatch::NoLineMatches {
            expected: pattern.clone(),
            logged,
        });
    }
    let mut missing = expected.expect_ids.clone();
    missing.retain(|id| !logged.contains(id));
    if !missing.is_empty() {
        return Err(Mismatch::MissingIds { missing, logged });
    }
    if isolated && logged.len() != 1 {
        return Err(Mismatch::NotIsolated { logged });
    }
    Ok(())
}

fn check_absence(expected: &LogExpectations, observed: &Observed) -> Result<(), Mismatch> {
    if let Some(pattern) = &expected.no_match_regex
        && let Some(line) = matching_line(pattern, observed)
    {
        return Err(Mismatch::LineMatches {
            unwanted: pattern.clone(),
            line: line.to_owned(),
        });
    }
    let logged = observed.rule_ids();
    let mut unwanted = expected.no_expect_ids.clone();
    unwanted.retain(|id| logged.contains(id));
    if unwanted.is_empty() {
        Ok(())
    } else {
        Err(Mismatch::UnwantedIds { unwanted, logged })
    }
}

fn matching_line<'o>(pattern: &Pattern, observed: &'o Observed) -> Option<&'o str> {
    let mut lines = observed.logged.iter().map(|logged| logged.line.as_str());
    lines.find(|line| pattern.is_match(line.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Logged;
    use crate::request::Response;

    fn observed(status: Option<u16>, logged: &[(u64, &str)]) -> Observed {
        let line = |(id, line): &(u64, &str)| Logged {
            rule_id: (*id != 0).then_some(*id),
            line: (*line).to_owned(),
        };
        Observed {
            response: status.map(Response::empty),
            logged: logged.iter().map(line).collect(),
        }
    }

    /// The log's lines of every check: rules 7 and 5, twice each, and one of no rule.
    const LOG: &[(u64, &str)] = &[
        (7, "a [id]"),
        (5, "b"),
        (7, "a"),
        (5, "b"),
        (0, "error of a body"),
    ];

    #[track_caller]
    fn check_with(expected: &Output, observed: &Observed, mismatch: &str) {
        let got =
            check(expected, observed).map_or_else(|error| error.to_string(), |()| String::new());
        assert_eq!(got, mismatch, "{expected:?}");
    }

    #[track_caller]
    fn check_log(log: LogExpectations, mismatch: &str) {
        let expected = Output {
            log,
            ..Output::default()
        };
        check_with(&expected, &observed(Some(200), LOG), mismatch);
    }

    fn pattern(text: &str) -> Option<Pattern> {
        Pattern::new(text).ok()
    }

    #[test]
    fn rules_are_logged_or_not() {
        let ids = |expect_ids: &[u64], no_expect_ids: &[u64]| LogExpectations {
            expect_ids: expect_ids.to_vec(),
            no_expect_ids: no_expect_ids.to_vec(),
            ..LogExpectations::default()
        };
        check_log(ids(&[], &[]), "");
        check_log(ids(&[5, 7], &[6]), "");
        check_log(ids(&[5, 6, 8], &[7]), "expected rules 6, 8, logged 5, 7");
        check_log(
            ids(&[5], &[7, 6]),
            "expected rules 7 not to be logged, logged 5, 7",
        );
    }

    #[test]
    fn lines_match_or_not() {
        let lines = |wanted: &str, unwanted: &str| LogExpectations {
            match_regex: pattern(wanted).filter(|_| !wanted.is_empty()),
            no_match_regex: pattern(unwanted).filter(|_| !unwanted.is_empty()),
            ..LogExpectations::default()
        };
        check_log(lines(r"\[id\]", "x"), "");
        check_log(lines("of a body$", ""), "");
        check_log(lines("x+", ""), "expected a line with `x+`, logged 5, 7");
        check_log(lines("a", "^b"), "expected no line with `^b`, got: b");
    }

    #[test]
    fn one_rule_alone() {
        let isolated = Output {
            isolated: true,
            ..Output::default()
        };
        let one = [(7, "a"), (7, "b"), (0, "c")];
        check_with(&isolated, &observed(Some(200), &one), "");
        check_with(
            &isolated,
            &observed(Some(200), LOG),
            "expected one rule alone, logged 5, 7",
        );
        check_with(
            &isolated,
            &observed(Some(200), &[]),
            "expected one rule alone, logged none",
        );
    }

    #[test]
    fn answers() {
        let status = Output {
            status: Some(400),
            ..Output::default()
        };
        check_with(&status, &observed(Some(400), &[]), "");
        check_with(
            &status,
            &observed(Some(200), LOG),
            "expected status 400, got 200; logged 5, 7",
        );
        check_with(
            &status,
            &observed(None, &[]),
            "expected an answer, got none; logged none",
        );
        let error = Output {
            expect_error: true,
            ..status
        };
        check_with(&error, &observed(None, LOG), "");
        check_with(
            &error,
            &observed(Some(400), &[]),
            "expected no answer, got status 400",
        );
        let contains = |text: &str| Output {
            response_contains: pattern(text),
            ..Output::default()
        };
        check_with(&contains("^HTTP/1.1 200"), &observed(Some(200), &[]), "");
        check_with(
            &contains("x"),
            &observed(Some(200), &[]),
            "expected an answer with `x`",
        );
    }
}
