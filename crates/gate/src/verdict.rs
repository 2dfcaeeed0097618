//! What checks say.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, header};
use palisade_decisions::Match;
use palisade_hygiene::RefusalReason;
use palisade_vocabulary::RuleId;

use crate::{CredentialsFault, Demand};

/// What ends the checks of a request.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// A trusted client: it passes, and no further check runs.
    Trusted,
    /// The request is refused, and no backend hears of it.
    Refuse(Refusal),
}

/// A refusal.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The status of the answer.
    pub status: u16,
    /// What refused.
    pub cause: Cause,
}

/// What refused, or would have.
#[derive(Clone, Debug)]
pub enum Cause {
    /// An ambiguous or malformed request.
    Hygiene(RefusalReason),
    /// A decision of CrowdSec's, or a local one.
    Decision(Match),
    /// The decisions are older than the operator accepts.
    DecisionsStale,
    /// An access rule.
    Rule {
        /// Which.
        id: RuleId,
        /// What its author wrote about it.
        reason: Option<Arc<str>>,
    },
    /// A protected path, whose demands the request doesn't fulfil.
    Protected {
        /// Which.
        id: RuleId,
        /// What it lacks.
        demand: Demand,
        /// The methods that would do, where the answer is to say so.
        allow: Option<HeaderValue>,
    },
    /// A protected path that asks for credentials.
    Credentials(Box<RefusedCredentials>),
    /// Too many credentials of the client's were wrong.
    LockedOut {
        /// How long it is to wait.
        retry_after: Duration,
        /// The user that the request says it is from, where that was looked at.
        user: Option<Box<str>>,
    },
}

/// What a protected path has against the credentials of a request.
#[derive(Clone, Debug)]
pub struct RefusedCredentials {
    /// Which path.
    pub id: RuleId,
    /// What is wrong with them.
    pub fault: CredentialsFault,
    /// The user that the request says it is from: a client's word, of at most 255 bytes.
    pub user: Option<Box<str>>,
    /// What the answer asks for.
    pub challenge: HeaderValue,
    /// The client is locked out from now on.
    pub locks: bool,
}

impl Refusal {
    /// This refusal, which has the client locked out.
    #[must_use]
    pub fn with_lock(mut self, has_lock: bool) -> Self {
        if let Cause::Credentials(refused) = &mut self.cause {
            refused.locks = has_lock;
        }
        self
    }

    /// The field that the answer has to have, if any: what is asked for (RFC 9110 section 11.6.1), which
    /// methods would do (RFC 9110 section 15.5.6), how long to wait (RFC 6585 section 4).
    #[must_use]
    pub fn field(&self) -> Option<(HeaderName, HeaderValue)> {
        match &self.cause {
            Cause::Protected { allow, .. } => Some((header::ALLOW, allow.clone()?)),
            Cause::Credentials(refused) => Some(match refused.fault {
                CredentialsFault::Overloaded => {
                    (header::RETRY_AFTER, HeaderValue::from_static("1"))
                }
                _ => (header::WWW_AUTHENTICATE, refused.challenge.clone()),
            }),
            Cause::LockedOut { retry_after, .. } => {
                let seconds = retry_after.as_millis().div_ceil(1_000);
                let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
                Some((header::RETRY_AFTER, HeaderValue::from(seconds)))
            }
            Cause::Hygiene(_) | Cause::Decision(_) | Cause::DecisionsStale | Cause::Rule { .. } => {
                None
            }
        }
    }
}

impl From<RefusalReason> for Refusal {
    fn from(reason: RefusalReason) -> Self {
        Self {
            status: reason.status(),
            cause: Cause::Hygiene(reason),
        }
    }
}

/// Something that a check wants the operator to know, though the request goes on.
#[derive(Clone, Debug)]
pub struct Record {
    /// Why it is recorded.
    pub kind: RecordKind,
    /// What would have been answered; for [`RecordKind::Logged`] nothing would.
    pub status: u16,
    /// What would have refused.
    pub cause: Cause,
}

/// Why something is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// Detect mode: it would have been refused.
    WouldRefuse,
    /// A rule whose action is `log` matched.
    Logged,
}
