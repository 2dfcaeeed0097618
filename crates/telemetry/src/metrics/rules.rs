//! SecLang rules.

use prometheus::{IntCounter, IntGauge, Result};

use super::family::{ReasonCounters, Registrar};

/// The reasons for which a request isn't judged to the end.
const FAILURES: [&str; 2] = ["budget_spent", "panicked"];

/// Counts what SecLang rules do beside refusing, which `palisade_refusals_total` has.
pub struct RuleMetrics {
    inspected: IntCounter,
    failures: ReasonCounters,
    body_memory: IntGauge,
    body_memory_refusals: IntCounter,
}

impl RuleMetrics {
    pub(super) fn register(registrar: &Registrar) -> Result<Self> {
        Ok(Self {
            inspected: registrar.counter(
                "palisade_waf_requests_total",
                "Requests that SecLang rules have looked at",
            )?,
            failures: registrar.reasons(
                "palisade_waf_failures_total",
                "Requests that SecLang rules couldn't judge to the end, by reason",
                "reason",
                &FAILURES,
            )?,
            body_memory: registrar.gauge(
                "palisade_waf_body_memory_bytes",
                "Memory of bodies that are held until rules have judged them",
            )?,
            body_memory_refusals: registrar.counter(
                "palisade_waf_body_memory_refusals_total",
                "Requests answered with 503 because there was no memory for a body to be judged",
            )?,
        })
    }

    /// Rules have looked at a request.
    pub fn inspected(&self) {
        self.inspected.inc();
    }

    /// A request couldn't be judged to the end.
    pub fn failed(&self, reason: &'static str) {
        self.failures.inc(reason);
    }

    /// So much memory is held.
    pub fn set_body_memory(&self, bytes: u64) {
        self.body_memory
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// There was no memory for a body.
    pub fn body_memory_was_full(&self) {
        self.body_memory_refusals.inc();
    }
}
