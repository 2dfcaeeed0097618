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
    let mut tick = interval(half_of(within));
    let mut watch = Watch::default();
    loop {
        tick.tick().await;
        if watch.is_well(&pulse, &*report) {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

fn half_of(watchdog: Duration) -> Duration {
    (watchdog / 2).max(Duration::from_millis(1))
}

/// What the watchdog was told last.
#[derive(Default)]
struct Watch {
    was_silent: bool,
}

impl Watch {
    /// Whether all threads have answered what they were asked last; then they are asked again. The
    /// operator is told of one that begins not to.
    fn is_well(&mut self, pulse: &Pulse, report: &dyn Report) -> bool {
        let silent = pulse.silent();
        let was_silent = std::mem::replace(&mut self.was_silent, silent.is_some());
        match silent {
            None => pulse.ask(),
            Some(thread) if !was_silent => {
                let message = "a thread is stuck; systemd's watchdog is not told that all is well";
                report.error("watchdog", message, &[("thread", &thread)]);
            }
            Some(_) => {}
        }
        silent.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use palisade_telemetry::{Fields, Level};
    use parking_lot::Mutex;

    use super::*;

    #[derive(Default)]
    struct Told(Mutex<Cell<usize>>);

    impl Report for Told {
        fn report(&self, level: Level, topic: &'static str, _: &str, _: Fields<'_>) {
            assert_eq!((level, topic), (Level::Error, "watchdog"));
            let told = self.0.lock();
            told.set(told.get() + 1);
        }
    }

    #[test]
    fn a_stuck_thread_is_told_once_and_the_watchdog_not_until_it_runs() {
        let (pulse, told, mut watch) = (Pulse::new(), Told::default(), Watch::default());
        let stuck = pulse.beat();
        assert!(watch.is_well(&pulse, &told), "nobody was asked yet");
        assert!(!watch.is_well(&pulse, &told));
        assert!(!watch.is_well(&pulse, &told));
        assert_eq!(told.0.lock().get(), 1);
        // One that has ended isn't stuck.
        drop(stuck);
        assert!(watch.is_well(&pulse, &told));
        assert_eq!(told.0.lock().get(), 1);
    }

    #[test]
    fn the_watchdog_is_told_twice_in_its_time() {
        let check = |watchdog, expected| {
            let millis = Duration::from_millis;
            assert_eq!(half_of(millis(watchdog)), millis(expected));
        };
        check(30_000, 15_000);
        check(1, 1);
    }
}
