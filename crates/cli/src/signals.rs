//! What the process is told by signals.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// SIGTERM, SIGINT: drain and stop.
    Stop,
    /// SIGHUP: read the settings again.
    Reload,
    /// SIGQUIT: let another process take this one's place.
    Upgrade,
}

/// Signals that come before there is a runtime to take them.
pub(crate) struct EarlySignals {
    stop: Arc<AtomicBool>,
    handlers: Vec<SigId>,
}

impl EarlySignals {
    /// Notes the signals from now on. Before anything else: process 1 of a container is sent none that
    /// it has no handler for, and any other process would end by them.
    ///
    /// # Errors
    /// When the system says no.
    pub(crate) fn note() -> io::Result<Self> {
        let (stop, nothing) = (Arc::default(), Arc::default());
        let mut handlers = Vec::new();
        for (number, flag) in [
            (SIGTERM, &stop),
            (SIGINT, &stop),
            // The settings are being read anyway, and nobody serves whose place could be taken.
            (SIGHUP, &nothing),
            (SIGQUIT, &nothing),
        ] {
            handlers.push(signal_hook::flag::register(number, Arc::clone(flag))?);
        }
        Ok(Self { stop, handlers })
    }

    /// Takes the signals from now on. To be called on a runtime.
    ///
    /// # Errors
    /// When the system says no.
    pub(crate) fn take(self) -> io::Result<Signals> {
        let signals = Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
            stop: self.stop,
        };
        for handler in self.handlers {
            signal_hook::low_level::unregister(handler);
        }
        Ok(signals)
    }
}

/// The signals that mean something to a running process.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    quit: Signal,
    /// It was told to stop before there was a runtime.
    stop: Arc<AtomicBool>,
}

impl Signals {
    /// Completes when the process is told to stop; other signals are not obeyed any more. Cancel safe.
    pub(crate) async fn stopped(&mut self) {
        while self.next().await != Told::Stop {}
    }

    /// The next signal; several of one kind that came together are one. Cancel safe.
    pub(crate) async fn next(&mut self) -> Told {
        if self.stop.swap(false, Ordering::Relaxed) {
            return Told::Stop;
        }
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.quit.recv() => Told::Upgrade,
            _ = self.hang_up.recv() => Told::Reload,
        }
    }
}
