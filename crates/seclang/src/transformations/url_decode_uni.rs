//! `urlDecodeUni`.

use memchr::memchr2;

use super::UnicodeMap;
use super::hexadecimal::{four, pair};
use super::scan::{begin, copy_until};
use crate::ByteSet;

pub(super) const TRIGGERS: ByteSet = super::url_decode::TRIGGERS;

/// As `urlDecode`, and decodes IIS's `%uHHHH` to one byte: by the map, else its lowest byte (full-width
/// forms to ASCII).
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>, map: &UnicodeMap) -> bool {
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
            [b'%', escape @ ..] => match decode(escape, map) {
                Some((byte, tail)) => {
                    out.push(byte);
                    changed = true;
                    tail
                }
                None => {
                    out.push(b'%');
                    escape
                }
            },
            _ => return changed,
        };
    }
}

fn decode<'i>(escape: &'i [u8], map: &UnicodeMap) -> Option<(u8, &'i [u8])> {
    match escape {
        [b'u' | b'U', digits @ ..] => match digits {
            [_, _, _, _, rest @ ..] => Some((map.byte(four(digits)?), rest)),
            _ => None,
        },
        [_, _, rest @ ..] => Some((pair(escape)?, rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::UrlDecodeUni;
    use super::super::UnicodeMap;
    use super::super::tests::{check, check_with};

    #[test]
    fn escapes() {
        check(UrlDecodeUni, b"a+b%20c%2B%00", b"a b c+\0");
        check(UrlDecodeUni, b"a+b", b"a b");
        check(UrlDecodeUni, b"a%20b", b"a b");
        check(UrlDecodeUni, b"%u0041%U2041%uff1c%uFF5E", b"AA<~");
        check(UrlDecodeUni, b"%uff00%uff5f%uffff", b"\0\x5f\xff");
        check(UrlDecodeUni, b"%u004%u%41%ug041%%41", b"%u004%uA%ug041%A");
        check(UrlDecodeUni, b"%u00", b"%u00");
        check(UrlDecodeUni, b"%4", b"%4");
    }

    #[test]
    fn the_map_comes_first() {
        let map = UnicodeMap::parse(b"20127 (US-ASCII)\n0141:4c ff1c:3e\n", 20127).unwrap();
        let input = b"%u0141%uff1c%uff1e%u0142%u3002";
        check_with(UrlDecodeUni, input, b"L>>B.", &map);
    }
}
