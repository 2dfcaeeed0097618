//! What HTTP/1 and HTTP/2 share: tokens, values, methods and the length of a body.

use crate::{Refusal, RefusalReason};

/// How a request's body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// So many bytes; may be zero.
    Length(u64),
    /// Chunks (RFC 9112 section 7.1).
    Chunked,
}

/// Holds a body to its declared length, as RFC 9113 section 8.1.1 demands of HTTP/2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthCheck {
    declared: Option<u64>,
    seen: u64,
}

impl LengthCheck {
    /// Nothing seen yet of `declared` bytes; `None` where nothing was declared.
    #[must_use]
    pub const fn new(declared: Option<u64>) -> Self {
        Self { declared, seen: 0 }
    }

    /// The declared length.
    #[must_use]
    pub const fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// The bytes seen so far.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    /// Counts `bytes` more of the body.
    ///
    /// # Errors
    /// When that is more than was declared.
    pub fn data(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.seen = self
            .seen
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        match self.declared {
            Some(declared) if self.seen > declared => Err(RefusalReason::BodyLengthMismatch.into()),
            _ => Ok(()),
        }
    }

    /// The body is over.
    ///
    /// # Errors
    /// When less came than was declared.
    pub fn end(&self) -> Result<(), Refusal> {
        match self.declared {
            Some(declared) if self.seen != declared => {
                Err(RefusalReason::BodyLengthMismatch.into())
            }
            _ => Ok(()),
        }
    }
}

/// The longest method, in bytes; the longest registered one has 17.
pub(crate) const METHOD_LEN_MAX: usize = 32;

/// The largest Content-Length.
const CONTENT_LENGTH_MAX: u64 = i64::MAX.unsigned_abs();

/// A byte of a token (RFC 9110 section 5.6.2).
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`'
        | b'|' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

/// [`is_token_byte`] of each byte: names are looked at byte by byte.
#[expect(
    clippy::indexing_slicing,
    reason = "the compiler does it, and would say so"
)]
pub(crate) static TOKEN_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = is_token_byte(byte);
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

/// A method that may pass: an upper-case token that is neither CONNECT nor TRACE.
///
/// Unknown methods pass: rules and the backend judge them.
pub(crate) fn check_method(method: &[u8]) -> Result<&str, Refusal> {
    let text = std::str::from_utf8(method).map_err(|_| RefusalReason::MethodInvalid)?;
    if method.is_empty()
        || method.len() > METHOD_LEN_MAX
        || !method.iter().copied().all(is_token_byte)
    {
        return Err(RefusalReason::MethodInvalid.into());
    }
    if method.iter().any(u8::is_ascii_lowercase) {
        return Err(RefusalReason::MethodLowerCase.into());
    }
    match text {
        "CONNECT" => Err(RefusalReason::MethodConnect.into()),
        "TRACE" => Err(RefusalReason::MethodTrace.into()),
        _ => Ok(text),
    }
}

/// A field's value holds no control byte but tab (RFC 9110 section 5.5). Bytes from 0x80 on
/// (obs-text) pass: real clients send them, and rules judge them.
pub(crate) fn check_value(value: &[u8]) -> Result<(), Refusal> {
    // Without an early exit the compiler tests many bytes at once.
    let bad = value.iter().fold(false, |bad, &b| {
        bad | ((b < b' ') & (b != b'\t')) | (b == 0x7f)
    });
    if !bad {
        return Ok(());
    }
    Err(match value.contains(&b'\r') {
        true => RefusalReason::BareCarriageReturn.into(),
        false => RefusalReason::HeaderValueInvalid.into(),
    })
}

/// A Content-Length: `1*DIGIT` (RFC 9110 section 8.6) that fits 63 bits, since many servers count
/// with a sign. A list is refused though section 8.6 lets equal members count once: the two ends of
/// a chain may choose differently.
pub(crate) fn parse_content_length(value: &[u8]) -> Result<u64, Refusal> {
    let bytes = value.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        let sum = sum.checked_mul(10)?.checked_add(u64::from(digit))?;
        (digit <= 9 && sum <= CONTENT_LENGTH_MAX).then_some(sum)
    });
    bytes
        .filter(|_| !value.is_empty())
        .ok_or_else(|| RefusalReason::ContentLengthInvalid.into())
}

/// Whether an `Expect` asks for 100 (Continue); any other is refused (RFC 9110 section 10.1.1).
pub(crate) fn check_expect(value: &[u8]) -> Result<(), Refusal> {
    match value.eq_ignore_ascii_case(b"100-continue") {
        true => Ok(()),
        false => Err(RefusalReason::ExpectationFailed.into()),
    }
}

/// `value` without optional white space at its ends (RFC 9110 section 5.6.3).
pub(crate) fn trim_ows(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_lengths_are_one_number() {
        for (value, expected) in [
            ("0", Some(0)),
            ("0042", Some(42)),
            ("9223372036854775807", Some(CONTENT_LENGTH_MAX)),
            ("9223372036854775808", None),
            ("18446744073709551616", None),
            ("99999999999999999999999", None),
            ("", None),
            ("+3", None),
            ("-1", None),
            ("0x3", None),
            ("3, 3", None),
            ("3 3", None),
            ("\u{663}", None),
        ] {
            assert_eq!(
                parse_content_length(value.as_bytes()).ok(),
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn a_body_is_held_to_its_length() {
        let mut check = LengthCheck::new(Some(3));
        assert!(check.data(2).is_ok());
        assert!(check.end().is_err(), "short");
        assert!(check.data(1).is_ok());
        assert!(check.end().is_ok());
        assert!(check.data(1).is_err(), "long");

        let mut free = LengthCheck::new(None);
        assert!(free.data(usize::MAX).is_ok());
        assert!(free.data(usize::MAX).is_ok());
        assert!(free.end().is_ok());
    }

    #[test]
    fn white_space_is_trimmed_at_both_ends_only() {
        assert_eq!(trim_ows(b" \ta b\t "), b"a b");
        assert_eq!(trim_ows(b" \t "), b"");
    }
}
