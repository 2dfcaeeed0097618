//! What is wrong with the settings, and where: found all at once, printed in reading order.

use std::fmt;

pub use palisade_yaml::Location;
pub(crate) use palisade_yaml::quoted;

/// Whether settings with a problem may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// They may not.
    Error,
    /// They may, but they probably don't mean what they say.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Problem {
    /// Where.
    pub location: Location,
    /// How bad.
    pub severity: Severity,
    /// What was got, what was expected, how to mend it. Holds no control characters and no secret.
    pub message: String,
}

impl fmt::Display for Problem {
    /// `file:line:column: error: message`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.location, self.severity, self.message)
    }
}

/// All that is wrong, each thing once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    omitted: usize,
    errors: usize,
}

impl Problems {
    /// The most problems that are kept; the rest is only counted.
    pub const KEPT_MAX: usize = 200;

    /// The problems by file, line and column.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// Whether nothing is wrong at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many are errors, those beyond [`Self::KEPT_MAX`] included.
    #[must_use]
    pub fn error_count(&self) -> usize {
        self.errors
    }

    /// How many are warnings, those beyond [`Self::KEPT_MAX`] included.
    #[must_use]
    pub fn warning_count(&self) -> usize {
        self.list.len() + self.omitted - self.errors
    }

    pub(crate) fn error(&mut self, location: &Location, message: impl Into<String>) {
        self.push(location, Severity::Error, message.into());
    }

    pub(crate) fn warning(&mut self, location: &Location, message: impl Into<String>) {
        self.push(location, Severity::Warning, message.into());
    }

    fn push(&mut self, location: &Location, severity: Severity, message: String) {
        let problem = Problem {
            location: location.clone(),
            severity,
            message,
        };
        if self.list.contains(&problem) {
            return;
        }
        self.errors += usize::from(severity == Severity::Error);
        if self.list.len() < Self::KEPT_MAX {
            self.list.push(problem);
            return;
        }
        self.omitted += 1;
        if severity == Severity::Error {
            self.replace_warning(problem);
        }
    }

    /// An error beyond the bound takes the place of a warning, so that warnings never hide it.
    fn replace_warning(&mut self, error: Problem) {
        let warning = |kept: &&mut Problem| kept.severity == Severity::Warning;
        if let Some(kept) = self.list.iter_mut().rev().find(warning) {
            *kept = error;
        }
    }

    pub(crate) fn sort(&mut self) {
        self.list.sort();
    }
}

impl fmt::Display for Problems {
    /// A line for each problem, then a line that counts them; nothing where nothing is wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        for problem in &self.list {
            writeln!(f, "{problem}")?;
        }
        let (errors, warnings) = (self.error_count(), self.warning_count());
        write!(
            f,
            "{}, {}",
            count(errors, "error"),
            count(warnings, "warning")
        )?;
        if self.omitted > 0 {
            write!(f, " ({} not shown)", self.omitted)?;
        }
        writeln!(f)
    }
}

impl std::error::Error for Problems {}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    fn at(line: u32) -> Location {
        Location::new(Arc::from(Path::new("a.yaml")), line, 3)
    }

    #[test]
    fn problems_are_printed_in_reading_order_and_counted() {
        let mut problems = Problems::default();
        problems.warning(&at(9), "odd");
        problems.error(&at(2), "bad");
        problems.error(&at(2), "bad");
        problems.error(&Location::whole(Arc::from(Path::new("a.yaml"))), "gone");
        problems.sort();
        assert_eq!(
            problems.to_string(),
            "a.yaml: error: gone\na.yaml:2:3: error: bad\na.yaml:9:3: warning: odd\n2 errors, 1 warning\n"
        );
        assert_eq!(Problems::default().to_string(), "");
    }

    #[test]
    fn problems_are_bounded_and_warnings_hide_no_error() {
        let mut problems = Problems::default();
        for line in 1..=300 {
            problems.warning(&at(line), "odd");
        }
        problems.error(&at(7), "bad");
        assert_eq!(problems.iter().count(), Problems::KEPT_MAX);
        assert!(problems.iter().any(|p| p.severity == Severity::Error));
        assert_eq!((problems.error_count(), problems.warning_count()), (1, 300));
        assert!(
            problems
                .to_string()
                .ends_with("1 error, 300 warnings (101 not shown)\n")
        );
    }
}
