//! From settings to the parts of a running process.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow};
use arc_swap::{ArcSwap, ArcSwapOption};
use palisade_admin::{AdminContext, Doors, LocalDecisions, NotKept, ReloadStatus};
use palisade_client_address::proxy_protocol::ProxyRefusal;
use palisade_config::{Loaded, Settings};
use palisade_confinement::Confinement;
use palisade_crowdsec::Poller;
use palisade_decisions::{DecisionTable, Delta, SourceId};
use palisade_feeds::ListsChange;
use palisade_gate::{Snapshot, State};
use palisade_geo::GeoDatabases;
use palisade_hygiene::RefusalReason;
use palisade_proxy::{
    Clock, Generation, Listener, Listeners, Rules, RulesState, Shared, Verifications,
};
use palisade_telemetry::{
    GeoDatabase, MetricLabels, Metrics, OperatorLog, Report, Sink, Telemetry,
};
use palisade_upstream::{OwnDoors, Upstreams};
use palisade_waf::RuleSets;
use tokio::sync::watch;

use crate::inheritance::Inheritance;
use crate::shadow_thread::ShadowThread;
use crate::{VERSION, confinement, feed, lists, refused};

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
    pub(crate) shadow: Arc<ShadowThread>,
}

impl Process {
    /// Builds everything that the settings describe, puts decisions into the table that were saved or
    /// inherited, and opens the sockets that weren't inherited.
    pub(crate) fn assemble(
        loaded: &Loaded,
        confinement: Confinement,
        clock: Clock,
        mut inheritance: Inheritance,
    ) -> Result<Self> {
        let settings = &loaded.settings;
        let metrics = metrics()?;
        let report: Arc<dyn Report> = Arc::new(OperatorLog::stderr(metrics.sink(&Sink::Stderr)?)?);
        let (drain, draining) = watch::channel(false);
        let own_doors = Arc::<OwnDoors>::default();
        let none = Upstreams::beside(Arc::clone(&own_doors));
        let shared = shared(settings, &none, metrics, &report, draining, clock)?;
        confinement::tell(&confinement, settings, &shared.metrics, &*report)?;
        let shadow = ShadowThread::of(&shared)?;
        let now = shared.clock.now();
        let saved_in = settings.state_directory.as_deref();
        let table = Arc::clone(&shared.state.decisions);
        let (local, problem) = LocalDecisions::open(table, saved_in, now);
        if let Some(problem) = problem {
            report.error("decisions", &problem.to_string(), &[]);
        }
        if let Some(inherited) = inheritance.local.take()
            && let Some(not_kept @ NotKept::NotSaved { .. }) = local.take_over(inherited, now)
        {
            report.error("decisions", &not_kept.to_string(), &[]);
        }
        let poller = match &settings.crowdsec {
            Some(crowdsec) => {
                let poller = feed::poller(crowdsec, &shared, &report)?;
                Some(feed::with_saved(poller, saved_in))
            }
            None => None,
        };
        if poller.is_some()
            && let Some(added) = inheritance.lapi.take()
        {
            let snapshot = Delta {
                added,
                ..Delta::default()
            };
            let table = &shared.state.decisions;
            table.apply_snapshot(SourceId::CrowdSec, snapshot, now);
        }
        let table = &shared.state.decisions;
        let lists = lists::lists(table, saved_in, shared.clock, &report);
        lists.change(ListsChange::prepare(settings.lists.clone()).context("can't ask for lists")?);
        let (listeners, doors) = open(settings, own_doors, &mut inheritance)?;
        inheritance.close_rest(&*report);
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
            changes: Arc::default(),
            lapi: ArcSwapOption::new(poller.as_ref().map(Poller::status)),
            usage: ArcSwapOption::empty(),
            lists: Arc::new(lists),
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
            shadow,
        })
    }
}

fn open(
    settings: &Settings,
    own_doors: Arc<OwnDoors>,
    inheritance: &mut Inheritance,
) -> Result<(Listeners, Doors)> {
    let listeners = settings.listeners.iter().map(|settings| {
        match inheritance.take_listener(settings.address) {
            Some(socket) => Listener::from_socket(settings.clone(), socket),
            None => Listener::bind(settings.clone()),
        }
    });
    let listeners = listeners.collect::<Result<_, _>>();
    let listeners = listeners.map_err(|error| refused::listener(&error, settings))?;
    let doors = Doors::take(
        settings.metrics.as_ref(),
        settings.admin.as_ref(),
        own_doors,
        &mut |door| inheritance.take_door(door),
    );
    let doors = doors.map_err(|error| refused::door(&error, settings))?;
    Ok((Listeners::new(listeners), doors))
}

fn metrics() -> Result<Arc<Metrics>> {
    Ok(Arc::new(Metrics::new(MetricLabels {
        version: VERSION,
        hygiene_reasons: &hygiene_reasons(),
        proxy_reasons: &ProxyRefusal::REASONS,
    })?))
}

fn shared(
    settings: &Settings,
    upstreams: &Upstreams,
    metrics: Arc<Metrics>,
    report: &Arc<dyn Report>,
    draining: watch::Receiver<bool>,
    clock: Clock,
) -> Result<Arc<Shared>> {
    let telemetry = Telemetry::open(&settings.logs, Arc::clone(&metrics), Arc::clone(report))
        .context("can't open the logs")?;
    let state = State::new(Arc::new(DecisionTable::new()));
    state.crowdsec.configure(settings.crowdsec.is_some());
    let old = Old {
        upstreams,
        rule_sets: &RuleSets::default(),
    };
    let generation = generation(1, settings, old, telemetry)?;
    metrics.snapshot.started(1);
    tell_geo(&settings.geo, &metrics);
    Ok(Arc::new(Shared {
        generation: ArcSwap::from_pointee(generation),
        state: Arc::new(state),
        rules: RulesState::default(),
        verifications: Verifications::default(),
        metrics,
        clock,
        draining,
        shutdown: ArcSwap::from_pointee(settings.shutdown),
    }))
}

/// Says in the metrics which databases are there, and which of the files can't be used.
pub(crate) fn tell_geo(databases: &GeoDatabases, metrics: &Metrics) {
    let GeoDatabases {
        country,
        asn,
        unusable,
    } = databases;
    for (database, is_loaded, is_unusable) in [
        (GeoDatabase::Country, country.is_some(), unusable.country),
        (GeoDatabase::Asn, asn.is_some(), unusable.asn),
    ] {
        metrics.geo.set_loaded(database, is_loaded);
        if is_unusable {
            metrics.geo.load_failed(database);
        }
    }
}

/// What goes on in a new generation.
#[derive(Clone, Copy)]
pub(crate) struct Old<'a> {
    pub(crate) upstreams: &'a Upstreams,
    pub(crate) rule_sets: &'a RuleSets,
}

/// What one reading of the settings makes; servers that stay in `old` keep what is known of them.
pub(crate) fn generation(
    number: u64,
    settings: &Settings,
    old: Old<'_>,
    telemetry: Telemetry,
) -> Result<Generation> {
    let snapshot = Snapshot::build(settings.gate.clone(), Arc::clone(&settings.geo));
    let snapshot = snapshot.map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow!("access rules can't be compiled: {}", errors.join("; "))
    })?;
    let upstreams = old.upstreams.rebuild(settings.upstreams.clone())?;
    let rule_sets = settings.waf.rule_sets.clone().keeping(old.rule_sets);
    Ok(Generation::new(
        number,
        snapshot,
        Rules {
            rule_sets,
            body_memory_max: settings.waf.body_memory,
            shadow: settings.waf.shadow,
        },
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
