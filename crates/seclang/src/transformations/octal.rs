//! Escapes that C and JavaScript share.

/// One to three octal digits at the beginning of `text`: their value and the rest.
pub(super) fn decode(text: &[u8]) -> Option<(u16, &[u8])> {
    let first = digit(text, 0)?;
    let Some(second) = digit(text, 1) else {
        return Some((first, text.get(1..)?));
    };
    let two = first << 3 | second;
    match digit(text, 2) {
        Some(third) => Some((two << 3 | third, text.get(3..)?)),
        None => Some((two, text.get(2..)?)),
    }
}

fn digit(text: &[u8], at: usize) -> Option<u16> {
    match text.get(at)? {
        byte @ b'0'..=b'7' => Some(u16::from(byte - b'0')),
        _ => None,
    }
}

/// The control character that a backslash and `letter` stand for; any other byte stands for itself.
pub(super) const fn control(letter: u8) -> u8 {
    match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        byte => byte,
    }
}
