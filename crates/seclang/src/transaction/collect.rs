//! What was sent, as variables.

use std::ops::ControlFlow;

use palisade_body::xml::Elements;
use palisade_body::{Body, File, Limits, Processor, Sink, Source, cookies, form};

use super::arena::Arena;
use super::lookup::{XML_ATTRIBUTES, XML_TEXT};
use super::state::{Kind, State};
use super::{RequestHead, ResponseHead};
use crate::program::Settings;
use crate::syntax::XmlArguments;

/// Takes arguments, up to a limit (`SecArgumentsLimit`).
struct Arguments<'s> {
    state: &'s mut State,
    kind: Kind,
    left: usize,
    /// Whether text and attributes of XML are variables too.
    has_xml: bool,
}

impl Sink for Arguments<'_> {
    fn argument(&mut self, name: &[u8], value: &[u8]) -> ControlFlow<()> {
        if self.left == 0 {
            return ControlFlow::Break(());
        }
        self.left -= 1;
        self.state.add(self.kind, name, value);
        ControlFlow::Continue(())
    }

    fn file(&mut self, file: File<'_>) {
        let state = &mut *self.state;
        for name in file.name.into_iter().chain(file.extended_name) {
            state.add(Kind::Files, file.field, name);
        }
        let mut size = itoa::Buffer::new();
        let len = file.content.len();
        state.add(Kind::FilesSizes, file.field, size.format(len).as_bytes());
        state.request.files_len += len;
    }

    fn part_header(&mut self, part: &[u8], line: &[u8]) {
        self.state.add(Kind::PartHeaders, part, line);
    }

    fn text(&mut self, text: &[u8]) {
        // One value, however many chunks.
        if self.has_xml {
            self.state.xml_text.extend_from_slice(text);
        }
    }

    fn attribute(&mut self, value: &[u8]) {
        if self.has_xml {
            self.state.add(Kind::XmlAttributes, XML_ATTRIBUTES, value);
        }
    }
}

/// Takes the head of a request.
pub(super) fn request_head(
    state: &mut State,
    head: &RequestHead<'_>,
    settings: &Settings,
    scratch: &mut palisade_body::Scratch,
) {
    let arena = &mut state.arena;
    state.request.line = arena.push(head.line);
    state.request.method = arena.push(head.method);
    state.request.protocol = arena.push(head.protocol);
    state.request.target = arena.push(head.target);
    let uri = without_fragment(path_and_query(head.target));
    let kept = arena.push(uri);
    state.request.uri = kept;
    let path_len = memchr::memchr(b'?', uri).unwrap_or(uri.len());
    let path = uri.get(..path_len).unwrap_or_default();
    state.request.path = Arena::part(kept, 0, path_len);
    let basename = basename_at(path);
    state.request.basename = Arena::part(kept, basename, path_len - basename);
    let query = uri.get(path_len + 1..);
    state.request.query = query.map(|query| Arena::part(kept, path_len + 1, query.len()));
    for (name, value) in head.headers.iter().copied() {
        state.add(Kind::RequestHeaders, name, value);
        if name.eq_ignore_ascii_case(b"cookie") {
            let mut sink = Arguments {
                // There are as many as a head has room for: one that isn't looked at would get by.
                left: usize::MAX,
                kind: Kind::Cookies,
                has_xml: false,
                state,
            };
            let _ = cookies::parse(value, &mut sink);
        }
    }
    state.request.server_name = state.request_header(b"host").map(|host| {
        let text = state.arena.get(host);
        let end = match text.first() {
            Some(b'[') => memchr::memchr(b']', text).map_or(text.len(), |end| end + 1),
            _ => memchr::memchr(b':', text).unwrap_or(text.len()),
        };
        // A name that ends with a dot is the same host (RFC 1034 section 3.1): rules that name it mean both.
        let is_rooted = end > 1 && text.get(end - 1) == Some(&b'.');
        Arena::part(host, 0, end - usize::from(is_rooted))
    });
    if let Some(query) = query {
        arguments(state, query, settings, scratch);
    }
    if has_body(state) {
        let content_type = state.request_header(b"content-type");
        let content_type = content_type.map(|span| state.arena.get(span));
        state.controls.processor = content_type.and_then(Processor::of_content_type);
    }
}

/// Whether a head announces a body (RFC 9112 section 6).
fn has_body(state: &State) -> bool {
    let is_there = |name: &[u8]| state.request_header(name).is_some();
    is_there(b"content-length") || is_there(b"transfer-encoding")
}

/// The path, percent-decoded: from phase 2 on, as on Apache, which decodes it between the two.
fn decode_path(state: &mut State) {
    let path = state.arena.get(state.request.path);
    if memchr::memchr(b'%', path).is_none() {
        return;
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((byte, tail)) = rest.split_first() {
        let escaped = match rest {
            [b'%', high, low, ..] => hexadecimal(*high).zip(hexadecimal(*low)),
            _ => None,
        };
        rest = match escaped {
            Some((high, low)) => {
                decoded.push(high << 4 | low);
                rest.get(3..).unwrap_or_default()
            }
            None => {
                decoded.push(*byte);
                tail
            }
        };
    }
    let basename = basename_at(&decoded);
    let path = state.arena.push(&decoded);
    state.request.path = path;
    state.request.basename = Arena::part(path, basename, decoded.len() - basename);
}

fn hexadecimal(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

/// Where what follows the last slash or backslash begins.
fn basename_at(path: &[u8]) -> usize {
    let slash = path.iter().rposition(|byte| matches!(byte, b'/' | b'\\'));
    slash.map_or(0, |slash| slash + 1)
}

/// The arguments of a query.
fn arguments(
    state: &mut State,
    query: &[u8],
    settings: &Settings,
    scratch: &mut palisade_body::Scratch,
) {
    let limits = limits(settings, 0);
    let mut sink = Arguments {
        left: limits.arguments,
        kind: Kind::ArgsGet,
        has_xml: false,
        state,
    };
    let body = Body::whole(query);
    let outcome = form::parse(
        body,
        settings.argument_separator,
        &limits,
        scratch,
        &mut sink,
    );
    state.body_outcome.has_invalid_encoding |= outcome.has_invalid_encoding;
    state.body_outcome.error = state.body_outcome.error.or(outcome.error);
}

/// A target without scheme and authority (RFC 9112 section 3.2.2), which some clients send.
fn path_and_query(target: &[u8]) -> &[u8] {
    if target.first() == Some(&b'/') {
        return target;
    }
    let is_of_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let scheme = memchr::memmem::find(target, b"://");
    let is_scheme = |at: &usize| target.iter().take(*at).all(is_of_scheme);
    let Some(scheme) = scheme.filter(is_scheme) else {
        return target;
    };
    let authority = target.get(scheme + 3..).unwrap_or_default();
    match memchr::memchr2(b'/', b'?', authority) {
        Some(path) => authority.get(path..).unwrap_or_default(),
        None => b"/",
    }
}

fn without_fragment(target: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'#', target).unwrap_or(target.len());
    target.get(..end).unwrap_or_default()
}

fn limit(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn limits(settings: &Settings, taken: usize) -> Limits {
    Limits {
        arguments: limit(settings.arguments_limit).saturating_sub(taken),
        json_depth: limit(settings.json_depth_limit),
        upload_files: limit(settings.upload_file_limit),
        ..Limits::default()
    }
}

/// Takes the body of a request.
pub(super) fn request_body(
    state: &mut State,
    body: Body<'_>,
    settings: &Settings,
    scratch: &mut palisade_body::Scratch,
) {
    decode_path(state);
    state.request.body_len = body.bytes.len();
    if !state.controls.has_request_body_access {
        return;
    }
    let content_type = state.request_header(b"content-type");
    let content_type = content_type.map(|span| state.arena.get(span).to_vec());
    let content_type = content_type.unwrap_or_default();
    if state.controls.processor.is_none() {
        state.controls.processor = Processor::of_content_type(&content_type);
    }
    let is_raw = state.controls.processor.is_none() && state.controls.forces_request_body;
    let is_form = state.controls.processor == Some(Processor::Urlencoded);
    if (is_raw || is_form || state.controls.forces_request_body) && !body.bytes.is_empty() {
        state.request.body = Some(state.arena.push(body.bytes));
    }
    let Some(processor) = state.controls.processor else {
        let error = without_files(body.bytes.len(), settings);
        state.body_outcome.error = state.body_outcome.error.or(error);
        return;
    };
    if body.bytes.is_empty() {
        return;
    }
    let xml = state.controls.xml_arguments;
    let taken = state.entries(Kind::ArgsGet).len();
    let limits = limits(settings, taken);
    let mut sink = Arguments {
        left: limits.arguments,
        kind: Kind::ArgsPost,
        has_xml: xml != XmlArguments::Only,
        state,
    };
    let source = Source {
        body,
        content_type: &content_type,
        separator: settings.argument_separator,
        elements: match xml {
            XmlArguments::Off => Elements::Untold,
            XmlArguments::On | XmlArguments::Only => Elements::Arguments,
        },
    };
    let outcome = processor.parse(source, &limits, scratch, &mut sink);
    let text = std::mem::take(&mut state.xml_text);
    if processor == Processor::Xml && xml != XmlArguments::Only {
        state.add(Kind::XmlText, XML_TEXT, &text);
    }
    state.xml_text = text;
    let before = state.body_outcome;
    state.body_outcome = outcome;
    state.body_outcome.has_invalid_encoding |= before.has_invalid_encoding;
    let too_long = without_files(outcome.no_files_bytes, settings);
    state.body_outcome.error = before.error.or(outcome.error).or(too_long);
}

/// Whether bytes that aren't a file's are too many. What they say is known all the same.
fn without_files(bytes: usize, settings: &Settings) -> Option<palisade_body::Error> {
    let limit = settings.request_body_no_files_limit;
    let is_over = u64::try_from(bytes).is_ok_and(|bytes| bytes > limit);
    is_over.then_some(palisade_body::Error::TooLongWithoutFiles { limit })
}

/// Takes the head of an answer.
pub(super) fn response_head(state: &mut State, head: &ResponseHead<'_>) {
    state.response.status = Some(head.status);
    state.response.protocol = state.arena.push(head.protocol);
    state.response.line = state.arena.push_with(|out| {
        let mut status = itoa::Buffer::new();
        for part in [
            head.protocol,
            b" ",
            status.format(head.status).as_bytes(),
            b" ",
            head.reason,
        ] {
            out.extend_from_slice(part);
        }
    });
    for (name, value) in head.headers.iter().copied() {
        state.add(Kind::ResponseHeaders, name, value);
    }
}
