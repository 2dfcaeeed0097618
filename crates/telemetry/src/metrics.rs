//! Metrics: typed handles, and their text for Prometheus.
//!
//! Every child of a family is made when the family is, so that what runs per request is an atomic
//! addition. `METRICS.md` lists all of them.

mod authentication;
mod connections;
mod decisions;
mod family;
mod labels;
mod lapi;
mod lists;
mod requests;
mod rules;
mod shadow;
mod snapshot;
mod upstreams;

use std::sync::Arc;

use palisade_vocabulary::Tick;
use parking_lot::Mutex;
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder};

pub use authentication::AuthenticationMetrics;
pub use connections::ConnectionMetrics;
pub use decisions::DecisionCount;
pub(crate) use decisions::DecisionMetrics;
pub use labels::{GeoDatabase, HandshakeFailure, SlotRefusal, StreamRefusal};
pub use lapi::LapiMetrics;
use lists::ListFamilies;
pub use lists::ListReading;
pub(crate) use requests::RequestMetrics;
pub use rules::RuleMetrics;
pub use shadow::ShadowMetrics;
pub(crate) use shadow::shadow_skips;
pub use snapshot::{GeoMetrics, SnapshotMetrics};
pub use upstreams::{BackendProtocol, ServerGauges, UpstreamMetrics};

use crate::Sink;
pub(crate) use family::Label;
use family::Registrar;
use upstreams::UpstreamFamilies;

/// Latencies of requests and backends, in seconds.
const LATENCY_BUCKETS: [f64; 14] = [
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
];

/// What the metrics must know to have all their labels from the start.
#[derive(Clone, Copy, Debug)]
pub struct MetricLabels<'a> {
    /// The version of Palisade.
    pub version: &'a str,
    /// The reasons that hygiene refuses for, to be shown before the first refusal.
    pub hygiene_reasons: &'a [&'static str],
    /// The reasons that a PROXY header is refused for, likewise.
    pub proxy_reasons: &'a [&'static str],
}

/// A metric that can't be made: two have one name, or a name is no name.
#[derive(Debug, thiserror::Error)]
#[error("can't make the metrics: {0}; expected names as Prometheus has them, each once")]
pub struct MetricsError(#[from] prometheus::Error);

/// All metrics of the process. They survive reloads.
pub struct Metrics {
    registry: Registry,
    /// What a process without CrowdSec doesn't show: an age that grows for ever would be an alarm.
    lapi: Mutex<Option<(Registry, Arc<LapiMetrics>)>>,
    upstreams: UpstreamFamilies,
    lists: ListFamilies,
    dropped_lines: IntCounterVec,
    write_errors: IntCounterVec,
    confinement: IntGaugeVec,
    tasks: IntGauge,
    pub(crate) requests: RequestMetrics,
    pub(crate) decisions: DecisionMetrics,
    /// Connections of clients.
    pub connections: ConnectionMetrics,
    /// Who clients are found to be, and lockouts.
    pub authentication: AuthenticationMetrics,
    /// SecLang rules.
    pub rules: RuleMetrics,
    /// Sets of rules that judge beside others.
    pub shadow: ShadowMetrics,
    /// The settings in use.
    pub snapshot: SnapshotMetrics,
    /// The geo databases.
    pub geo: GeoMetrics,
}

/// What is counted of one sink.
#[derive(Clone, Debug)]
pub struct SinkMetrics {
    /// Lines that were dropped: the sink was full, or took nothing until the end.
    pub dropped_lines: IntCounter,
    /// Writes, and openings after a rotation, that failed.
    pub write_errors: IntCounter,
}

impl Metrics {
    /// Makes all metrics, at zero.
    ///
    /// # Errors
    /// Two of them have one name: a mistake in this crate.
    pub fn new(labels: MetricLabels<'_>) -> Result<Self, MetricsError> {
        let registrar = Registrar::default();
        build_info(&registrar, labels.version)?;
        Ok(Self {
            lapi: Mutex::new(None),
            upstreams: UpstreamFamilies::register(&registrar)?,
            lists: ListFamilies::register(&registrar)?,
            dropped_lines: registrar.counter_family(
                "palisade_log_lines_dropped_total",
                "Log lines that were dropped because their sink was too slow or broken",
                &["sink"],
            )?,
            write_errors: registrar.counter_family(
                "palisade_log_write_errors_total",
                "Failed writes to a sink of logs",
                &["sink"],
            )?,
            confinement: registrar.gauge_family(
                "palisade_confinement",
                "1 where the process gave up what this layer keeps from it",
                &["layer"],
            )?,
            tasks: registrar.gauge(
                "palisade_tasks",
                "Tasks at work: of connections, of requests over HTTP/2, and of the process itself",
            )?,
            requests: RequestMetrics::register(&registrar)?,
            decisions: DecisionMetrics::register(&registrar, labels)?,
            connections: ConnectionMetrics::register(&registrar)?,
            authentication: AuthenticationMetrics::register(&registrar)?,
            rules: RuleMetrics::register(&registrar)?,
            shadow: ShadowMetrics::register(&registrar)?,
            snapshot: SnapshotMetrics::register(&registrar)?,
            geo: GeoMetrics::register(&registrar)?,
            registry: registrar.into_registry(),
        })
    }

    /// The metrics of CrowdSec's LAPI, made at the first call: age counts from `now` on, and
    /// `failures` are the results that a poll can have besides `ok`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn lapi(
        &self,
        failures: &[&'static str],
        now: Tick,
    ) -> Result<Arc<LapiMetrics>, MetricsError> {
        let mut lapi = self.lapi.lock();
        if let Some((_, metrics)) = lapi.as_ref() {
            return Ok(Arc::clone(metrics));
        }
        let registrar = Registrar::default();
        let metrics = Arc::new(LapiMetrics::register(&registrar, failures, now)?);
        *lapi = Some((registrar.into_registry(), Arc::clone(&metrics)));
        Ok(metrics)
    }

    /// Shows no metrics of the LAPI any more: settings without CrowdSec came.
    pub fn forget_lapi(&self) {
        *self.lapi.lock() = None;
    }

    /// Says how the lists from files and servers are; a list that isn't in `readings` is shown no
    /// more.
    pub fn set_lists<'a>(&self, readings: impl IntoIterator<Item = ListReading<'a>>) {
        // The labels of a reading are as many as a family has: that can't be an error.
        self.lists.set(readings).unwrap_or_default();
    }

    /// The metrics of the pool `name`; the same ones for the same name.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn upstream(&self, name: &str) -> Result<UpstreamMetrics, MetricsError> {
        Ok(self.upstreams.get(name)?)
    }

    /// Shows no metrics of the pool `name` any more: settings without it came.
    pub fn forget_upstream(&self, name: &str) {
        self.upstreams.forget(name);
    }

    /// Sets what is shown of the queues of pools, by name, and of their servers; what isn't named is
    /// not shown any more.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn set_servers<'a>(
        &self,
        queued: impl IntoIterator<Item = (&'a str, u32)>,
        servers: impl IntoIterator<Item = ServerGauges<'a>>,
    ) -> Result<(), MetricsError> {
        Ok(self.upstreams.set(queued, servers)?)
    }

    /// The metrics of a sink; the same ones for the same sink.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn sink(&self, sink: &Sink) -> Result<SinkMetrics, MetricsError> {
        let name = sink.to_string();
        Ok(SinkMetrics {
            dropped_lines: self.dropped_lines.get_metric_with_label_values(&[&name])?,
            write_errors: self.write_errors.get_metric_with_label_values(&[&name])?,
        })
    }

    /// Sets whether a layer of confinement holds.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn set_confinement(&self, layer: &'static str, holds: bool) -> Result<(), MetricsError> {
        let layer = self.confinement.get_metric_with_label_values(&[layer])?;
        layer.set(i64::from(holds));
        Ok(())
    }

    /// Sets how many tasks there are.
    pub fn set_tasks(&self, tasks: usize) {
        self.tasks.set(i64::try_from(tasks).unwrap_or(i64::MAX));
    }

    /// Shows no metrics of a sink any more: settings without it came.
    pub fn forget_sink(&self, sink: &Sink) {
        let name = sink.to_string();
        for family in [&self.dropped_lines, &self.write_errors] {
            // An error means that it never was.
            family.remove_label_values(&[&name]).unwrap_or_default();
        }
    }

    /// Sets how many decisions are in force; what isn't in `counts` is 0.
    pub fn set_decisions<'a>(&self, counts: impl IntoIterator<Item = DecisionCount<'a>>) {
        self.decisions.set_active(counts);
    }

    /// Appends all metrics as text (Prometheus exposition format 0.0.4: content type
    /// [`Self::CONTENT_TYPE`]). Ages are as of `now`.
    ///
    /// # Errors
    /// A metric can't be written as text.
    pub fn render(&self, now: Tick, out: &mut String) -> Result<(), MetricsError> {
        Ok(TextEncoder::new().encode_utf8(&self.gather(now), out)?)
    }

    /// The content type of [`Self::render`].
    pub const CONTENT_TYPE: &'static str = prometheus::TEXT_FORMAT;

    fn gather(&self, now: Tick) -> Vec<MetricFamily> {
        let mut families = self.registry.gather();
        if let Some((registry, metrics)) = self.lapi.lock().as_ref() {
            metrics.set_age(now);
            families.extend(registry.gather());
        }
        families
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn build_info(registrar: &Registrar, version: &str) -> Result<(), MetricsError> {
    let family: IntGaugeVec = registrar.gauge_family(
        "palisade_build_info",
        "Always 1; the version is a label",
        &["version"],
    )?;
    family.get_metric_with_label_values(&[version])?.set(1);
    Ok(())
}

#[cfg(test)]
mod tests;
