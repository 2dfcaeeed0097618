//! What SecLang rules had to say of a request, for the audit log.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use palisade_vocabulary::{ClientAddr, RequestId};

use crate::{RequestLine, WallTime};

/// A request that SecLang rules had something to say of, and its answer.
#[derive(Clone, Copy, Debug)]
pub struct AuditEvent<'a> {
    /// When.
    pub time: WallTime,
    /// The request's name.
    pub request_id: RequestId,
    /// Who sent it.
    pub client: &'a ClientAddr,
    /// The host it named, without port; anything at all where its head couldn't be parsed.
    pub host: &'a [u8],
    /// The name of the site that it was for; empty where none was found.
    pub site: &'a str,
    /// What it asked for.
    pub request: RequestLine<'a>,
    /// The status that was answered; 0 where nothing was.
    pub status: u16,
    /// What became of it.
    pub outcome: AuditOutcome,
    /// The rules that matched and are for the log, in order.
    pub messages: &'a [AuditMessage<'a>],
    /// How many more matched than are kept.
    pub messages_left_out: usize,
    /// Why the body couldn't be read to its end; empty where it could.
    pub body_error: &'a str,
    /// OWASP CRS's anomaly score; empty where no rule keeps one.
    pub score: &'a [u8],
    /// From its first byte to the last byte of the answer.
    pub duration: Duration,
    /// What was sent, for the form that has it.
    pub content: AuditContent<'a>,
}

/// What was sent, without what isn't to be shown, and who looked at it.
#[derive(Clone, Copy, Debug)]
pub struct AuditContent<'a> {
    /// The address and the port at which the request came in.
    pub server: SocketAddr,
    /// The request's fields.
    pub request_headers: &'a [Field<'a>],
    /// The beginning of the request's body.
    pub request_body: &'a [u8],
    /// The fields of the backend's answer; none where none was asked for.
    pub response_headers: &'a [Field<'a>],
    /// The beginning of the answer's body.
    pub response_body: &'a [u8],
    /// Whether rules only record what they would refuse.
    pub only_detects: bool,
    /// What the rules call themselves (`SecComponentSignature`).
    pub components: &'a [Vec<u8>],
}

/// The name of a field, and its value.
pub type Field<'a> = (&'a [u8], Cow<'a, [u8]>);

/// What became of a request that rules looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOutcome {
    /// Rules let it pass.
    Passed,
    /// Rules refused it, or its answer.
    Refused,
    /// Rules would have refused it, were they not only to detect.
    WouldRefuse,
    /// Another check had refused it; rules looked at it for this log alone.
    ForTheRecord,
}

impl AuditOutcome {
    /// Its name in the log.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Refused => "refused",
            Self::WouldRefuse => "would_refuse",
            Self::ForTheRecord => "for_the_record",
        }
    }
}

/// A rule that matched.
#[derive(Clone, Debug)]
pub struct AuditMessage<'a> {
    /// Its id.
    pub id: u64,
    /// Its phase, 1 to 5.
    pub phase: u8,
    /// `msg`, macros expanded.
    pub message: &'a [u8],
    /// `logdata`, macros expanded.
    pub data: &'a [u8],
    /// The value's name, such as `ARGS:id`.
    pub name: &'a [u8],
    /// The value in the form in which it matched.
    pub value: &'a [u8],
    /// `severity`, 0 to 7.
    pub severity: Option<u8>,
    /// `tag`
    pub tags: Vec<&'a [u8]>,
    /// `ver`
    pub version: &'a str,
    /// `rev`
    pub revision: &'a str,
    /// `maturity`
    pub maturity: u8,
    /// `accuracy`
    pub accuracy: u8,
    /// The operator of its last link, and what that is given; nothing of `SecAction`.
    pub asks: Option<(&'a str, &'a str)>,
    /// The file and the line where the rule stands.
    pub place: (&'a str, u32),
    /// Whether it ended the request.
    pub has_interrupted: bool,
    /// What the error log says of it, in the form of ModSecurity 2, without its end; empty where there is none.
    pub error_log_line: &'a [u8],
}
