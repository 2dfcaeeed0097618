//! Lines of our own logs, read back.

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::Value;

/// What stands before a value's name in what OWASP CRS's rules say.
const FOUND_WITHIN: &str = " found within ";
/// The most names that are looked for in one text.
const TOLD_NAMES_MAX: usize = 8;

/// A line of a log of Palisade's.
#[derive(Clone, Debug)]
pub enum LogLine {
    /// Of the audit log in JSON.
    Audit(Box<AuditRecord>),
    /// Of the decision log, of a request that SecLang rules refused or would have: the audit log has more
    /// under this id.
    Decision {
        /// The request's id.
        request_id: String,
    },
}

/// Why a line is none that says what rules matched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogLineError {
    /// It is no JSON, or not all of it.
    #[error(
        "expected a line of the decision log or of the audit log, which is a JSON object ({0})"
    )]
    NoJson(serde_json::Error),
    /// It is JSON, and not ours.
    #[error(
        "the line is of neither log: it has no `request_id` with `messages` or `check` beside it"
    )]
    Unknown,
    /// Something in it is not as the audit log has it.
    #[error("the line of the audit log can't be read: {}", shortened(.0))]
    Malformed(String),
    /// Another check refused the request.
    #[error(
        "the request was refused by the check `{}`, not by SecLang rules, so that no exclusion changes it",
        shortened(check)
    )]
    OtherCheck {
        /// Which.
        check: String,
    },
}

/// What the audit log says of a request.
#[derive(Clone, Debug, Deserialize)]
pub struct AuditRecord {
    /// When, as RFC 3339.
    pub time: String,
    /// The request's id.
    pub request_id: String,
    /// Who sent it.
    pub client_ip: Option<IpAddr>,
    /// The name of its site; empty where none was found.
    #[serde(default)]
    pub site: String,
    /// The host, without port.
    pub host: String,
    /// What was asked for.
    pub request: LoggedRequest,
    /// The status that was answered; 0 where nothing was.
    #[serde(default)]
    pub status: u16,
    /// `passed`, `refused`, `would_refuse` or `for_the_record`.
    pub outcome: String,
    /// The rules that matched and are for the log, in order.
    pub messages: Vec<LoggedMatch>,
    /// How many more matched than the line has.
    #[serde(default)]
    pub messages_left_out: u64,
}

/// What was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct LoggedRequest {
    /// The method; `None` where the head couldn't be read.
    pub method: Option<String>,
    /// Path and query, as they were sent; the log keeps 8 KiB.
    pub target: Option<String>,
}

/// A rule that matched.
#[derive(Clone, Debug, Deserialize)]
pub struct LoggedMatch {
    /// Its id.
    pub id: u64,
    /// Its phase, 1 to 5.
    pub phase: u8,
    /// What it says.
    #[serde(default)]
    pub msg: String,
    /// What it says of the value.
    #[serde(default)]
    pub data: String,
    /// The value's name, such as `ARGS:q`; empty where there is none.
    #[serde(default)]
    pub name: String,
    /// The value in the form in which it matched; the log keeps its first 512 bytes.
    #[serde(default)]
    pub value: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// There where it ended the request.
    pub disruptive: Option<String>,
}

impl LogLine {
    /// Reads a line, with or without its end.
    ///
    /// # Errors
    /// It is none that says what rules matched.
    pub fn read(line: &[u8]) -> Result<Self, LogLineError> {
        let value: Value = serde_json::from_slice(line).map_err(LogLineError::NoJson)?;
        if value.get("messages").is_some() && value.get("request_id").is_some() {
            let record = serde_json::from_value(value);
            let record = record.map_err(|error| LogLineError::Malformed(error.to_string()))?;
            return Ok(Self::Audit(Box::new(record)));
        }
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        match (text("check"), text("request_id")) {
            (Some("waf"), Some(id)) => Ok(Self::Decision {
                request_id: id.to_owned(),
            }),
            (Some(check), _) if check != "waf" => Err(LogLineError::OtherCheck {
                check: check.to_owned(),
            }),
            _ => Err(LogLineError::Unknown),
        }
    }
}

impl AuditRecord {
    /// The matches that led to a refusal: of the rule that refused, or, where that only weighs what others
    /// have scored, those of the others that looked at the same side, the request or its answer.
    #[must_use]
    pub fn causes(&self) -> Vec<&LoggedMatch> {
        let ended = self.messages.iter().find(|one| one.disruptive.is_some());
        match ended {
            Some(ended) if !ended.is_evaluation() => vec![ended],
            _ => {
                let mut weighing = self.messages.iter().filter(|one| one.is_evaluation());
                let side = weighing
                    .find(|one| one.phase != LOGGING)
                    .map(LoggedMatch::is_of_answer);
                let is_cause = |one: &&LoggedMatch| {
                    !one.is_evaluation() && side.is_none_or(|side| one.is_of_answer() == side)
                };
                self.messages.iter().filter(is_cause).collect()
            }
        }
    }
}

impl LoggedMatch {
    /// Whether it weighs what other rules have scored, or reports it: it looks at a score in `TX`, says so in
    /// a tag as OWASP CRS's do, or runs when everything has happened.
    #[must_use]
    pub fn is_evaluation(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        let is_score = name.starts_with("tx:") && name.contains("score");
        let says_so = |tag: &String| tag == "anomaly-evaluation" || tag == "reporting";
        is_score || self.phase == LOGGING || self.tags.iter().any(says_so)
    }

    /// Whether it looked at the answer, and not at the request.
    fn is_of_answer(&self) -> bool {
        self.phase > 2
    }

    /// The paranoia level of OWASP CRS that it is of, by its tags.
    #[must_use]
    pub fn paranoia(&self) -> Option<u8> {
        let mut tags = self.tags.iter();
        tags.find_map(|tag| tag.strip_prefix("paranoia-level/")?.parse().ok())
    }
}

/// The phase in which everything has happened.
const LOGGING: u8 = 5;

/// The most characters of a log's text in a message.
const SHOWN_CHARS_MAX: usize = 200;

/// The beginning of what a line says, so that a terminal can bear it.
pub(super) fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown.escape_debug().to_string()
}

/// Names of values that a rule's data speaks of as OWASP CRS's rules do: `... found within ARGS:q: ...`. Rules
/// whose chain ends at what an earlier link has kept say there where that was. The data has what a client
/// sent too, so that any of them may be a client's word.
pub(super) fn told_names(data: &str) -> impl Iterator<Item = &str> {
    let behind = data.split(FOUND_WITHIN).skip(1).take(TOLD_NAMES_MAX);
    behind.filter_map(|rest| Some(rest.split_once(": ")?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit(messages: &str) -> AuditRecord {
        let line = format!(
            r#"{{"time":"2026-11-30T09:00:00.000000Z","request_id":"a1","client_ip":"192.0.2.1","site":"app","host":"app.example","request":{{"method":"GET","target":"/s?q=1","version":"HTTP/1.1"}},"status":403,"outcome":"refused","messages":[{messages}],"duration_microseconds":1}}"#
        );
        match LogLine::read(line.as_bytes()).unwrap() {
            LogLine::Audit(record) => *record,
            LogLine::Decision { .. } => panic!("{line}"),
        }
    }

    #[track_caller]
    fn check_causes(messages: &str, expected: &[u64]) {
        let record = audit(messages);
        let causes: Vec<u64> = record.causes().iter().map(|one| one.id).collect();
        assert_eq!(causes, expected, "{messages}");
    }

    #[test]
    fn a_score_is_caused_by_others() {
        let sqli = r#"{"id":942100,"phase":2,"msg":"SQL","name":"ARGS:q","value":"1","tags":["attack-sqli"],"file":"a","line":1}"#;
        let blocking = r#"{"id":949110,"phase":2,"name":"TX:blocking_inbound_anomaly_score","value":"5","tags":["anomaly-evaluation"],"file":"a","line":1,"disruptive":"refused"}"#;
        let reporting =
            r#"{"id":980170,"phase":5,"name":"TX:x","tags":["reporting"],"file":"a","line":1}"#;
        check_causes(&format!("{sqli},{blocking},{reporting}"), &[942_100]);
        // Detecting only, nothing ends it.
        let detected = blocking.replace(r#","disruptive":"refused""#, "");
        check_causes(&format!("{sqli},{detected}"), &[942_100]);
        // What answers have scored is not the request's, and the other way round.
        let leak = sqli
            .replace("942100", "951230")
            .replace(r#""phase":2"#, r#""phase":4"#);
        check_causes(&format!("{sqli},{leak},{blocking}"), &[942_100]);
        let outbound = blocking.replace(r#""phase":2"#, r#""phase":4"#);
        check_causes(&format!("{sqli},{leak},{outbound}"), &[951_230]);
        let untagged = blocking.replace("anomaly-evaluation", "x");
        check_causes(&format!("{sqli},{untagged}"), &[942_100]);
        check_causes("", &[]);
    }

    #[test]
    fn a_rule_that_refuses_is_the_cause() {
        let log = r#"{"id":1,"phase":1,"name":"ARGS:a"}"#;
        let deny = r#"{"id":2,"phase":2,"name":"ARGS:b","disruptive":"refused"}"#;
        check_causes(&format!("{log},{deny}"), &[2]);
    }

    #[test]
    fn what_a_rule_says_of_where_it_found_something() {
        let told = |data: &str| told_names(data).map(str::to_owned).collect::<Vec<_>>();
        let data = "Matched Data: 1=1 found within ARGS:q: 1=1 found within ARGS:x: y";
        assert_eq!(told(data), ["ARGS:q", "ARGS:x"]);
        assert_eq!(told("found within ARGS:q: "), [""; 0]);
        assert_eq!(
            told(&" found within ARGS:q: ".repeat(20)).len(),
            TOLD_NAMES_MAX
        );
    }

    #[test]
    fn a_line_of_the_decision_log_leads_to_the_audit_log() {
        let line = br#"{"request_id":"a1","check":"waf","waf":{"rule":949110}}"#;
        assert!(matches!(
            LogLine::read(line).unwrap(),
            LogLine::Decision { request_id } if request_id == "a1"
        ));
    }

    #[test]
    fn lines_of_something_else() {
        #[track_caller]
        fn check(line: &str, expected: &str) {
            let error = LogLine::read(line.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{line}: {error}");
        }
        check("[client 192.0.2.1] ModSecurity", "a JSON object");
        check("{\"a\":1}", "of neither log");
        check("{\"request_id\":\"a\"}", "of neither log");
        check("{\"check\":\"waf\"}", "of neither log");
        check("{\"request_id\":\"a\",\"messages\":1}", "can't be read");
        check("{\"check\":\"decisions\"}", "the check `decisions`");
        check(&"[".repeat(1_000), "a JSON object");
    }
}
