//! How many tasks the runtimes have and what bodies hold, for the metrics: what is forgotten shows there.

use std::sync::Arc;
use std::time::Duration;

use palisade_proxy::Shared;
use tokio::runtime::Handle;
use tokio::time::interval;

const INTERVAL: Duration = Duration::from_secs(1);

/// Counts the tasks of `runtimes` and of the one that this is called on, until the process drains.
pub(crate) async fn count(mut runtimes: Vec<Handle>, shared: Arc<Shared>) {
    runtimes.push(Handle::current());
    let mut draining = shared.draining.clone();
    let mut tick = interval(INTERVAL);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = draining.wait_for(|draining| *draining) => return,
        }
        let tasks = runtimes
            .iter()
            .map(|runtime| runtime.metrics().num_alive_tasks());
        shared.metrics.set_tasks(tasks.sum());
        let held = shared.rules.body_memory.bytes();
        shared.metrics.rules.set_body_memory(held);
        let held = shared.rules.shadow.memory().bytes();
        shared.metrics.shadow.set_memory(held);
    }
}
