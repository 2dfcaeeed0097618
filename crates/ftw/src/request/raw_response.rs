//! An answer's bytes, taken apart.

use std::borrow::Cow;

use super::chunked;
use super::read::{Field, Lines, is_chunked, length, read_fields, split_word, trim};

/// An answer as it was captured, whatever is wrong with it; the counterpart of
/// [`Request`](super::Request), and as lenient. Nothing is decoded but chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawResponse<'r> {
    /// The first word of the first line: a version, in an answer that is well-formed.
    pub protocol: &'r [u8],
    /// The second word, where it is a number of three digits.
    pub status: Option<u16>,
    /// All else of that line, without white space around it.
    pub reason: &'r [u8],
    /// In the order in which they were sent.
    pub headers: Vec<Field<'r>>,
    /// Chunks are put together; without a length, all that follows the head.
    pub body: Cow<'r, [u8]>,
    /// Whether the head has an end, and the body is as long as it says.
    pub is_whole: bool,
}

impl<'r> RawResponse<'r> {
    /// Takes `bytes` apart, whatever they are.
    #[must_use]
    pub fn read(bytes: &'r [u8]) -> Self {
        let mut lines = Lines::new(bytes);
        let line = lines.first();
        let (protocol, rest) = split_word(line);
        let (status, reason) = split_word(rest);
        let mut response = Self {
            protocol,
            status: length(status)
                .filter(|_| status.len() == 3)
                .and_then(|status| u16::try_from(status).ok()),
            reason: trim(reason),
            headers: Vec::new(),
            body: Cow::Borrowed(&[]),
            is_whole: true,
        };
        response.is_whole = read_fields(&mut lines, &mut response.headers);
        response.read_body(lines.rest());
        response
    }

    fn read_body(&mut self, rest: &'r [u8]) {
        if is_chunked(&self.headers) {
            let (body, is_whole) = chunked::decode(rest);
            self.body = Cow::Owned(body);
            self.is_whole &= is_whole;
            return;
        }
        let mut fields = self.headers.iter();
        let field = fields.find(|field| field.name.eq_ignore_ascii_case(b"content-length"));
        let len = field.and_then(|field| length(&field.value));
        self.is_whole &= len.is_none_or(|len| rest.len() >= len);
        let body = len.and_then(|len| rest.get(..len)).unwrap_or(rest);
        self.body = Cow::Borrowed(body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(bytes: &str, expected: &str) {
        let response = RawResponse::read(bytes.as_bytes());
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let mut parts = vec![
            text(response.protocol),
            format!("{:?}", response.status),
            text(response.reason),
        ];
        let headers = response.headers.iter();
        parts.extend(headers.map(|field| format!("{}={}", text(field.name), text(&field.value))));
        parts.push(text(&response.body));
        parts.extend((!response.is_whole).then(|| "...".to_owned()));
        assert_eq!(parts.join("|"), expected, "{bytes:?}");
    }

    #[test]
    fn answers_are_read() {
        check(
            "HTTP/1.1 200 All right\r\nA: b\r\nContent-Length: 2\r\n\r\nabc",
            "HTTP/1.1|Some(200)|All right|A=b|Content-Length=2|ab",
        );
        check("HTTP/2 204\n\n", "HTTP/2|Some(204)||");
        check(
            "HTTP/1.1 200 \nTransfer-Encoding: chunked\n\n1\na\n2\nbc\n0\n\n",
            "HTTP/1.1|Some(200)||Transfer-Encoding=chunked|abc",
        );
        check("HTTP/1.0 200 OK\n\nabc", "HTTP/1.0|Some(200)|OK|abc");
    }

    #[test]
    fn answers_that_are_wrong() {
        check("", "|None|||...");
        check("<html>\n\nabc", "<html>|None||abc");
        check("HTTP/1.1 2000 x\n\n", "HTTP/1.1|None|x|");
        check(
            "HTTP/1.1 200 OK\nContent-Length: 9\n\nabc",
            "HTTP/1.1|Some(200)|OK|Content-Length=9|abc|...",
        );
        check("HTTP/1.1 200 OK\nA: b", "HTTP/1.1|Some(200)|OK|A=b||...");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            let response = RawResponse::read(&bytes);
            prop_assert!(response.body.len() <= bytes.len());
        }
    }
}
