//! Tokens of SQL.

use super::keywords::Keyword;
use super::kind::Kind;

/// The longest text that is kept of a token; what is longer is compared with nothing.
pub(super) const TEXT_BYTES_MAX: usize = 31;

/// A token: a piece of the value, or several pieces that were merged into a phrase of the keyword
/// table.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// Its text without quotes, at most [`TEXT_BYTES_MAX`] of it; of a phrase, as the table has it.
    text: &'a [u8],
    /// What a string began with; `None` where the value begins within it.
    pub(super) opened_by: Option<u8>,
    /// What ended it; `None` where the value ends within it.
    pub(super) closed_by: Option<u8>,
    /// Whether a phrase of the keyword table begins with its text.
    pub(super) begins_phrase: bool,
}

impl<'a> Token<'a> {
    pub(super) fn new(kind: Kind, text: &'a [u8]) -> Self {
        Self {
            kind,
            text: text.get(..TEXT_BYTES_MAX).unwrap_or(text),
            ..Self::default()
        }
    }

    /// A keyword with the text that stands for it.
    pub(super) fn of_keyword(keyword: &Keyword, text: &'a [u8]) -> Self {
        let kind = match keyword.kind {
            Kind::None => Kind::Bareword,
            kind => kind,
        };
        Self {
            begins_phrase: keyword.begins_phrase,
            ..Self::new(kind, text)
        }
    }

    /// A string that `opened_by` began, and that ends within the value if `is_closed`.
    pub(super) fn string(text: &'a [u8], opened_by: u8, is_closed: bool) -> Self {
        Self {
            opened_by: Some(opened_by),
            closed_by: is_closed.then_some(opened_by),
            ..Self::new(Kind::String, text)
        }
    }

    pub(super) fn text(&self) -> &'a [u8] {
        self.text
    }

    /// Whether its text is `word`, which is in capitals, in any case.
    pub(super) fn is(&self, word: &[u8]) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }
}
