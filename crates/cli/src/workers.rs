//! The threads that serve connections.
//!
//! Each has a runtime of its own and accepts on the same sockets: a connection stays on the thread
//! that accepted it, so that nothing of a request crosses threads.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use palisade_proxy::{Listener, Listeners, Shared};
use palisade_telemetry::Report;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::complain;
use crate::pulse::Pulse;

/// How long a thread waits that can't watch the socket of a new listener, before it tries again. The
/// other threads accept meanwhile.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The threads that serve connections.
pub(crate) struct Workers {
    threads: Vec<JoinHandle<()>>,
    runtimes: Vec<Handle>,
}

/// What a thread needs.
#[derive(Clone)]
struct Worker {
    listeners: Listeners,
    shared: Arc<Shared>,
    report: Arc<dyn Report>,
}

impl Workers {
    /// Starts `count` threads that serve what `listeners` accept, whichever they are at the time.
    pub(crate) fn start(
        count: usize,
        listeners: &Listeners,
        shared: &Arc<Shared>,
        report: &Arc<dyn Report>,
        pulse: &Pulse,
    ) -> Result<Self> {
        let mut threads = Vec::with_capacity(count);
        let mut runtimes = Vec::with_capacity(count);
        for number in 0..count {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                // Where long bodies are judged, one at a time.
                .max_blocking_threads(1)
                .build()
                .context("can't make a runtime")?;
            let worker = Worker {
                listeners: listeners.clone(),
                shared: Arc::clone(shared),
                report: Arc::clone(report),
            };
            runtimes.push(runtime.handle().clone());
            let beat = pulse.beat();
            let thread = std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || {
                    runtime.spawn(beat.answer());
                    if let Err(error) = runtime.block_on(worker.serve()) {
                        // Whoever watches over the process has to know, which a gate that only
                        // looks open would keep from it.
                        complain(&format!("palisade: can't accept connections: {error}"));
                        std::process::exit(1);
                    }
                })
                .context("can't start a thread")?;
            threads.push(thread);
        }
        Ok(Self { threads, runtimes })
    }

    /// The runtime of each.
    pub(crate) fn runtimes(&self) -> &[Handle] {
        &self.runtimes
    }

    /// Waits until all are done with what they are at.
    pub(crate) fn join(self) {
        for thread in self.threads {
            // A panic was told when it happened.
            let _ = thread.join();
        }
    }
}

impl Worker {
    /// Accepts on the listeners that are open, follows their changes, and ends when the process
    /// drains.
    async fn serve(self) -> io::Result<()> {
        let mut changes = self.listeners.follow();
        let mut draining = self.shared.draining.clone();
        let mut accepting = JoinSet::new();
        let mut known = changes.borrow_and_update().clone();
        for listener in &*known {
            accepting.spawn(Arc::clone(listener).accept(Arc::clone(&self.shared)));
        }
        loop {
            tokio::select! {
                biased;
                _ = draining.wait_for(|draining| *draining) => break,
                // One that was closed ends once its connections have.
                Some(ended) = accepting.join_next() => ended??,
                Ok(()) = changes.changed() => {
                    let now = changes.borrow_and_update().clone();
                    let is_new = |listener: &&Arc<Listener>| {
                        known.iter().all(|known| !Arc::ptr_eq(known, listener))
                    };
                    for listener in now.iter().filter(is_new) {
                        accepting.spawn(self.clone().accept_in_the_end(Arc::clone(listener)));
                    }
                    known = now;
                }
            }
        }
        while let Some(ended) = accepting.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// As [`Listener::accept`], for a listener that opened later: then a thread that can't watch its
    /// socket is no reason to end the process.
    async fn accept_in_the_end(self, listener: Arc<Listener>) -> io::Result<()> {
        while let Err(error) = Arc::clone(&listener).accept(Arc::clone(&self.shared)).await {
            let message = format!("a thread can't accept connections yet: {error}");
            let address = listener.address();
            self.report
                .error("listener", &message, &[("address", &address)]);
            if *self.shared.draining.borrow() {
                break;
            }
            sleep(RETRY_PAUSE).await;
        }
        Ok(())
    }
}
