//! Content codings. Input: the value of `Content-Encoding`, a line feed, then the body.

use palisade_body::content_coding::{CodingError, decode};
use palisade_body::{Body, Limits, Scratch};

use crate::{Outcome, check_message};

/// Caps hold; what is decoded of a beginning is the beginning of what is decoded; memory that was used
/// before changes nothing.
pub fn check(data: &[u8]) -> Outcome {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let codings = lines.next().unwrap_or_default();
    let bytes = lines.next().unwrap_or_default();
    let mut scratch = Scratch::new();
    let (result, decoded) = run(codings, Body::whole(bytes), &mut scratch);
    if let Err(error) = &result {
        check_message(&error.to_string());
    }
    let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
    let (of_half, beginning) = run(codings, Body::partial(half), &mut scratch);
    assert!(!matches!(of_half, Err(CodingError::EarlyEnd { .. })));
    if result.is_ok() {
        assert!(decoded.starts_with(&beginning));
    }
    assert_eq!(
        run(codings, Body::whole(bytes), &mut scratch),
        (result, decoded)
    );
    match result {
        Ok(()) => Outcome::Accepted,
        Err(_) => Outcome::Refused,
    }
}

fn run(
    codings: &[u8],
    body: Body<'_>,
    scratch: &mut Scratch,
) -> (Result<(), CodingError>, Vec<u8>) {
    let limits = Limits {
        decoded_bytes: 100_000,
        decoded_ratio: 50,
        ..Limits::default()
    };
    let mut out = Vec::new();
    let result = decode(codings, body, &limits, scratch, &mut out);
    let longest = limits.decoded_bytes.max(body.bytes.len());
    assert!(out.len() <= longest, "{} bytes", out.len());
    (result, out)
}
