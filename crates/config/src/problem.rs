//! What is wrong with the settings, and where: found all at once, printed in reading order.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A place in a file of settings.
///
/// Ordered by file name, line and column, which is the order in which problems are printed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    file: Arc<Path>,
    line: u32,
    column: u32,
}

impl Location {
    /// Line `line` and column `column` of `file`, both counted from 1; columns count characters.
    #[must_use]
    pub fn new(file: Arc<Path>, line: u32, column: u32) -> Self {
        Self { file, line, column }
    }

    /// The whole of `file`, for what has no line: a file that can't be read.
    #[must_use]
    pub fn whole(file: Arc<Path>) -> Self {
        Self::new(file, 0, 0)
    }

    /// The file, as it was named on the command line or by the file that includes it.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The line, from 1; 0 where the problem is the file as a whole.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The column in characters, from 1; 0 where the problem is the file as a whole.
    #[must_use]
    pub fn column(&self) -> u32 {
        self.column
    }

    /// The folder that relative paths written here start at.
    pub(crate) fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }
}

impl fmt::Display for Location {
    /// `file:line:column`, as editors and compilers have it; `file` alone for a whole file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        if self.line == 0 {
            write!(f, "{file}")
        } else {
            write!(f, "{file}:{}:{}", self.line, self.column)
        }
    }
}

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

/// What was got, in quotes: at most 64 characters, safe to print on one line.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN_MAX: usize = 64;
    let mut shown = String::from("\"");
    for (index, character) in text.chars().enumerate() {
        if index == SHOWN_MAX {
            shown.push_str("...");
            break;
        }
        if character.is_control()
            || matches!(character, '"' | '\\' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown.push('"');
    shown
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn what_was_got_is_short_and_safe_to_print() {
        assert_eq!(
            quoted("a\"b\n\u{1b}[0m\u{202e}é"),
            "\"a\\\"b\\n\\u{1b}[0m\\u{202e}é\""
        );
        assert_eq!(
            quoted(&"x".repeat(70)),
            format!("\"{}...\"", "x".repeat(64))
        );
    }
}
