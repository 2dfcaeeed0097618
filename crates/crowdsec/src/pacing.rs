//! When LAPI is asked again, and for what.

use std::time::Duration;

use palisade_vocabulary::Tick;

use crate::poll_error::PollError;
use crate::settings::Settings;
use palisade_remote::Jitter;

/// What LAPI is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// All decisions (`startup=true`).
    Snapshot,
    /// What changed since the last answer.
    Delta,
}

/// The wait after a first failure; doubles with each further one.
const RETRY_FIRST: Duration = Duration::from_millis(250);
/// The longest wait after failures.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// How long LAPI may be out of reach, over one update interval, before what it deleted meanwhile
/// may be gone from its answers: it purges expired decisions every minute.
const OUTAGE_MAX: Duration = Duration::from_secs(60);
/// When an answer leaves decisions in doubt, when a snapshot settles them: one that lacks known
/// decisions, for instance, may have been cut short by LAPI.
const CONFIRM_AFTER: Duration = Duration::from_secs(60);

/// Decides when LAPI is asked again, and for what. Reads no clock and waits for nothing.
#[derive(Debug)]
pub(crate) struct Pacing {
    update_interval: Duration,
    resync_interval: Duration,
    jitter: Jitter,
    consecutive_failures: u32,
    last_good: Option<Tick>,
    /// A snapshot is due from then on; none = now.
    snapshot_due: Option<Tick>,
}

impl Pacing {
    pub(crate) fn new(settings: &Settings, jitter: Jitter) -> Self {
        Self {
            update_interval: settings.update_interval.get(),
            resync_interval: settings.resync_interval.get(),
            jitter,
            consecutive_failures: 0,
            last_good: None,
            snapshot_due: None,
        }
    }

    /// A snapshot is due, since nobody knows what happened to the cursor.
    pub(crate) fn start_over(&mut self) {
        self.snapshot_due = None;
    }

    /// What to ask for now.
    pub(crate) fn next_pull(&self, now: Tick) -> Pull {
        let (Some(last_good), Some(due)) = (self.last_good, self.snapshot_due) else {
            return Pull::Snapshot;
        };
        let outage = now.since(last_good) > self.update_interval.saturating_add(OUTAGE_MAX);
        if outage || now >= due {
            Pull::Snapshot
        } else {
            Pull::Delta
        }
    }

    /// An answer to `pull` was applied. `leaves_doubt`: the table holds decisions that only another
    /// snapshot can settle. Returns how long to wait.
    pub(crate) fn succeeded(&mut self, pull: Pull, leaves_doubt: bool, now: Tick) -> Duration {
        self.consecutive_failures = 0;
        self.last_good = Some(now);
        if pull == Pull::Snapshot {
            self.snapshot_due = Some(now + self.about(self.resync_interval));
        }
        if leaves_doubt {
            let soon = now + self.about(CONFIRM_AFTER);
            self.snapshot_due = self.snapshot_due.map(|due| due.min(soon));
        }
        self.update_interval
    }

    /// `interval`, moved by up to a tenth either way.
    fn about(&mut self, interval: Duration) -> Duration {
        let tenth = interval / 10;
        self.jitter.between(
            interval.saturating_sub(tenth),
            interval.saturating_add(tenth),
        )
    }

    /// A poll failed. Returns how long to wait: a random half to whole of a time that doubles with
    /// each failure in a row.
    pub(crate) fn failed(&mut self, error: &PollError) -> Duration {
        let key_refused = matches!(error, PollError::KeyRefused { .. });
        if error.may_have_moved_cursor() || key_refused {
            self.snapshot_due = None;
        }
        let doublings = self.consecutive_failures.min(16);
        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        let whole = RETRY_FIRST.saturating_mul(1 << doublings).min(RETRY_MAX);
        self.jitter.between(whole / 2, whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::{Credentials, Secret};
    use palisade_remote::ConnectStage;

    fn pacing() -> Pacing {
        let key = Credentials::ApiKey(Secret::new("key").unwrap());
        let settings = Settings::new("http://127.0.0.1:8080/".parse().unwrap(), key).unwrap();
        Pacing::new(&settings, Jitter::from_seed(1))
    }

    fn seconds(seconds: u64) -> Tick {
        Tick::from_millis(seconds * 1_000)
    }

    fn unreachable() -> PollError {
        PollError::Unreachable {
            stage: ConnectStage::Connect,
            reason: String::new(),
        }
    }

    #[test]
    fn a_snapshot_is_first_and_is_asked_for_until_it_comes() {
        let mut pacing = pacing();
        assert_eq!(pacing.next_pull(seconds(0)), Pull::Snapshot);
        pacing.failed(&unreachable());
        assert_eq!(pacing.next_pull(seconds(1)), Pull::Snapshot);
        assert_eq!(
            pacing.succeeded(Pull::Snapshot, false, seconds(2)),
            Duration::from_secs(10)
        );
        assert_eq!(pacing.next_pull(seconds(12)), Pull::Delta);
    }

    #[test]
    fn retries_are_quick_at_first_and_never_slower_than_a_minute() {
        let mut pacing = pacing();
        let mut whole = Duration::from_millis(250);
        for _ in 0..100 {
            let wait = pacing.failed(&unreachable());
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
            whole = (whole * 2).min(Duration::from_secs(60));
        }
        pacing.succeeded(Pull::Snapshot, false, seconds(0));
        assert!(pacing.failed(&unreachable()) <= Duration::from_millis(250));
    }

    #[test]
    fn everything_is_asked_for_again_about_every_hour() {
        let mut pacing = pacing();
        let mut due_seen = Vec::new();
        for _ in 0..50 {
            pacing.succeeded(Pull::Snapshot, false, seconds(0));
            let due = (0..10_000).find(|s| {
                pacing.last_good = Some(seconds(*s));
                pacing.next_pull(seconds(*s)) == Pull::Snapshot
            });
            due_seen.push(due.unwrap());
        }
        assert!(
            due_seen.iter().all(|s| (3_240..=3_961).contains(s)),
            "{due_seen:?}"
        );
        assert!(due_seen.iter().max() > due_seen.iter().min());
    }

    #[test]
    fn doubt_is_settled_soon() {
        let mut pacing = pacing();
        pacing.succeeded(Pull::Snapshot, true, seconds(0));
        assert_eq!(pacing.next_pull(seconds(50)), Pull::Delta);
        assert_eq!(pacing.next_pull(seconds(67)), Pull::Snapshot);
        pacing.succeeded(Pull::Snapshot, false, seconds(67));
        for second in [70, 100] {
            pacing.succeeded(Pull::Delta, true, seconds(second));
        }
        // The first doubt counts: one that comes again and again must not put the answer off.
        assert_eq!(pacing.next_pull(seconds(120)), Pull::Delta);
        assert_eq!(pacing.next_pull(seconds(137)), Pull::Snapshot);
    }

    #[track_caller]
    fn check_after(error: &PollError, next_good_second: u64, expected: Pull) {
        let mut pacing = pacing();
        pacing.succeeded(Pull::Snapshot, false, seconds(100));
        pacing.failed(error);
        assert_eq!(
            pacing.next_pull(seconds(next_good_second)),
            expected,
            "{error}"
        );
    }

    #[test]
    fn after_an_outage_everything_is_asked_for() {
        check_after(&unreachable(), 110, Pull::Delta);
        check_after(&unreachable(), 170, Pull::Delta);
        check_after(&unreachable(), 171, Pull::Snapshot);
    }

    #[test]
    fn everything_is_asked_for_when_lapi_may_have_moved_its_cursor() {
        let text = String::new;
        let after = Duration::from_secs(10);
        let limit = palisade_vocabulary::ByteSize::mib(1);
        check_after(&PollError::TimedOut { after }, 110, Pull::Snapshot);
        check_after(
            &PollError::Truncated { reason: text() },
            110,
            Pull::Snapshot,
        );
        check_after(&PollError::TooLarge { limit }, 110, Pull::Snapshot);
        check_after(&PollError::KeyRefused { status: 403 }, 110, Pull::Snapshot);
        let status = PollError::Status {
            status: 500,
            excerpt: text(),
        };
        check_after(&status, 110, Pull::Delta);
    }
}
