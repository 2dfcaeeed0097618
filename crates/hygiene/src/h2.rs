//! HTTP/2 heads, judged as the framing layer decoded them (RFC 9113 section 8).

use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;

use crate::field::{check_expect, check_method, check_value, name_at, parse_content_length};
use crate::{HeadLimits, Host, LengthCheck, Refusal, RefusalReason, Target};

#[cfg(test)]
mod tests;

/// What a client sends first on an HTTP/2 connection (RFC 9113 section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a field counts beside its name and value (RFC 9113 section 6.5.2).
const FIELD_OVERHEAD_BYTES: usize = 32;

/// A clean head.
#[derive(Clone, Debug)]
pub struct H2Head<'a> {
    /// The method: an upper-case token of 1 to 32 bytes, not CONNECT or TRACE.
    pub method: &'a str,
    /// The target.
    pub target: Target<'a>,
    /// The host: `:authority`, which a host field does not contradict, or the host field.
    pub host: Host<'a>,
    /// Counts DATA frames against Content-Length.
    pub length: LengthCheck,
    /// Whether DATA frames follow: the head did not end the stream.
    pub has_body: bool,
    /// Whether the client waits for 100 (Continue) before it sends the body.
    pub expects_continue: bool,
    /// Whether a field's name has a byte that is no letter, no digit and no `-`: only such a name can be
    /// another's twin ([`is_underscore_twin`](crate::is_underscore_twin)).
    pub has_odd_names: bool,
}

/// Judges a decoded head; `end_stream` says whether it ended the stream.
///
/// A fragment in `:path` can't be seen: the `http` crate cuts it off before it gets here, so it is
/// neither judged nor forwarded. Hot path: runs per request, allocates nothing but where
/// [`Host::parse`] says. Linear in the head.
///
/// # Errors
/// The first thing found that is malformed, ambiguous or over a limit.
pub fn check_parts<'a>(
    parts: &'a Parts,
    end_stream: bool,
    limits: &HeadLimits,
) -> Result<H2Head<'a>, Refusal> {
    // Extended CONNECT (RFC 8441 section 4) has this method too.
    let method = check_method(parts.method.as_str().as_bytes())?;
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let (target, target_host) = Target::parse(path.as_bytes(), method, limits)?;
    if target_host.is_some() || !matches!(parts.uri.scheme_str(), None | Some("http" | "https")) {
        return Err(RefusalReason::TargetForm.into());
    }
    check_size(parts, path, limits)?;
    let mut has_odd_names = false;
    for (name, value) in &parts.headers {
        has_odd_names |= check_field(name.as_str(), value.as_bytes())?;
    }
    let length = LengthCheck::new(content_length(&parts.headers)?);
    if end_stream {
        length.end()?;
    }
    check_content_type(&parts.headers)?;
    Ok(H2Head {
        method,
        target,
        host: host(parts)?,
        length,
        has_body: !end_stream,
        expects_continue: expects_continue(&parts.headers)? && !end_stream,
        has_odd_names,
    })
}

/// Joins several `cookie` fields into one, so that rules and backends see what HTTP/1 would have
/// sent (RFC 9113 section 8.2.3). Allocates only where there are several.
pub fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(header::COOKIE).iter();
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else {
        return;
    };
    let mut joined = first.as_bytes().to_vec();
    for crumb in std::iter::once(second).chain(crumbs) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(crumb.as_bytes());
    }
    // Field values joined by "; " are a field value, so this can't fail.
    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
        headers.insert(header::COOKIE, joined);
    }
}

fn check_size(parts: &Parts, path: &str, limits: &HeadLimits) -> Result<(), Refusal> {
    if parts.headers.len() > limits.headers {
        return Err(RefusalReason::TooManyHeaders.into());
    }
    let authority = parts
        .uri
        .authority()
        .map_or("", |authority| authority.as_str());
    let pseudo = [parts.method.as_str(), path, authority];
    let fields = parts
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD_BYTES);
    let bytes: usize = pseudo.iter().map(|text| text.len()).chain(fields).sum();
    if bytes > limits.head_bytes {
        return Err(RefusalReason::HeadTooLarge.into());
    }
    Ok(())
}

/// RFC 9113 sections 8.2.1 (values) and 8.2.2 (connection-specific fields). `name` is lower case:
/// the type it comes from can't be otherwise. That type takes a quotation mark for a letter, which no
/// backend over HTTP/1 does: a name is a token (RFC 9110 section 5.1). Gives whether the name is odd.
fn check_field(name: &str, value: &[u8]) -> Result<bool, Refusal> {
    let (token_length, is_odd) = name_at(name.as_bytes());
    if token_length < name.len() {
        return Err(RefusalReason::HeaderNameInvalid.into());
    }
    let forbidden = match name {
        "connection" | "proxy-connection" | "keep-alive" | "transfer-encoding" | "upgrade" => true,
        "te" => !value.eq_ignore_ascii_case(b"trailers"),
        _ => false,
    };
    if forbidden {
        return Err(RefusalReason::ConnectionHeader.into());
    }
    check_value(value)?;
    Ok(is_odd)
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => parse_content_length(value.as_bytes()).map(Some),
        (Some(_), Some(_)) => Err(RefusalReason::ContentLengthRepeated.into()),
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get_all(header::CONTENT_TYPE).iter().nth(1) {
        Some(_) => Err(RefusalReason::ContentTypeRepeated.into()),
        None => Ok(()),
    }
}

fn expects_continue(headers: &HeaderMap) -> Result<bool, Refusal> {
    let values = headers.get_all(header::EXPECT);
    values
        .iter()
        .try_for_each(|value| check_expect(value.as_bytes()))?;
    Ok(values.iter().next().is_some())
}

/// RFC 9113 section 8.3.1: `:authority` and the host field must not differ, and one is needed.
fn host(parts: &Parts) -> Result<Host<'_>, Refusal> {
    let authority = parts
        .uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    let mut fields = parts.headers.get_all(header::HOST).iter();
    let field = fields.next().map(HeaderValue::as_bytes);
    if fields.next().is_some() {
        return Err(RefusalReason::HostRepeated.into());
    }
    let default_port = if parts.uri.scheme_str() == Some("http") {
        80
    } else {
        443
    };
    match (authority, field) {
        (None, None) => Err(RefusalReason::HostMissing.into()),
        (Some(one), None) | (None, Some(one)) => Host::parse(one),
        (Some(authority), Some(field)) => {
            let (authority, field) = (Host::parse(authority)?, Host::parse(field)?);
            match authority.is_same_as(&field, default_port) {
                true => Ok(authority),
                false => Err(RefusalReason::HostMismatch.into()),
            }
        }
    }
}
