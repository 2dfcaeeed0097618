//! What a client sent, so that a terminal can bear it.

/// The text with what isn't printable escaped: control characters and those that turn text around as
/// `\u{1b}`, bytes that are no UTF-8 as `\x80`, and `\` as `\\`.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\'' => out.push(character),
                _ => out.extend(character.escape_debug()),
            }
        }
        out.extend(chunk.invalid().escape_ascii().map(char::from));
    }
    out
}

/// JSON with what isn't printable escaped; serializers leave DEL and beyond as they are. That can only be
/// inside of strings.
pub(super) fn json_shown(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        let is_plain = character.is_ascii() && character != '\x7f';
        if is_plain || character.escape_debug().len() == 1 {
            out.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_printable_is_escaped() {
        #[track_caller]
        fn check(bytes: &[u8], expected: &str) {
            assert_eq!(shown(bytes), expected);
        }
        check(b"it's \"a\" <b>", "it's \"a\" <b>");
        check("é ü 日".as_bytes(), "é ü 日");
        check(
            b"\x1b[2J\r\n\t\0\x7f\\",
            "\\u{1b}[2J\\r\\n\\t\\0\\u{7f}\\\\",
        );
        check("\u{202e}\u{9b}".as_bytes(), "\\u{202e}\\u{9b}");
        check(b"a\xff\x80b", "a\\xff\\x80b");
    }

    #[test]
    fn json_stays_json() {
        let value = "é\u{7f}\u{9b}\u{202e}\u{e0001}\n\"\\";
        let json = serde_json::to_string_pretty(&[value]).unwrap();
        let shown = json_shown(&json);
        assert!(
            shown.contains("é\\u007f\\u009b\\u202e\\udb40\\udc01\\n"),
            "{shown}"
        );
        let read: Vec<String> = serde_json::from_str(&shown).unwrap();
        assert_eq!(read, [value]);
    }
}
