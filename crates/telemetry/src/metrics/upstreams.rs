//! Pools of backends.

use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, Result};

use super::LATENCY_BUCKETS;
use super::family::Registrar;

/// Counts what one pool of backends does. Cheap to clone.
#[derive(Clone, Debug)]
pub struct UpstreamMetrics {
    duration: Histogram,
    connect_failures: IntCounter,
    retries: IntCounter,
    ejections: IntCounter,
}

impl UpstreamMetrics {
    /// A backend answered, `duration` after forwarding began. Hot path: runs per request,
    /// allocates nothing.
    pub fn answered(&self, duration: Duration) {
        self.duration.observe(duration.as_secs_f64());
    }

    /// A server could not be connected to.
    pub fn connect_failed(&self) {
        self.connect_failures.inc();
    }

    /// A request is tried again.
    pub fn retried(&self) {
        self.retries.inc();
    }

    /// A server was taken out of the pool for a while.
    pub fn ejected(&self) {
        self.ejections.inc();
    }
}

pub(super) struct UpstreamFamilies {
    duration: HistogramVec,
    connect_failures: IntCounterVec,
    retries: IntCounterVec,
    ejections: IntCounterVec,
}

impl UpstreamFamilies {
    pub(super) fn register(registrar: &Registrar) -> Result<Self> {
        let label = &["upstream"];
        Ok(Self {
            duration: registrar.histogram_family(
                "palisade_upstream_duration_seconds",
                "From the start of forwarding to the head of the backend's answer",
                label,
                &LATENCY_BUCKETS,
            )?,
            connect_failures: registrar.counter_family(
                "palisade_upstream_connect_failures_total",
                "Connections to a backend that failed",
                label,
            )?,
            retries: registrar.counter_family(
                "palisade_upstream_retries_total",
                "Requests that were tried again",
                label,
            )?,
            ejections: registrar.counter_family(
                "palisade_upstream_ejections_total",
                "Servers taken out of their pool for a while",
                label,
            )?,
        })
    }

    pub(super) fn get(&self, name: &str) -> Result<UpstreamMetrics> {
        let label = &[name];
        Ok(UpstreamMetrics {
            duration: self.duration.get_metric_with_label_values(label)?,
            connect_failures: self.connect_failures.get_metric_with_label_values(label)?,
            retries: self.retries.get_metric_with_label_values(label)?,
            ejections: self.ejections.get_metric_with_label_values(label)?,
        })
    }

    pub(super) fn forget(&self, name: &str) {
        let label = &[name];
        // An error means that it never was.
        self.duration.remove_label_values(label).unwrap_or_default();
        self.connect_failures
            .remove_label_values(label)
            .unwrap_or_default();
        self.retries.remove_label_values(label).unwrap_or_default();
        self.ejections
            .remove_label_values(label)
            .unwrap_or_default();
    }
}
