//! What is sent: its parts, and the bytes that go-ftw makes of them.

use palisade_yaml::{Content, Node};

use super::template;
use crate::fields::{self, Fields};
use crate::problem::Problems;

const CONTENT_TYPE: &str = "Content-Type";
const FORM: &str = "application/x-www-form-urlencoded";
const HEADER_KEYS: &[&str] = &["name", "value"];

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A request, byte for byte.
    Encoded(Vec<u8>),
    /// The parts that one is made of.
    Parts(Parts),
}

/// The parts of a request. Each is sent as it is written, whether or not it can stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// `GET` where a test doesn't say.
    pub method: String,
    /// `/` where a test doesn't say.
    pub uri: String,
    /// `HTTP/1.1` where a test doesn't say.
    pub version: String,
    /// Names and values, in the order in which they are sent.
    pub headers: Vec<(String, String)>,
    /// The body, before it is encoded.
    pub data: Vec<u8>,
    /// Whether `Connection`, `Content-Type` and `Content-Length` are added where they are missing, and a
    /// form is encoded.
    pub autocomplete_headers: bool,
}

/// What earlier stages of a test leave to a later one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Carried {
    /// Names and values of cookies, for a stage that wants them.
    pub(crate) cookies: Vec<(String, String)>,
    /// Where a stage goes that follows a redirect: a URI and a host.
    pub(crate) redirect: Option<(String, String)>,
}

impl Message {
    /// The bytes that go-ftw sends.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_bytes_with(&Carried::default())
    }

    /// The bytes that go-ftw sends after earlier stages.
    pub(crate) fn to_bytes_with(&self, carried: &Carried) -> Vec<u8> {
        match self {
            Self::Encoded(bytes) => bytes.clone(),
            Self::Parts(parts) => parts.clone().carry(carried).complete().to_bytes(),
        }
    }
}

impl Parts {
    fn has(&self, name: &str) -> bool {
        self.headers
            .iter()
            .any(|(other, _)| other.eq_ignore_ascii_case(name))
    }

    fn content_type_is(&self, test: impl Fn(&str) -> bool) -> bool {
        self.headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case(CONTENT_TYPE) && test(&value.to_ascii_lowercase())
        })
    }

    fn add(&mut self, name: &str, value: impl Into<String>) {
        if !self.has(name) {
            self.headers.push((name.to_owned(), value.into()));
        }
    }

    /// The parts with what earlier stages left.
    fn carry(mut self, carried: &Carried) -> Self {
        if let Some((uri, host)) = &carried.redirect {
            self.uri.clone_from(uri);
            self.headers
                .retain(|(name, _)| !name.eq_ignore_ascii_case("Host"));
            self.add("Host", host);
        }
        if !carried.cookies.is_empty() {
            let pairs = carried.cookies.iter();
            let pairs: Vec<_> = pairs
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            self.add("Cookie", pairs.join("; "));
        }
        self
    }

    /// The parts with what go-ftw adds to them.
    fn complete(mut self) -> Self {
        let is_auto = self.autocomplete_headers;
        if is_auto && !self.data.is_empty() {
            self.add(CONTENT_TYPE, FORM);
            if self.content_type_is(|value| value == FORM) {
                self.data = encode_form(&self.data);
            }
        }
        if self.content_type_is(|value| value.contains("multipart/form-data;")) {
            self.data = lines_end_with_crlf(&self.data);
        }
        if is_auto {
            self.add("Connection", "close");
            if !self.data.is_empty() || may_have_body(&self.method) {
                self.add("Content-Length", self.data.len().to_string());
            }
        }
        self
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} {}\r\n", self.method, self.uri, self.version).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.data);
        bytes
    }
}

/// Whether go-ftw announces a length for this method even where there is no body. Its pattern is
/// `^POST|PUT|PATCH|DELETE$`, which binds its ends to the outer words alone.
fn may_have_body(method: &str) -> bool {
    method.starts_with("POST")
        || method.contains("PUT")
        || method.contains("PATCH")
        || method.ends_with("DELETE")
}

/// A form with names and values escaped; one that seems to be escaped stays as it is.
fn encode_form(data: &[u8]) -> Vec<u8> {
    // Where unescaping fails, go-ftw compares with nothing, which no data is.
    if unescape(data).as_deref() != Some(data) {
        return data.to_vec();
    }
    let mut encoded = Vec::with_capacity(data.len());
    // An `&` at the end has nothing behind it that would be encoded.
    let pairs = data.strip_suffix(b"&").unwrap_or(data);
    for (index, pair) in pairs.split(|byte| *byte == b'&').enumerate() {
        if index > 0 {
            encoded.push(b'&');
        }
        for (index, part) in pair.splitn(2, |byte| *byte == b'=').enumerate() {
            if index > 0 {
                encoded.push(b'=');
            }
            escape(part, &mut encoded);
        }
    }
    encoded
}

/// As Go's `url.QueryUnescape`; `None` where it is an error.
fn unescape(data: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(data.len());
    let mut rest = data;
    loop {
        rest = match rest {
            [] => return Some(bytes),
            [b'%', high, low, tail @ ..] => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let value = digit(*high)? * 16 + digit(*low)?;
                bytes.push(u8::try_from(value).ok()?);
                tail
            }
            [b'%', ..] => return None,
            [b'+', tail @ ..] => {
                bytes.push(b' ');
                tail
            }
            [byte, tail @ ..] => {
                bytes.push(*byte);
                tail
            }
        };
    }
}

/// As Go's `url.QueryEscape`.
fn escape(data: &[u8], out: &mut Vec<u8>) {
    for byte in data {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            b' ' => out.push(b'+'),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
}

fn lines_end_with_crlf(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    for byte in data {
        if *byte == b'\n' {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}

/// The message that the fields of an `input` make.
pub(super) fn read_message(fields: &Fields<'_>, problems: &mut Problems) -> Option<Message> {
    if fields.node("encoded_request").is_some() {
        let bytes = fields.base64("encoded_request", problems)?;
        return Some(Message::Encoded(bytes));
    }
    let text = |name: &str, default: &str, problems: &mut Problems| {
        let written = fields.text(name, problems);
        written.unwrap_or(default).to_owned()
    };
    let autocomplete = fields.flag("autocomplete_headers", problems);
    let stop_magic = fields.flag("stop_magic", problems);
    Some(Message::Parts(Parts {
        method: text("method", "GET", problems),
        uri: text("uri", "/", problems),
        version: text("version", "HTTP/1.1", problems),
        headers: read_headers(fields, problems),
        data: read_data(fields, problems)?,
        autocomplete_headers: autocomplete.unwrap_or(stop_magic != Some(true)),
    }))
}

fn read_data(fields: &Fields<'_>, problems: &mut Problems) -> Option<Vec<u8>> {
    let Some(node) = fields.node("data") else {
        return match fields.node("encoded_data") {
            Some(_) => fields.base64("encoded_data", problems),
            None => Some(Vec::new()),
        };
    };
    template::expand(fields::text(node, problems)?)
        .map_err(|error| problems.add(&node.location, error.to_string()))
        .ok()
}

/// `ordered_headers` as they are, else `headers` by name.
fn read_headers(fields: &Fields<'_>, problems: &mut Problems) -> Vec<(String, String)> {
    let ordered = fields.list("ordered_headers", problems);
    if !ordered.is_empty() {
        return ordered
            .iter()
            .filter_map(|node| read_ordered_header(node, problems))
            .collect();
    }
    let Some(node) = fields.node("headers") else {
        return Vec::new();
    };
    let Content::Mapping(entries) = &node.content else {
        let message = format!("got {}; expected a mapping of headers", node.noun());
        problems.add(&node.location, message);
        return Vec::new();
    };
    let mut headers: Vec<_> = entries
        .iter()
        .map(|entry| (entry.key.to_string(), read_value(&entry.value, problems)))
        .collect();
    headers.sort_by(|(one, _), (other, _)| one.as_bytes().cmp(other.as_bytes()));
    headers
}

fn read_ordered_header(node: &Node, problems: &mut Problems) -> Option<(String, String)> {
    let fields = Fields::read(node, HEADER_KEYS, problems)?;
    let Some(name) = fields.text("name", problems) else {
        problems.add(fields.location, "the header has no `name`");
        return None;
    };
    let value = fields.text("value", problems).unwrap_or_default();
    Some((name.to_owned(), value.to_owned()))
}

/// A header's value, which is empty where nothing is written.
fn read_value(node: &Node, problems: &mut Problems) -> String {
    match &node.content {
        Content::Null => String::new(),
        _ => fields::text(node, problems).unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: &str, headers: &[(&str, &str)], data: &str) -> Parts {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Parts {
            method: method.to_owned(),
            uri: "/".to_owned(),
            version: "HTTP/1.1".to_owned(),
            headers: headers.iter().map(owned).collect(),
            data: data.as_bytes().to_vec(),
            autocomplete_headers: true,
        }
    }

    #[track_caller]
    fn check(parts: Parts, expected: &str) {
        let bytes = Message::Parts(parts).to_bytes();
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
    }

    #[test]
    fn headers_are_completed() {
        check(
            parts("GET", &[("Host", "a")], ""),
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        );
        check(
            parts("POST", &[("connection", "keep-alive")], ""),
            "POST / HTTP/1.1\r\nconnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
        );
        check(
            parts("GET", &[("content-length", "7")], "a=b"),
            "GET / HTTP/1.1\r\ncontent-length: 7\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\r\na=b",
        );
        let as_they_are = Parts {
            autocomplete_headers: false,
            ..parts("POST", &[], "a b")
        };
        check(as_they_are, "POST / HTTP/1.1\r\n\r\na b");
    }

    #[test]
    fn methods_that_announce_a_length() {
        for method in [
            "POST", "POSTX", "PUT", "XPUTX", "PATCH", "DELETE", "XDELETE",
        ] {
            assert!(may_have_body(method), "{method}");
        }
        for method in ["GET", "XPOST", "DELETEX", "post", ""] {
            assert!(!may_have_body(method), "{method}");
        }
    }

    #[test]
    fn forms_are_escaped_once() {
        #[track_caller]
        fn check(data: &str, expected: &str) {
            let encoded = encode_form(data.as_bytes());
            assert_eq!(String::from_utf8_lossy(&encoded), expected, "{data}");
        }
        check("a=<b> c&d&e=f=g", "a=%3Cb%3E+c&d&e=f%3Dg");
        check("a=é~-_.&", "a=%C3%A9~-_.");
        check("a&&b=", "a&&b=");
        check("a=%41 <", "a=%41 <");
        check("a+b=<", "a+b=<");
        check("a=% <", "a=% <");
        check("a=%zz<", "a=%zz<");
    }

    #[test]
    fn multipart_lines_end_with_crlf() {
        check(
            parts(
                "POST",
                &[("Content-Type", "multipart/form-data; boundary=x")],
                "--x\n\n",
            ),
            "POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\nConnection: close\r\nContent-Length: 7\r\n\r\n--x\r\n\r\n",
        );
    }

    #[test]
    fn what_earlier_stages_left_is_sent() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let carried = Carried {
            cookies: vec![pair("a", "1"), pair("b", "2")],
            redirect: Some(pair("/x?y", "b")),
        };
        let message = Message::Parts(parts("GET", &[("host", "a"), ("Accept", "*/*")], ""));
        assert_eq!(
            String::from_utf8_lossy(&message.to_bytes_with(&carried)),
            "GET /x?y HTTP/1.1\r\nAccept: */*\r\nHost: b\r\nCookie: a=1; b=2\r\nConnection: close\r\n\r\n",
        );
        let encoded = Message::Encoded(b"GET".to_vec());
        assert_eq!(encoded.to_bytes_with(&carried), b"GET");
    }
}
