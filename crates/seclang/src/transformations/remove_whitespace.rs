//! `removeWhitespace`.

use super::scan::is_space_or_nbsp;
use crate::ByteSet;

pub(super) const TRIGGERS: ByteSet = super::compress_whitespace::TRIGGERS;

/// Removes white space, NBSP included.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    if TRIGGERS.find_in(input).is_none() {
        return false;
    }
    out.clear();
    out.resize(input.len(), 0);
    // Without a branch that depends on the byte: each is written, and over what isn't kept the next one.
    let mut len = 0;
    for byte in input {
        if let Some(place) = out.get_mut(len) {
            *place = *byte;
        }
        len += usize::from(!is_space_or_nbsp(*byte));
    }
    out.truncate(len);
    true
}

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
