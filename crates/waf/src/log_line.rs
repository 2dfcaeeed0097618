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
    let verdict = match matched.has_interrupted {
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::time::Duration;

    use palisade_seclang::{
        CompileOptions, Connection, RequestHead, Transaction, Worker, WorkerOptions, compile,
    };

    use super::*;
    use crate::RuleFolder;

    /// The line of the only match of a rule in `rules.conf`, for a request with this query.
    fn line(rule: &str, query: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("rules.conf"), rule).unwrap();
        let files = RuleFolder::new(folder.path());
        let compiled = compile(&["rules.conf"], &files, CompileOptions::default());
        let program = Arc::new(compiled.program.unwrap());
        let options = WorkerOptions::new(|| Duration::ZERO);
        let mut worker = Worker::new(Arc::clone(&program), options);
        let connection = Connection {
            client: ([192, 0, 2, 1], 50_000).into(),
            server: ([192, 0, 2, 2], 80).into(),
            unique_id: "id",
        };
        let target = format!("/?{query}");
        let mut transaction = Transaction::begin(&mut worker, &connection);
        transaction.request_head(
            &mut worker,
            &RequestHead {
                line: b"",
                method: b"GET",
                target: target.as_bytes(),
                protocol: b"HTTP/1.1",
                headers: &[],
            },
        );
        let context = LogContext {
            client: connection.client.ip(),
            hostname: b"example.com",
            uri: b"/",
            unique_id: "id",
        };
        let matched = transaction.matches(&program).next().unwrap();
        let mut out = Vec::new();
        append_log_line(&matched, &context, &mut out);
        let line = String::from_utf8(out).unwrap();
        line.replace(&format!("{}/", folder.path().display()), "")
    }

    #[test]
    fn a_line_has_what_tools_look_for() {
        let rule = "SecRuleEngine On\nSecRule ARGS:a x \"id:7,phase:1,deny,msg:'No %{MATCHED_VAR}',logdata:'of %{MATCHED_VAR_NAME}',severity:CRITICAL,rev:2,ver:'v/1',tag:one,tag:two\"";
        assert_eq!(
            line(rule, "a=x"),
            "[client 192.0.2.1] ModSecurity: Access denied. Matched at ARGS:a. [file \"rules.conf\"] [line \"2\"] \
             [id \"7\"] [rev \"2\"] [msg \"No x\"] [data \"of ARGS:a\"] [severity \"CRITICAL\"] [ver \"v/1\"] \
             [tag \"one\"] [tag \"two\"] [hostname \"example.com\"] [uri \"/\"] [unique_id \"id\"]"
        );
    }

    #[test]
    fn what_would_be_refused_is_a_warning() {
        let rule = "SecRuleEngine DetectionOnly\nSecRule ARGS:a x \"id:7,phase:1,deny\"";
        let line = line(rule, "a=x");
        assert!(
            line.starts_with("[client 192.0.2.1] ModSecurity: Warning. "),
            "{line}"
        );
    }

    #[test]
    fn a_client_ends_neither_a_field_nor_the_line() {
        let rule =
            "SecRuleEngine On\nSecRule ARGS:a x \"id:7,phase:1,pass,logdata:'%{MATCHED_VAR}'\"";
        let line = line(rule, "a=x%22]%0a[id%20%221%22]%1b");
        assert!(line.contains(r#"[data "x\"]\n[id \"1\"]\x1b"]"#), "{line}");
        assert!(line.starts_with("[client 192.0.2.1] ModSecurity: Warning. "));
        assert!(!line.contains(['\n', '\u{1b}']));
    }
}
