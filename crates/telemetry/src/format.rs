//! The forms of a line.
//!
//! Hot path: runs per request, allocates nothing once the buffer has grown.
//!
//! Every line is printable ASCII and ends with one line feed, whatever bytes a client sent, so
//! that no client can start a line of its own, end a field, or reach an operator's terminal. Every
//! field has a bound; what is longer is cut, and `...` stands in its place.

mod audit;
mod caddy;
mod combined;
mod decision;
mod escape;
mod json;
mod json_object;
mod modsecurity;
mod shadow;

use crate::{
    AccessEvent, AccessFormat, AuditEvent, AuditFormat, DecisionEvent, ShadowEvent, ShadowSummary,
    WallTime,
};

/// The longest line, in bytes: a target and two header fields of bytes that take six each.
pub const LINE_BYTES_MAX: usize =
    6 * (TARGET_BYTES_MAX + 2 * FIELD_BYTES_MAX + 8 * SHORT_BYTES_MAX);
/// Bytes of a request's target that a line of the access log shows.
const TARGET_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a header field that a line of the access log shows.
const FIELD_BYTES_MAX: usize = 2 * 1024;
/// Bytes of a host: the longest name of a host (RFC 1035 section 2.3.4).
const HOST_BYTES_MAX: usize = 255;
/// Bytes of a method, of what couldn't be parsed, and of a name that somebody else chose.
const SHORT_BYTES_MAX: usize = 256;

impl AccessFormat {
    /// Appends the line of `event`, with its line feed.
    pub fn write_line(self, event: &AccessEvent<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Combined => combined::write(event, out),
            Self::Json => json::write(event, out),
            Self::Caddy => caddy::write(event, out),
        }
        out.push(b'\n');
    }
}

impl DecisionEvent<'_> {
    /// Appends its line, a JSON object, with its line feed.
    pub fn write_line(&self, out: &mut Vec<u8>) {
        decision::write(self, out);
        out.push(b'\n');
    }
}

impl AuditEvent<'_> {
    /// Appends its line, or its lines, each with its line feed.
    pub(crate) fn write(&self, format: AuditFormat, out: &mut Vec<u8>) {
        match format {
            AuditFormat::Json => {
                audit::write_json(self, out);
                out.push(b'\n');
            }
            AuditFormat::ErrorLog => audit::write_error_log(self, out),
            AuditFormat::ModSecurity(parts) => {
                modsecurity::write(self, parts, out);
                out.push(b'\n');
            }
        }
    }
}

impl ShadowEvent<'_> {
    /// Appends its line, a JSON object, with its line feed.
    pub(crate) fn write_line(&self, out: &mut Vec<u8>) {
        shadow::write(self, out);
        out.push(b'\n');
    }
}

impl ShadowSummary {
    /// Appends its line, a JSON object, with its line feed.
    pub(crate) fn write_line(&self, time: WallTime, out: &mut Vec<u8>) {
        shadow::write_summary(self, time, out);
        out.push(b'\n');
    }
}

/// Appends `value` bare where it is one plain word, else as a JSON string.
pub(crate) fn push_report_value(out: &mut Vec<u8>, value: &[u8], bytes_max: usize) {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
    if !value.is_empty() && value.len() <= bytes_max && value.iter().all(plain) {
        out.extend_from_slice(value);
    } else {
        json_object::push_string(out, value, bytes_max);
    }
}

#[cfg(test)]
mod tests;
