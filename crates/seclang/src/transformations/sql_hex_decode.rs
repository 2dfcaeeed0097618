//! `sqlHexDecode`.

use super::hexadecimal::pair;
use super::scan::{begin, copy_until};
use crate::ByteSet;

pub(super) const TRIGGERS: ByteSet = ByteSet::of(b"xX");

/// Decodes SQL's hexadecimal numbers (`0x414243`), as far as they have whole bytes.
///
/// ModSecurity 2 ends at a NUL; here nothing hides behind one.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    if TRIGGERS.find_in(input).is_none() {
        return false;
    }
    let mut rest = begin(input, 0, out);
    loop {
        rest = match copy_until(rest, out, |byte| byte == b'0') {
            [b'0', b'x' | b'X', digits @ ..] if pair(digits).is_some() => decode(digits, out),
            [zero, tail @ ..] => {
                out.push(*zero);
                tail
            }
            [] => break,
        };
    }
    out.len() != input.len()
}

fn decode<'i>(mut digits: &'i [u8], out: &mut Vec<u8>) -> &'i [u8] {
    while let ([_, _, rest @ ..], Some(byte)) = (digits, pair(digits)) {
        out.push(byte);
        digits = rest;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::SqlHexDecode;
    use super::super::tests::check;

    #[test]
    fn numbers() {
        check(SqlHexDecode, b"a=0x414243 OR 0X44", b"a=ABC OR D");
        check(SqlHexDecode, b"0x414", b"A4");
        check(SqlHexDecode, b"00x41", b"0A");
        check(SqlHexDecode, b"0x4 0xg1 x41 0x", b"0x4 0xg1 x41 0x");
        check(SqlHexDecode, b"\x000x41", b"\0A");
    }
}
