//! `jsDecode`: escapes of JavaScript.

use memchr::memchr;

use super::full_width;
use super::hexadecimal::{four, pair};
use super::octal;
use super::scan::{begin, copy_until};

/// Decodes `\uHHHH` to its lowest byte (full-width forms to ASCII), `\xHH`, `\OOO` up to `\377` and
/// control characters, and removes the backslash before all else; one at the end stays.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(first) = memchr(b'\\', input) else {
        return false;
    };
    let mut rest = begin(input, first, out);
    loop {
        rest = match copy_until(rest, out, |byte| byte == b'\\') {
            [_, escape @ ..] if !escape.is_empty() => decode(escape, out),
            end => {
                out.extend_from_slice(end);
                // Each backslash but one at the end has gone.
                return out.len() != input.len();
            }
        };
    }
}

fn decode<'i>(escape: &'i [u8], out: &mut Vec<u8>) -> &'i [u8] {
    if let [b'u', digits @ ..] = escape
        && let ([_, _, _, _, rest @ ..], Some(code)) = (digits, four(digits))
    {
        out.push(full_width::lowest_byte(code));
        return rest;
    }
    if let [b'x', digits @ ..] = escape
        && let ([_, _, rest @ ..], Some(byte)) = (digits, pair(digits))
    {
        out.push(byte);
        return rest;
    }
    if let Some((byte, rest)) = octal_byte(escape) {
        out.push(byte);
        return rest;
    }
    let [byte, rest @ ..] = escape else {
        return escape;
    };
    out.push(octal::control(*byte));
    rest
}

/// Where three digits are more than a byte, two of them count.
fn octal_byte(text: &[u8]) -> Option<(u8, &[u8])> {
    let (code, rest) = octal::decode(text)?;
    if let Ok(byte) = u8::try_from(code) {
        return Some((byte, rest));
    }
    Some((u8::try_from(code >> 3).ok()?, text.get(2..)?))
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::JsDecode;
    use super::super::tests::check;

    #[test]
    fn escapes() {
        check(JsDecode, b"\\u0041\\u4142\\uff1c\\uFF5E", b"AB<~");
        check(JsDecode, b"\\u004\\U0041\\x4\\X41", b"u004U0041x4X41");
        check(JsDecode, b"\\x41\\xfF", b"A\xff");
        check(
            JsDecode,
            b"\\101\\0\\377\\400\\78\\9",
            b"A\0\xff\x200\x0789",
        );
        check(JsDecode, b"\\n\\v\\'\\\\\\/", b"\n\x0b'\\/");
        check(JsDecode, b"a\\", b"a\\");
        check(JsDecode, b"\\u00\xff\xff", b"u00\xff\xff");
    }
}
