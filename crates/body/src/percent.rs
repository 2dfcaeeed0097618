//! Percent-encoding as forms have it.

use crate::syntax::hex_digit;

/// A decoded name or value.
pub(crate) struct Decoded<'a> {
    pub(crate) bytes: &'a [u8],
    /// Whether two hexadecimal digits follow each `%`.
    pub(crate) is_valid: bool,
}

/// `raw` with `+` as a blank and each `%XX` as its byte; a `%` that two hexadecimal digits don't
/// follow stands for itself. `out` is written over, where anything is decoded.
pub(crate) fn decode<'a>(raw: &'a [u8], out: &'a mut Vec<u8>) -> Decoded<'a> {
    let Some(first) = memchr::memchr2(b'%', b'+', raw) else {
        return Decoded {
            bytes: raw,
            is_valid: true,
        };
    };
    out.clear();
    out.extend_from_slice(raw.get(..first).unwrap_or_default());
    let mut rest = raw.get(first..).unwrap_or_default();
    let mut is_valid = true;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b'+' => out.push(b' '),
            b'%' => match hex_pair(tail) {
                Some(byte) => {
                    out.push(byte);
                    rest = tail.get(2..).unwrap_or_default();
                }
                None => {
                    out.push(b'%');
                    is_valid = false;
                }
            },
            byte => out.push(*byte),
        }
    }
    Decoded {
        bytes: out,
        is_valid,
    }
}

/// The byte that the two hexadecimal digits at the start of `bytes` say.
pub(crate) fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let [high, low, ..] = bytes else { return None };
    Some(hex_digit(*high)? << 4 | hex_digit(*low)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(raw: &str, expected: impl AsRef<[u8]>, is_valid: bool) {
        let mut out = Vec::new();
        let decoded = decode(raw.as_bytes(), &mut out);
        assert_eq!(decoded.bytes, expected.as_ref(), "{raw}");
        assert_eq!(decoded.is_valid, is_valid, "{raw}");
    }

    #[test]
    fn escapes() {
        check("", "", true);
        check("plain", "plain", true);
        check("a+b", "a b", true);
        check("%41%6a%6A", "Ajj", true);
        check("%00%ff", [0, 0xff], true);
        check("%2541", "%41", true);
    }

    #[test]
    fn what_is_no_escape_stands_for_itself() {
        check("%", "%", false);
        check("%4", "%4", false);
        check("%4g", "%4g", false);
        check("%%41", "%A", false);
        check("100%+sure", "100% sure", false);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let raw: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
            let mut out = Vec::new();
            let decoded = decode(raw.as_bytes(), &mut out);
            prop_assert!(decoded.is_valid);
            prop_assert_eq!(decoded.bytes, bytes);
        }
    }
}
