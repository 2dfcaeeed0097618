//! Why a body can't be read.

use std::fmt;

use thiserror::Error;

use crate::content_coding::CodingError;
use crate::{JsonError, MultipartError, XmlError};

/// Why a body can't be read to its end. Its text is `REQBODY_ERROR_MSG`, which begins as
/// ModSecurity 2's does.
///
/// Making one allocates nothing, since whoever sends a body chooses whether there is one. Places are
/// offsets in bytes from the start of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// There are more arguments than are allowed.
    #[error("more than {limit} arguments, or too many with those of the query (SecArgumentsLimit)")]
    TooManyArguments {
        /// The most of one body.
        limit: usize,
    },
    /// There are more bytes that aren't a file's than are allowed. For whoever knows the limit: no
    /// parser says so.
    #[error("Request body no files data length is larger than the configured limit ({limit}).")]
    TooLongWithoutFiles {
        /// The most bytes (`SecRequestBodyNoFilesLimit`).
        limit: u64,
    },
    /// It isn't JSON.
    #[error("JSON parsing error: {0}")]
    Json(#[from] JsonError),
    /// It isn't well-formed XML, or needs more than we process.
    #[error("XML parsing error: {0}")]
    Xml(#[from] XmlError),
    /// It isn't multipart as browsers write it.
    #[error("Multipart parsing error: Multipart: {0}")]
    Multipart(#[from] MultipartError),
    /// Its content coding can't be undone. For whoever does that: no parser says so.
    #[error("Content coding error: {0}")]
    Coding(#[from] CodingError),
}

impl Error {
    /// Whether more bytes might have mended it.
    pub(crate) const fn is_early_end(&self) -> bool {
        match self {
            Self::TooManyArguments { .. } | Self::TooLongWithoutFiles { .. } | Self::Coding(_) => {
                false
            }
            Self::Json(error) => error.is_early_end(),
            Self::Xml(error) => error.is_early_end(),
            Self::Multipart(error) => error.is_early_end(),
        }
    }
}

/// A byte that stands where it must not; shows as itself where a log line can bear it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Byte(pub u8);

impl fmt::Display for Byte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            b'!'..=b'~' => write!(f, "'{}'", char::from(self.0)),
            byte => write!(f, "byte 0x{byte:02x}"),
        }
    }
}

impl fmt::Debug for Byte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
