//! SecLang rules.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use prometheus::{IntCounter, IntCounterVec, IntGauge, Result};

use super::family::Registrar;

/// The reasons for which a request isn't judged to the end.
const FAILURES: [&str; 2] = ["budget_spent", "panicked"];
/// The most rules that have a time series of their own; the others share `other`.
const FAILED_RULES_MAX: usize = 100;
/// The label of failures that are no one rule's.
const NO_RULE: &str = "none";

/// Counts what SecLang rules do beside refusing, which `palisade_refusals_total` has.
pub struct RuleMetrics {
    inspected: IntCounter,
    failures: IntCounterVec,
    /// Those that have a time series.
    failed_rules: Mutex<BTreeSet<u64>>,
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
            failures: {
                let failures = registrar.counter_family(
                    "palisade_waf_failures_total",
                    "Requests that SecLang rules couldn't judge to the end, by reason and by the rule that was asked",
                    &["reason", "rule"],
                )?;
                for reason in FAILURES {
                    failures.get_metric_with_label_values(&[reason, NO_RULE])?;
                }
                failures
            },
            failed_rules: Mutex::default(),
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

    /// A request couldn't be judged to the end; `rule`: the one that was asked, if one was.
    pub fn failed(&self, reason: &'static str, rule: Option<u64>) {
        let rule = rule.map(|rule| self.label_of(rule));
        let rule = rule.as_deref().unwrap_or(NO_RULE);
        // Two labels for two names of labels: that can't be an error.
        if let Ok(counter) = self.failures.get_metric_with_label_values(&[reason, rule]) {
            counter.inc();
        }
    }

    /// Its id, as long as there are not too many.
    fn label_of(&self, rule: u64) -> String {
        let known = self.failed_rules.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        let is_known =
            known.contains(&rule) || (known.len() < FAILED_RULES_MAX && known.insert(rule));
        match is_known {
            true => rule.to_string(),
            false => "other".to_owned(),
        }
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
