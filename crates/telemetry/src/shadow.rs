//! Where two sets of SecLang rules disagree about a request, for the shadow log.

use palisade_vocabulary::{ClientAddr, RequestId};

use crate::WallTime;
use crate::metrics::Label as _;

/// A request of which the set of rules that guards its site and the one beside it make different things.
#[derive(Clone, Copy, Debug)]
pub struct ShadowEvent<'a> {
    /// When it was compared: after its end.
    pub time: WallTime,
    /// The request's name.
    pub request_id: RequestId,
    /// Who sent it.
    pub client: &'a ClientAddr,
    /// The host it named, without port.
    pub host: &'a str,
    /// The name of the site that it was for.
    pub site: &'a str,
    /// Its method.
    pub method: &'a [u8],
    /// Its path as sent, without the query.
    pub path: &'a [u8],
    /// In what they differ.
    pub difference: ShadowDifference,
    /// What the set that guards the site made of it.
    pub active: ShadowSide<'a>,
    /// What the other made of it.
    pub shadow: ShadowSide<'a>,
    /// Whether the other would have looked at the answer's body, which nobody had read.
    pub is_answer_unread: bool,
}

/// In what two sets of rules differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShadowDifference {
    /// What passes now would be refused.
    NewRefusal,
    /// What is refused now would pass.
    LostRefusal,
    /// Another rule would refuse it.
    OtherRule,
    /// Other rules matched, to the same end.
    OtherMatches,
    /// The second set couldn't judge it to the end.
    ShadowFailed,
}

impl ShadowDifference {
    /// Its name in logs and metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        self.text()
    }
}

/// What one set made of a request.
#[derive(Clone, Copy, Debug)]
pub struct ShadowSide<'a> {
    /// The rule that refuses it, or would, and its phase; `None` where no rule does. Rule 0 is the limit of
    /// a body.
    pub ended_by: Option<(u64, u8)>,
    /// Why rules didn't see everything.
    pub failure: Option<&'static str>,
    /// Whether it is refused, or would be.
    pub is_refused: bool,
    /// OWASP CRS's anomaly score; empty where no rule keeps one.
    pub score: &'a [u8],
    /// The rules that matched in this set alone.
    pub rules: &'a [ShadowRule<'a>],
}

/// A rule that matched.
#[derive(Clone, Copy, Debug)]
pub struct ShadowRule<'a> {
    /// Its id.
    pub id: u64,
    /// Its `msg`; empty where that isn't the same for all requests.
    pub message: &'a [u8],
    /// The name of the value that it matched, such as `ARGS:q`.
    pub target: &'a [u8],
}

/// Why a second set didn't judge a request that it was to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShadowSkip {
    /// Its share of processor time was spent.
    Budget,
    /// Too many requests were waiting for it.
    QueueFull,
    /// Bodies that wait for it took all the memory that they may.
    MemoryFull,
    /// It looks at more of the body than was read.
    BodyUnread,
    /// The process ended first.
    Stopping,
}

/// What second sets of rules have done since the last such line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShadowSummary {
    /// Requests that were judged.
    pub evaluated: u64,
    /// Of these, those of which the sets made the same.
    pub agreed: u64,
    /// Requests that were skipped, by reason, in the order of [`ShadowSkip`].
    pub skipped: [u64; 5],
}

impl ShadowSummary {
    /// Whether nothing was done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What of this came after `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut skipped = self.skipped;
        for (now, before) in skipped.iter_mut().zip(earlier.skipped) {
            *now = now.saturating_sub(before);
        }
        Self {
            evaluated: self.evaluated.saturating_sub(earlier.evaluated),
            agreed: self.agreed.saturating_sub(earlier.agreed),
            skipped,
        }
    }
}
