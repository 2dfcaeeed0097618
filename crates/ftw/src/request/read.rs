//! A request's bytes, taken apart.

use std::borrow::Cow;

use memchr::memchr;

use super::chunked;

/// A request as Apache hands it to a module, whatever is wrong with it: what a strict server refuses is
/// here for an [`Engine`](crate::Engine) to judge.
///
/// Nothing is decoded but chunks. Lines end with LF or CRLF, empty ones before the first are skipped; a
/// line that begins with white space goes on with the one before. A line without a version is HTTP/0.9,
/// which has neither header fields nor a body (RFC 1945 section 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'r> {
    /// All of it, as it was sent.
    pub bytes: &'r [u8],
    /// Everything up to the body, as it was sent.
    pub head: &'r [u8],
    /// The first line, without its end.
    pub line: &'r [u8],
    /// The first word of that line.
    pub method: &'r [u8],
    /// The second word; empty where there is none.
    pub target: &'r [u8],
    /// All else, without white space around it: a version, in a request that is well-formed.
    pub protocol: &'r [u8],
    /// In the order in which they were sent.
    pub headers: Vec<Field<'r>>,
    /// Chunks are put together.
    pub body: Cow<'r, [u8]>,
    /// How the body's end is found.
    pub framing: Framing,
    /// Whether the head has an end, and the body is as long as it says.
    pub is_whole: bool,
}

/// A header field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'r> {
    /// What is before the colon, without white space behind it; the whole line where there is no colon.
    pub name: &'r [u8],
    /// What is behind the colon, without white space around it; continuations are joined with one space.
    pub value: Cow<'r, [u8]>,
}

/// How a body's end is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// By `Content-Length`.
    Length,
    /// By chunks; `Content-Length` doesn't count then.
    Chunked,
}

impl<'r> Request<'r> {
    /// Takes `bytes` apart, whatever they are.
    #[must_use]
    pub fn read(bytes: &'r [u8]) -> Self {
        let mut lines = Lines::new(bytes);
        let line = lines.first();
        let (method, rest) = split_word(line);
        let (target, rest) = split_word(rest);
        let protocol = trim(rest);
        let mut request = Self {
            bytes,
            head: bytes,
            line,
            method,
            target,
            protocol,
            headers: Vec::new(),
            body: Cow::Borrowed(&[]),
            framing: Framing::None,
            is_whole: true,
        };
        if protocol.is_empty() {
            request.head = before(bytes, lines.rest);
        } else {
            request.is_whole = read_fields(&mut lines, &mut request.headers);
            request.head = before(bytes, lines.rest);
            request.read_body(lines.rest);
        }
        request
    }

    /// The value of the first header field `name`.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let is_named = |field: &&Field<'_>| field.name.eq_ignore_ascii_case(name.as_bytes());
        self.headers
            .iter()
            .find(is_named)
            .map(|field| &*field.value)
    }

    fn read_body(&mut self, rest: &'r [u8]) {
        if is_chunked(&self.headers) {
            let (body, is_whole) = chunked::decode(rest);
            self.framing = Framing::Chunked;
            self.body = Cow::Owned(body);
            self.is_whole &= is_whole;
            return;
        }
        let Some(len) = self.header("content-length").and_then(length) else {
            return;
        };
        self.framing = Framing::Length;
        self.is_whole &= rest.len() >= len;
        self.body = Cow::Borrowed(rest.get(..len).unwrap_or(rest));
    }
}

impl<'r> Field<'r> {
    fn read(line: &'r [u8]) -> Self {
        let (name, value) = match memchr(b':', line) {
            Some(colon) => line.split_at_checked(colon).unwrap_or((line, b"")),
            None => (line, &b""[..]),
        };
        Self {
            name: name.trim_ascii_end(),
            value: Cow::Borrowed(trim(value.strip_prefix(b":").unwrap_or(value))),
        }
    }

    fn go_on(&mut self, line: &[u8]) {
        let value = self.value.to_mut();
        value.push(b' ');
        value.extend_from_slice(trim(line));
    }
}

/// Takes the fields of a head up to its empty line; says whether there is one.
pub(super) fn read_fields<'r>(lines: &mut Lines<'r>, headers: &mut Vec<Field<'r>>) -> bool {
    for line in lines.by_ref() {
        if line.is_empty() {
            return true;
        }
        match headers.last_mut() {
            Some(last) if line.first().is_some_and(|byte| is_blank(*byte)) => last.go_on(line),
            _ => headers.push(Field::read(line)),
        }
    }
    false
}

/// Whether the body behind these comes in chunks.
pub(super) fn is_chunked(headers: &[Field<'_>]) -> bool {
    headers.iter().any(|field| {
        let value = field.value.to_ascii_lowercase();
        field.name.eq_ignore_ascii_case(b"transfer-encoding")
            && memchr::memmem::find(&value, b"chunked").is_some()
    })
}

/// The lines of a head, without their ends.
pub(super) struct Lines<'r> {
    rest: &'r [u8],
}

impl<'r> Lines<'r> {
    pub(super) fn new(bytes: &'r [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The first one that isn't empty; an empty one where there is none.
    pub(super) fn first(&mut self) -> &'r [u8] {
        let mut line = self.next().unwrap_or_default();
        while line.is_empty() && !self.rest.is_empty() {
            line = self.next().unwrap_or_default();
        }
        line
    }

    /// What is behind the lines that were taken.
    pub(super) fn rest(&self) -> &'r [u8] {
        self.rest
    }
}

impl<'r> Iterator for Lines<'r> {
    type Item = &'r [u8];

    fn next(&mut self) -> Option<&'r [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let line = match memchr(b'\n', self.rest) {
            None => std::mem::take(&mut self.rest),
            Some(end) => {
                let (line, rest) = self.rest.split_at_checked(end)?;
                self.rest = rest.strip_prefix(b"\n").unwrap_or(rest);
                line
            }
        };
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

/// What is before `rest`, which ends as `whole` does.
fn before<'r>(whole: &'r [u8], rest: &[u8]) -> &'r [u8] {
    let len = whole.len().saturating_sub(rest.len());
    whole.get(..len).unwrap_or(whole)
}

/// A length in decimal digits.
pub(super) fn length(value: &[u8]) -> Option<usize> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // One that no number holds is longer than whatever follows.
    Some(
        std::str::from_utf8(value)
            .ok()?
            .parse()
            .unwrap_or(usize::MAX),
    )
}

/// The first word of `text`, and what is behind it.
pub(super) fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = trim_start(text);
    let end = text.iter().position(|byte| is_white(*byte));
    end.and_then(|end| text.split_at_checked(end))
        .unwrap_or((text, b""))
}

fn trim_start(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_white(*byte));
    start
        .and_then(|start| text.get(start..))
        .unwrap_or_default()
}

pub(super) fn trim(text: &[u8]) -> &[u8] {
    let text = trim_start(text);
    let last = text.iter().rposition(|byte| !is_white(*byte));
    last.and_then(|last| text.get(..=last)).unwrap_or_default()
}

/// What C's `isspace` takes for white space.
const fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c)
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}
