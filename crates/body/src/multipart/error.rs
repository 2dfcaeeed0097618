//! Why a multipart body can't be read.

use thiserror::Error;

use crate::Byte;

/// Why a multipart body can't be read.
///
/// Offsets are of the line that is wrong, or the byte where one is named. Log readers, and tests of
/// OWASP CRS, look for the words that ModSecurity 2 has for some of them; those stand first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MultipartError {
    /// `Content-Type` says no boundary that is beyond doubt.
    #[error("Invalid boundary in C-T: {0}")]
    ContentType(&'static str),
    /// No line of the body is a boundary.
    #[error(
        "No boundaries found in payload: expected a line of '--' and the boundary of Content-Type"
    )]
    NoBoundary,
    /// The body ends before its last boundary.
    #[error("Final boundary missing: the body ends before a line of '--', boundary and '--'")]
    NoLastBoundary,
    /// A boundary with something behind it.
    #[error("Invalid boundary: something follows it in its line at offset {at}")]
    BoundaryLine {
        /// Where the line begins.
        at: usize,
    },
    /// A boundary in quotes.
    #[error("Invalid boundary (quotes): a quoted boundary in the line at offset {at}")]
    QuotedBoundaryLine {
        /// Where the line begins.
        at: usize,
    },
    /// A boundary behind white space.
    #[error("Invalid boundary (whitespace): white space before it in the line at offset {at}")]
    SpaceInBoundaryLine {
        /// Where the line begins.
        at: usize,
    },
    /// A header line that is too long.
    #[error("Part header line over {limit} bytes long at offset {at}")]
    HeaderTooLong {
        /// A line, or the value that folded lines make, is shorter.
        limit: usize,
        /// Where the line begins.
        at: usize,
    },
    /// A NUL in a header.
    #[error("Nul byte in part headers at offset {at}")]
    NulInHeader {
        /// The byte.
        at: usize,
    },
    /// A folded line that nothing comes before.
    #[error(
        "Invalid part header (folding error): the first header begins with white space at offset {at}"
    )]
    FoldedFirstHeader {
        /// Where the line begins.
        at: usize,
    },
    /// A header line without a colon.
    #[error("Invalid part header (colon missing) at offset {at}")]
    NoColon {
        /// Where the line begins.
        at: usize,
    },
    /// A header line without a name.
    #[error("Invalid part header (header name missing) at offset {at}")]
    NoHeaderName {
        /// Where the line begins.
        at: usize,
    },
    /// A byte that can't be in a header's name.
    #[error(
        "Invalid part header (contains invalid character): {got} in its name at offset {at}, where 0x21 to 0x7e are allowed"
    )]
    HeaderName {
        /// The byte.
        got: Byte,
        /// Where.
        at: usize,
    },
    /// A header that comes twice in a part.
    #[error("Duplicate part header at offset {at}")]
    DuplicateHeader {
        /// Where the second begins.
        at: usize,
    },
    /// Too many headers in a part.
    #[error("more than {limit} headers in a part at offset {at}")]
    TooManyHeaders {
        /// The most of a part.
        limit: usize,
        /// Where the line begins.
        at: usize,
    },
    /// A part without `Content-Disposition`.
    #[error("Part missing Content-Disposition header: its headers end at offset {at}")]
    NoDisposition {
        /// Where its headers end.
        at: usize,
    },
    /// A `Content-Disposition` that isn't as browsers write it.
    #[error("Invalid Content-Disposition header: {reason}; the part's headers end at offset {at}")]
    Disposition {
        /// What is wrong.
        reason: &'static str,
        /// Where the part's headers end.
        at: usize,
    },
    /// Too many parts.
    #[error("more than {limit} parts")]
    TooManyParts {
        /// The most of a body.
        limit: usize,
    },
}

impl MultipartError {
    pub(crate) const fn is_early_end(&self) -> bool {
        matches!(self, Self::NoBoundary | Self::NoLastBoundary)
    }
}
