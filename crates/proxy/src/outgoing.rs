//! The heads that are passed on: a request's to the backend, an answer's to the client.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Version};
use palisade_client_address::outbound::{
    unbelieved_headers, write_forwarded, write_x_forwarded_for, write_x_real_ip,
};
use palisade_gate::Site;
use palisade_gate::settings::{HeaderEdits, HttpsPolicy};
use palisade_hygiene::{Framing, Host, is_underscore_twin};
use palisade_vocabulary::{HttpVersion, Scheme};
use pingora_http::{RequestHeader, ResponseHeader};
use smallvec::SmallVec;

use crate::connection::ConnectionFacts;
use crate::downstream::Downstream;
use crate::request::Context;
use crate::respond::X_REQUEST_ID;

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

/// Fields for one hop only (RFC 9110 section 7.6.1), and those that end here: an expectation was
/// met, trailers are not passed on.
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

/// The head that the backend gets; `target` in place of the client's own, if given.
///
/// # Errors
/// When the target can't be written, which hygiene doesn't let happen.
pub(crate) fn request_head(
    context: &Context<'_>,
    downstream: &Downstream<'_>,
    target: Option<&[u8]>,
    body: OutgoingBody,
) -> pingora_core::Result<Box<RequestHeader>> {
    let mut head = copy_of_head(context, downstream, target)?;
    // What the client nominates goes first, so that it can't take away what is set below.
    remove_hop_by_hop(&mut RequestFields(&mut head));
    let site = context.judged.site.as_deref();
    remove_what_clients_may_not_send(&mut head, context, site);
    set_client_fields(&mut head, context, downstream.headers())?;
    match body {
        OutgoingBody::None => {
            head.remove_header(&header::CONTENT_LENGTH);
        }
        OutgoingBody::Length(length) => head.insert_header(header::CONTENT_LENGTH, length)?,
        OutgoingBody::Chunked => {
            head.remove_header(&header::CONTENT_LENGTH);
            head.insert_header(header::TRANSFER_ENCODING, "chunked")?;
        }
    }
    if context.incoming.wants_websocket {
        head.insert_header(header::CONNECTION, "Upgrade")?;
        head.insert_header(header::UPGRADE, "websocket")?;
    }
    if let Some(site) = site {
        edit(
            &mut RequestFields(&mut head),
            &site.settings.request_headers,
        );
    }
    Ok(head)
}

fn copy_of_head(
    context: &Context<'_>,
    downstream: &Downstream<'_>,
    target: Option<&[u8]>,
) -> pingora_core::Result<Box<RequestHeader>> {
    let incoming = context.incoming;
    let mut origin_form = Vec::new();
    let mut head = match downstream {
        Downstream::Http1(session) => {
            let head = Box::new(session.request().clone());
            if incoming.target_as_sent.starts_with(b"/") && target.is_none() {
                return Ok(head);
            }
            head
        }
        Downstream::Http2(_) | Downstream::Tunnelled(_) => {
            let headers = downstream.headers();
            let method = Method::from_bytes(incoming.method.as_bytes()).unwrap_or_default();
            let mut head = RequestHeader::build_no_case(method, b"/", Some(headers.len()))?;
            for (name, value) in headers {
                head.append_header(name.clone(), value.clone())?;
            }
            head.set_version(Version::HTTP_11);
            Box::new(head)
        }
    };
    let target = target.unwrap_or_else(|| {
        incoming.target.write_as_sent(&mut origin_form);
        &origin_form
    });
    head.set_raw_path(target)?;
    Ok(head)
}

fn remove_what_clients_may_not_send(
    head: &mut RequestHeader,
    context: &Context<'_>,
    site: Option<&Site>,
) {
    head.remove_header(&header::EXPECT);
    let hops = &context.facts.listener.settings.client_address;
    for name in unbelieved_headers(&context.judged.client, hops) {
        head.remove_header(name);
    }
    let set_by_site = site.map_or(&[][..], |site| &site.settings.request_headers.set);
    let is_twin = |name: &str| {
        let of = |other: &HeaderName| is_underscore_twin(name, other.as_str());
        SET.iter().any(of)
            || set_by_site.iter().any(|(name, _)| of(name))
            || hops.iter().any(|rule| of(rule.header.name()))
    };
    let removed: Names = head
        .headers
        .keys()
        .filter(|name| {
            let name = name.as_str();
            name.starts_with("x-crowdsec-") || (name.contains('_') && is_twin(name))
        })
        .cloned()
        .collect();
    for name in &removed {
        head.remove_header(name);
    }
}

fn set_client_fields(
    head: &mut RequestHeader,
    context: &Context<'_>,
    sent: &HeaderMap,
) -> pingora_core::Result<()> {
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
    head.insert_header(X_FORWARDED_FOR, hops)?;
    let real_ip = take(&|out| write_x_real_ip(client, out));
    head.insert_header(X_REAL_IP, real_ip)?;
    let forwarded = take(&|out| write_forwarded(client, host, scheme, out));
    head.insert_header(header::FORWARDED, forwarded)?;
    head.insert_header(X_FORWARDED_PROTO, scheme.as_str())?;
    head.insert_header(X_REQUEST_ID, context.begun.id.as_str())?;
    match host {
        Some(host) => {
            head.insert_header(header::HOST, host)?;
            head.insert_header(
                X_FORWARDED_HOST,
                forwarded_host(facts, sent).unwrap_or(host),
            )?;
        }
        // HTTP/1.0 may do without; HTTP/1.1, which the backend is spoken to in, may not
        // (RFC 9112 section 3.2): an empty one says that there is no authority.
        None => {
            head.insert_header(header::HOST, "")?;
            head.remove_header(&X_FORWARDED_HOST);
        }
    }
    head.set_version(Version::HTTP_11);
    Ok(())
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
    remove_hop_by_hop(&mut ResponseFields(head));
    head.set_version(Version::HTTP_11);
    if let Some(site) = context.judged.site.as_deref() {
        edit(&mut ResponseFields(head), &site.settings.response_headers);
        if let HttpsPolicy::Redirect { hsts_max_age } = site.settings.https
            && context.scheme == Scheme::Https
        {
            // RFC 6797 section 7.2: never over plain HTTP.
            let value = format!("max-age={}", hsts_max_age.as_secs());
            let _ = head.insert_header(header::STRICT_TRANSPORT_SECURITY, value);
        }
    }
    let has_body = incoming.method != "HEAD"
        && !matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
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

/// The head of a `101` answer: the fields that `remove_hop_by_hop` takes belong to it.
pub(crate) fn upgrade_head(context: &Context<'_>, head: &mut ResponseHeader) {
    head.set_version(Version::HTTP_11);
    if let Some(site) = context.judged.site.as_deref() {
        edit(&mut ResponseFields(head), &site.settings.response_headers);
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

/// What Pingora's two kinds of head have in common.
trait Fields {
    fn headers(&self) -> &HeaderMap;
    fn remove(&mut self, name: &HeaderName);
    fn insert(&mut self, name: &HeaderName, value: &HeaderValue);
}

struct RequestFields<'a>(&'a mut RequestHeader);

impl Fields for RequestFields<'_> {
    fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    fn remove(&mut self, name: &HeaderName) {
        self.0.remove_header(name);
    }

    fn insert(&mut self, name: &HeaderName, value: &HeaderValue) {
        let _ = self.0.insert_header(name.clone(), value.clone());
    }
}

struct ResponseFields<'a>(&'a mut ResponseHeader);

impl Fields for ResponseFields<'_> {
    fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    fn remove(&mut self, name: &HeaderName) {
        self.0.remove_header(name);
    }

    fn insert(&mut self, name: &HeaderName, value: &HeaderValue) {
        let _ = self.0.insert_header(name.clone(), value.clone());
    }
}
