//! `base64Decode`, `base64DecodeExt`, `base64Encode` (RFC 4648 section 4).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Decodes up to the first byte that isn't of the alphabet, padding included. What is left of an
/// unfinished group gives the whole bytes in it.
pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    out.reserve(input.len());
    let mut rest = input;
    // Hot path: most values are tried, whatever they are.
    while let [a, b, c, d, tail @ ..] = rest {
        let (a, b, c, d) = (value(*a), value(*b), value(*c), value(*d));
        if (a | b | c | d) == NONE {
            break;
        }
        let bits = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
        let [_, group @ ..] = bits.to_be_bytes();
        out.extend_from_slice(&group);
        rest = tail;
    }
    decode_all(rest.iter().map_while(|byte| sextet(*byte)), out);
    // Each byte comes from more than one: something is shorter than before.
    !input.is_empty()
}

/// Decodes what is of the alphabet and skips all else. Padding where it can't be, after the first
/// character of a group, makes the whole value empty, as in ModSecurity.
///
/// ModSecurity ends at a NUL; here it is skipped as any other byte that isn't of the alphabet, so
/// that nothing hides behind one.
pub(super) fn decode_ext(input: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let mut sextets = 0_usize;
    let mut rest = input;
    while let [byte, tail @ ..] = rest {
        if *byte == b'=' && sextets % 4 == 1 && tail.first() != Some(&b'=') {
            return !input.is_empty();
        }
        sextets += usize::from(sextet(*byte).is_some());
        rest = tail;
    }
    decode_all(input.iter().filter_map(|byte| sextet(*byte)), out);
    !input.is_empty()
}

fn decode_all(sextets: impl Iterator<Item = u8>, out: &mut Vec<u8>) {
    let (mut held, mut bits) = (0_u32, 0_u32);
    for sextet in sextets {
        held = held << 6 | u32::from(sextet);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            let [.., byte] = (held >> bits).to_be_bytes();
            out.push(byte);
            held &= (1 << bits) - 1;
        }
    }
}

/// What a byte stands for, or [`NONE`].
fn value(byte: u8) -> u8 {
    VALUES.get(usize::from(byte)).copied().unwrap_or(NONE)
}

/// All bits: with anything it stays what it is.
const NONE: u8 = u8::MAX;

const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut rest: &mut [u8] = &mut values;
    let mut byte = 0_u8;
    while let [place, tail @ ..] = rest {
        if let Some(value) = sextet(byte) {
            *place = value;
        }
        byte = byte.wrapping_add(1);
        rest = tail;
    }
    values
};

const fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// Encodes, with padding and without line breaks.
pub(super) fn encode(input: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    for group in input.chunks(3) {
        let (a, b, c) = match *group {
            [a, b, c] => (a, Some(b), Some(c)),
            [a, b] => (a, Some(b), None),
            [a] => (a, None, None),
            _ => continue,
        };
        let bits = u32::from_be_bytes([0, a, b.unwrap_or(0), c.unwrap_or(0)]);
        let third = if b.is_some() {
            character(bits >> 6)
        } else {
            b'='
        };
        let fourth = if c.is_some() { character(bits) } else { b'=' };
        out.extend([character(bits >> 18), character(bits >> 12), third, fourth]);
    }
    !input.is_empty()
}

fn character(bits: u32) -> u8 {
    let index = usize::try_from(bits & 63).unwrap_or(0);
    ALPHABET.get(index).copied().unwrap_or(b'=')
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::{Base64Decode, Base64DecodeExt, Base64Encode};
    use super::super::tests::check;
    use super::super::{Transformation, UnicodeMap};
    use proptest::prelude::*;

    #[test]
    fn decoding_ends_at_what_is_no_base64() {
        check(Base64Decode, b"VGVzdA==", b"Test");
        check(Base64Decode, b"VGVz-dA==", b"Tes");
        check(Base64Decode, b"VGVzd", b"Tes");
        check(Base64Decode, b"VGVzdA", b"Test");
        check(Base64Decode, b"=VGVz", b"");
        check(Base64Decode, b"", b"");
    }

    #[test]
    fn forgiving_decoding_skips_it() {
        check(Base64DecodeExt, b"V.G-V\nz\0d A==", b"Test");
        check(Base64DecodeExt, b"VGVzd=A", b"");
        check(Base64DecodeExt, b"VGVzd==A", b"");
        check(Base64DecodeExt, b"....", b"");
    }

    #[test]
    fn encoding_pads() {
        check(Base64Encode, b"f", b"Zg==");
        check(Base64Encode, b"fo", b"Zm8=");
        check(Base64Encode, b"foo", b"Zm9v");
        check(Base64Encode, b"\xff\xfe\xfd", b"//79");
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(value: Vec<u8>) {
            let (mut encoded, mut decoded) = (Vec::new(), Vec::new());
            let apply = |transformation: Transformation, input: &[u8], out: &mut Vec<u8>| {
                transformation.apply(input, out, &UnicodeMap::default())
            };
            prop_assert_eq!(apply(Base64Encode, &value, &mut encoded), !value.is_empty());
            for decode in [Base64Decode, Base64DecodeExt] {
                apply(decode, &encoded, &mut decoded);
                prop_assert_eq!(&decoded, &value);
            }
        }
    }
}
