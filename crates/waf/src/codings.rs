//! Bodies without their content codings.

use std::borrow::Cow;

use palisade_body::content_coding::{self, CodingError};
use palisade_body::{Body, Limits, Scratch};

/// The body that `content_encoding`, the values of its `Content-Encoding` fields joined by commas, was
/// applied to; no longer than `limit`.
///
/// # Errors
/// Where that can't be undone.
pub(crate) fn without_codings<'b>(
    content_encoding: &[u8],
    body: Body<'b>,
    limit: Option<u64>,
) -> Result<Cow<'b, [u8]>, CodingError> {
    if content_encoding.is_empty() {
        return Ok(Cow::Borrowed(body.bytes));
    }
    let mut decoded = Vec::new();
    decode(content_encoding, body, limit, &mut decoded)?;
    Ok(Cow::Owned(decoded))
}

/// The same of an answer's body, as far as that can be undone, and whether it is only a beginning; as it was
/// sent where nothing can.
pub(crate) fn beginning_without_codings<'b>(
    content_encoding: &[u8],
    body: Body<'b>,
    limit: Option<u64>,
) -> (Cow<'b, [u8]>, bool) {
    if content_encoding.is_empty() {
        return (Cow::Borrowed(body.bytes), body.is_partial);
    }
    let mut decoded = Vec::new();
    match decode(content_encoding, body, limit, &mut decoded) {
        Ok(()) => (Cow::Owned(decoded), body.is_partial),
        Err(_) if decoded.is_empty() => (Cow::Borrowed(body.bytes), body.is_partial),
        Err(_) => (Cow::Owned(decoded), true),
    }
}

/// Whether all codings of a list can be undone.
pub(crate) fn can_undo(content_encoding: &[u8]) -> bool {
    content_coding::can_decode(content_encoding, &Limits::default())
}

fn decode(
    content_encoding: &[u8],
    body: Body<'_>,
    limit: Option<u64>,
    decoded: &mut Vec<u8>,
) -> Result<(), CodingError> {
    let limits = Limits {
        decoded_bytes: limit
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(Limits::default().decoded_bytes),
        ..Limits::default()
    };
    let mut scratch = Scratch::new();
    content_coding::decode(content_encoding, body, &limits, &mut scratch, decoded)
}
