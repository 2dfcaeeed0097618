//! The heads that are passed on: a request's to the backend, an answer's to the client.

mod http2;
mod request_fields;

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use palisade_gate::settings::{HeaderEdits, HttpsPolicy};
use palisade_hygiene::{Framing, Host, is_underscore_twin};
use palisade_vocabulary::{HttpVersion, Scheme};
use smallvec::SmallVec;

use crate::answer_head::{AnswerHead, write_field};
use crate::connection::ConnectionFacts;
use crate::downstream::Downstream;
use crate::request::Context;
use crate::respond::X_REQUEST_ID;

pub(crate) use self::http2::{answer_trailers, http2_request_head, request_trailers};
use self::request_fields::RequestFields;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The fields that Palisade sets for a backend.
static SET: [HeaderName; 9] = [
    X_FORWARDED_FOR,
    X_FORWARDED_PROTO,
    X_FORWARDED_HOST,
    X_REAL_IP,
    header::FORWARDED,
    X_REQUEST_ID,
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
];

/// Fields for one hop only (RFC 9110 section 7.6.1), and those that end here unless trailers are
/// passed on.
static HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

type Names = SmallVec<[HeaderName; 8]>;

/// Bytes of most heads to backends.
const HEAD_BYTES: usize = 2048;

/// How the body goes to the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutgoingBody {
    None,
    Length(u64),
    Chunked,
}

impl OutgoingBody {
    /// As it came, but for one that was read to its end already: its length is known.
    pub(crate) fn new(framing: Framing, read_whole: Option<u64>) -> Self {
        match (framing, read_whole) {
            (Framing::None, _) => Self::None,
            (Framing::Length(length), _) => Self::Length(length),
            (Framing::Chunked, Some(length)) => Self::Length(length),
            (Framing::Chunked, None) => Self::Chunked,
        }
    }
}

/// The head of a request to a backend that speaks HTTP/1.1.
pub(crate) struct RequestHead {
    /// As it is sent.
    pub(crate) wire: Vec<u8>,
    /// What follows it.
    pub(crate) body: OutgoingBody,
    pub(crate) is_head: bool,
    pub(crate) wants_upgrade: bool,
}

/// The head that a backend gets that speaks HTTP/1.1; `target` in place of the client's own, if given.
///
/// `None` when the target can't be written, which hygiene doesn't let happen.
pub(crate) fn request_head(
    context: &Context<'_>,
    downstream: &Downstream<'_>,
    target: Option<&[u8]>,
    body: OutgoingBody,
) -> Option<RequestHead> {
    let incoming = context.incoming;
    let fields = RequestFields::new(context, downstream, false);
    let mut wire = Vec::with_capacity(HEAD_BYTES);
    wire.extend_from_slice(incoming.method.as_bytes());
    wire.push(b' ');
    let begin = wire.len();
    match target {
        Some(target) => wire.extend_from_slice(target),
        None => incoming.target.write_as_sent(&mut wire),
    }
    let written = wire.get(begin..).unwrap_or_default();
    let ends_early = memchr::memchr3(b'\r', b'\n', b' ', written).is_some();
    if written.is_empty() || ends_early || memchr::memchr(b'\0', written).is_some() {
        return None;
    }
    wire.extend_from_slice(b" HTTP/1.1\r\n");
    fields.write_http1(&mut wire);
    match body {
        OutgoingBody::None => {}
        OutgoingBody::Length(length) => {
            let mut digits = itoa::Buffer::new();
            let length = digits.format(length).as_bytes();
            write_field(b"Content-Length", length, &mut wire);
        }
        OutgoingBody::Chunked => wire.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
    }
    if incoming.wants_websocket {
        wire.extend_from_slice(b"Connection: Upgrade\r\nupgrade: websocket\r\n");
    }
    wire.extend_from_slice(b"\r\n");
    Some(RequestHead {
        wire,
        body,
        is_head: incoming.method == "HEAD",
        wants_upgrade: incoming.wants_websocket,
    })
}

/// Whether a field is one that only CrowdSec's components may set, or a backend could take it for one.
fn is_crowdsecs(name: &str) -> bool {
    const PREFIX: &str = "x-crowdsec-";
    let start = name.get(..PREFIX.len()).filter(|_| name.starts_with('x'));
    start.is_some_and(|start| start == PREFIX || is_underscore_twin(start, PREFIX))
}

/// How the client's connection came in to the first hop of ours: what a hop that counts says, else
/// TLS here or in front of the PROXY header.
pub(crate) fn client_scheme(facts: &ConnectionFacts, headers: &HeaderMap) -> Scheme {
    match told_by_hop(facts, headers, &X_FORWARDED_PROTO) {
        Some(b"https") => Scheme::Https,
        Some(b"http") => Scheme::Http,
        _ => facts.scheme,
    }
}

/// The host that the client asked for, where a hop that counts asks for another.
fn forwarded_host<'a>(facts: &ConnectionFacts, headers: &'a HeaderMap) -> Option<&'a str> {
    let told = told_by_hop(facts, headers, &X_FORWARDED_HOST)?;
    Host::parse(told).ok().map(|host| host.as_sent())
}

/// A header's value if a hop that counts sent it, and sent it once.
pub(crate) fn told_by_hop<'a>(
    facts: &ConnectionFacts,
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Option<&'a [u8]> {
    if !facts.is_hop {
        return None;
    }
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes()),
        _ => None,
    }
}

/// Makes an answer's head one for the client; whether a body follows it.
pub(crate) fn answer_head(context: &Context<'_>, head: &mut AnswerHead) -> bool {
    let incoming = context.incoming;
    let is_chunked = head.contains(&header::TRANSFER_ENCODING);
    remove_hop_by_hop(head);
    if let Some(site) = context.judged.site.as_deref() {
        edit(head, &site.settings.response_headers);
        if let HttpsPolicy::Redirect { hsts_max_age } = site.settings.https
            && context.scheme == Scheme::Https
        {
            // RFC 6797 section 7.2: never over plain HTTP.
            let value = format!("max-age={}", hsts_max_age.as_secs());
            if let Ok(value) = HeaderValue::try_from(value) {
                head.insert(header::STRICT_TRANSPORT_SECURITY, value);
            }
        }
    }
    let has_body = answer_has_body(context, head.status);
    if head.status == StatusCode::NO_CONTENT {
        head.remove(&header::CONTENT_LENGTH);
    }
    let has_length = head.contains(&header::CONTENT_LENGTH);
    if has_body && incoming.version == HttpVersion::Http11 && (is_chunked || !has_length) {
        // An answer that ends with the backend's connection gets an end that the client can see.
        head.remove(&header::CONTENT_LENGTH);
        head.insert(
            header::TRANSFER_ENCODING,
            HeaderValue::from_static("chunked"),
        );
    }
    has_body
}

/// Whether a body follows the head of an answer (RFC 9112 section 6.3).
pub(crate) fn answer_has_body(context: &Context<'_>, status: StatusCode) -> bool {
    let has_none = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    context.incoming.method != "HEAD" && !has_none
}

/// The head of an informational answer. It has no body, and tells of none (RFC 9110 sections 8.6 and 15.2).
pub(crate) fn informational_head(context: &Context<'_>, head: &mut AnswerHead) {
    remove_hop_by_hop(head);
    head.remove(&header::CONTENT_LENGTH);
    if let Some(site) = context.judged.site.as_deref() {
        edit(head, &site.settings.response_headers);
    }
}

/// The head of a `101` answer: `Connection` and `Upgrade` belong to it, other fields of one hop don't.
pub(crate) fn upgrade_head(context: &Context<'_>, head: &mut AnswerHead) {
    remove_hop_by_hop(head);
    if let Some(site) = context.judged.site.as_deref() {
        edit(head, &site.settings.response_headers);
    }
    head.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    head.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// Takes the fields that are for one hop only (RFC 9110 section 7.6.1).
fn remove_hop_by_hop(head: &mut AnswerHead) {
    let nominated = nominated(head.get_all(&header::CONNECTION));
    head.retain(|name| !is_hop_by_hop(name.as_str()) && !nominated.contains(name));
}

/// Whether a field is for one hop only, whoever sends it.
fn is_hop_by_hop(name: &str) -> bool {
    // Text is told apart by its length first.
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// The fields that `Connection` says are for one hop only.
fn nominated<'a>(connection: impl Iterator<Item = &'a HeaderValue>) -> Names {
    let mut nominated = Names::new();
    for value in connection {
        for name in value.as_bytes().split(|byte| *byte == b',') {
            let name = name.trim_ascii();
            // Nothing is called so.
            if name.eq_ignore_ascii_case(b"keep-alive") || name.eq_ignore_ascii_case(b"close") {
                continue;
            }
            if let Ok(name) = HeaderName::from_bytes(name) {
                nominated.push(name);
            }
        }
    }
    nominated
}

fn edit(head: &mut AnswerHead, edits: &HeaderEdits) {
    for name in &edits.remove {
        head.remove(name);
    }
    for (name, value) in &edits.set {
        head.insert(name.clone(), value.clone());
    }
}
