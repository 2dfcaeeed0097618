//! The combined format of Apache and nginx, with the virtual host in front.
//!
//! A stock CrowdSec agent parses it with its `nginx-logs` and `apache2-logs` patterns, which let
//! anything follow the user agent: `id`, `duration` (seconds), `outcome`, and where there are any
//! `check`, `upstream` and the listener's `port`. The port does not stand behind the host, though
//! today's patterns would take it there: the one that Debian ships with CrowdSec 1.4.6 then finds
//! the port alone, and takes it for the host.

use super::escape::{
    Plain, bounded, push_hex_digits, push_host, push_ip, push_number, push_seconds,
};
use super::{FIELD_BYTES_MAX, SHORT_BYTES_MAX, TARGET_BYTES_MAX};
use crate::{AccessEvent, RequestLine};

/// Where nothing was answered, as nginx has it: the client closed the connection.
const STATUS_NONE: u16 = 499;

pub(super) fn write(event: &AccessEvent<'_>, out: &mut Vec<u8>) {
    push_host(out, event.host);
    out.push(b' ');
    push_ip(out, event.client.ip);
    out.extend_from_slice(b" - ");
    push_user(out, event.user);
    out.extend_from_slice(b" [");
    event.time.write_common_log(out);
    out.extend_from_slice(b"] \"");
    push_request(out, event.request);
    out.extend_from_slice(b"\" ");
    push_number(
        out,
        if event.status == 0 {
            STATUS_NONE
        } else {
            event.status
        },
    );
    out.push(b' ');
    push_number(out, event.body_bytes);
    push_field(out, event.referer);
    push_field(out, event.user_agent);
    push_extras(event, out);
}

/// The user, percent-encoded where it isn't of what the agent's patterns take a user to be made of
/// (`NGUSER`), or where it looks as if there were none.
fn push_user(out: &mut Vec<u8>, user: &str) {
    if user.is_empty() {
        return out.push(b'-');
    }
    let (user_bytes, mark) = bounded(user.as_bytes(), SHORT_BYTES_MAX);
    for byte in user_bytes {
        let is_plain =
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'@' | b'-' | b'+' | b'_');
        if is_plain && user != "-" {
            out.push(*byte);
        } else {
            out.push(b'%');
            push_hex_digits(out, u32::from(*byte), 2);
        }
    }
    out.extend_from_slice(mark);
}

fn push_request(out: &mut Vec<u8>, request: RequestLine<'_>) {
    match request {
        RequestLine::Parsed {
            method,
            target,
            version,
        } => {
            Plain::WORD.push(out, method.as_bytes(), SHORT_BYTES_MAX);
            out.push(b' ');
            Plain::WORD.push(out, target, TARGET_BYTES_MAX);
            out.push(b' ');
            out.extend_from_slice(version.as_str().as_bytes());
        }
        RequestLine::Malformed(bytes) => Plain::QUOTED.push(out, bytes, SHORT_BYTES_MAX),
    }
}

/// ` "text"`, and ` "-"` where there is none.
fn push_field(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(b" \"");
    Plain::QUOTED.push(
        out,
        if bytes.is_empty() { b"-" } else { bytes },
        FIELD_BYTES_MAX,
    );
    out.push(b'"');
}

fn push_extras(event: &AccessEvent<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b" id=");
    out.extend_from_slice(event.request_id.as_str().as_bytes());
    out.extend_from_slice(b" duration=");
    push_seconds(out, event.duration);
    out.extend_from_slice(b" outcome=");
    out.extend_from_slice(event.outcome.label().as_bytes());
    if let Some(check) = event.outcome.refused_by() {
        out.extend_from_slice(b" check=");
        out.extend_from_slice(check.label().as_bytes());
    }
    if let Some(upstream) = event.upstream {
        out.extend_from_slice(b" upstream=");
        Plain::WORD.push(out, upstream.as_bytes(), SHORT_BYTES_MAX);
    }
    if let Some(port) = event.port {
        out.extend_from_slice(b" port=");
        push_number(out, port);
    }
}
