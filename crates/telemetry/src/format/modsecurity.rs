//! The audit log as ModSecurity 3 writes it in JSON, one transaction a line.
//!
//! ModSecurity has a number for the text `"http_version":1.1`, texts for numbers of rules, and headers as an
//! object: as it does, so does this. Fields that came more than once are joined by commas, since a member of
//! an object has one value. `reference`, places of matches within a request, is always empty.

use std::borrow::Cow;

use palisade_vocabulary::HttpVersion;

use super::json_object::{Object, push_list, push_string, push_strings};
use super::{FIELD_BYTES_MAX, SHORT_BYTES_MAX, TARGET_BYTES_MAX};
use crate::audit::Field;
use crate::settings::AuditParts;
use crate::{AuditContent, AuditEvent, AuditMessage, RequestLine};

/// Bytes of a body. It is kept with no more.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a value and of what a rule says of it.
const VALUE_BYTES_MAX: usize = 1024;
/// Messages that have so many bytes get no more of them; so do fields.
const LIST_BYTES_MAX: usize = 64 * 1024;
const PRODUCER: &str = concat!("Palisade v", env!("CARGO_PKG_VERSION"));

pub(super) fn write(event: &AuditEvent<'_>, parts: AuditParts, out: &mut Vec<u8>) {
    let mut line = Object::open(out);
    line.object("transaction", |transaction| {
        write_transaction(transaction, event, parts);
    });
    line.end();
}

fn write_transaction(transaction: &mut Object<'_>, event: &AuditEvent<'_>, parts: AuditParts) {
    let content = &event.content;
    transaction.ip("client_ip", event.client.ip);
    transaction.quoted("time_stamp", |out| event.time.write_asctime(out));
    transaction.plain("server_id", "");
    transaction.number("client_port", event.client.port.unwrap_or(0));
    transaction.ip("host_ip", content.server.ip().into());
    transaction.number("host_port", content.server.port());
    transaction.plain("unique_id", event.request_id.as_str());
    transaction.object("request", |request| {
        write_request(request, event, parts);
    });
    transaction.object("response", |response| {
        if parts.response_body {
            response.bytes("body", content.response_body, BODY_BYTES_MAX);
        }
        response.number("http_code", event.status);
        if parts.response_headers {
            write_fields(content.response_headers, response.value("headers"));
        }
    });
    if parts.messages {
        transaction.object("producer", |producer| write_producer(producer, content));
        let out = transaction.value("messages");
        let len_max = out.len() + LIST_BYTES_MAX;
        push_list(out, event.messages, len_max, write_message);
    }
}

fn write_request(request: &mut Object<'_>, event: &AuditEvent<'_>, parts: AuditParts) {
    match event.request {
        RequestLine::Parsed {
            method,
            target,
            version,
        } => {
            request.bytes("method", method.as_bytes(), SHORT_BYTES_MAX);
            request
                .value("http_version")
                .extend_from_slice(number(version));
            request.bytes("uri", target, TARGET_BYTES_MAX);
        }
        RequestLine::Malformed(bytes) => {
            request.plain("method", "");
            request.value("http_version").extend_from_slice(b"0.0");
            request.bytes("uri", bytes, TARGET_BYTES_MAX);
        }
    }
    if parts.request_body {
        request.bytes("body", event.content.request_body, BODY_BYTES_MAX);
    }
    if parts.request_headers {
        write_fields(event.content.request_headers, request.value("headers"));
    }
}

fn number(version: HttpVersion) -> &'static [u8] {
    match version {
        HttpVersion::Http10 => b"1.0",
        HttpVersion::Http11 => b"1.1",
        HttpVersion::Http2 => b"2.0",
    }
}

/// Names and values; those of one name together.
fn write_fields(fields: &[Field<'_>], out: &mut Vec<u8>) {
    let begins = out.len();
    out.push(b'{');
    for (at, (name, value)) in fields.iter().enumerate() {
        let is_it = |other: &&Field<'_>| other.0.eq_ignore_ascii_case(name);
        let before = fields.get(..at).unwrap_or_default();
        if before.iter().any(|other| is_it(&other)) {
            continue;
        }
        if out.len() - begins > LIST_BYTES_MAX {
            break;
        }
        if out.last() != Some(&b'{') {
            out.push(b',');
        }
        push_string(out, name, SHORT_BYTES_MAX);
        out.push(b':');
        let more = fields.get(at + 1..).unwrap_or_default();
        let more: Vec<&[u8]> = more
            .iter()
            .filter(is_it)
            .map(|(_, value)| &**value)
            .collect();
        let value = match more.is_empty() {
            true => Cow::Borrowed(&**value),
            false => Cow::Owned([&[&**value], &*more].concat().join(&b", "[..])),
        };
        push_string(out, &value, FIELD_BYTES_MAX);
    }
    out.push(b'}');
}

fn write_producer(producer: &mut Object<'_>, content: &AuditContent<'_>) {
    producer.plain("modsecurity", PRODUCER);
    producer.plain("connector", PRODUCER);
    let engine = match content.only_detects {
        true => "DetectionOnly",
        false => "Enabled",
    };
    producer.plain("secrules_engine", engine);
    let components = content.components.iter().map(Vec::as_slice);
    push_strings(producer.value("components"), components, SHORT_BYTES_MAX);
}

fn write_message(message: &AuditMessage<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.bytes("message", message.message, VALUE_BYTES_MAX);
    object.object("details", |details| write_details(details, message));
    object.end();
}

fn write_details(details: &mut Object<'_>, message: &AuditMessage<'_>) {
    details.bytes("match", &matched(message), 3 * VALUE_BYTES_MAX);
    details.plain("reference", "");
    details.text_of("ruleId", message.id);
    let (file, line) = message.place;
    details.bytes("file", file.as_bytes(), SHORT_BYTES_MAX);
    details.text_of("lineNumber", line);
    details.bytes("data", message.data, VALUE_BYTES_MAX);
    details.text_of("severity", message.severity.unwrap_or(0));
    details.bytes("ver", message.version.as_bytes(), SHORT_BYTES_MAX);
    details.bytes("rev", message.revision.as_bytes(), SHORT_BYTES_MAX);
    let tags = message.tags.iter().copied();
    push_strings(details.value("tags"), tags, SHORT_BYTES_MAX);
    details.text_of("maturity", message.maturity);
    details.text_of("accuracy", message.accuracy);
}

/// ``Matched "Operator `Rx' with parameter `evil' against variable `ARGS:x' (Value: `evil' )``
fn matched(message: &AuditMessage<'_>) -> Vec<u8> {
    let Some((operator, argument)) = message.asks else {
        return Vec::new();
    };
    let mut letters = operator.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let operator: String = first.into_iter().chain(letters).collect();
    let parts: [&[u8]; 9] = [
        b"Matched \"Operator `",
        operator.as_bytes(),
        b"' with parameter `",
        argument.as_bytes(),
        b"' against variable `",
        message.name,
        b"' (Value: `",
        message.value,
        b"' )",
    ];
    parts.concat()
}
