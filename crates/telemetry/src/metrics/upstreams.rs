//! Pools of backends.

use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Result};

use super::LATENCY_BUCKETS;
use super::family::Registrar;

/// Why a request gets no server with room.
const QUEUE_FULL: &str = "full";
const QUEUE_TIMEOUT: &str = "timeout";

/// Counts what one pool of backends does. Cheap to clone.
#[derive(Clone, Debug)]
pub struct UpstreamMetrics {
    duration: Histogram,
    connect_failures: IntCounter,
    retries: IntCounter,
    ejections: IntCounter,
    retries_refused: IntCounter,
    queue_full: IntCounter,
    queue_timeouts: IntCounter,
    http1_answers: IntCounter,
    http2_answers: IntCounter,
    stream_resets: IntCounter,
}

/// What was spoken with a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendProtocol {
    /// HTTP/1.1, or 1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

impl UpstreamMetrics {
    /// A backend answered, `duration` after forwarding began. Hot path: runs per request,
    /// allocates nothing.
    pub fn answered(&self, protocol: BackendProtocol, duration: Duration) {
        self.duration.observe(duration.as_secs_f64());
        match protocol {
            BackendProtocol::Http1 => self.http1_answers.inc(),
            BackendProtocol::Http2 => self.http2_answers.inc(),
        }
    }

    /// A backend reset the stream of a request.
    pub fn stream_reset(&self) {
        self.stream_resets.inc();
    }

    /// A server could not be connected to.
    pub fn connect_failed(&self) {
        self.connect_failures.inc();
    }

    /// A request is tried again.
    pub fn retried(&self) {
        self.retries.inc();
    }

    /// A request is not tried again because too many were.
    pub fn retry_refused(&self) {
        self.retries_refused.inc();
    }

    /// A request found no server with room, and the queue full.
    pub fn queue_was_full(&self) {
        self.queue_full.inc();
    }

    /// A request waited for a server with room in vain.
    pub fn queue_timed_out(&self) {
        self.queue_timeouts.inc();
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
    answers: IntCounterVec,
    stream_resets: IntCounterVec,
    retries_refused: IntCounterVec,
    queue_refusals: IntCounterVec,
    queued: IntGaugeVec,
    server_up: IntGaugeVec,
    server_in_flight: IntGaugeVec,
    server_check_failures: IntGaugeVec,
    server_name_failing: IntGaugeVec,
}

/// What the metrics show of one server of a pool.
#[derive(Clone, Copy, Debug)]
pub struct ServerGauges<'a> {
    /// Its pool's name.
    pub upstream: &'a str,
    /// Its address as settings have it.
    pub server: &'a str,
    /// Whether it gets requests.
    pub is_up: bool,
    /// How many requests are with it.
    pub in_flight: u32,
    /// How many checks of it failed; `None` where there are none.
    pub check_failures: Option<u64>,
    /// Whether its name can't be looked up now; `None` for one that is named by its address.
    pub name_failing: Option<bool>,
}

impl UpstreamFamilies {
    pub(super) fn register(registrar: &Registrar) -> Result<Self> {
        let label = &["upstream"];
        let per_server = &["upstream", "server"];
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
            retries_refused: registrar.counter_family(
                "palisade_upstream_retries_refused_total",
                "Requests that were not tried again because the retry budget was spent",
                label,
            )?,
            queue_refusals: registrar.counter_family(
                "palisade_upstream_queue_refusals_total",
                "Requests that got no server with room, by reason",
                &["upstream", "reason"],
            )?,
            queued: registrar.gauge_family(
                "palisade_upstream_queued_requests",
                "Requests that wait for a server with room",
                label,
            )?,
            server_up: registrar.gauge_family(
                "palisade_upstream_server_up",
                "1 while the server gets requests; 0 while checks or failed requests keep it out",
                per_server,
            )?,
            server_in_flight: registrar.gauge_family(
                "palisade_upstream_server_requests_in_flight",
                "Requests that are with the server",
                per_server,
            )?,
            server_check_failures: registrar.gauge_family(
                "palisade_upstream_server_check_failures",
                "Health checks of the server that failed since it is in the settings",
                per_server,
            )?,
            server_name_failing: registrar.gauge_family(
                "palisade_upstream_server_name_lookup_failing",
                "1 while the server's name can't be looked up and the last good answer is used",
                per_server,
            )?,
            answers: registrar.counter_family(
                "palisade_upstream_answers_total",
                "Answers of backends, by what was spoken with them",
                &["upstream", "protocol"],
            )?,
            stream_resets: registrar.counter_family(
                "palisade_upstream_stream_resets_total",
                "HTTP/2 streams that a backend reset",
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
            retries_refused: self.retries_refused.get_metric_with_label_values(label)?,
            queue_full: self
                .queue_refusals
                .get_metric_with_label_values(&[name, QUEUE_FULL])?,
            queue_timeouts: self
                .queue_refusals
                .get_metric_with_label_values(&[name, QUEUE_TIMEOUT])?,
            http1_answers: self
                .answers
                .get_metric_with_label_values(&[name, "http1"])?,
            http2_answers: self
                .answers
                .get_metric_with_label_values(&[name, "http2"])?,
            stream_resets: self.stream_resets.get_metric_with_label_values(label)?,
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
        for protocol in ["http1", "http2"] {
            self.answers
                .remove_label_values(&[name, protocol])
                .unwrap_or_default();
        }
        self.stream_resets
            .remove_label_values(label)
            .unwrap_or_default();
        self.retries_refused
            .remove_label_values(label)
            .unwrap_or_default();
        for reason in [QUEUE_FULL, QUEUE_TIMEOUT] {
            self.queue_refusals
                .remove_label_values(&[name, reason])
                .unwrap_or_default();
        }
    }

    /// Sets the gauges of queues and servers; what isn't named is not shown any more.
    pub(super) fn set<'a>(
        &self,
        queued: impl IntoIterator<Item = (&'a str, u32)>,
        servers: impl IntoIterator<Item = ServerGauges<'a>>,
    ) -> Result<()> {
        for family in [
            &self.queued,
            &self.server_up,
            &self.server_in_flight,
            &self.server_check_failures,
            &self.server_name_failing,
        ] {
            family.reset();
        }
        for (upstream, queued) in queued {
            let queue = self.queued.get_metric_with_label_values(&[upstream])?;
            queue.set(queued.into());
        }
        for server in servers {
            self.set_server(server)?;
        }
        Ok(())
    }

    fn set_server(&self, server: ServerGauges<'_>) -> Result<()> {
        let set = |family: &IntGaugeVec, value: i64| {
            let gauge = family.get_metric_with_label_values(&[server.upstream, server.server]);
            gauge.map(|gauge| gauge.set(value))
        };
        set(&self.server_up, server.is_up.into())?;
        set(&self.server_in_flight, server.in_flight.into())?;
        if let Some(failures) = server.check_failures {
            let failures = i64::try_from(failures).unwrap_or(i64::MAX);
            set(&self.server_check_failures, failures)?;
        }
        if let Some(failing) = server.name_failing {
            set(&self.server_name_failing, failing.into())?;
        }
        Ok(())
    }
}
