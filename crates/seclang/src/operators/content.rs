//! Text of phrases as Snort writes it: `|0d 0a|` are bytes in hexadecimal, and a backslash stands before
//! a colon, a semicolon, a quote or itself.

/// The bytes that `text` means. Text that isn't wholly of this syntax is taken as it is: so does
/// ModSecurity 2 with escapes that it doesn't know, while it makes nonsense of bars that enclose no
/// hexadecimal digits (`string|int|null`).
pub(super) fn decode(text: &[u8]) -> Vec<u8> {
    decoded(text).unwrap_or_else(|| text.to_vec())
}

fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        rest = match rest {
            [b'|', tail @ ..] => {
                let end = tail.iter().position(|byte| *byte == b'|')?;
                push_bytes(tail.get(..end)?, &mut out)?;
                tail.get(end + 1..)?
            }
            [b'\\', byte @ (b':' | b';' | b'\\' | b'"'), tail @ ..] => {
                out.push(*byte);
                tail
            }
            [b'\\', ..] => return None,
            [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
            [] => return Some(out),
        };
    }
}

/// At least one pair of digits, with spaces anywhere.
fn push_bytes(block: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (mut high, mut pushed) = (None, false);
    for byte in block.iter().filter(|byte| **byte != b' ') {
        let digit = char::from(*byte).to_digit(16)?;
        let digit = u8::try_from(digit).ok()?;
        match high.take() {
            None => high = Some(digit),
            Some(high) => {
                out.push(high << 4 | digit);
                pushed = true;
            }
        }
    }
    (pushed && high.is_none()).then_some(())
}

/// Without white space before it, and without quotes around it.
pub(super) fn unquoted(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_start();
    match text {
        [b'"', inner @ .., b'"'] => inner,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &[u8], expected: &[u8]) {
        assert_eq!(
            decode(text).escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
    }

    #[test]
    fn bytes_in_hexadecimal() {
        check(b"a|62 63|d|65|", b"abcde");
        check(b"|6 1 6 2|", b"ab");
        check(b"|00fF|", b"\0\xff");
    }

    #[test]
    fn escapes() {
        check(br#"a\:\;\\\"b"#, br#"a:;\"b"#);
        check(br"FFI\\CData", br"FFI\CData");
        check(br"\\|41|", br"\A");
    }

    #[test]
    fn all_else_is_as_it_is_written() {
        for text in [
            &b"string|int|float|bool|null"[..],
            b"array|Traversable,",
            b"a|b|c",
            b"a||b",
            b"|4|",
            b"|414|",
            b"|41",
            b"|41\\:|",
            br"encountered\ntrying",
            br"\: and \n",
            b"end\\",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn quotes() {
        assert_eq!(unquoted(b" \"a \""), b"a ");
        assert_eq!(unquoted(b"\"a"), b"\"a");
        assert_eq!(unquoted(b"\""), b"\"");
        assert_eq!(unquoted(b"a \"b\""), b"a \"b\"");
    }

    proptest! {
        #[test]
        fn what_is_written_in_hexadecimal_is_read(bytes in prop::collection::vec(any::<u8>(), 1..20)) {
            let text: String = bytes.iter().map(|byte| format!("{byte:02x} ")).collect();
            prop_assert_eq!(decode(format!("|{text}|").as_bytes()), bytes);
        }
    }
}
