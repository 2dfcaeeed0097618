//! Classes of bytes that several formats share.

/// What C's `isspace` is, in its own locale.
pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// `bytes` without the white space at its start.
pub(crate) fn trim_space_start(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !is_space(*byte));
    start.and_then(|at| bytes.get(at..)).unwrap_or_default()
}

/// `bytes` without the tabs and blanks at its start.
pub(crate) fn trim_blanks_start(bytes: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b'\t' | b' ');
    let start = bytes.iter().position(|byte| !is_blank(byte));
    start.and_then(|at| bytes.get(at..)).unwrap_or_default()
}

/// A line without its LF or CR LF.
pub(crate) fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The value of a hexadecimal digit.
pub(crate) const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Both sides of the first `separator`; all of `bytes` and nothing where there is none.
pub(crate) fn split_at_first(bytes: &[u8], separator: u8) -> (&[u8], &[u8]) {
    match memchr::memchr(separator, bytes) {
        Some(at) => (
            bytes.get(..at).unwrap_or_default(),
            bytes.get(at + 1..).unwrap_or_default(),
        ),
        None => (bytes, &[]),
    }
}
