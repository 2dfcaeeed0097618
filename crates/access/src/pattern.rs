//! One string matcher of a condition.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::regex::{CompiledRegex, RegexError};

/// A string matcher: how it matches, its text, and whether ASCII letters match in both cases.
///
/// Matching is over bytes, since a decoded path need not be UTF-8.
#[derive(Clone, Debug)]
pub struct Pattern {
    kind: PatternKind,
    text: Arc<str>,
    ignore_case: bool,
    /// Compiled once; there for [`PatternKind::Regex`] alone.
    regex: Option<Arc<CompiledRegex>>,
}

/// How a [`Pattern`] matches a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PatternKind {
    /// The value is the text.
    Equals,
    /// The value starts with the text.
    Prefix,
    /// The value ends with the text.
    Suffix,
    /// The text is somewhere in the value.
    Contains,
    /// The regular expression matches somewhere in the value; see [`Pattern::new`].
    Regex,
}

impl Pattern {
    /// The longest text of a pattern, in bytes. Longer than any pattern that a person writes, and a
    /// quarter of a request target's default limit.
    pub const LEN_MAX: usize = 2048;

    /// A pattern of `kind`. With `ignore_case`, ASCII letters match in both cases.
    ///
    /// A regular expression has the syntax of the `regex` crate, matches in linear time and is
    /// unanchored. Classes such as `\w` are ASCII and `.` is any byte, a newline too, so that an
    /// encoded newline can't hide what follows it; an expression that is impossible over bytes
    /// (`\p{Greek}`, `[ä]`) is matched over characters instead.
    ///
    /// # Errors
    /// When the text is over [`Pattern::LEN_MAX`], is empty though the kind would then match
    /// everything, or is no regular expression or one that compiles to too much.
    pub fn new(kind: PatternKind, text: &str, ignore_case: bool) -> Result<Self, PatternError> {
        if text.is_empty() && kind != PatternKind::Equals {
            return Err(PatternError::Empty { kind });
        }
        if text.len() > Self::LEN_MAX {
            return Err(PatternError::TooLong {
                got: text.len(),
                max: Self::LEN_MAX,
            });
        }
        let regex = match kind {
            PatternKind::Regex => Some(Arc::new(CompiledRegex::new(text, ignore_case)?)),
            _ => None,
        };
        Ok(Self {
            kind,
            text: text.into(),
            ignore_case,
            regex,
        })
    }

    /// How it matches.
    #[must_use]
    pub fn kind(&self) -> PatternKind {
        self.kind
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether ASCII letters match in both cases.
    #[must_use]
    pub fn ignores_case(&self) -> bool {
        self.ignore_case
    }

    /// Whether `value` matches. For analysis and tests; requests are matched by all patterns of a
    /// field at once.
    #[must_use]
    pub fn matches(&self, value: &[u8]) -> bool {
        let text = self.text.as_bytes();
        match self.kind {
            PatternKind::Equals => self.same(value, text),
            PatternKind::Prefix => value
                .get(..text.len())
                .is_some_and(|head| self.same(head, text)),
            PatternKind::Suffix => value
                .len()
                .checked_sub(text.len())
                .and_then(|start| value.get(start..))
                .is_some_and(|tail| self.same(tail, text)),
            PatternKind::Contains => value.windows(text.len()).any(|part| self.same(part, text)),
            PatternKind::Regex => self
                .regex
                .as_ref()
                .is_some_and(|regex| regex.is_match(value)),
        }
    }

    /// The same pattern with its text in lower case, if case makes no difference to it: patterns that
    /// match the same values are then equal.
    pub(crate) fn in_one_case(&self) -> Pattern {
        let mut pattern = self.clone();
        if self.ignore_case && self.kind != PatternKind::Regex {
            pattern.text = self.text.to_ascii_lowercase().into();
        }
        pattern
    }

    pub(crate) fn regex(&self) -> Option<&Arc<CompiledRegex>> {
        self.regex.as_ref()
    }

    fn same(&self, value: &[u8], text: &[u8]) -> bool {
        if self.ignore_case {
            value.eq_ignore_ascii_case(text)
        } else {
            value == text
        }
    }

    fn identity(&self) -> (PatternKind, bool, &str) {
        (self.kind, self.ignore_case, &self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// An empty text that would match everything.
    #[error("`{kind}` with an empty string matches everything; expected at least one character")]
    Empty {
        /// How it would match.
        kind: PatternKind,
    },
    /// More text than a pattern may have.
    #[error("the pattern is {got} bytes long; expected at most {max}")]
    TooLong {
        /// Its length in bytes.
        got: usize,
        /// The longest that is possible.
        max: usize,
    },
    /// Not a regular expression that can be used.
    #[error(transparent)]
    Regex(#[from] RegexError),
}

impl fmt::Display for PatternKind {
    /// As the settings name it: `prefix`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equals => "equals",
            Self::Prefix => "prefix",
            Self::Suffix => "suffix",
            Self::Contains => "contains",
            Self::Regex => "regex",
        })
    }
}

impl fmt::Display for Pattern {
    /// `prefix "/admin"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.kind, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PatternKind::{Contains, Equals, Prefix, Regex, Suffix};

    #[track_caller]
    fn check(kind: PatternKind, text: &str, ignore_case: bool, value: &[u8], expected: bool) {
        let pattern = Pattern::new(kind, text, ignore_case).unwrap();
        assert_eq!(
            pattern.matches(value),
            expected,
            "{pattern} on {}",
            value.escape_ascii()
        );
    }

    #[track_caller]
    fn check_error(kind: PatternKind, text: &str, expected: &str) {
        let error = Pattern::new(kind, text, false).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn literals() {
        check(Equals, "/a", false, b"/a", true);
        check(Equals, "/a", false, b"/A", false);
        check(Equals, "/a", true, b"/A", true);
        check(Equals, "", false, b"", true);
        check(Equals, "", false, b"a", false);
        check(Prefix, "/a", false, b"/ab", true);
        check(Prefix, "/ab", false, b"/a", false);
        check(Prefix, "/A", true, b"/ab", true);
        check(Suffix, ".php", false, b"/x.php", true);
        check(Suffix, ".php", false, b"php", false);
        check(Suffix, ".PHP", true, b"/x.php", true);
        check(Contains, "map", false, b"sqlmap/1", true);
        check(Contains, "map", false, b"ma", false);
        check(Contains, "MAP", true, b"sqlmap/1", true);
        check(Contains, "\u{e4}", true, b"\xc3\xa4", true);
        check(Contains, "\u{c4}", true, b"\xc3\xa4", false);
    }

    #[test]
    fn regexes_match_bytes() {
        check(Regex, r"^/a\d+$", false, b"/a12", true);
        check(Regex, r"^/a\d+$", false, b"/a12\n", false);
        check(Regex, r"admin.*secret", false, b"/admin\nsecret", true);
        check(Regex, r"^.$", false, b"\xff", true);
        check(Regex, r"\xff", false, b"\xff", true);
        check(Regex, r"^\w$", false, "\u{e4}".as_bytes(), false);
        check(Regex, r"^[\u{e4}]$", false, "\u{e4}".as_bytes(), true);
        check(Regex, r"^\p{Greek}$", false, "\u{3b1}".as_bytes(), true);
        check(Regex, "SQLmap", true, b"sqlMAP", true);
        check(Regex, "sk", true, "\u{17f}\u{212a}".as_bytes(), false);
    }

    #[test]
    fn what_can_not_be_meant_is_refused() {
        for kind in [Prefix, Suffix, Contains, Regex] {
            check_error(
                kind,
                "",
                &format!(
                    "`{kind}` with an empty string matches everything; expected at least one character"
                ),
            );
        }
        check_error(
            Contains,
            &"x".repeat(2049),
            "the pattern is 2049 bytes long; expected at most 2048",
        );
        check_error(
            Regex,
            "a(b",
            "not a regular expression: unclosed group (at character 2)",
        );
        check_error(
            Regex,
            "(a{1000}){1000}",
            "the regular expression compiles to more than 256KiB; expected smaller repetitions or classes",
        );
    }
}
