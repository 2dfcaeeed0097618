//! The thread on which rules judge that refuse nothing (`waf.shadow`), which gives way to those that serve
//! clients.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_gettime};
use palisade_proxy::{Generation, Shared};
use parking_lot::Mutex;
use rustix::process::setpriority_process;

/// Its niceness (setpriority(2)), the most that there is.
const NICENESS: i32 = 19;

/// How long it may take to end with the request that it is at.
const STOP_TIME: Duration = Duration::from_secs(2);

/// The thread, once settings ask for it.
pub(crate) struct ShadowThread {
    shared: Arc<Shared>,
    /// Closed when the thread ends.
    ended: Mutex<Option<Receiver<()>>>,
}

impl ShadowThread {
    /// Starts it, if the generation in use wants it.
    pub(crate) fn of(shared: &Arc<Shared>) -> Result<Arc<Self>> {
        let thread = Self {
            shared: Arc::clone(shared),
            ended: Mutex::new(None),
        };
        thread.start_if_wanted(&shared.generation.load())?;
        Ok(Arc::new(thread))
    }

    /// Starts it where a site of this generation has such rules and it doesn't run.
    pub(crate) fn start_if_wanted(&self, generation: &Generation) -> Result<()> {
        if !generation.rule_sets.have_shadows() {
            return Ok(());
        }
        let Some(samples) = self.shared.rules.shadow.open() else {
            return Ok(());
        };
        let shared = Arc::clone(&self.shared);
        let (ends, ended) = sync_channel::<()>(0);
        std::thread::Builder::new()
            .name("shadow".to_owned())
            .spawn(move || {
                // Without it requests are judged as right, and more noticeably.
                let _ = setpriority_process(None, NICENESS);
                samples.work_off(&shared, processor_time);
                drop(ends);
            })
            .context("can't start a thread for waf.shadow")?;
        *self.ended.lock() = Some(ended);
        Ok(())
    }

    /// Ends it. What waited is let go of; what was done is told.
    pub(crate) fn stop(&self) {
        self.shared.rules.shadow.stop();
        if let Some(ended) = self.ended.lock().take() {
            // Longer than that nobody waits for it.
            let _ = ended.recv_timeout(STOP_TIME);
        }
    }
}

/// The processor time that this thread has used. By the C library: rustix reads the vDSO by itself, which
/// tools like Valgrind keep from a process.
fn processor_time() -> Duration {
    let used = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    // Linux has that clock since 2.6.12.
    used.map(Duration::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_counts_work_and_not_waiting() {
        let before = processor_time();
        std::thread::park_timeout(Duration::from_millis(50));
        let idle = processor_time() - before;
        assert!(idle < Duration::from_millis(40), "{idle:?}");
        while processor_time() - before < Duration::from_millis(60) {
            std::hint::spin_loop();
        }
    }
}
