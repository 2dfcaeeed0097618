//! Which logs are written, where, and in which form.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use palisade_vocabulary::HiddenNames;

/// The logs of one process. What is `None` is not written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSettings {
    /// One line a request, for people and for a CrowdSec agent. Without the requests that a
    /// decision refused: see [`Outcome::may_feed_an_agent`](crate::Outcome::may_feed_an_agent).
    pub access: Option<AccessLogSettings>,
    /// One JSON object a refused or would-be-refused request or connection.
    pub decisions: Option<Sink>,
    /// One line a request that SecLang rules had something to say of.
    pub audit: Option<AuditLogSettings>,
    /// One JSON object a request of which two sets of SecLang rules make different things.
    pub shadow: Option<Sink>,
}

/// The audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLogSettings {
    /// Where its lines go.
    pub sink: Sink,
    /// What its lines look like.
    pub format: AuditFormat,
    /// Whose values it shows as `*`.
    pub hidden: Arc<HiddenNames>,
}

/// Parts of a request and its answer that the audit log has, in ModSecurity's form (reference manual,
/// `SecAuditLogParts`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditParts {
    /// B: the request's fields.
    pub request_headers: bool,
    /// C or I: the beginning of the request's body.
    pub request_body: bool,
    /// F: the answer's fields.
    pub response_headers: bool,
    /// E: the beginning of the answer's body.
    pub response_body: bool,
    /// H: the rules that matched, and who tells of them.
    pub messages: bool,
}

impl AuditParts {
    /// The parts of these letters; of the others ModSecurity 3 has nothing in JSON. `None` where a letter is
    /// none of `A` to `K` and `Z`.
    #[must_use]
    pub fn parse(letters: &str) -> Option<Self> {
        let has = |letter: char| letters.contains(letter);
        let is_part = |letter: char| matches!(letter, 'A'..='K' | 'Z');
        letters.chars().all(is_part).then(|| Self {
            request_headers: has('B'),
            request_body: has('C') || has('I'),
            response_headers: has('F'),
            response_body: has('E'),
            messages: has('H'),
        })
    }
}

/// What a line of the audit log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuditFormat {
    /// A JSON object with every rule that matched.
    #[default]
    Json,
    /// The error log of ModSecurity 2: a line for each rule that matched.
    ErrorLog,
    /// The audit log of ModSecurity 3 in JSON (`SecAuditLogFormat JSON`, `SecAuditLogType Serial`).
    ModSecurity(AuditParts),
}

/// The access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLogSettings {
    /// Where its lines go.
    pub sink: Sink,
    /// What its lines look like.
    pub format: AccessFormat,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sink {
    /// Standard output; `-` in the settings file.
    Stdout,
    /// Standard error, where operators are told things; no settings file can name it.
    Stderr,
    /// A file, appended to. Made with mode 0640 where it doesn't exist; its folder must exist.
    File(PathBuf),
}

impl fmt::Display for Sink {
    /// `stdout`, `stderr`, or the file's path: the name of the sink in metrics and messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("stdout"),
            Self::Stderr => f.write_str("stderr"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What a line of the access log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessFormat {
    /// The combined format of Apache and nginx, with the virtual host in front (acquisition label
    /// `type: nginx` or `type: apache2` of a CrowdSec agent).
    #[default]
    Combined,
    /// A JSON object with every field that Palisade knows.
    Json,
    /// The JSON of Caddy's access log (`type: caddy`).
    Caddy,
}
