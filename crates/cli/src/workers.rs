//! The threads that serve connections.
//!
//! Each has a runtime of its own and accepts on the same sockets: a connection stays on the thread
//! that accepted it, so that nothing of a request crosses threads.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use palisade_proxy::{Listener, Shared};

use crate::complain;

/// The threads that serve connections.
pub(crate) struct Workers(Vec<JoinHandle<()>>);

impl Workers {
    /// Starts `count` threads that serve what `listeners` accept.
    pub(crate) fn start(
        count: usize,
        listeners: &[Arc<Listener>],
        shared: &Arc<Shared>,
    ) -> Result<Self> {
        let mut threads = Vec::with_capacity(count);
        for number in 0..count {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .context("can't make a runtime")?;
            let (listeners, shared) = (listeners.to_vec(), Arc::clone(shared));
            let thread = std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || {
                    if let Err(error) = runtime.block_on(accept_all(listeners, shared)) {
                        // Whoever watches over the process has to know, which a gate that only
                        // looks open would keep from it.
                        complain(&format!("palisade: can't accept connections: {error}"));
                        std::process::exit(1);
                    }
                })
                .context("can't start a thread")?;
            threads.push(thread);
        }
        Ok(Self(threads))
    }

    /// Waits until all are done with what they are at.
    pub(crate) fn join(self) {
        for thread in self.0 {
            // A panic was told when it happened.
            let _ = thread.join();
        }
    }
}

/// Ends when the process drains.
async fn accept_all(listeners: Vec<Arc<Listener>>, shared: Arc<Shared>) -> io::Result<()> {
    let mut accepting = tokio::task::JoinSet::new();
    for listener in listeners {
        accepting.spawn(listener.accept(Arc::clone(&shared)));
    }
    while let Some(ended) = accepting.join_next().await {
        ended??;
    }
    Ok(())
}
