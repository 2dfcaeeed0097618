//! Sets of SecLang rules that judge beside others.

use prometheus::{IntCounter, IntGauge, Result};

use super::family::{By, Label, Registrar, label};
use crate::{ShadowDifference, ShadowSkip, ShadowSummary};

label!(ShadowDifference {
    NewRefusal => "new_refusal",
    LostRefusal => "lost_refusal",
    OtherRule => "other_rule",
    OtherMatches => "other_matches",
    ShadowFailed => "shadow_failed",
});

label!(ShadowSkip {
    Budget => "budget",
    QueueFull => "queue_full",
    MemoryFull => "memory_full",
    BodyUnread => "body_unread",
    Stopping => "stopping",
});

/// The names of what is skipped for, in the order of [`ShadowSkip`].
pub(crate) fn shadow_skips() -> impl Iterator<Item = &'static str> {
    ShadowSkip::ALL.iter().map(|skip| skip.text())
}

/// Counts what second sets of rules do beside those that guard sites.
pub struct ShadowMetrics {
    evaluated: IntCounter,
    skipped: By<ShadowSkip, IntCounter>,
    disagreements: By<ShadowDifference, IntCounter>,
    memory: IntGauge,
}

impl ShadowMetrics {
    pub(super) fn register(registrar: &Registrar) -> Result<Self> {
        Ok(Self {
            evaluated: registrar.counter(
                "palisade_waf_shadow_evaluated_total",
                "Sampled requests that the shadow set of rules has judged",
            )?,
            skipped: registrar.counters(
                "palisade_waf_shadow_skipped_total",
                "Sampled requests that the shadow set of rules hasn't judged, by reason",
                "reason",
            )?,
            disagreements: registrar.counters(
                "palisade_waf_shadow_disagreements_total",
                "Requests of which the shadow set of rules makes something else than the active one, by kind",
                "kind",
            )?,
            memory: registrar.gauge(
                "palisade_waf_shadow_memory_bytes",
                "Memory of requests and answers that are held for the shadow set of rules",
            )?,
        })
    }

    /// A request was judged.
    pub fn evaluated(&self) {
        self.evaluated.inc();
    }

    /// A request was to be judged, and wasn't.
    pub fn skipped(&self, reason: ShadowSkip) {
        self.skipped.inc(reason);
    }

    pub(crate) fn disagreed(&self, difference: ShadowDifference) {
        self.disagreements.inc(difference);
    }

    /// So much memory is held.
    pub fn set_memory(&self, bytes: u64) {
        self.memory.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// All that was counted.
    #[must_use]
    pub fn summary(&self) -> ShadowSummary {
        let disagreements = ShadowDifference::ALL.iter();
        let disagreements = disagreements.filter_map(|kind| self.disagreements.of(*kind));
        let disagreed: u64 = disagreements.map(IntCounter::get).sum();
        let evaluated = self.evaluated.get();
        let mut skipped = [0; ShadowSkip::ALL.len()];
        for (count, reason) in skipped.iter_mut().zip(ShadowSkip::ALL) {
            *count = self.skipped.of(*reason).map_or(0, IntCounter::get);
        }
        ShadowSummary {
            evaluated,
            agreed: evaluated.saturating_sub(disagreed),
            skipped,
        }
    }
}
