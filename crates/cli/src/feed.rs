//! Between CrowdSec's poller and the rest of the process: who is told what.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use palisade_admin::AdminContext;
use palisade_crowdsec::{LapiEvent, LapiStatus, PollResult, Poller, Severity};
use palisade_proxy::Shared;
use palisade_telemetry::{DecisionCount, LapiMetrics, Level, Report};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::interval;

/// How often what the poller found is passed on.
const INTERVAL: Duration = Duration::from_millis(250);

/// How often decisions are counted for the metrics, and ended ones cleared away.
const COUNT_INTERVAL: Duration = Duration::from_secs(5);

/// The poller of the settings. It has asked nothing yet.
pub(crate) fn poller(
    settings: &palisade_crowdsec::Settings,
    shared: &Shared,
    report: &Arc<dyn Report>,
) -> Result<Poller> {
    let clock = shared.clock;
    let poller = Poller::new(
        settings,
        Arc::clone(&shared.state.decisions),
        Arc::new(move || clock.now()),
        Arc::new(tell(Arc::clone(report))),
    );
    poller.context("can't ask CrowdSec's LAPI")
}

/// Puts what was saved into the table, and saves there from now on. Reads a file.
pub(crate) fn with_saved(poller: Poller, state_directory: Option<&Path>) -> Poller {
    match state_directory {
        Some(directory) => poller.with_state_directory(directory),
        None => poller,
    }
}

/// Ends when `true` is told.
pub(crate) async fn until(mut told: watch::Receiver<bool>) {
    // An error means that whoever could tell is gone.
    let _ = told.wait_for(|told| *told).await;
}

/// The results that a poll can have besides success, as the metrics name them.
pub(crate) fn failures(status: &LapiStatus) -> Vec<&'static str> {
    let results = status.polls().map(|(result, _)| result);
    let failures = results.filter(|result| *result != PollResult::Ok);
    failures.map(|result| result.label()).collect()
}

pub(crate) fn tell(report: Arc<dyn Report>) -> impl Fn(&LapiEvent) + Send + Sync {
    move |event| {
        let level = match event.severity() {
            Severity::Info => Level::Info,
            Severity::Warning => Level::Warn,
            Severity::Error => Level::Error,
        };
        report.report(level, "lapi", &event.to_string(), &[]);
    }
}

/// Passes on what the poller found, until it is stopped: to the failure policy, which asks how old the
/// last good poll is, and to the metrics.
pub(crate) async fn pass_on(
    status: Arc<LapiStatus>,
    metrics: Arc<LapiMetrics>,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut told = Told::default();
    let mut tick = interval(INTERVAL);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        if let Some(last_good) = status.last_good_poll() {
            shared.state.crowdsec.observe_good(last_good);
        }
        told.tell(&status, &metrics);
        metrics.set_not_saved(status.not_saved().is_some());
    }
}

/// How many polls of each result the metrics know of.
#[derive(Default)]
struct Told(Vec<(PollResult, u64)>);

impl Told {
    fn tell(&mut self, status: &LapiStatus, metrics: &LapiMetrics) {
        for (result, polls) in status.polls() {
            let known = match self.0.iter_mut().find(|(known, _)| *known == result) {
                Some((_, known)) => known,
                None => {
                    self.0.push((result, 0));
                    continue;
                }
            };
            for _ in *known..polls {
                match result {
                    PollResult::Ok => {
                        metrics.succeeded(status.last_good_poll().unwrap_or_default())
                    }
                    PollResult::KeyRefused => metrics.key_refused(result.label()),
                    _ => metrics.failed(result.label()),
                }
            }
            *known = polls;
        }
    }
}

/// Writes local decisions that the disk refused, once it takes them, until the process drains.
pub(crate) async fn catch_up(admin: Arc<AdminContext>, mut draining: watch::Receiver<bool>) {
    let mut tick = interval(COUNT_INTERVAL);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = draining.wait_for(|draining| *draining) => return,
        }
        let at_work = Arc::clone(&admin);
        let writing = spawn_blocking(move || {
            let now = at_work.shared.clock.now();
            if at_work.local.catch_up(now) {
                let message = "the local decisions that could not be written are on the disk";
                at_work.report.info("decisions", message, &[]);
            }
        });
        // An error means that the process ends.
        let _ = writing.await;
    }
}

/// Counts decisions for the metrics and clears ended ones away, until the process drains.
pub(crate) async fn keep_house(shared: Arc<Shared>, mut draining: watch::Receiver<bool>) {
    let mut tick = interval(COUNT_INTERVAL);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = draining.wait_for(|draining| *draining) => return,
        }
        let now = shared.clock.now();
        shared.state.decisions.purge_expired(now);
        shared.generation.load().upstreams.sweep(now);
        let counts = shared.state.decisions.counts();
        let counts = counts.iter().map(|count| DecisionCount {
            origin: &count.origin_label,
            kind: count.remedy.as_str(),
            count: count.decisions as u64,
        });
        shared.metrics.set_decisions(counts);
    }
}
