//! The heads and trailers of HTTP/2.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{self, Authority, PathAndQuery, Uri};
use http::{Method, Request, Version};
use palisade_hygiene::is_underscore_twin;
use palisade_vocabulary::Scheme;

use super::{HOP_BY_HOP, Names, RequestFields, SET, is_crowdsecs, nominated};
use crate::downstream::Downstream;
use crate::request::Context;

/// The head that a backend gets that speaks HTTP/2; `target` in place of the client's own, if given.
/// `scheme` is that of the connection to it: what the client's was is in `X-Forwarded-Proto`.
///
/// The length of a body is told as the client told it: HTTP/2 can do without (RFC 9113 section 8.1.1).
/// `None` when HTTP/2 can't carry it, which hygiene doesn't let happen.
pub(crate) fn http2_request_head(
    context: &Context<'_>,
    downstream: &Downstream<'_>,
    target: Option<&[u8]>,
    scheme: Scheme,
) -> Option<Request<()>> {
    let mut fields = RequestFields::new(context, downstream, true);
    // RFC 9113 section 8.3.1: `:authority` takes its place.
    let uri = target_uri(context, target, scheme, fields.get(&header::HOST))?;
    fields.remove(&header::HOST);
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = Method::from_bytes(context.incoming.method.as_bytes()).ok()?;
    parts.headers = fields.to_map();
    pass_trailer_fields(&mut parts.headers, downstream);
    parts.version = match uri.authority() {
        Some(_) => Version::HTTP_2,
        // What came over HTTP/1.0 may have no host; h2 lets a request of HTTP/1 go without.
        None => Version::HTTP_11,
    };
    parts.uri = uri;
    Some(Request::from_parts(parts, ()))
}

/// A client that can take trailers says so, and a gRPC server wants to hear it; both are true only if
/// every hop passes them on, as HTTP/2 does here.
fn pass_trailer_fields(headers: &mut HeaderMap, downstream: &Downstream<'_>) {
    if !matches!(downstream, Downstream::Http2(_)) {
        return;
    }
    let sent = downstream.headers();
    if sent.contains_key(header::TE) {
        // RFC 9113 section 8.2.2: no other value is possible.
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    for announced in sent.get_all(header::TRAILER) {
        headers.append(header::TRAILER, announced.clone());
    }
}

fn target_uri(
    context: &Context<'_>,
    target: Option<&[u8]>,
    scheme: Scheme,
    host: Option<&[u8]>,
) -> Option<Uri> {
    let path = match target {
        Some(target) => PathAndQuery::try_from(target),
        None => {
            let mut as_sent = Vec::new();
            context.incoming.target.write_as_sent(&mut as_sent);
            PathAndQuery::try_from(as_sent)
        }
    };
    let mut parts = uri::Parts::default();
    parts.path_and_query = Some(path.ok()?);
    if let Some(host) = host.filter(|host| !host.is_empty()) {
        parts.authority = Some(Authority::try_from(host).ok()?);
        parts.scheme = Some(match scheme {
            Scheme::Http => uri::Scheme::HTTP,
            Scheme::Https => uri::Scheme::HTTPS,
        });
    }
    Uri::from_parts(parts).ok()
}

/// What a backend gets of a request's trailers: nothing that it could take for a field of the head
/// that a client may not send (RFC 9110 section 6.5.1). `None` where nothing is left.
pub(crate) fn request_trailers(
    context: &Context<'_>,
    mut trailers: HeaderMap,
) -> Option<HeaderMap> {
    let hops = &context.facts.listener.settings.client_address;
    remove_if(&mut trailers, |name| {
        is_set_here(name)
            || hops
                .iter()
                .any(|rule| is_or_is_twin(name, rule.header.name().as_str()))
    });
    if let Some(site) = context.judged.site.as_deref() {
        let edits = &site.settings.request_headers;
        remove_if(&mut trailers, |name| {
            edits.remove.contains(name)
                || edits
                    .set
                    .iter()
                    .any(|(set, _)| is_or_is_twin(name, set.as_str()))
        });
        let protected = &site.protected;
        remove_if(&mut trailers, |name| {
            let is_user = |user: &HeaderName| is_or_is_twin(name, user.as_str());
            protected.user_headers().iter().any(is_user)
                || (!protected.is_empty() && *name == header::AUTHORIZATION)
        });
    }
    (!trailers.is_empty()).then_some(trailers)
}

/// What a client gets of an answer's trailers. `None` where nothing is left.
pub(crate) fn answer_trailers(context: &Context<'_>, mut trailers: HeaderMap) -> Option<HeaderMap> {
    for name in nominated(trailers.get_all(header::CONNECTION).iter()) {
        trailers.remove(name);
    }
    for name in &HOP_BY_HOP {
        trailers.remove(name);
    }
    trailers.remove(header::CONTENT_LENGTH);
    if let Some(site) = context.judged.site.as_deref() {
        let edits = &site.settings.response_headers;
        for name in edits
            .remove
            .iter()
            .chain(edits.set.iter().map(|(name, _)| name))
        {
            trailers.remove(name);
        }
    }
    (!trailers.is_empty()).then_some(trailers)
}

/// Whether a field of the head is Palisade's alone to set, or decides where a message ends and
/// whom it is for.
fn is_set_here(name: &HeaderName) -> bool {
    let text = name.as_str();
    is_crowdsecs(text)
        || *name == header::EXPECT
        || HOP_BY_HOP.contains(name)
        || SET.iter().any(|set| is_or_is_twin(name, set.as_str()))
}

fn is_or_is_twin(name: &HeaderName, other: &str) -> bool {
    name.as_str() == other || is_underscore_twin(name.as_str(), other)
}

fn remove_if(fields: &mut HeaderMap, unwanted: impl Fn(&HeaderName) -> bool) {
    let names: Names = fields
        .keys()
        .filter(|name| unwanted(name))
        .cloned()
        .collect();
    for name in &names {
        fields.remove(name);
    }
}
