//! Chunked bodies (RFC 9112 section 7.1), as far as they can be read.

use memchr::memchr;

/// What the chunks hold up to the last one, or to where they can't be read; and whether the last one is
/// there.
pub(super) fn decode(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some((size, data)) = size_line(rest) else {
            return (body, false);
        };
        if size == 0 {
            return (body, true);
        }
        let Some((chunk, after)) = data.split_at_checked(size) else {
            body.extend_from_slice(data);
            return (body, false);
        };
        body.extend_from_slice(chunk);
        let after = after.strip_prefix(b"\r").unwrap_or(after);
        rest = after.strip_prefix(b"\n").unwrap_or(after);
    }
}

/// A chunk's size, and what is behind its line; extensions are skipped.
fn size_line(rest: &[u8]) -> Option<(usize, &[u8])> {
    let (line, after) = rest.split_at_checked(memchr(b'\n', rest)?)?;
    let line = line.trim_ascii_start();
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let digits = std::str::from_utf8(line.get(..digits.count())?).ok()?;
    let size = match usize::from_str_radix(digits, 16) {
        Ok(size) => size,
        Err(_) if digits.is_empty() => return None,
        // One that no number holds is longer than whatever follows.
        Err(_) => usize::MAX,
    };
    Some((size, after.strip_prefix(b"\n").unwrap_or(after)))
}
