//! From settings to the parts of a running process.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow};
use arc_swap::{ArcSwap, ArcSwapOption};
use palisade_admin::{AdminContext, Doors, LocalDecisions, ReloadStatus};
use palisade_client_address::proxy_protocol::ProxyRefusal;
use palisade_config::{Loaded, Settings};
use palisade_confinement::Confinement;
use palisade_crowdsec::Poller;
use palisade_decisions::DecisionTable;
use palisade_gate::{Snapshot, State};
use palisade_hygiene::RefusalReason;
use palisade_proxy::{Clock, Generation, Listener, Listeners, Shared};
use palisade_telemetry::{GeoDatabase, MetricLabels, Metrics, OperatorLog, Report, Telemetry};
use palisade_upstream::Upstreams;
use tokio::sync::watch;

use crate::{VERSION, confinement, feed, refused};

/// The parts of a running process.
pub(crate) struct Process {
    pub(crate) shared: Arc<Shared>,
    pub(crate) listeners: Listeners,
    /// What the doors show and change.
    pub(crate) admin: Arc<AdminContext>,
    pub(crate) report: Arc<dyn Report>,
    /// Send `true` to drain.
    pub(crate) drain: watch::Sender<bool>,
    /// Given to what runs beside the requests.
    pub(crate) doors: Doors,
    pub(crate) poller: Option<Poller>,
}

impl Process {
    /// Builds everything that the settings describe, puts saved decisions into the table, and opens
    /// the sockets.
    pub(crate) fn assemble(loaded: &Loaded, confinement: Confinement) -> Result<Self> {
        let settings = &loaded.settings;
        let report: Arc<dyn Report> = Arc::new(OperatorLog::stderr());
        let (drain, draining) = watch::channel(false);
        let shared = shared(settings, &report, draining)?;
        confinement::tell(&confinement, settings, &shared.metrics, &*report)?;
        let now = shared.clock.now();
        let saved_in = settings.state_directory.as_deref();
        let table = Arc::clone(&shared.state.decisions);
        let (local, problem) = LocalDecisions::open(table, saved_in, now);
        if let Some(problem) = problem {
            report.error("decisions", &problem.to_string(), &[]);
        }
        let poller = match &settings.crowdsec {
            Some(crowdsec) => {
                let poller = feed::poller(crowdsec, &shared, &report)?;
                Some(feed::with_saved(poller, saved_in))
            }
            None => None,
        };
        let listeners = Listeners::new(open(settings)?);
        let doors = Doors::bind(settings.metrics.as_ref(), settings.admin.as_ref())
            .map_err(|error| refused::door(&error, settings))?;
        let reload = Arc::new(ReloadStatus::default());
        reload.loaded(&loaded.sources.hash(), now);
        let admin = Arc::new(AdminContext {
            version: VERSION,
            confinement: Arc::new(confinement),
            started: SystemTime::now(),
            shared: Arc::clone(&shared),
            listeners: listeners.clone(),
            leaving: AtomicBool::new(false),
            local: Arc::new(local),
            lapi: ArcSwapOption::new(poller.as_ref().map(Poller::status)),
            reload,
            report: Arc::clone(&report),
        });
        Ok(Self {
            shared,
            listeners,
            admin,
            report,
            drain,
            doors,
            poller,
        })
    }
}

fn open(settings: &Settings) -> Result<Vec<Arc<Listener>>> {
    let bound = settings.listeners.iter().cloned().map(Listener::bind);
    let bound: Result<_, _> = bound.collect();
    bound.map_err(|error| refused::listener(&error, settings))
}

fn shared(
    settings: &Settings,
    report: &Arc<dyn Report>,
    draining: watch::Receiver<bool>,
) -> Result<Arc<Shared>> {
    let metrics = Arc::new(Metrics::new(MetricLabels {
        version: VERSION,
        hygiene_reasons: &hygiene_reasons(),
        proxy_reasons: &ProxyRefusal::REASONS,
    })?);
    let telemetry = Telemetry::open(&settings.logs, Arc::clone(&metrics), Arc::clone(report))
        .context("can't open the logs")?;
    let clock = Clock::start();
    let state = State::new(Arc::new(DecisionTable::new()));
    state.crowdsec.configure(settings.crowdsec.is_some());
    let generation = generation(1, settings, &Upstreams::default(), telemetry)?;
    metrics.snapshot.started(1);
    tell_geo(settings, &metrics);
    Ok(Arc::new(Shared {
        generation: ArcSwap::from_pointee(generation),
        state: Arc::new(state),
        metrics,
        clock,
        draining,
        shutdown: ArcSwap::from_pointee(settings.shutdown),
    }))
}

/// Says in the metrics which databases are there.
pub(crate) fn tell_geo(settings: &Settings, metrics: &Metrics) {
    let geo = &metrics.geo;
    geo.set_loaded(GeoDatabase::Country, settings.geo.country.is_some());
    geo.set_loaded(GeoDatabase::Asn, settings.geo.asn.is_some());
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
    let upstreams = old.rebuild(settings.upstreams.clone())?;
    Ok(Generation::new(
        number,
        snapshot,
        upstreams,
        Arc::new(telemetry),
    )?)
}

fn hygiene_reasons() -> Vec<&'static str> {
    RefusalReason::ALL
        .iter()
        .map(|reason| reason.as_str())
        .collect()
}
