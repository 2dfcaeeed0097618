//! CrowdSec's LAPI, as its poller finds it.

use std::sync::atomic::{AtomicU64, Ordering};

use palisade_vocabulary::Tick;
use prometheus::{Gauge, IntGauge, Result};

use super::family::{ReasonCounters, Registrar};

/// The result of a poll that succeeded.
const OK: &str = "ok";

/// Counts polls of the LAPI.
pub struct LapiMetrics {
    polls: ReasonCounters,
    synced: IntGauge,
    key_refused: IntGauge,
    not_saved: IntGauge,
    age: Gauge,
    usage_reports: ReasonCounters,
    /// When the last good poll was, as a [`Tick`]; until there is one, when the first could be.
    last_good: AtomicU64,
}

impl LapiMetrics {
    pub(super) fn register(
        registrar: &Registrar,
        failures: &[&'static str],
        now: Tick,
    ) -> Result<Self> {
        let results: Vec<_> = [OK].into_iter().chain(failures.iter().copied()).collect();
        Ok(Self {
            polls: registrar.reasons(
                "palisade_lapi_polls_total",
                "Polls of CrowdSec's LAPI, by result",
                "result",
                &results,
            )?,
            synced: registrar.gauge(
                "palisade_lapi_synced",
                "1 once a poll has succeeded since the start",
            )?,
            key_refused: registrar.gauge(
                "palisade_lapi_key_refused",
                "1 while the LAPI refuses the key or the certificate",
            )?,
            not_saved: registrar.gauge(
                "palisade_lapi_decisions_not_saved",
                "1 while the disk refuses the decisions of the LAPI",
            )?,
            age: registrar.float_gauge(
                "palisade_lapi_last_success_age_seconds",
                "Time since the last poll that succeeded, or since the start where none has",
            )?,
            usage_reports: registrar.reasons(
                "palisade_lapi_usage_reports_total",
                "Reports of usage to CrowdSec's LAPI, by result",
                "result",
                &[OK],
            )?,
            last_good: AtomicU64::new(now.as_millis()),
        })
    }

    /// A poll brought a whole answer, which was applied at `now`.
    pub fn succeeded(&self, now: Tick) {
        self.polls.inc(OK);
        self.last_good.store(now.as_millis(), Ordering::Relaxed);
        self.synced.set(1);
        self.key_refused.set(0);
    }

    /// A poll brought nothing; `result` is a short name from a fixed set.
    pub fn failed(&self, result: &'static str) {
        self.polls.inc(result);
    }

    /// A poll brought nothing, because the LAPI refuses the key or the certificate. Stands until
    /// a poll succeeds.
    pub fn key_refused(&self, result: &'static str) {
        self.polls.inc(result);
        self.key_refused.set(1);
    }

    /// A report of usage ended so; `result` is a short name from a fixed set.
    pub fn usage_reported(&self, result: &'static str) {
        self.usage_reports.inc(result);
    }

    /// Whether the disk refuses the decisions.
    pub fn set_not_saved(&self, not_saved: bool) {
        self.not_saved.set(i64::from(not_saved));
    }

    pub(super) fn set_age(&self, now: Tick) {
        let last_good = Tick::from_millis(self.last_good.load(Ordering::Relaxed));
        self.age.set(now.since(last_good).as_secs_f64());
    }
}
