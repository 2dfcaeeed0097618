//! The heads that are passed on: a request's to the backend, an answer's to the client.

mod http2;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, StatusCode, Version};
use palisade_client_address::outbound::{
    unbelieved_headers, write_forwarded, write_x_forwarded_for, write_x_real_ip,
};
use palisade_gate::Site;
use palisade_gate::settings::{HeaderEdits, HttpsPolicy};
use palisade_hygiene::{Framing, Host, is_underscore_twin, may_be_twin};
use palisade_vocabulary::{HttpVersion, Mode, Scheme};
use pingora_http::{RequestHeader, ResponseHeader};
use smallvec::SmallVec;

use crate::connection::ConnectionFacts;
use crate::downstream::Downstream;
use crate::request::Context;
use crate::respond::X_REQUEST_ID;

pub(crate) use self::http2::{answer_trailers, http2_request_head, request_trailers};

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

/// The head that a backend gets that speaks HTTP/1.1; `target` in place of the client's own, if given.
///
/// It is made of plain maps: Pingora's way to change a field keeps the letter case of names, parses
/// the name again and costs several times as much.
///
/// # Errors
/// When the target can't be written, which hygiene doesn't let happen.
pub(crate) fn request_head(
    context: &Context<'_>,
    downstream: &Downstream<'_>,
    target: Option<&[u8]>,
    body: OutgoingBody,
) -> pingora_core::Result<Box<RequestHeader>> {
    let mut parts = parts_for_backend(context, downstream);
    parts.version = Version::HTTP_11;
    let headers = &mut parts.headers;
    set_framing(headers, body);
    if context.incoming.wants_websocket {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
    edit_for_site(headers, context);
    let mut head = Box::new(RequestHeader::from(parts));
    set_target(&mut head, context, target)?;
    Ok(head)
}

/// What a backend is told, whatever it speaks: not yet how long the body is, nor what the operator
/// changes.
fn parts_for_backend(context: &Context<'_>, downstream: &Downstream<'_>) -> Parts {
    let sent = downstream.headers();
    let mut parts = copy_of_parts(context, downstream);
    let headers = &mut parts.headers;
    headers.reserve(SET.len());
    // What the client nominates goes first, so that it can't take away what is set below.
    remove_hop_by_hop(headers);
    let site = context.judged.site.as_deref();
    remove_what_clients_may_not_send(headers, context, site);
    set_client_fields(headers, context, sent);
    if let Some(site) = site {
        set_user_fields(headers, context, site);
    }
    parts
}

fn edit_for_site(headers: &mut HeaderMap, context: &Context<'_>) {
    if let Some(site) = context.judged.site.as_deref() {
        edit(headers, &site.settings.request_headers);
    }
}

fn copy_of_parts(context: &Context<'_>, downstream: &Downstream<'_>) -> Parts {
    if let Downstream::Http1(session) = downstream {
        return Parts::clone(session.request());
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    let method = context.incoming.method.as_bytes();
    parts.method = Method::from_bytes(method).unwrap_or_default();
    parts.headers = downstream.headers().clone();
    parts
}

/// Sets the target where it isn't the one that came with the parts.
fn set_target(
    head: &mut RequestHeader,
    context: &Context<'_>,
    target: Option<&[u8]>,
) -> pingora_core::Result<()> {
    if let Some(target) = target {
        return head.set_raw_path(target);
    }
    let incoming = context.incoming;
    if incoming.target_as_sent.starts_with(b"/") && head.raw_path() == incoming.target_as_sent {
        return Ok(());
    }
    let mut origin_form = Vec::new();
    incoming.target.write_as_sent(&mut origin_form);
    head.set_raw_path(&origin_form)
}

fn set_framing(headers: &mut HeaderMap, body: OutgoingBody) {
    match body {
        OutgoingBody::None => {
            headers.remove(header::CONTENT_LENGTH);
        }
        OutgoingBody::Length(length) => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        OutgoingBody::Chunked => {
            headers.remove(header::CONTENT_LENGTH);
            headers.insert(
                header::TRANSFER_ENCODING,
                HeaderValue::from_static("chunked"),
            );
        }
    }
}

fn remove_what_clients_may_not_send(
    headers: &mut HeaderMap,
    context: &Context<'_>,
    site: Option<&Site>,
) {
    headers.remove(header::EXPECT);
    let hops = &context.facts.listener.settings.client_address;
    for name in unbelieved_headers(&context.judged.client, hops) {
        headers.remove(name);
    }
    let set_by_site = site.map_or(&[][..], |site| &site.settings.request_headers.set);
    let user_headers = site.map_or(&[][..], |site| site.protected.user_headers());
    for name in user_headers {
        headers.remove(name);
    }
    let is_twin = |name: &str| {
        let of = |other: &HeaderName| is_underscore_twin(name, other.as_str());
        SET.iter().any(of)
            || set_by_site.iter().any(|(name, _)| of(name))
            || user_headers.iter().any(of)
            || hops.iter().any(|rule| of(rule.header.name()))
    };
    let removed: Names = headers
        .keys()
        .filter(|name| {
            let name = name.as_str();
            is_crowdsecs(name) || (may_be_twin(name) && is_twin(name))
        })
        .cloned()
        .collect();
    for name in &removed {
        headers.remove(name);
    }
}

/// Whether a field is one that only CrowdSec's components may set, or a backend could take it for one.
fn is_crowdsecs(name: &str) -> bool {
    const PREFIX: &str = "x-crowdsec-";
    let start = name.get(..PREFIX.len());
    start.is_some_and(|start| start == PREFIX || is_underscore_twin(start, PREFIX))
}

fn set_client_fields(headers: &mut HeaderMap, context: &Context<'_>, sent: &HeaderMap) {
    let facts = context.facts;
    let client = &context.judged.client;
    let scheme = context.scheme;
    let host = context.incoming.host.as_ref().map(|host| host.as_sent);
    let mut value = Vec::with_capacity(64);
    let mut take = |write: &dyn Fn(&mut Vec<u8>)| {
        value.clear();
        write(&mut value);
        HeaderValue::from_bytes(&value).unwrap_or(HeaderValue::from_static(""))
    };
    let hops = take(&|out| write_x_forwarded_for(client, &facts.client, sent, out));
    headers.insert(X_FORWARDED_FOR, hops);
    headers.insert(X_REAL_IP, take(&|out| write_x_real_ip(client, out)));
    let forwarded = take(&|out| write_forwarded(client, host, scheme, out));
    headers.insert(header::FORWARDED, forwarded);
    let scheme = HeaderValue::from_static(scheme.as_str());
    headers.insert(X_FORWARDED_PROTO, scheme);
    let id = context.begun.id;
    headers.insert(
        X_REQUEST_ID,
        take(&|out| out.extend_from_slice(id.as_str().as_bytes())),
    );
    match host {
        Some(host) => {
            let told = forwarded_host(facts, sent).unwrap_or(host);
            headers.insert(
                X_FORWARDED_HOST,
                take(&|out| out.extend_from_slice(told.as_bytes())),
            );
            headers.insert(
                header::HOST,
                take(&|out| out.extend_from_slice(host.as_bytes())),
            );
        }
        // HTTP/1.0 may do without; HTTP/1.1 may not (RFC 9112 section 3.2): an empty one says that
        // there is no authority.
        None => {
            headers.insert(header::HOST, HeaderValue::from_static(""));
            headers.remove(X_FORWARDED_HOST);
        }
    }
}

/// Tells the backend which user it is, and no password, where protected paths have it so. In detect
/// mode nobody has to be anybody, so that credentials may be the backend's own business: they stay.
fn set_user_fields(headers: &mut HeaderMap, context: &Context<'_>, site: &Site) {
    let paths = site.protected.at(&context.judged.protected_by);
    for basic in paths.filter_map(|path| path.basic_authentication.as_ref()) {
        if !basic.forwards_credentials && site.settings.mode == Mode::Block {
            headers.remove(header::AUTHORIZATION);
        }
        let user = context
            .user()
            .map(|user| HeaderValue::from_bytes(user.as_bytes()));
        if let (Some(name), Some(Ok(user))) = (&basic.user_header, user) {
            headers.insert(name.clone(), user);
        }
    }
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
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) if facts.is_hop => Some(value.as_bytes()),
        _ => None,
    }
}

/// Makes an answer's head one for the client; whether a body follows it.
pub(crate) fn answer_head(context: &Context<'_>, head: &mut ResponseHeader) -> bool {
    let incoming = context.incoming;
    let is_chunked = head.headers.contains_key(header::TRANSFER_ENCODING);
    remove_hop_by_hop(head);
    head.set_version(Version::HTTP_11);
    if let Some(site) = context.judged.site.as_deref() {
        edit(head, &site.settings.response_headers);
        if let HttpsPolicy::Redirect { hsts_max_age } = site.settings.https
            && context.scheme == Scheme::Https
        {
            // RFC 6797 section 7.2: never over plain HTTP.
            let value = format!("max-age={}", hsts_max_age.as_secs());
            let _ = head.insert_header(header::STRICT_TRANSPORT_SECURITY, value);
        }
    }
    let has_body = answer_has_body(context, head.status);
    if head.status == StatusCode::NO_CONTENT {
        head.remove_header(&header::CONTENT_LENGTH);
    }
    let has_length = head.headers.contains_key(header::CONTENT_LENGTH);
    if has_body && incoming.version == HttpVersion::Http11 && (is_chunked || !has_length) {
        // An answer that ends with the backend's connection gets an end that the client can see.
        head.remove_header(&header::CONTENT_LENGTH);
        let _ = head.insert_header(header::TRANSFER_ENCODING, "chunked");
    }
    has_body
}

/// Whether a body follows the head of an answer (RFC 9112 section 6.3).
pub(crate) fn answer_has_body(context: &Context<'_>, status: StatusCode) -> bool {
    let has_none = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    context.incoming.method != "HEAD" && !has_none
}

/// The head of a `101` answer: the fields that `remove_hop_by_hop` takes belong to it.
pub(crate) fn upgrade_head(context: &Context<'_>, head: &mut ResponseHeader) {
    head.set_version(Version::HTTP_11);
    if let Some(site) = context.judged.site.as_deref() {
        edit(head, &site.settings.response_headers);
    }
    let _ = head.insert_header(header::CONNECTION, "Upgrade");
    let _ = head.insert_header(header::UPGRADE, "websocket");
}

/// Removes the fields of one hop: the known ones, and what `Connection` nominates.
fn remove_hop_by_hop(fields: &mut impl Fields) {
    let mut nominated = Names::new();
    for value in fields.headers().get_all(header::CONNECTION) {
        for name in value.as_bytes().split(|byte| *byte == b',') {
            // `Connection: close` nominates nothing that exists.
            if let Ok(name) = HeaderName::from_bytes(name.trim_ascii()) {
                nominated.push(name);
            }
        }
    }
    for name in nominated.iter().chain(&HOP_BY_HOP) {
        fields.remove(name);
    }
}

fn edit(fields: &mut impl Fields, edits: &HeaderEdits) {
    for name in &edits.remove {
        fields.remove(name);
    }
    for (name, value) in &edits.set {
        fields.insert(name, value);
    }
}

/// What the map of a request's fields and Pingora's head of an answer have in common.
trait Fields {
    fn headers(&self) -> &HeaderMap;
    fn remove(&mut self, name: &HeaderName);
    fn insert(&mut self, name: &HeaderName, value: &HeaderValue);
}

impl Fields for HeaderMap {
    fn headers(&self) -> &HeaderMap {
        self
    }

    fn remove(&mut self, name: &HeaderName) {
        Self::remove(self, name);
    }

    fn insert(&mut self, name: &HeaderName, value: &HeaderValue) {
        Self::insert(self, name.clone(), value.clone());
    }
}

impl Fields for ResponseHeader {
    fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    fn remove(&mut self, name: &HeaderName) {
        self.remove_header(name);
    }

    fn insert(&mut self, name: &HeaderName, value: &HeaderValue) {
        let _ = self.insert_header(name.clone(), value.clone());
    }
}
