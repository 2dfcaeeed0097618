//! `removeNulls` and `replaceNulls`.

use memchr::memchr;

use super::scan::{begin, copy_until};
use crate::ByteSet;

pub(super) const TRIGGERS: ByteSet = ByteSet::of(b"\0");

pub(super) fn remove(input: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(first) = memchr(0, input) else {
        return false;
    };
    let mut rest = begin(input, first, out);
    while let [_, tail @ ..] = rest {
        rest = copy_until(tail, out, |byte| byte == 0);
    }
    true
}

/// With a space each.
pub(super) fn replace(input: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(first) = memchr(0, input) else {
        return false;
    };
    let mut rest = begin(input, first, out);
    while let [_, tail @ ..] = rest {
        out.push(b' ');
        rest = copy_until(tail, out, |byte| byte == 0);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::{RemoveNulls, ReplaceNulls};
    use super::super::tests::check;

    #[test]
    fn nulls() {
        check(RemoveNulls, b"\0a\0\0b\0", b"ab");
        check(RemoveNulls, b"ab", b"ab");
        check(ReplaceNulls, b"\0a\0\0b\0", b" a  b ");
        check(ReplaceNulls, b"a b", b"a b");
    }
}
