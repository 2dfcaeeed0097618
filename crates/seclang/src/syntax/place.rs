//! Where something stands in a rule file, and what is wrong there.

use std::fmt::{self, Write};
use std::sync::Arc;

/// A place in a rule file. Ordered as one reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// From 1; 0 for a file as a whole.
    pub line: u32,
    /// In bytes, from 1.
    pub column: u32,
}

impl Place {
    /// The whole of `file`: one that can't be read has no line.
    #[must_use]
    pub fn whole(file: Arc<str>) -> Self {
        Self {
            file,
            line: 0,
            column: 0,
        }
    }
}

impl fmt::Display for Place {
    /// `file:line:column`, as editors and compilers have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        printable(&self.file, f)?;
        match self.line {
            0 => Ok(()),
            line => write!(f, ":{line}:{}", self.column),
        }
    }
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The rules can't be used.
    Error,
    /// They can, and may not mean what their author thinks.
    Warning,
}

/// What is wrong with rules, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// How bad.
    pub severity: Severity,
    /// The rule's id, where it is known.
    pub rule: Option<u64>,
    /// What was got, and what was expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}: {severity}: ", self.place)?;
        if let Some(rule) = self.rule {
            write!(f, "rule {rule}: ")?;
        }
        printable(&self.message, f)
    }
}

/// Writes `text`, which may hold what rules say, so that a terminal or a log has one line of it.
fn printable(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    text.chars().try_for_each(|char| match char.is_control() {
        true => write!(f, "{}", char.escape_default()),
        false => f.write_char(char),
    })
}

/// A longer message is cut.
const MESSAGE_BYTES_MAX: usize = 1_024;

/// The most problems that are kept: a file that is no rule file has one a line.
pub const PROBLEMS_MAX: usize = 200;

/// Problems, in the order in which they were found.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    kept: Vec<Problem>,
    errors: usize,
    warnings: usize,
}

impl Problems {
    /// Adds one; those beyond [`PROBLEMS_MAX`] are only counted.
    pub fn add(&mut self, mut problem: Problem) {
        match problem.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        if problem.message.len() > MESSAGE_BYTES_MAX {
            let mut ends = (0..=MESSAGE_BYTES_MAX).rev();
            let end = ends.find(|end| problem.message.is_char_boundary(*end));
            problem.message.truncate(end.unwrap_or(0));
            problem.message.push_str(" ...");
        }
        if self.kept.len() < PROBLEMS_MAX {
            self.kept.push(problem);
        }
    }

    /// Whether rules with these can't be used.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// How many errors and warnings there are in all.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.errors, self.warnings)
    }

    /// Those that were kept.
    #[must_use]
    pub fn kept(&self) -> &[Problem] {
        &self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_one_line_and_short() {
        let check = |message: &str, expected: &str| {
            let mut problems = Problems::default();
            problems.add(Problem {
                place: Place::whole("a\u{1b}.conf".into()),
                severity: Severity::Error,
                rule: Some(1),
                message: message.to_owned(),
            });
            let told: Vec<String> = problems.kept().iter().map(ToString::to_string).collect();
            assert_eq!(
                told,
                [format!("a\\u{{1b}}.conf: error: rule 1: {expected}")]
            );
        };
        check("\u{fc}ber", "\u{fc}ber");
        check("a\nb\u{1b}[2J", "a\\nb\\u{1b}[2J");
        check(
            &"\u{fc}".repeat(2_000),
            &format!("{} ...", "\u{fc}".repeat(MESSAGE_BYTES_MAX / 2)),
        );
    }
}
