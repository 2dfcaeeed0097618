//! The head of an answer on its way to the client.

use std::ops::Range;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{StatusCode, response};

/// A status and its fields, in their order and, over HTTP/1, in the letter case that the backend gave them.
///
/// A list, not a map: a head is read once, changed in two or three places and written once.
#[derive(Clone, Debug)]
pub(crate) struct AnswerHead {
    pub(crate) status: StatusCode,
    /// The head as it was sent; empty for one that came over HTTP/2 or is ours.
    sent: Bytes,
    /// The reason phrase, where it isn't the usual one (RFC 9112 section 4).
    reason: Option<Bytes>,
    fields: Vec<Field>,
}

#[derive(Clone, Debug)]
struct Field {
    name: HeaderName,
    /// Where the name is in what was sent; nowhere if it wasn't.
    spelling: Range<usize>,
    value: HeaderValue,
}

impl AnswerHead {
    /// A head without fields, with room for some.
    pub(crate) fn new(status: StatusCode, fields: usize) -> Self {
        Self {
            status,
            sent: Bytes::new(),
            reason: None,
            fields: Vec::with_capacity(fields),
        }
    }

    /// Sets the reason phrase.
    pub(crate) fn set_reason(&mut self, reason: &[u8]) {
        let usual = self.status.canonical_reason().unwrap_or_default();
        self.reason = (reason != usual.as_bytes()).then(|| Bytes::copy_from_slice(reason));
    }

    /// Sets what was sent, in which names are spelled.
    pub(crate) fn set_sent(&mut self, sent: Bytes) {
        self.sent = sent;
    }

    /// Adds a field whose name is spelled there in what was sent.
    pub(crate) fn append(&mut self, name: HeaderName, spelling: Range<usize>, value: HeaderValue) {
        self.fields.push(Field {
            name,
            spelling,
            value,
        });
    }

    /// Sets a field, in place of all of that name.
    pub(crate) fn insert(&mut self, name: HeaderName, value: HeaderValue) {
        self.remove(&name);
        self.append(name, 0..0, value);
    }

    pub(crate) fn remove(&mut self, name: &HeaderName) {
        self.fields.retain(|field| field.name != name);
    }

    /// Removes all fields but those that `stays` lets stay.
    pub(crate) fn retain(&mut self, stays: impl Fn(&HeaderName) -> bool) {
        self.fields.retain(|field| stays(&field.name));
    }

    pub(crate) fn contains(&self, name: &HeaderName) -> bool {
        self.get(name).is_some()
    }

    /// The first value of a field.
    pub(crate) fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.get_all(name).next()
    }

    pub(crate) fn get_all(&self, name: &HeaderName) -> impl Iterator<Item = &HeaderValue> {
        let of_name = self.fields.iter().filter(move |field| field.name == name);
        of_name.map(|field| &field.value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.fields.iter().map(|field| (&field.name, &field.value))
    }

    /// Appends the status line and the fields as HTTP/1 writes them, the empty line not yet.
    pub(crate) fn write_http1(&self, wire: &mut Vec<u8>) {
        wire.extend_from_slice(b"HTTP/1.1 ");
        wire.extend_from_slice(self.status.as_str().as_bytes());
        wire.push(b' ');
        let usual = self.status.canonical_reason().unwrap_or_default();
        wire.extend_from_slice(self.reason.as_deref().unwrap_or(usual.as_bytes()));
        wire.extend_from_slice(b"\r\n");
        for field in &self.fields {
            let spelling = match self.sent.get(field.spelling.clone()) {
                Some(as_sent @ [_, ..]) => as_sent,
                _ => spelling(field.name.as_str()).as_bytes(),
            };
            write_field(spelling, field.value.as_bytes(), wire);
        }
    }
}

impl From<response::Parts> for AnswerHead {
    fn from(parts: response::Parts) -> Self {
        let mut head = Self::new(parts.status, parts.headers.len());
        head.extend(parts.headers);
        head
    }
}

impl Extend<(Option<HeaderName>, HeaderValue)> for AnswerHead {
    /// Of a map, which names each field once and then gives all its values.
    fn extend<I: IntoIterator<Item = (Option<HeaderName>, HeaderValue)>>(&mut self, fields: I) {
        let mut last = None;
        for (name, value) in fields {
            last = name.or(last);
            if let Some(name) = &last {
                self.append(name.clone(), 0..0, value);
            }
        }
    }
}

impl From<&AnswerHead> for HeaderMap {
    fn from(head: &AnswerHead) -> Self {
        let fields = head.iter();
        fields
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

/// Appends a field as HTTP/1 writes it (RFC 9112 section 5).
pub(crate) fn write_field(name: &[u8], value: &[u8], wire: &mut Vec<u8>) {
    wire.extend_from_slice(name);
    wire.extend_from_slice(b": ");
    wire.extend_from_slice(value);
    wire.extend_from_slice(b"\r\n");
}

/// A name as careless programs expect it; the letter case means nothing (RFC 9110 section 5.1).
pub(crate) fn spelling(name: &str) -> &str {
    match name {
        "accept-ranges" => "Accept-Ranges",
        "age" => "Age",
        "cache-control" => "Cache-Control",
        "connection" => "Connection",
        "content-encoding" => "Content-Encoding",
        "content-length" => "Content-Length",
        "content-type" => "Content-Type",
        "date" => "Date",
        "host" => "Host",
        "server" => "Server",
        "set-cookie" => "Set-Cookie",
        "transfer-encoding" => "Transfer-Encoding",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    fn wire(head: &AnswerHead) -> String {
        let mut wire = Vec::new();
        head.write_http1(&mut wire);
        String::from_utf8_lossy(&wire).into_owned()
    }

    #[test]
    fn what_comes_from_a_map_keeps_all_values() {
        let response = http::Response::builder()
            .status(404)
            .header("set-cookie", "a")
            .header("x-b", "b")
            .header("set-cookie", "c");
        let (parts, ()) = response.body(()).unwrap().into_parts();
        let head = AnswerHead::from(parts.clone());
        let expected = "HTTP/1.1 404 Not Found\r\nSet-Cookie: a\r\nSet-Cookie: c\r\nx-b: b\r\n";
        assert_eq!(wire(&head), expected);
        assert_eq!(HeaderMap::from(&head), parts.headers);
    }

    #[test]
    fn a_field_that_is_set_replaces_all_of_its_name() {
        let mut head = AnswerHead::new(StatusCode::OK, 4);
        head.set_reason(b"Fine");
        head.set_sent(Bytes::from_static(b"DATE: 1\r\nX-a: 2\r\ndate: 3\r\n"));
        for (name, spelling, value) in [
            ("date", 0..4, "1"),
            ("x-a", 9..12, "2"),
            ("date", 17..21, "3"),
        ] {
            let value = HeaderValue::from_static(value);
            head.append(HeaderName::from_static(name), spelling, value);
        }
        assert_eq!(
            wire(&head),
            "HTTP/1.1 200 Fine\r\nDATE: 1\r\nX-a: 2\r\ndate: 3\r\n"
        );
        assert_eq!(head.get_all(&header::DATE).count(), 2);
        head.insert(header::DATE, HeaderValue::from_static("4"));
        assert_eq!(wire(&head), "HTTP/1.1 200 Fine\r\nX-a: 2\r\nDate: 4\r\n");
        head.set_reason(b"OK");
        assert!(wire(&head).starts_with("HTTP/1.1 200 OK\r\n"));
    }
}
