//! `trim`, `trimLeft`, `trimRight`.

use super::scan::is_space;
use crate::ByteSet;

pub(super) const TRIGGERS: ByteSet = ByteSet::range(b'\t', b'\r').with(b' ');

/// White space at both ends.
pub(super) fn both(input: &[u8], out: &mut Vec<u8>) -> bool {
    write(input, without_end(without_beginning(input)), out)
}

pub(super) fn left(input: &[u8], out: &mut Vec<u8>) -> bool {
    write(input, without_beginning(input), out)
}

pub(super) fn right(input: &[u8], out: &mut Vec<u8>) -> bool {
    write(input, without_end(input), out)
}

fn without_beginning(mut value: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = value
        && is_space(*first)
    {
        value = rest;
    }
    value
}

fn without_end(mut value: &[u8]) -> &[u8] {
    while let [rest @ .., last] = value
        && is_space(*last)
    {
        value = rest;
    }
    value
}

fn write(input: &[u8], trimmed: &[u8], out: &mut Vec<u8>) -> bool {
    let changes = trimmed.len() != input.len();
    if changes {
        out.clear();
        out.extend_from_slice(trimmed);
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::{Trim, TrimLeft, TrimRight};
    use super::super::tests::check;

    #[test]
    fn ends() {
        check(Trim, b" \x0b a b\r\n", b"a b");
        check(TrimLeft, b" \t a b\x0c ", b"a b\x0c ");
        check(TrimRight, b" \t a b\x0c ", b" \t a b");
        check(Trim, b"a b", b"a b");
        check(Trim, b"\0 ", b"\0");
        check(Trim, b" \xa0 ", b"\xa0");
        check(Trim, b"  ", b"");
    }
}
