//! The line of the audit log that an exclusion is made of.

use std::io::{BufRead as _, Read as _};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use palisade_config::Settings;
use palisade_telemetry::{AuditFormat, Sink};
use palisade_waf::exclusion::{AuditRecord, LogLine, find_in_log};

use super::super::shown;
use crate::arguments::WafExclude;

/// The longest line that is read from standard input.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// The longest id of a request.
const ID_BYTES_MAX: usize = 64;

/// What the audit log says of the request that is named, or of the one of a line.
pub(super) fn record(arguments: &WafExclude, settings: &Settings) -> Result<AuditRecord> {
    let record = named(arguments, settings)?;
    if record.outcome == "for_the_record" {
        bail!(
            "another check had refused the request before rules looked at it for the record, so that no exclusion changes it; \
             the decision log says which"
        );
    }
    Ok(record)
}

fn named(arguments: &WafExclude, settings: &Settings) -> Result<AuditRecord> {
    let line = match (&arguments.line, arguments.request.as_deref()) {
        (Some(line), _) => line.clone().into_bytes(),
        (None, Some("-")) => standard_input()?,
        (None, request) => {
            let id = request.unwrap_or_default();
            return look_up(id, arguments, settings);
        }
    };
    match LogLine::read(&line)? {
        LogLine::Audit(record) => Ok(*record),
        LogLine::Decision { request_id } => look_up(&request_id, arguments, settings),
    }
}

fn standard_input() -> Result<Vec<u8>> {
    let mut line = Vec::new();
    std::io::stdin()
        .lock()
        .take(LINE_BYTES_MAX)
        .read_until(b'\n', &mut line)
        .context("can't read standard input")?;
    Ok(line)
}

fn look_up(id: &str, arguments: &WafExclude, settings: &Settings) -> Result<AuditRecord> {
    let is_of_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(is_of_id) {
        let id = shown(id.as_bytes());
        bail!(
            "\"{id}\" is no id of a request; expected what X-Request-Id has: letters, digits and hyphens"
        );
    }
    let logs = logs(arguments, settings)?;
    // A client can't write it: quotes in a string are escaped.
    let needle = format!("\"request_id\":\"{id}\"");
    for log in &logs {
        let found = find_in_log(log, needle.as_bytes());
        let found = found.with_context(|| format!("can't read {}", log.display()))?;
        let Some(line) = found else {
            continue;
        };
        match LogLine::read(&line)? {
            LogLine::Audit(record) => return Ok(*record),
            LogLine::Decision { .. } => bail!(
                "{} is the decision log, which doesn't say what of the request matched; name the audit log with --log",
                log.display()
            ),
        }
    }
    let logs: Vec<String> = logs.iter().map(|log| log.display().to_string()).collect();
    bail!(
        "no line of {} is of the request {id}: rules that are for the log matched nothing in it, or the line was \
         rotated away; name where it is with --log, or give the line itself on standard input",
        logs.join(", ")
    )
}

fn logs(arguments: &WafExclude, settings: &Settings) -> Result<Vec<PathBuf>> {
    if !arguments.logs.is_empty() {
        return Ok(arguments.logs.clone());
    }
    let Some(audit) = &settings.logs.audit else {
        bail!(
            "the settings have no audit log, so that nobody knows what of a request matched; add `logs: {{ audit: {{ path: \
             audit.jsonl }} }}`, or name a log with --log"
        );
    };
    if audit.format != AuditFormat::Json {
        bail!(
            "logs.audit is in another format than json, which has too little of a request; set `format: json`, or name a log \
             with --log"
        );
    }
    match &audit.sink {
        Sink::File(path) => Ok(vec![path.clone()]),
        Sink::Stdout | Sink::Stderr => bail!(
            "logs.audit is standard output, which is wherever the process was started; give the line on standard input (-), or name \
             a file that has it with --log"
        ),
    }
}
