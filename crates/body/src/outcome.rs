//! A body on its way into a parser, and what came of it.

use crate::{Error, MultipartFlags};

/// A body as a parser gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body<'a> {
    /// Its bytes, content codings removed.
    pub bytes: &'a [u8],
    /// Whether a limit cut it off (`SecRequestBodyLimitAction ProcessPartial`): that it ends early
    /// is no error then, and what the cut left of a value is a value.
    pub is_partial: bool,
}

impl<'a> Body<'a> {
    /// All of a body.
    #[must_use]
    pub const fn whole(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            is_partial: false,
        }
    }

    /// The beginning of a body.
    #[must_use]
    pub const fn partial(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            is_partial: true,
        }
    }
}

/// What came of parsing a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Why the body can't be read to its end (`REQBODY_ERROR`, `REQBODY_ERROR_MSG`).
    pub error: Option<Error>,
    /// What is odd about a multipart body (`MULTIPART_STRICT_ERROR` and its kin).
    pub multipart: MultipartFlags,
    /// Whether a form has a `%` that two hexadecimal digits don't follow (`URLENCODED_ERROR`).
    pub has_invalid_encoding: bool,
    /// The bytes that aren't a file's, which `SecRequestBodyNoFilesLimit` is for.
    pub no_files_bytes: usize,
    /// Whether the body was all there and was read to its end.
    pub is_complete: bool,
}

impl Outcome {
    /// What came of a body that has no files.
    pub(crate) fn of(body: Body<'_>, result: Result<(), Error>) -> Self {
        let error = result
            .err()
            .filter(|error| !(body.is_partial && error.is_early_end()));
        Self {
            error,
            no_files_bytes: body.bytes.len(),
            is_complete: result.is_ok() && !body.is_partial,
            ..Self::default()
        }
    }
}
