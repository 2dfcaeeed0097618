//! How many tasks the runtimes have, for the metrics: what is forgotten in one shows there.

use std::sync::Arc;
use std::time::Duration;

use palisade_telemetry::Metrics;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::interval;

const INTERVAL: Duration = Duration::from_secs(1);

/// Counts the tasks of `runtimes`, until the process drains.
pub(crate) async fn count(
    runtimes: Vec<Handle>,
    metrics: Arc<Metrics>,
    mut draining: watch::Receiver<bool>,
) {
    let mut tick = interval(INTERVAL);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = draining.wait_for(|draining| *draining) => return,
        }
        let tasks = runtimes
            .iter()
            .map(|runtime| runtime.metrics().num_alive_tasks());
        metrics.set_tasks(tasks.sum());
    }
}
