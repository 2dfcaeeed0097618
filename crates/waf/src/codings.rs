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
    let limits = Limits {
        decoded_bytes: limit
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(Limits::default().decoded_bytes),
        ..Limits::default()
    };
    let mut decoded = Vec::new();
    let mut scratch = Scratch::new();
    content_coding::decode(content_encoding, body, &limits, &mut scratch, &mut decoded)?;
    Ok(Cow::Owned(decoded))
}
