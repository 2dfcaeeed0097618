//! Waiting for what another process does.

use std::time::{Duration, Instant};

/// Nothing that tests wait for takes longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until there is an answer. For other processes, which tell nobody when they are done.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
