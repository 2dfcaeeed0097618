//! What checks say.

use std::sync::Arc;

use palisade_decisions::Match;
use palisade_hygiene::RefusalReason;
use palisade_vocabulary::RuleId;

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
