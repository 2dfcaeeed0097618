//! What happened, as the request path tells it: borrowed values, so that making one allocates
//! nothing.

use std::time::Duration;

use palisade_vocabulary::{ClientAddr, HttpVersion, Ip, RequestId, RuleId};

use crate::WallTime;

/// One finished request, answered or broken off.
#[derive(Clone, Copy, Debug)]
pub struct AccessEvent<'a> {
    /// When its first byte came.
    pub time: WallTime,
    /// Who sent it.
    pub client: &'a ClientAddr,
    /// What it asked for.
    pub request: RequestLine<'a>,
    /// The host it named, without port; anything at all, or empty, where its head couldn't be
    /// parsed.
    pub host: &'a str,
    /// The port of the listener that it came in on.
    pub port: Option<u16>,
    /// The status that was answered; 0 where nothing was.
    pub status: u16,
    /// Bytes of response body sent to the client.
    pub body_bytes: u64,
    /// Its `Referer`; empty where there is none.
    pub referer: &'a [u8],
    /// Its `User-Agent`; empty where there is none.
    pub user_agent: &'a [u8],
    /// The user that it was found to be from, by its password; empty where it was found to be from
    /// nobody.
    pub user: &'a str,
    /// Its name, as in `X-Request-Id` and on the refusal page.
    pub request_id: RequestId,
    /// From its first byte to the last byte of the answer.
    pub duration: Duration,
    /// The pool that it was forwarded to, if it was.
    pub upstream: Option<&'a str>,
    /// From the start of forwarding to the head of the backend's answer.
    pub upstream_duration: Option<Duration>,
    /// The response's `WWW-Authenticate`, if it has one. In Caddy's form, an agent takes it with a
    /// 401 for a failed login.
    pub www_authenticate: Option<&'a [u8]>,
    /// The name of the site that it was for; empty where none was found.
    pub site: &'a str,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a request asked for.
#[derive(Clone, Copy, Debug)]
pub enum RequestLine<'a> {
    /// A head that could be parsed.
    Parsed {
        /// The method, as sent.
        method: &'a str,
        /// The target as sent, with its query.
        target: &'a [u8],
        /// The version of HTTP.
        version: HttpVersion,
    },
    /// The first bytes of what couldn't be parsed.
    Malformed(&'a [u8]),
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A backend answered it.
    Forwarded,
    /// Palisade answered it of itself, and not to refuse it: no site or no upstream for it.
    Answered,
    /// It was sent to another address, as `https: redirect` does.
    Redirected,
    /// A check refused it.
    Refused(Check),
    /// No backend could be reached, or its answer broke off.
    UpstreamFailed,
    /// The client went away first.
    ClientAborted,
    /// It was not over when the time ended that a process has to drain, or others needed what it held.
    CutOff,
}

impl Outcome {
    /// Its name in logs and metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Answered => "answered",
            Self::Redirected => "redirected",
            Self::Refused(_) => "refused",
            Self::UpstreamFailed => "upstream_failed",
            Self::ClientAborted => "client_aborted",
            Self::CutOff => "cut_off",
        }
    }

    /// The check that refused it, if one did.
    #[must_use]
    pub fn refused_by(self) -> Option<Check> {
        match self {
            Self::Refused(check) => Some(check),
            _ => None,
        }
    }

    /// Whether a request with this outcome may stand in the file that a CrowdSec agent reads.
    ///
    /// What a decision refused may not. CrowdSec's scenarios count 403s (`http-probing`,
    /// `http-generic-403-bf`), so the refusals of a banned client that keeps trying would ban it
    /// again, for ever. Such requests are in the decision log and in the metrics. What rules and
    /// hygiene refuse is new evidence, and stays.
    #[must_use]
    pub fn may_feed_an_agent(self) -> bool {
        self.refused_by() != Some(Check::Decisions)
    }
}

/// A check that can refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// The PROXY protocol header of a connection.
    Proxy,
    /// What is ambiguous or malformed, or over a limit of the head.
    Hygiene,
    /// CrowdSec's decisions and local ones.
    Decisions,
    /// The operator's access rules.
    Access,
    /// What protected paths ask for: where clients are, what they do, who they are.
    Protected,
    /// Lockouts.
    Limits,
    /// The limits of a request's body.
    Body,
    /// SecLang rules.
    Waf,
}

impl Check {
    /// All of them.
    pub const ALL: [Check; 8] = [
        Self::Proxy,
        Self::Hygiene,
        Self::Decisions,
        Self::Access,
        Self::Protected,
        Self::Limits,
        Self::Body,
        Self::Waf,
    ];

    /// Its name in logs and metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Hygiene => "hygiene",
            Self::Decisions => "decisions",
            Self::Access => "access",
            Self::Protected => "protected",
            Self::Limits => "limits",
            Self::Body => "body",
            Self::Waf => "waf",
        }
    }
}

/// Why one request or connection was refused, would have been, or is to be noticed.
#[derive(Clone, Copy, Debug)]
pub struct DecisionEvent<'a> {
    /// When.
    pub time: WallTime,
    /// What came of it.
    pub mode: DecisionMode,
    /// What has something against it.
    pub cause: Cause<'a>,
    /// Who it counts for.
    pub client: &'a ClientAddr,
    /// The address of the other end of the TCP connection.
    pub peer: Ip,
    /// What was refused.
    pub subject: Subject<'a>,
    /// The time that all checks of the request took so far.
    pub checks_duration: Duration,
}

/// Whether a check's word was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionMode {
    /// Refused.
    Refused,
    /// Detect mode: passed, and would have been refused.
    WouldRefuse,
    /// Passed, and matched a rule whose action is `log`.
    Logged,
}

impl DecisionMode {
    /// Its name in logs and metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::WouldRefuse => "would_refuse",
            Self::Logged => "logged",
        }
    }
}

/// What refused: the check, with what that check has to say.
#[derive(Clone, Copy, Debug)]
pub enum Cause<'a> {
    /// A PROXY protocol header that is missing, malformed or sent by a peer that may not.
    Proxy {
        /// Which, as a short name from a fixed set.
        reason: &'static str,
    },
    /// An ambiguous or malformed request.
    Hygiene {
        /// What is wrong with it, as a short name from a fixed set.
        reason: &'static str,
    },
    /// A decision of CrowdSec's, or a local one.
    Decision(MatchedDecision<'a>),
    /// `on_failure: closed`, and the decisions are too old to trust.
    DecisionsStale,
    /// An access rule.
    Rule {
        /// The rule.
        id: &'a RuleId,
        /// What its author wrote about it; empty where nothing.
        reason: &'a str,
    },
    /// A protected path.
    Protected {
        /// Which.
        id: &'a RuleId,
        /// What the request lacks, as a short name from a fixed set.
        reason: &'static str,
        /// The user that it says it is from; empty where it says nothing, or nobody asked.
        user: &'a str,
        /// The client is locked out from now on.
        locks: bool,
    },
    /// The client is locked out.
    LockedOut {
        /// How long it is to wait.
        retry_after: Duration,
        /// The user that the request says it is from; empty where nobody looked.
        user: &'a str,
    },
    /// A body over a limit.
    Body {
        /// Which, as a short name from a fixed set.
        reason: &'static str,
    },
    /// SecLang rules.
    Waf(WafCause<'a>),
}

impl Cause<'_> {
    /// The check that it belongs to.
    #[must_use]
    pub fn check(&self) -> Check {
        match self {
            Self::Proxy { .. } => Check::Proxy,
            Self::Hygiene { .. } => Check::Hygiene,
            Self::Decision(_) | Self::DecisionsStale => Check::Decisions,
            Self::Rule { .. } => Check::Access,
            Self::Protected { .. } => Check::Protected,
            Self::LockedOut { .. } => Check::Limits,
            Self::Body { .. } => Check::Body,
            Self::Waf(_) => Check::Waf,
        }
    }
}

/// What SecLang rules have against a request or its answer.
#[derive(Clone, Copy, Debug)]
pub struct WafCause<'a> {
    /// The rule that ended it, or would have, or that was asked when it failed; 0 where the limit of a body
    /// did, or none was asked.
    pub rule: u64,
    /// What the rule says of it; empty where nothing.
    pub message: &'a [u8],
    /// The phase in which it did, 1 to 5.
    pub phase: u8,
    /// OWASP CRS's anomaly score; empty where no rule keeps one.
    pub score: &'a [u8],
    /// The rules that matched, each once, in order.
    pub rules: &'a [u64],
    /// Why it couldn't be judged to the end, as a short name from a fixed set; none where it was.
    pub failure: Option<&'static str>,
}

/// A decision that a client falls under.
#[derive(Clone, Copy, Debug)]
pub struct MatchedDecision<'a> {
    /// Who made it: `crowdsec`, `cscli`, `CAPI`, `lists:firehol`, `palisade`.
    pub origin: &'a str,
    /// Why: the scenario, or what an operator wrote.
    pub scenario: &'a str,
    /// The remedy: `ban`, `captcha` or any other word.
    pub kind: &'a str,
    /// What `value` is, as CrowdSec names it: `Ip`, `Range`, `Country` or `AS`.
    pub scope: &'a str,
    /// The address, range, country or AS.
    pub value: &'a str,
    /// Its number at the LAPI, if it has one.
    pub id: Option<i64>,
    /// How long it still holds.
    pub expires_in: Duration,
}

/// What was refused.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A connection, before a request's head came.
    Connection,
    /// A request.
    Request {
        /// Its name.
        id: RequestId,
        /// The host it named, without port; anything at all where its head couldn't be parsed.
        host: &'a str,
        /// The name of the site that it was for; empty where none was found.
        site: &'a str,
        /// What it asked for.
        request: RequestLine<'a>,
        /// Its `User-Agent`; empty where there is none.
        user_agent: &'a [u8],
        /// What was answered, or would have been; none where nothing would.
        status: Option<u16>,
    },
}
