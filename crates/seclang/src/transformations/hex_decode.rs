//! `hexDecode`.

/// Decodes each two bytes; one that is left over is dropped. Bytes that are no digits count for what
/// ModSecurity makes of them, so that no byte of the value is lost.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    for pair in input.chunks_exact(2) {
        if let [high, low] = pair {
            let high = value(*high).wrapping_mul(16);
            out.push(high.wrapping_add(value(*low)));
        }
    }
    !input.is_empty()
}

const fn value(byte: u8) -> u8 {
    if byte >= b'A' {
        (byte & 0xdf).wrapping_sub(b'A').wrapping_add(10)
    } else {
        byte.wrapping_sub(b'0')
    }
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::HexDecode;
    use super::super::tests::check;

    #[test]
    fn pairs() {
        check(HexDecode, b"5465737a", b"Tesz");
        check(HexDecode, b"4A4b5", b"JK");
        check(HexDecode, b"0z", b"#");
        check(HexDecode, b"1", b"");
    }
}
