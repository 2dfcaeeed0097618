//! What survives a reload.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use palisade_authentication::VerifiedCredentials;
use palisade_decisions::DecisionTable;
use palisade_limits::Lockouts;
use palisade_vocabulary::Tick;

use crate::Usage;

/// Everything that requests and feeds change; outlives every [`crate::Snapshot`].
#[derive(Debug)]
pub struct State {
    /// CrowdSec's decisions and local ones.
    pub decisions: Arc<DecisionTable>,
    /// How old CrowdSec's are.
    pub crowdsec: FeedHealth,
    /// What was done with them, for CrowdSec to know.
    pub usage: Usage,
    /// Who failed to authenticate, and is locked out for it.
    pub lockouts: Arc<Lockouts>,
    /// Credentials that were verified a moment ago.
    pub verified_credentials: VerifiedCredentials,
}

impl State {
    /// The state of a process that knows nothing yet.
    #[must_use]
    pub fn new(decisions: Arc<DecisionTable>) -> Self {
        Self {
            decisions,
            crowdsec: FeedHealth::default(),
            usage: Usage::default(),
            lockouts: Arc::default(),
            verified_credentials: VerifiedCredentials::default(),
        }
    }
}

/// When a source of decisions last gave a good answer.
#[derive(Debug, Default)]
pub struct FeedHealth {
    configured: AtomicBool,
    /// One more than the last good answer's milliseconds; 0 before the first.
    last_good: AtomicU64,
}

impl FeedHealth {
    /// Says whether there is such a source at all.
    pub fn configure(&self, configured: bool) {
        self.configured.store(configured, Ordering::Relaxed);
    }

    /// Notes a good answer.
    pub fn observe_good(&self, at: Tick) {
        let at = at.as_millis().saturating_add(1);
        self.last_good.fetch_max(at, Ordering::Relaxed);
    }

    /// How long the source has been silent, without end before its first good answer; nothing where
    /// there is no such source. Hot path: runs per request, allocates nothing.
    #[must_use]
    pub fn silent_for(&self, now: Tick) -> Option<Duration> {
        if !self.configured.load(Ordering::Relaxed) {
            return None;
        }
        let last_good = self.last_good.load(Ordering::Relaxed).checked_sub(1);
        let since = |at| now.since(Tick::from_millis(at));
        Some(last_good.map_or(Duration::MAX, since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_silent_from_its_last_good_answer_on() {
        let health = FeedHealth::default();
        let at = Tick::from_millis;
        assert_eq!(health.silent_for(at(5_000)), None);
        health.configure(true);
        assert_eq!(health.silent_for(at(5_000)), Some(Duration::MAX));
        health.observe_good(at(0));
        assert_eq!(health.silent_for(at(5_000)), Some(Duration::from_secs(5)));
        health.observe_good(at(4_000));
        health.observe_good(at(3_000));
        assert_eq!(health.silent_for(at(5_000)), Some(Duration::from_secs(1)));
        health.configure(false);
        assert_eq!(health.silent_for(at(5_000)), None);
    }
}
