//! `cssDecode`: escapes of CSS 2 (<https://www.w3.org/TR/CSS2/syndata.html#characters>).

use memchr::memchr;

use super::full_width;
use super::hexadecimal::digit;
use super::scan::{begin, copy_until, is_space};

/// The most digits of an escape.
const DIGITS_MAX: usize = 6;

/// Decodes `\` with up to six digits to its lowest byte (full-width forms to ASCII) and swallows one
/// white space behind them; removes `\` before a line feed, with it, and before all else.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(first) = memchr(b'\\', input) else {
        return false;
    };
    let mut rest = begin(input, first, out);
    loop {
        rest = match copy_until(rest, out, |byte| byte == b'\\') {
            [_, escape @ ..] => decode(escape, out),
            // Each backslash has gone.
            [] => return true,
        };
    }
}

/// Decodes what stands behind a backslash, and gives the rest.
fn decode<'i>(escape: &'i [u8], out: &mut Vec<u8>) -> &'i [u8] {
    let (mut code, mut digits, mut rest) = (0_u32, 0, escape);
    while let [byte, tail @ ..] = rest
        && digits < DIGITS_MAX
        && let Some(digit) = digit(*byte)
    {
        code = code << 4 | u32::from(digit);
        digits += 1;
        rest = tail;
    }
    match rest {
        [b'\n', tail @ ..] if digits == 0 => tail,
        [byte, tail @ ..] if digits == 0 => {
            out.push(*byte);
            tail
        }
        [] if digits == 0 => rest,
        _ => {
            out.push(byte(code));
            match rest {
                [space, tail @ ..] if is_space(*space) => tail,
                _ => rest,
            }
        }
    }
}

fn byte(code: u32) -> u8 {
    let [.., low] = code.to_be_bytes();
    u16::try_from(code).map_or(low, full_width::lowest_byte)
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::CssDecode;
    use super::super::tests::check;

    #[test]
    fn escapes() {
        check(CssDecode, b"\\41\\000042 \\43\t\n", b"ABC\n");
        check(CssDecode, b"\\4g\\1234567", b"\x04gV7");
        check(
            CssDecode,
            b"\\?\\\0\\12\\123\\1234\\12345\\123456\\ff01\\ff5e\\\n\\0  string",
            b"?\0\x12#4EV!~\0 string",
        );
        check(CssDecode, b"\\j\\a\\\nv\\", b"j\nv");
        check(CssDecode, b"\\ff1c\\0ff1e\\00ff1c", b"<><");
        check(CssDecode, b"\\ff5f\\1ff1c\\ff00", b"\x5f\x1c\0");
        check(CssDecode, b"e\\78pression", b"expression");
        check(CssDecode, b"\\\\\\\\", b"\\\\");
    }
}
