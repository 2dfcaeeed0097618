//! What became of requests.

use prometheus::{Histogram, IntCounter, Result};

use super::LATENCY_BUCKETS;
use super::family::{By, Registrar};
use super::labels::{OutcomeLabel, StatusClass};
use crate::AccessEvent;

pub(crate) struct RequestMetrics {
    requests: By<OutcomeLabel, By<StatusClass, IntCounter>>,
    response_bytes: IntCounter,
    duration: Histogram,
}

impl RequestMetrics {
    pub(super) fn register(registrar: &Registrar) -> Result<Self> {
        Ok(Self {
            requests: registrar.counters2(
                "palisade_requests_total",
                "Requests by what became of them and the class of their status",
                ["outcome", "status"],
            )?,
            response_bytes: registrar.counter(
                "palisade_response_body_bytes_total",
                "Bytes of response bodies sent to clients",
            )?,
            duration: registrar.histogram(
                "palisade_request_duration_seconds",
                "From a request's first byte to the last byte of its answer",
                &LATENCY_BUCKETS,
            )?,
        })
    }

    /// Hot path: runs per request, allocates nothing.
    pub(crate) fn observe(&self, event: &AccessEvent<'_>) {
        self.requests
            .inc2(event.outcome.into(), StatusClass::of(event.status));
        self.response_bytes.inc_by(event.body_bytes);
        self.duration.observe(event.duration.as_secs_f64());
    }
}
