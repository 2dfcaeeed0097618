//! `removeWhitespace`.

use super::scan::{begin, is_space_or_nbsp};
use crate::ByteSet;

pub(super) const TRIGGERS: ByteSet = super::compress_whitespace::TRIGGERS;

/// Removes white space, NBSP included.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(first) = input.iter().position(|byte| kept(*byte) == 0) else {
        return false;
    };
    let rest = begin(input, first, out);
    out.resize(input.len(), 0);
    // Without a branch that depends on the byte: each is written, and over what isn't kept the next one.
    let (places, mut len) = (out.as_mut_slice(), first);
    for byte in rest {
        if let Some(place) = places.get_mut(len) {
            *place = *byte;
        }
        len += usize::from(kept(*byte));
    }
    out.truncate(len);
    true
}

/// How many bytes become of a byte.
fn kept(byte: u8) -> u8 {
    KEPT.get(usize::from(byte)).copied().unwrap_or(1)
}

const KEPT: [u8; 256] = {
    let mut kept = [1; 256];
    let mut rest: &mut [u8] = &mut kept;
    let mut byte = 0_u8;
    while let [place, tail @ ..] = rest {
        if is_space_or_nbsp(byte) {
            *place = 0;
        }
        byte = byte.wrapping_add(1);
        rest = tail;
    }
    kept
};

#[cfg(test)]
mod tests {
    use super::super::Transformation::RemoveWhitespace;
    use super::super::tests::check;

    #[test]
    fn white_space() {
        check(RemoveWhitespace, b" a\t\x0b\x0c\r\nb\xa0\0", b"ab\0");
        check(RemoveWhitespace, b"ab", b"ab");
    }
}
