//! `compressWhitespace`.

use super::scan::{NBSP, is_space_or_nbsp};
use crate::ByteSet;

pub(super) const TRIGGERS: ByteSet = super::trim::TRIGGERS.with(NBSP);

/// Makes one space of each run of white space, NBSP included.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    if is_compressed(input) {
        return false;
    }
    out.clear();
    out.reserve(input.len());
    let mut after_space = false;
    for byte in input.iter().copied() {
        let is_space = is_space_or_nbsp(byte);
        if !is_space {
            out.push(byte);
        } else if !after_space {
            out.push(b' ');
        }
        after_space = is_space;
    }
    out != input
}

/// Whether all white space is single spaces, as in most text.
fn is_compressed(input: &[u8]) -> bool {
    let mut after_space = false;
    input.iter().all(|byte| {
        let is_space = is_space_or_nbsp(*byte);
        let is_single = !is_space || (*byte == b' ' && !after_space);
        after_space = is_space;
        is_single
    })
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::CompressWhitespace;
    use super::super::tests::check;

    #[test]
    fn runs_of_white_space() {
        check(CompressWhitespace, b" a \t\x0b\x0c\r\n\xa0 b", b" a b");
        check(CompressWhitespace, b"a b c", b"a b c");
        check(CompressWhitespace, b"a\tb", b"a b");
        check(CompressWhitespace, b"\xc2\xa0", b"\xc2 ");
    }
}
