//! `utf8toUnicode`.

use super::hexadecimal::lowest_digit;
use super::scan::{begin, copy_until};
use crate::ByteSet;

/// What begins a character of more than one byte, and NUL, which ModSecurity loses on the way.
pub(super) const TRIGGERS: ByteSet = ByteSet::range(0xc0, 0xf7).with(0);

/// Makes `%uHHHH` of each character of two to four bytes, with five or six digits where it has them.
///
/// What isn't UTF-8 comes out as ModSecurity has it: a byte that begins no character stays, one whose
/// character isn't finished goes, and the first byte of an overlong form or a surrogate is said again
/// behind its number; NULs go.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    if !input
        .iter()
        .fold(false, |found, byte| found | (*byte == 0) | (*byte >= 0xc0))
    {
        return false;
    }
    let mut rest = begin(input, 0, out);
    loop {
        rest = match copy_until(rest, out, |byte| byte == 0 || byte >= 0xc0) {
            [0, tail @ ..] => tail,
            [first, tail @ ..] => character(*first, tail, out),
            [] => break,
        };
    }
    out != input
}

/// Writes what `first` begins, and gives what is behind it.
fn character<'i>(first: u8, tail: &'i [u8], out: &mut Vec<u8>) -> &'i [u8] {
    // No character of Unicode begins with these.
    if first >= 0xf5 {
        out.push(first);
    }
    let (bits, continuations, least) = match first {
        0xc0..=0xdf => (first & 0x1f, 1, 0x80),
        0xe0..=0xef => (first & 0x0f, 2, 0x800),
        0xf0..=0xf7 => (first & 0x07, 3, 0x1_0000),
        _ => return tail,
    };
    let Some((code, rest)) = code(bits, continuations, tail) else {
        return tail;
    };
    push_number(code, out);
    if (0xd800..=0xdfff).contains(&code) {
        out.push(first);
    }
    if code < least {
        out.push(first);
    }
    rest
}

fn code(bits: u8, continuations: usize, tail: &[u8]) -> Option<(u32, &[u8])> {
    let (bytes, rest) = tail.split_at_checked(continuations)?;
    let mut code = u32::from(bits);
    for byte in bytes {
        if byte & 0xc0 != 0x80 {
            return None;
        }
        code = code << 6 | u32::from(byte & 0x3f);
    }
    Some((code, rest))
}

fn push_number(code: u32, out: &mut Vec<u8>) {
    let digit = |place: u32| lowest_digit(code >> (4 * place));
    out.extend_from_slice(b"%u");
    for place in [5, 4] {
        if code >> (4 * place) != 0 {
            out.push(digit(place));
        }
    }
    out.extend_from_slice(&[digit(3), digit(2), digit(1), digit(0)]);
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::Utf8ToUnicode;
    use super::super::tests::check;

    #[test]
    fn characters() {
        check(
            Utf8ToUnicode,
            "a\u{e9}\u{100}\u{25a0}\u{1f600}z".as_bytes(),
            b"a%u00e9%u0100%u25a0%u1f600z",
        );
        check(Utf8ToUnicode, "\u{10ffff}".as_bytes(), b"%u10ffff");
        check(Utf8ToUnicode, b"abc", b"abc");
        check(Utf8ToUnicode, b"a\0b", b"ab");
    }

    #[test]
    fn what_is_no_utf8() {
        check(Utf8ToUnicode, b"\x80a\xbf\xf8", b"\x80a\xbf\xf8");
        check(Utf8ToUnicode, b"a\xc3", b"a");
        check(Utf8ToUnicode, b"\xc3(\xe2\x82", b"(\x82");
        check(Utf8ToUnicode, b"\xc0\xaf", b"%u002f\xc0");
        check(Utf8ToUnicode, b"\xed\xa0\x80", b"%ud800\xed");
        check(Utf8ToUnicode, b"\xf0\x8d\xa0\x80", b"%ud800\xf0\xf0");
        check(Utf8ToUnicode, b"\xf5\x80\x80\x80", b"\xf5%u140000");
        check(Utf8ToUnicode, b"\xf5a", b"\xf5a");
    }
}
