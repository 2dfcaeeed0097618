//! Where something stands in a rule file, and what is wrong there.

use std::fmt;
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
        match self.line {
            0 => write!(f, "{}", self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
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
        f.write_str(&self.message)
    }
}

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
    pub fn add(&mut self, problem: Problem) {
        match problem.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
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
