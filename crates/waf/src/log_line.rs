//! A match as a line of an error log, in the form of ModSecurity 2, which tools read.

use std::io::Write;
use std::net::IpAddr;

use palisade_seclang::MatchReport;

/// What a line says of the request.
#[derive(Clone, Copy, Debug)]
pub struct LogContext<'a> {
    /// Who sent it.
    pub client: IpAddr,
    /// The host that it is for.
    pub hostname: &'a [u8],
    /// Its path.
    pub uri: &'a [u8],
    /// Its id.
    pub unique_id: &'a str,
}

/// Severities, by number (reference manual, "severity").
const SEVERITIES: [&str; 8] = [
    "EMERGENCY",
    "ALERT",
    "CRITICAL",
    "ERROR",
    "WARNING",
    "NOTICE",
    "INFO",
    "DEBUG",
];

/// The name of a severity: `EMERGENCY` of 0, to `DEBUG` of 7.
#[must_use]
pub fn severity_name(severity: u8) -> Option<&'static str> {
    SEVERITIES.get(usize::from(severity)).copied()
}

/// The longest text of one field.
const FIELD_BYTES_MAX: usize = 512;

/// Appends the line, without its end: `[client 192.0.2.1] ModSecurity: Warning. ... [id "942100"] ...`.
/// What could end a field or the line is escaped.
pub fn append_log_line(matched: &MatchReport<'_>, context: &LogContext<'_>, out: &mut Vec<u8>) {
    let verdict = match matched.is_disruptive {
        true => "Access denied",
        false => "Warning",
    };
    let _ = write!(
        out,
        "[client {}] ModSecurity: {verdict}. Matched at {}.",
        context.client,
        escaped(matched.name)
    );
    let place = matched.rule.place();
    field(out, "file", place.file.as_bytes());
    let _ = write!(out, " [line \"{}\"]", place.line);
    let _ = write!(out, " [id \"{}\"]", matched.rule.id());
    optional(out, "rev", matched.rule.revision().map(str::as_bytes));
    field_if_any(out, "msg", matched.message);
    field_if_any(out, "data", matched.data);
    if let Some(severity) = matched.rule.severity() {
        optional(out, "severity", severity_name(severity).map(str::as_bytes));
    }
    optional(out, "ver", matched.rule.version().map(str::as_bytes));
    for tag in matched.rule.tags() {
        field(out, "tag", tag);
    }
    field(out, "hostname", context.hostname);
    field(out, "uri", context.uri);
    field(out, "unique_id", context.unique_id.as_bytes());
}

fn optional(out: &mut Vec<u8>, name: &str, value: Option<&[u8]>) {
    if let Some(value) = value {
        field(out, name, value);
    }
}

fn field_if_any(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    if !value.is_empty() {
        field(out, name, value);
    }
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    let _ = write!(out, " [{name} \"{}\"]", escaped(value));
}

fn escaped(value: &[u8]) -> std::slice::EscapeAscii<'_> {
    let value = value.get(..FIELD_BYTES_MAX).unwrap_or(value);
    value.escape_ascii()
}
