//! What a service of `Type=notify` tells systemd (sd_notify(3)). Without systemd, nothing is told.
//!
//! Only the main process of a service is listened to (`NotifyAccess=main`), so a process that takes
//! another's place speaks when that one has named it.

use std::sync::Arc;
use std::time::Duration;

use palisade_telemetry::Report;
use sd_notify::NotifyState;
use tokio::time::interval;

use crate::pulse::Pulse;

/// The settings of this generation are in use.
pub(crate) fn ready(generation: u64) {
    let status = format!("serving, settings generation {generation}");
    tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// The settings are being read again; [`ready`] follows, also where the old ones stay.
pub(crate) fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// The process ends.
pub(crate) fn stopping() {
    tell(&[
        NotifyState::Stopping,
        NotifyState::Status("draining: no new connections"),
    ]);
}

/// Another process is the main one from now on.
pub(crate) fn main_process(pid: u32) {
    tell(&[NotifyState::MainPid(pid)]);
}

fn tell(states: &[NotifyState<'_>]) {
    // Nobody is left to tell of it but systemd, which notices that it hears nothing.
    let _ = sd_notify::notify(states);
}

/// Tells systemd's watchdog, where there is one (`WatchdogSec=`), twice in its time that all threads
/// run. Says nothing as long as one doesn't, so that systemd starts the service anew.
pub(crate) async fn keep_alive(pulse: Arc<Pulse>, report: Arc<dyn Report>) {
    let Some(within) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut tick = interval((within / 2).max(Duration::from_millis(1)));
    let mut was_silent = false;
    loop {
        tick.tick().await;
        match pulse.silent() {
            None => {
                tell(&[NotifyState::Watchdog]);
                pulse.ask();
                was_silent = false;
            }
            Some(thread) if !was_silent => {
                let message = "a thread is stuck; systemd's watchdog is not told that all is well";
                report.error("watchdog", message, &[("thread", &thread)]);
                was_silent = true;
            }
            Some(_) => {}
        }
    }
}
