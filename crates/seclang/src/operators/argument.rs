//! Arguments: known when rules are loaded, or expanded for each value.

use super::error::Found;
use crate::MacroText;

/// The argument of an operator that compares with text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// The same for every value.
    Fixed(Box<[u8]>),
    /// To be expanded before the operator is asked.
    Macros(MacroText),
}

impl Argument {
    pub(super) fn parse(text: &[u8]) -> Result<Self, Found> {
        let parsed = MacroText::parse(text).map_err(|error| (0, error.into()))?;
        Ok(match parsed.as_literal() {
            Some(literal) => Self::Fixed(literal.into()),
            None => Self::Macros(parsed),
        })
    }

    /// Itself, or what it was expanded to.
    pub(super) fn text<'a>(&'a self, expanded: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Fixed(text) => text,
            Self::Macros(_) => expanded,
        }
    }

    /// Its macros, where it has any.
    #[must_use]
    pub fn macros(&self) -> Option<&MacroText> {
        match self {
            Self::Fixed(_) => None,
            Self::Macros(macros) => Some(macros),
        }
    }
}
