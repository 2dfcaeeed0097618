//! What is wrong with an operator.

use super::rx::PatternProblem;
use crate::{MacroError, SourceError};

/// Why an operator can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("@{operator}: {problem} (at byte {offset} of the argument)")]
pub struct OperatorError {
    /// The operator, as the rule names it.
    pub operator: String,
    /// Where in the argument, counted in bytes from 0.
    pub offset: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with an operator or its argument.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// No operator has this name.
    #[error("there is no such operator")]
    Unknown,
    /// An operator of ModSecurity that isn't here on purpose.
    #[error("this operator is refused: {0}")]
    Refused(
        /// Why.
        &'static str,
    ),
    /// An operator that needs an argument has none.
    #[error("the argument is empty; expected {0}")]
    Empty(
        /// What is needed.
        &'static str,
    ),
    /// An argument is longer, or has more parts, than is taken.
    #[error("the argument has {got} {what}; expected at most {max}")]
    TooMuch {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many there may be.
        max: usize,
    },
    /// A regular expression.
    #[error(transparent)]
    Pattern(#[from] PatternProblem),
    /// A text with macros.
    #[error(transparent)]
    Macro(#[from] MacroError),
    /// An address or range of addresses.
    #[error(
        "`{got}` is no address; expected one as 192.0.2.1, 2001:db8::1, 192.0.2.0/24 or 2001:db8::/32"
    )]
    Address {
        /// The beginning of what was found.
        got: String,
    },
    /// A range of bytes.
    #[error(
        "`{got}` is no range of bytes; expected a number from 0 to 255, or two as in 32-126, the lower first"
    )]
    ByteRange {
        /// The beginning of what was found.
        got: String,
    },
    /// The name of a file isn't UTF-8.
    #[error("the name of a file is not UTF-8")]
    FileName,
    /// A file that can't be had.
    #[error("{file}: {error}")]
    Source {
        /// The file, as the rule names it.
        file: String,
        /// Why.
        error: SourceError,
    },
    /// Something in a file.
    #[error("{file}, line {line}: {problem}")]
    InFile {
        /// The file, as the rule names it.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there.
        problem: Box<Problem>,
    },
}

/// A problem and where it is, before it is known whose it is.
pub(crate) type Found = (usize, Problem);

/// The beginning of what was found, in one line.
pub(super) fn excerpt(found: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 200;
    let shown = found.get(..SHOWN_BYTES_MAX).unwrap_or(found);
    shown.escape_ascii().to_string()
}
