//! What survives a reload.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use palisade_decisions::DecisionTable;
use palisade_vocabulary::Tick;

/// Everything that requests and feeds change; outlives every [`crate::Snapshot`].
#[derive(Debug)]
pub struct State {
    /// CrowdSec's decisions and local ones.
    pub decisions: Arc<DecisionTable>,
    /// How old CrowdSec's are.
    pub crowdsec: FeedHealth,
}

impl State {
    /// The state of a process that knows nothing yet.
    #[must_use]
    pub fn new(decisions: Arc<DecisionTable>) -> Self {
        Self {
            decisions,
            crowdsec: FeedHealth::default(),
        }
    }
}

/// When a source of decisions last gave a good answer.
#[derive(Debug, Default)]
pub struct FeedHealth {
    configured: AtomicBool,
    last_good_millis: AtomicU64,
}

impl FeedHealth {
    /// Says whether there is such a source at all, and since when it counts as silent.
    pub fn configure(&self, configured: bool, now: Tick) {
        self.last_good_millis.fetch_max(now.as_millis(), Ordering::Relaxed);
        self.configured.store(configured, Ordering::Relaxed);
    }

    /// Notes a good answer.
    pub fn observe_good(&self, now: Tick) {
        self.last_good_millis.fetch_max(now.as_millis(), Ordering::Relaxed);
    }

    /// How long the source has been silent; nothing where there is no such source.
    /// Hot path: runs per request, allocates nothing.
    #[must_use]
    pub fn silent_for(&self, now: Tick) -> Option<Duration> {
        if !self.configured.load(Ordering::Relaxed) {
            return None;
        }
        let last_good = Tick::from_millis(self.last_good_millis.load(Ordering::Relaxed));
        Some(now.since(last_good))
    }
}
