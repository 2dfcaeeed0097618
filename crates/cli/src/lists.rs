//! Between lists from files and servers and the rest of the process: who is told what.

use std::sync::Arc;
use std::time::Duration;

use palisade_decisions::DecisionTable;
use palisade_feeds::{ListEvent, Lists, Severity};
use palisade_proxy::Clock;
use palisade_telemetry::{Level, ListReading, Metrics, Report};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::interval;

/// How often the metrics hear how lists are.
const INTERVAL: Duration = Duration::from_secs(1);

/// No list yet. To be called on a runtime, which fetches them.
pub(crate) fn lists(
    table: &Arc<DecisionTable>,
    state_directory: Option<&std::path::Path>,
    clock: Clock,
    report: &Arc<dyn Report>,
) -> Lists {
    let report = Arc::clone(report);
    let tell = move |list: &str, event: &ListEvent| {
        let level = match event.severity() {
            Severity::Info => Level::Info,
            Severity::Warning => Level::Warn,
        };
        report.report(level, "lists", &event.to_string(), &[("list", &list)]);
    };
    Lists::new(
        Arc::clone(table),
        state_directory.map(Into::into),
        Arc::new(move || clock.now()),
        Handle::current(),
        tell,
    )
}

/// Says in the metrics how lists are, until the process drains.
pub(crate) async fn pass_on(
    lists: Arc<Lists>,
    metrics: Arc<Metrics>,
    mut draining: watch::Receiver<bool>,
) {
    let mut tick = interval(INTERVAL);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = draining.wait_for(|draining| *draining) => return,
        }
        let statuses = lists.statuses();
        let readings = statuses.iter().map(|list| ListReading {
            purpose: list.purpose,
            name: &list.name,
            entries: list.entries(),
            bad_entries: list.bad_entries(),
            age: list.age(),
            failures: list.failures(),
            is_not_saved: !list.is_saved(),
        });
        metrics.set_lists(readings);
    }
}
