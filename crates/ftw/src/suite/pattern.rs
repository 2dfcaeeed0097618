//! Patterns that lines of the log and answers are looked through for.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

/// A regular expression over bytes: `.` is any but a line feed, and classes are ASCII's, as in Go.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles `text`.
    ///
    /// # Errors
    ///
    /// Where it is no regular expression, or one too large.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        RegexBuilder::new(text).unicode(false).build().map(Self)
    }

    /// Whether it is somewhere in `bytes`.
    #[must_use]
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        self.0.is_match(bytes)
    }
}

impl PartialEq for Pattern {
    /// Whether they are written alike.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    /// As it is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}
