//! The audit log.

use super::json_object::{Object, push_list, push_strings};
use super::{HOST_BYTES_MAX, SHORT_BYTES_MAX, TARGET_BYTES_MAX};
use crate::{AuditEvent, AuditMessage, RequestLine};

/// Bytes of a value and of what a rule says of it.
const VALUE_BYTES_MAX: usize = 1024;
/// A line that has so many bytes gets no more messages.
const MESSAGES_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a line of the error log.
const ERROR_LINE_BYTES_MAX: usize = 8 * 1024;

/// One JSON object.
pub(super) fn write_json(event: &AuditEvent<'_>, out: &mut Vec<u8>) {
    let mut line = Object::open(out);
    line.time("time", event.time);
    line.plain("request_id", event.request_id.as_str());
    line.ip("client_ip", event.client.ip);
    if let Some(port) = event.client.port {
        line.number("client_port", port);
    }
    line.provenance("client_provenance", &event.client.provenance);
    line.bytes_if_any("site", event.site.as_bytes(), SHORT_BYTES_MAX);
    line.bytes("host", event.host, HOST_BYTES_MAX);
    line.object("request", |request| write_request(request, event.request));
    line.number("status", event.status);
    line.plain("outcome", event.outcome.label());
    line.bytes_if_any("score", event.score, SHORT_BYTES_MAX);
    line.bytes_if_any("body_error", event.body_error.as_bytes(), SHORT_BYTES_MAX);
    let out = line.value("messages");
    let told = push_list(out, event.messages, MESSAGES_BYTES_MAX, write_message);
    let left_out = event.messages_left_out + event.messages.len() - told;
    if left_out > 0 {
        line.number("messages_left_out", left_out);
    }
    line.number("duration_microseconds", event.duration.as_micros());
    line.end();
}

fn write_request(request: &mut Object<'_>, line: RequestLine<'_>) {
    match line {
        RequestLine::Parsed {
            method,
            target,
            version,
        } => {
            request.bytes("method", method.as_bytes(), SHORT_BYTES_MAX);
            request.bytes("target", target, TARGET_BYTES_MAX);
            request.plain("version", version.as_str());
        }
        RequestLine::Malformed(bytes) => request.bytes("malformed", bytes, SHORT_BYTES_MAX),
    }
}

fn write_message(message: &AuditMessage<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.number("id", message.id);
    object.number("phase", message.phase);
    object.bytes_if_any("msg", message.message, VALUE_BYTES_MAX);
    object.bytes_if_any("data", message.data, VALUE_BYTES_MAX);
    object.bytes_if_any("name", message.name, VALUE_BYTES_MAX);
    object.bytes_if_any("value", message.value, VALUE_BYTES_MAX);
    if let Some(severity) = message.severity {
        object.number("severity", severity);
    }
    let tags = message.tags.iter().copied();
    push_strings(object.value("tags"), tags, SHORT_BYTES_MAX);
    object.bytes_if_any("ver", message.version.as_bytes(), SHORT_BYTES_MAX);
    let (file, line) = message.place;
    object.bytes("file", file.as_bytes(), SHORT_BYTES_MAX);
    object.number("line", line);
    if message.has_interrupted {
        object.plain("disruptive", "refused");
    }
    object.end();
}

/// A line for each rule that matched.
pub(super) fn write_error_log(event: &AuditEvent<'_>, out: &mut Vec<u8>) {
    for message in event.messages {
        let line = message.error_log_line;
        out.push(b'[');
        event.time.write_rfc3339(out);
        out.extend_from_slice(b"] [error] ");
        out.extend_from_slice(line.get(..ERROR_LINE_BYTES_MAX).unwrap_or(line));
        out.push(b'\n');
    }
}
