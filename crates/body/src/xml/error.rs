//! Why a body isn't XML that we read.

use thiserror::Error;

use crate::Byte;

/// Why a body isn't well-formed XML, or needs more than we process.
///
/// Offsets are of the document as UTF-8, without its byte order mark: of the body itself, unless that
/// was in another encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum XmlError {
    /// Something else belongs there.
    #[error("{got} at offset {at}, where {expected} was expected")]
    Unexpected {
        /// What stands there.
        got: Byte,
        /// What may.
        expected: &'static str,
        /// Where.
        at: usize,
    },
    /// It ends too early.
    #[error("the document ends too early at offset {at}")]
    EarlyEnd {
        /// Where it ends.
        at: usize,
    },
    /// Bytes that are no character that XML allows, or not in the document's encoding.
    #[error("no character of XML in the document's encoding at offset {at}")]
    NoCharacter {
        /// Where.
        at: usize,
    },
    /// An encoding that we don't read, or one that contradicts the document's first bytes.
    #[error("the document's encoding isn't read or isn't what its first bytes say; write UTF-8")]
    Encoding,
    /// An element ends that isn't the innermost.
    #[error("an end tag at offset {at} that isn't of the innermost element")]
    EndTag {
        /// Where it begins.
        at: usize,
    },
    /// An attribute comes twice in an element.
    #[error("an attribute comes twice in an element, the second time at offset {at}")]
    DuplicateAttribute {
        /// Where the second begins.
        at: usize,
    },
    /// A reference to no entity that is predefined, or to no character.
    #[error(
        "a reference at offset {at} that is neither of a predefined entity nor of a character of XML"
    )]
    Reference {
        /// Where it begins.
        at: usize,
    },
    /// A document type that declares something.
    #[error(
        "a document type with an internal subset at offset {at}: definitions are not processed"
    )]
    InternalSubset {
        /// Where the subset begins.
        at: usize,
    },
    /// Elements nest too deep.
    #[error("elements nest deeper than {limit} at offset {at}")]
    TooDeep {
        /// How deep they may.
        limit: usize,
        /// What is one too deep.
        at: usize,
    },
    /// The names of elements that are arguments are too long together.
    #[error("names of more than {limit} bytes in all at offset {at}")]
    NamesTooLong {
        /// The most bytes.
        limit: usize,
        /// Where one would have been too long.
        at: usize,
    },
    /// Too many attributes.
    #[error("more than {limit} attributes in an element or the document at offset {at}")]
    TooManyAttributes {
        /// The most of an element or the document.
        limit: usize,
        /// Where that was reached.
        at: usize,
    },
}

impl XmlError {
    pub(crate) const fn is_early_end(&self) -> bool {
        matches!(self, Self::EarlyEnd { .. })
    }
}
