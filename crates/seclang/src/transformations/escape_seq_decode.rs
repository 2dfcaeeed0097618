//! `escapeSeqDecode`: escapes of ANSI C.

use memchr::memchr;

use super::hexadecimal::pair;
use super::octal;
use super::scan::{begin, copy_until};

/// Decodes `\a`, `\b`, `\f`, `\n`, `\r`, `\t`, `\v`, `\xHH` and `\OOO` (its lowest byte), and removes
/// the backslash before all else; one at the end stays.
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
    if let [b'x' | b'X', digits @ ..] = escape
        && let ([_, _, rest @ ..], Some(byte)) = (digits, pair(digits))
    {
        out.push(byte);
        return rest;
    }
    if let Some((code, rest)) = octal::decode(escape) {
        let [_, low] = code.to_be_bytes();
        out.push(low);
        return rest;
    }
    let [byte, rest @ ..] = escape else {
        return escape;
    };
    out.push(octal::control(*byte));
    rest
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::EscapeSeqDecode;
    use super::super::tests::check;

    #[test]
    fn escapes() {
        check(
            EscapeSeqDecode,
            b"\\a\\b\\f\\n\\r\\t\\v\\?\\'\\\"\\\\",
            b"\x07\x08\x0c\n\r\t\x0b?'\"\\",
        );
        check(EscapeSeqDecode, b"\\x41\\X42\\x4g\\x", b"ABx4gx");
        check(EscapeSeqDecode, b"\\0\\101\\1012\\666\\8", b"\0AA2\xb68");
        check(EscapeSeqDecode, b"a\\", b"a\\");
        check(EscapeSeqDecode, b"\\a\\", b"\x07\\");
    }
}
