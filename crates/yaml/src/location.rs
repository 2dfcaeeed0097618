//! Where something stands in a file, and how what stands there is shown.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A place in a file.
///
/// Ordered by file name, line and column, which is the order in which one reads.
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
    #[must_use]
    pub fn folder(&self) -> &Path {
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

/// What was got, in quotes: at most 64 characters, safe to print on one line.
#[must_use]
pub fn quoted(text: &str) -> String {
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
