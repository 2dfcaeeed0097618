//! `urlDecode`.

use memchr::memchr2;

use super::hexadecimal::pair;
use super::scan::{begin, copy_until};
use crate::ByteSet;

pub(super) const TRIGGERS: ByteSet = ByteSet::of(b"%+");

/// Decodes `%HH` and makes spaces of `+`; what isn't an escape stays.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(first) = memchr2(b'%', b'+', input) else {
        return false;
    };
    let mut rest = begin(input, first, out);
    let mut changed = false;
    loop {
        rest = match copy_until(rest, out, |byte| byte == b'%' || byte == b'+') {
            [b'+', tail @ ..] => {
                out.push(b' ');
                changed = true;
                tail
            }
            [b'%', digits @ ..] => match (digits, pair(digits)) {
                ([_, _, tail @ ..], Some(byte)) => {
                    out.push(byte);
                    changed = true;
                    tail
                }
                _ => {
                    out.push(b'%');
                    digits
                }
            },
            _ => return changed,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::UrlDecode;
    use super::super::tests::check;

    #[test]
    fn escapes() {
        check(UrlDecode, b"a+b%20c%2B%00", b"a b c+\0");
        check(UrlDecode, b"a+b", b"a b");
        check(UrlDecode, b"%4a%4A", b"JJ");
        check(UrlDecode, b"%%41%g%4", b"%A%g%4");
        check(UrlDecode, b"%u0041", b"%u0041");
        check(UrlDecode, b"%", b"%");
    }
}
