//! What HTTP/1 and HTTP/2 share: tokens, values, methods and the length of a body.

use crate::twin::is_odd;
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

/// What a byte is in a field's name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NameByte {
    /// A letter, a digit or `-`.
    Plain,
    /// Any other byte of a token.
    Odd,
    /// It ends the name.
    No,
}

/// What each byte is: names are looked at byte by byte.
#[expect(
    clippy::indexing_slicing,
    reason = "the compiler does it, and would say so"
)]
static NAME_BYTES: [NameByte; 256] = {
    let mut table = [NameByte::No; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = match byte {
            _ if !is_token_byte(byte) => NameByte::No,
            _ if is_odd(byte) => NameByte::Odd,
            _ => NameByte::Plain,
        };
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

/// How many bytes at the beginning of `bytes` can be a field's name (RFC 9110 section 5.1), and whether one of
/// them may make it another's twin.
pub(crate) fn name_at(bytes: &[u8]) -> (usize, bool) {
    let mut is_odd = false;
    let ends = |byte: &u8| match NAME_BYTES.get(usize::from(*byte)) {
        Some(NameByte::Plain) => false,
        Some(NameByte::Odd) => {
            is_odd = true;
            false
        }
        _ => true,
    };
    let length = bytes.iter().position(ends);
    (length.unwrap_or(bytes.len()), is_odd)
}

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

/// How many bytes at the beginning of `bytes` a value surely has: up to the first control byte, which a tab is too.
pub(crate) fn plain_value_at(bytes: &[u8]) -> usize {
    // Eight bytes at a time: in each the highest bit is set where the byte is below a space, or 0x7f.
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (chunks, rest) = bytes.as_chunks::<8>();
    for (chunk, at) in chunks.iter().zip(0..) {
        let word = u64::from_le_bytes(*chunk);
        let deletes = word ^ (LOW * 0x7f);
        let below = word.wrapping_sub(LOW * 0x20) & !word;
        // A borrow can only set bits above one that is rightly set: the lowest is right.
        let found = (below | (deletes.wrapping_sub(LOW) & !deletes)) & HIGH;
        if found != 0 {
            return at * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let is_control = |byte: &u8| *byte < b' ' || *byte == 0x7f;
    let whole = bytes.len() - rest.len();
    whole + rest.iter().position(is_control).unwrap_or(rest.len())
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
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_name(bytes: &str, expected: (usize, bool)) {
        assert_eq!(name_at(bytes.as_bytes()), expected, "{bytes:?}");
    }

    #[test]
    fn a_name_ends_before_what_is_no_token() {
        check_name("X-Forwarded-For: a", (15, false));
        check_name("X_Forwarded_For: a", (15, true));
        check_name("x.y", (3, true));
        check_name("Host", (4, false));
        check_name("a b_c", (1, false));
        check_name(": a", (0, false));
        check_name("\u{e4}", (0, false));
        check_name("", (0, false));
    }

    proptest! {
        #[test]
        fn a_plain_value_ends_before_the_first_control_byte(
            bytes in prop::collection::vec(prop_oneof![
                9 => b' '..=b'~',
                1 => any::<u8>(),
            ], 0..50),
        ) {
            let is_control = |byte: &u8| *byte < b' ' || *byte == 0x7f;
            let expected = bytes.iter().position(is_control).unwrap_or(bytes.len());
            prop_assert_eq!(plain_value_at(&bytes), expected);
        }

        #[test]
        fn whatever_bytes_there_are(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            let is_control = |byte: &u8| *byte < b' ' || *byte == 0x7f;
            let expected = bytes.iter().position(is_control).unwrap_or(bytes.len());
            prop_assert_eq!(plain_value_at(&bytes), expected);
        }
    }

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
