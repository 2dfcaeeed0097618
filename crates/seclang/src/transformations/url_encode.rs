//! `urlEncode`.

use super::hexadecimal::push_pair;
use crate::ByteSet;

/// All but what stays.
pub(super) const TRIGGERS: ByteSet = ByteSet::of(b"*")
    .union(ByteSet::range(b'0', b'9'))
    .union(ByteSet::range(b'A', b'Z'))
    .union(ByteSet::range(b'a', b'z'))
    .complement();

/// Letters, digits and `*` stay, a space becomes `+`, all else `%hh` in lower case.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    if TRIGGERS.find_in(input).is_none() {
        return false;
    }
    out.clear();
    out.reserve(input.len());
    for byte in input.iter().copied() {
        match byte {
            b' ' => out.push(b'+'),
            byte if TRIGGERS.contains(byte) => {
                out.push(b'%');
                push_pair(byte, out);
            }
            byte => out.push(byte),
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::UrlEncode;
    use super::super::tests::check;

    #[test]
    fn bytes() {
        check(UrlEncode, b"aZ09* +/_\xff\0", b"aZ09*+%2b%2f%5f%ff%00");
        check(UrlEncode, b"aZ09*", b"aZ09*");
    }
}
