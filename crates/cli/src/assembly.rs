//! From settings to the parts of a running process.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use arc_swap::ArcSwap;
use palisade_config::Settings;
use palisade_decisions::DecisionTable;
use palisade_gate::{Snapshot, State};
use palisade_hygiene::RefusalReason;
use palisade_proxy::{Clock, Generation, Listener, Shared};
use palisade_telemetry::{
    GeoDatabase, LogSettings, MetricLabels, Metrics, OperatorLog, Report, Telemetry,
};
use palisade_upstream::Upstreams;
use tokio::sync::watch;

use crate::VERSION;

/// The parts of a running process.
pub(crate) struct Process {
    pub(crate) shared: Arc<Shared>,
    pub(crate) listeners: Vec<Arc<Listener>>,
    pub(crate) report: Arc<dyn Report>,
    /// Send `true` to drain.
    pub(crate) drain: watch::Sender<bool>,
}

impl Process {
    /// Builds everything that the settings describe, and opens the listeners.
    pub(crate) fn assemble(settings: &Settings) -> Result<Self> {
        let report: Arc<dyn Report> = Arc::new(OperatorLog::stderr());
        let metrics = Arc::new(Metrics::new(MetricLabels {
            version: VERSION,
            hygiene_reasons: &hygiene_reasons(),
            proxy_reasons: &[],
        })?);
        let telemetry = open_logs(&settings.logs, &metrics, &report)?;
        let clock = Clock::start();
        let state = State::new(Arc::new(DecisionTable::new()));
        state
            .crowdsec
            .configure(settings.crowdsec.is_some(), clock.now());
        let generation = generation(1, settings, &Upstreams::default(), telemetry)?;
        metrics.snapshot.started(1);
        let (drain, draining) = watch::channel(false);
        let shared = Arc::new(Shared {
            generation: ArcSwap::from_pointee(generation),
            state: Arc::new(state),
            metrics,
            clock,
            draining,
        });
        let bound = settings.listeners.iter().cloned().map(Listener::bind);
        Ok(Self {
            listeners: bound.collect::<Result<_, _>>()?,
            shared,
            report,
            drain,
        })
    }
}

/// What one reading of the settings makes; servers that stay in `old` keep what is known of them.
pub(crate) fn generation(
    number: u64,
    settings: &Settings,
    old: &Upstreams,
    telemetry: Telemetry,
) -> Result<Generation> {
    let snapshot = Snapshot::build(settings.gate.clone(), Arc::clone(&settings.geo));
    let snapshot = snapshot.map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow!("access rules can't be compiled: {}", errors.join("; "))
    })?;
    let geo = &telemetry.metrics().geo;
    geo.set_loaded(GeoDatabase::Country, settings.geo.country.is_some());
    geo.set_loaded(GeoDatabase::Asn, settings.geo.asn.is_some());
    let upstreams = old.rebuild(settings.upstreams.clone())?;
    Ok(Generation::new(
        number,
        snapshot,
        upstreams,
        Arc::new(telemetry),
    )?)
}

fn open_logs(
    settings: &LogSettings,
    metrics: &Arc<Metrics>,
    report: &Arc<dyn Report>,
) -> Result<Telemetry> {
    Telemetry::open(settings, Arc::clone(metrics), Arc::clone(report)).context("can't open the logs")
}

fn hygiene_reasons() -> Vec<&'static str> {
    RefusalReason::ALL
        .iter()
        .map(|reason| reason.as_str())
        .collect()
}
