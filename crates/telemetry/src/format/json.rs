//! The access log's own JSON: every field, flat, times in seconds. What there is none of has no
//! member.

use super::json_object::Object;
use super::{FIELD_BYTES_MAX, HOST_BYTES_MAX, SHORT_BYTES_MAX, TARGET_BYTES_MAX};
use crate::{AccessEvent, RequestLine};

pub(super) fn write(event: &AccessEvent<'_>, out: &mut Vec<u8>) {
    let mut line = Object::open(out);
    line.time("time", event.time);
    line.plain("request_id", event.request_id.as_str());
    line.ip("client_ip", event.client.ip);
    if let Some(port) = event.client.port {
        line.number("client_port", port);
    }
    line.provenance("client_provenance", &event.client.provenance);
    line.bytes("host", event.host.as_bytes(), HOST_BYTES_MAX);
    if let Some(port) = event.port {
        line.number("port", port);
    }
    write_request(&mut line, event.request);
    line.bytes_if_any("user", event.user.as_bytes(), SHORT_BYTES_MAX);
    line.number("status", event.status);
    line.number("body_bytes", event.body_bytes);
    line.bytes_if_any("referer", event.referer, FIELD_BYTES_MAX);
    line.bytes_if_any("user_agent", event.user_agent, FIELD_BYTES_MAX);
    line.seconds("duration_seconds", event.duration);
    write_outcome(&mut line, event);
    line.end();
}

fn write_request(line: &mut Object<'_>, request: RequestLine<'_>) {
    match request {
        RequestLine::Parsed {
            method,
            target,
            version,
        } => {
            line.bytes("method", method.as_bytes(), SHORT_BYTES_MAX);
            line.bytes("target", target, TARGET_BYTES_MAX);
            line.plain("version", version.as_str());
        }
        RequestLine::Malformed(bytes) => line.bytes("malformed", bytes, SHORT_BYTES_MAX),
    }
}

fn write_outcome(line: &mut Object<'_>, event: &AccessEvent<'_>) {
    if let Some(upstream) = event.upstream {
        line.bytes("upstream", upstream.as_bytes(), SHORT_BYTES_MAX);
    }
    if let Some(duration) = event.upstream_duration {
        line.seconds("upstream_duration_seconds", duration);
    }
    line.bytes_if_any("site", event.site.as_bytes(), SHORT_BYTES_MAX);
    line.plain("outcome", event.outcome.label());
    if let Some(check) = event.outcome.refused_by() {
        line.plain("check", check.label());
    }
}
