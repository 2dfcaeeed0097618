//! The JSON of Caddy's access log, as CrowdSec's `caddy-logs` parser takes it: `request` with
//! `client_ip`, `proto`, `method`, `host`, `uri` and the `User-Agent`, beside it `ts` and `status`.
//! Members that Caddy doesn't have (`request_id`, `outcome`, `check`) stand last.

use super::escape::{push_host, push_number};
use super::json_object::{Object, push_string};
use super::{FIELD_BYTES_MAX, SHORT_BYTES_MAX, TARGET_BYTES_MAX};
use crate::{AccessEvent, RequestLine};

pub(super) fn write(event: &AccessEvent<'_>, out: &mut Vec<u8>) {
    let mut line = Object::open(out);
    line.plain("level", if event.status >= 500 { "error" } else { "info" });
    event.time.write_unix(line.value("ts"));
    line.plain("logger", "http.log.access");
    line.plain("msg", "handled request");
    line.object("request", |request| write_request(request, event));
    line.bytes_if_any("user_id", event.user.as_bytes(), SHORT_BYTES_MAX);
    line.seconds("duration", event.duration);
    line.number("size", event.body_bytes);
    line.number("status", event.status);
    line.object("resp_headers", |headers| {
        if let Some(challenge) = event.www_authenticate {
            header(headers, "Www-Authenticate", challenge);
        }
    });
    line.plain("request_id", event.request_id.as_str());
    line.plain("outcome", event.outcome.label());
    if let Some(check) = event.outcome.refused_by() {
        line.plain("check", check.label());
    }
    line.end();
}

fn write_request(request: &mut Object<'_>, event: &AccessEvent<'_>) {
    request.ip("remote_ip", event.client.ip);
    request.quoted("remote_port", |out| {
        push_number(out, event.client.port.unwrap_or(0))
    });
    request.ip("client_ip", event.client.ip);
    let (method, version) = match event.request {
        RequestLine::Parsed {
            method, version, ..
        } => (method, version.as_str()),
        RequestLine::Malformed(_) => ("", ""),
    };
    request.plain("proto", version);
    request.bytes("method", method.as_bytes(), SHORT_BYTES_MAX);
    request.quoted("host", |out| push_host(out, event.host));
    match event.request {
        RequestLine::Parsed { target, .. } => request.bytes("uri", target, TARGET_BYTES_MAX),
        RequestLine::Malformed(bytes) => request.bytes("uri", bytes, SHORT_BYTES_MAX),
    }
    request.object("headers", |headers| {
        header(headers, "User-Agent", event.user_agent);
        if !event.referer.is_empty() {
            header(headers, "Referer", event.referer);
        }
    });
}

/// A header field; Caddy has a list of values for each.
fn header(headers: &mut Object<'_>, name: &'static str, value: &[u8]) {
    let out = headers.value(name);
    out.push(b'[');
    push_string(out, value, FIELD_BYTES_MAX);
    out.push(b']');
}
