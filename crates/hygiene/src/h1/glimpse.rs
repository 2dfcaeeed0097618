//! What a refused head seems to say, for the record.

use crate::field::trim_ows;

/// What a head that was refused, or never became complete, seems to say: raw bytes for logs, which
/// escape and shorten them. Nothing may be decided by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Glimpse<'a> {
    /// The request line up to its first space.
    pub method: &'a [u8],
    /// The request line between its first and its last space.
    pub target: &'a [u8],
    /// The first Host field's value.
    pub host: &'a [u8],
}

impl<'a> Glimpse<'a> {
    /// Looks at the bytes of a head, however malformed; what isn't found is empty. Linear.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        let mut lines = bytes
            .split(|&b| b == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let request_line = lines.find(|line| !line.is_empty()).unwrap_or_default();
        let mut words = request_line.splitn(2, |&b| b == b' ');
        let method = words.next().unwrap_or_default();
        let rest = words.next().unwrap_or_default();
        let target = match memchr::memrchr(b' ', rest) {
            Some(at) => rest.get(..at).unwrap_or_default(),
            None => rest,
        };
        Self {
            method,
            target,
            host: lines.find_map(host_value).unwrap_or_default(),
        }
    }
}

fn host_value(line: &[u8]) -> Option<&[u8]> {
    let (name, value) = line.split_at_checked("host:".len())?;
    name.eq_ignore_ascii_case(b"host:").then(|| trim_ows(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &str, method: &str, target: &str, host: &str) {
        let expected = Glimpse {
            method: method.as_bytes(),
            target: target.as_bytes(),
            host: host.as_bytes(),
        };
        assert_eq!(Glimpse::of(bytes.as_bytes()), expected, "{bytes:?}");
    }

    #[test]
    fn as_much_as_there_is() {
        check(
            "GET /a b HTTP/1.1\r\nX\r\nhost: h \r\n\r\n",
            "GET",
            "/a b",
            "h",
        );
        check("\r\n\nGET /a HTTP/1.1\nHOST:h\n", "GET", "/a", "h");
        check("GET /a", "GET", "/a", "");
        check("GET", "GET", "", "");
        check("\x16\x03\x01", "\x16\x03\x01", "", "");
        check("", "", "", "");
    }
}
