//! The lines of a shadow log.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

use palisade_telemetry::LINE_BYTES_MAX;
use serde::Deserialize;

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Disagreement(Box<Disagreement>),
    Summary(Summary),
    /// It is neither.
    Damaged,
}

/// A request of which two sets made different things.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Disagreement {
    pub(super) time: String,
    pub(super) kind: Kind,
    pub(super) client_ip: String,
    pub(super) host: String,
    pub(super) path: String,
    pub(super) active: Side,
    pub(super) shadow: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    NewRefusal,
    LostRefusal,
    OtherRule,
    OtherMatches,
    ShadowFailed,
}

/// What one set made of it.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Side {
    pub(super) outcome: Outcome,
    pub(super) rule: Option<u64>,
    pub(super) only: Vec<Rule>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Passed,
    Refused,
}

/// A rule that matched in one set alone.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Rule {
    pub(super) id: u64,
    #[serde(default, rename = "msg")]
    pub(super) message: String,
    #[serde(default)]
    pub(super) target: String,
}

/// What was done since the last one.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Summary {
    pub(super) time: String,
    /// Always the same word.
    #[serde(rename = "kind")]
    _kind: SummaryKind,
    pub(super) evaluated: u64,
    pub(super) agreed: u64,
    pub(super) skipped: BTreeMap<String, u64>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SummaryKind {
    Summary,
}

impl Line {
    fn parse(text: &[u8]) -> Self {
        if let Ok(disagreement) = serde_json::from_slice(text) {
            return Self::Disagreement(Box::new(disagreement));
        }
        match serde_json::from_slice::<Summary>(text) {
            // No more reasons than there are.
            Ok(summary) if summary.skipped.len() <= REASONS_MAX => Self::Summary(summary),
            _ => Self::Damaged,
        }
    }
}

/// Reasons for which requests are skipped.
const REASONS_MAX: usize = 16;

/// Lines of a log, of which none takes more memory than a line may have.
pub(super) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn of(reader: R) -> Self {
        Self {
            reader,
            line: Vec::new(),
        }
    }

    /// The next line without its end; whether there is one.
    fn read(&mut self) -> io::Result<bool> {
        self.line.clear();
        let max = LINE_BYTES_MAX as u64 + 1;
        self.reader
            .by_ref()
            .take(max)
            .read_until(b'\n', &mut self.line)?;
        if self.line.len() > LINE_BYTES_MAX && !self.line.ends_with(b"\n") {
            self.reader.skip_until(b'\n')?;
        }
        Ok(!self.line.is_empty())
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.read() {
            Ok(true) => Some(Ok(Line::parse(&self.line))),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISAGREEMENT: &str = r#"{"time":"t","kind":"new_refusal","request_id":"1","client_ip":"192.0.2.1","host":"h","method":"GET","path":"/p","active":{"outcome":"passed","only":[]},"shadow":{"outcome":"refused","rule":7,"phase":2,"only":[{"id":7,"target":"ARGS:q"}]}}"#;
    const SUMMARY: &str =
        r#"{"time":"t","kind":"summary","evaluated":3,"agreed":2,"skipped":{"budget":1}}"#;

    #[track_caller]
    fn check(log: &str, expected: &str) {
        let lines = Lines::of(log.as_bytes());
        let kinds: String = lines
            .map(|line| match line.unwrap() {
                Line::Disagreement(_) => 'd',
                Line::Summary(_) => 's',
                Line::Damaged => '!',
            })
            .collect();
        assert_eq!(kinds, expected);
    }

    #[test]
    fn lines_are_read_and_damaged_ones_told_apart() {
        check("", "");
        check(&format!("{DISAGREEMENT}\n{SUMMARY}\n"), "ds");
        check(
            &format!(
                "{SUMMARY}\n{}\n{SUMMARY}",
                DISAGREEMENT.trim_end_matches('}')
            ),
            "s!s",
        );
        check(&SUMMARY.replace("summary", "sum"), "!");
        check(&DISAGREEMENT.replace("new_refusal", "new"), "!");
        check("\n{}\nnull\n\u{0}\n", "!!!!");
    }

    #[test]
    fn a_line_that_is_too_long_is_one_damaged_line() {
        let long = "x".repeat(LINE_BYTES_MAX);
        check(&format!("{long}\n{SUMMARY}\n"), "!s");
        check(&format!("{long}x\n{SUMMARY}\n"), "!s");
        check(&format!("{}\n{SUMMARY}\n", long.repeat(3)), "!s");
        check(&long.repeat(2), "!");
    }
}
