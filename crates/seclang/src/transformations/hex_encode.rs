//! `hexEncode`.

use super::hexadecimal::push_pair;

/// Two digits in lower case for each byte.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    out.reserve(input.len() * 2);
    for byte in input {
        push_pair(*byte, out);
    }
    !input.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::HexEncode;
    use super::super::tests::check;

    #[test]
    fn bytes() {
        check(HexEncode, b"a\0\xff", b"6100ff");
        check(HexEncode, b"", b"");
    }
}
