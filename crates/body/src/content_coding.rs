//! The content codings of a request's body (RFC 9110 section 8.4.1): `gzip`, `deflate`, `br`, `zstd`.
//!
//! A body that rules can't read hides everything, so what is coded is decoded before anything parses
//! it. A few bytes can stand for many, so there are caps: of bytes, of the ratio, and of the codings
//! in a row.
//!
//! Decoders differ in what they forgive, and what they forgive hides bytes from some of them. So
//! nothing may follow the end of what is coded, be it garbage, a second member of gzip or a second
//! frame of zstd; checksums count; `deflate` is zlib's format (RFC 1950) as the RFC says, and not raw
//! deflate as some send; zstd's window is at most 8 MiB (RFC 9659), and brotli's at most 16 MiB, as
//! its format has it without its large windows.

mod brotli;
mod inflate;
mod output;
#[cfg(test)]
mod tests;
mod zstd;

use std::mem;

use thiserror::Error;

use crate::{Body, Limits, Scratch};
use inflate::Inflater;
use output::Output;

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// `gzip` (RFC 1952), `x-gzip` too.
    Gzip,
    /// `deflate`: zlib's format (RFC 1950).
    Deflate,
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878).
    Zstd,
}

impl Coding {
    /// The coding of that name, in any case.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        let names = [
            ("gzip", Self::Gzip),
            ("x-gzip", Self::Gzip),
            ("deflate", Self::Deflate),
            ("br", Self::Brotli),
            ("zstd", Self::Zstd),
        ];
        let is_named = |(other, _): &(&str, Self)| other.as_bytes().eq_ignore_ascii_case(name);
        names.into_iter().find(is_named).map(|(_, coding)| coding)
    }

    /// Its name in `Content-Encoding`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// Why a body can't be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CodingError {
    /// A coding that isn't known.
    #[error("Content-Encoding names something else than gzip, deflate, br and zstd")]
    Unknown,
    /// Too many codings.
    #[error("Content-Encoding names more than {limit} codings")]
    TooMany {
        /// The most of a body.
        limit: usize,
    },
    /// It isn't what the coding makes.
    #[error("the body is not {}: {reason}", .coding.name())]
    Malformed {
        /// The coding.
        coding: Coding,
        /// What is wrong.
        reason: &'static str,
    },
    /// It ends too early.
    #[error("the body ends before its {} does", .coding.name())]
    EarlyEnd {
        /// The coding.
        coding: Coding,
    },
    /// Something follows.
    #[error("something follows the end of the body's {}", .coding.name())]
    TrailingBytes {
        /// The coding.
        coding: Coding,
    },
    /// More bytes than are allowed.
    #[error("the body has more than {limit} bytes once decoded (SecRequestBodyLimit)")]
    TooLong {
        /// The most.
        limit: usize,
    },
    /// More bytes than are allowed for so few.
    #[error("the body has more than {limit} times its bytes once decoded")]
    RatioTooHigh {
        /// The most times.
        limit: usize,
    },
}

/// Memory of the decoders.
#[derive(Debug, Default)]
pub(crate) struct CodingScratch {
    codings: Vec<Coding>,
    /// What a coding was taken from, while another is.
    between: Vec<u8>,
    inflater: Inflater,
}

impl CodingScratch {
    pub(crate) fn bytes(&self) -> usize {
        self.codings.capacity() + self.between.capacity() + self.inflater.bytes()
    }
}

/// Removes the codings that `content_encoding`, the value of the `Content-Encoding` fields joined by
/// commas, lists in the order in which they were applied. `out` is written over with what there is
/// then; after an error, with what the decoder had
/// given until then.
///
/// With gzip and deflate allocates nothing once the scratch and `out` have grown; decoders of brotli
/// and zstd allocate what they need for their windows.
///
/// # Errors
/// Where a coding isn't known, the body isn't what it should be, or a cap is exceeded. That the body
/// of a request that was cut ends early is no error.
pub fn decode(
    content_encoding: &[u8],
    body: Body<'_>,
    limits: &Limits,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<(), CodingError> {
    out.clear();
    let scratch = &mut scratch.coding;
    scratch.read_codings(content_encoding, limits)?;
    let Some(last) = scratch.codings.pop() else {
        out.extend_from_slice(body.bytes);
        return Ok(());
    };
    let ratio_of = body.bytes.len();
    remove(last, body, ratio_of, limits, &mut scratch.inflater, out)?;
    while let Some(coding) = scratch.codings.pop() {
        mem::swap(&mut scratch.between, out);
        let body = Body {
            bytes: &scratch.between,
            is_partial: body.is_partial,
        };
        remove(coding, body, ratio_of, limits, &mut scratch.inflater, out)?;
    }
    Ok(())
}

/// Whether [`decode`] knows all codings of a list, and there are no more than `limits` allow.
#[must_use]
pub fn can_decode(content_encoding: &[u8], limits: &Limits) -> bool {
    CodingScratch::default()
        .read_codings(content_encoding, limits)
        .is_ok()
}

impl CodingScratch {
    fn read_codings(&mut self, list: &[u8], limits: &Limits) -> Result<(), CodingError> {
        self.codings.clear();
        for name in list.split(|byte| *byte == b',') {
            let name = name.trim_ascii();
            if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
                continue;
            }
            let limit = limits.content_codings;
            if self.codings.len() == limit {
                return Err(CodingError::TooMany { limit });
            }
            self.codings
                .push(Coding::named(name).ok_or(CodingError::Unknown)?);
        }
        Ok(())
    }
}

/// Removes one coding.
fn remove(
    coding: Coding,
    body: Body<'_>,
    ratio_of: usize,
    limits: &Limits,
    inflater: &mut Inflater,
    out: &mut Vec<u8>,
) -> Result<(), CodingError> {
    out.clear();
    let mut output = Output::new(out, ratio_of, limits);
    let result = match coding {
        Coding::Gzip => inflater.gzip(body.bytes, &mut output),
        Coding::Deflate => inflater.zlib(body.bytes, &mut output),
        Coding::Brotli => brotli::decode(body.bytes, &mut output),
        Coding::Zstd => zstd::decode(body.bytes, &mut output),
    };
    match result {
        Err(CodingError::EarlyEnd { .. }) if body.is_partial => Ok(()),
        result => result,
    }
}
