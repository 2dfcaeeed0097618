//! How the polls of LAPI went, for `/status`, `/readyz`, metrics and the request path.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use palisade_decisions::Applied;
use palisade_vocabulary::Tick;
use parking_lot::Mutex;

use crate::lapi_url::LapiUrl;
use crate::poll_error::{PollError, PollResult};
use crate::saved::SavedError;

/// How the polls of LAPI went. Written by the poller alone; share it by `Arc`.
///
/// Each value is current by itself; two of them may come from before and after a poll.
#[derive(Debug)]
pub struct LapiStatus {
    lapi_url: LapiUrl,
    /// Milliseconds of the last good poll's tick, plus one; 0 = there was none.
    last_good_plus_one: AtomicU64,
    consecutive_failures: AtomicU32,
    key_refused: AtomicBool,
    polls: [AtomicU64; PollResult::ALL.len()],
    decisions_added: AtomicU64,
    decisions_deleted: AtomicU64,
    decisions_skipped: AtomicU64,
    last_failure: Mutex<Option<LastFailure>>,
    not_saved: Mutex<Option<NotSaved>>,
}

/// Why the decisions can't be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotSaved {
    /// Since when.
    pub since: Tick,
    /// What the disk said last.
    pub message: String,
}

/// The last poll that failed, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// When.
    pub at: Tick,
    /// What it is counted by.
    pub result: PollResult,
    /// Why; a few hundred characters at most, without secrets.
    pub message: String,
}

/// Running totals since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecisionTotals {
    /// Decisions of LAPI that were new.
    pub added: u64,
    /// Decisions that LAPI took back, or that were no longer in its snapshots.
    pub deleted: u64,
    /// Decisions that could not be understood.
    pub skipped: u64,
}

impl LapiStatus {
    pub(crate) fn new(lapi_url: LapiUrl) -> Self {
        Self {
            lapi_url,
            last_good_plus_one: AtomicU64::new(0),
            consecutive_failures: AtomicU32::new(0),
            key_refused: AtomicBool::new(false),
            polls: std::array::from_fn(|_| AtomicU64::new(0)),
            decisions_added: AtomicU64::new(0),
            decisions_deleted: AtomicU64::new(0),
            decisions_skipped: AtomicU64::new(0),
            last_failure: Mutex::new(None),
            not_saved: Mutex::new(None),
        }
    }

    /// Where LAPI is.
    #[must_use]
    pub fn lapi_url(&self) -> &LapiUrl {
        &self.lapi_url
    }

    /// How old the last good poll is; [`Duration::MAX`] if there was none, so that a policy of
    /// `closed` refuses until the first. Takes no lock.
    #[must_use]
    pub fn stale_for(&self, now: Tick) -> Duration {
        self.last_good_poll()
            .map_or(Duration::MAX, |at| now.since(at))
    }

    /// When LAPI's last answer was applied.
    #[must_use]
    pub fn last_good_poll(&self) -> Option<Tick> {
        let plus_one = self.last_good_plus_one.load(Ordering::Relaxed);
        plus_one.checked_sub(1).map(Tick::from_millis)
    }

    /// Whether all of LAPI's decisions were got once in this process.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.last_good_poll().is_some()
    }

    /// Whether the last poll ended with LAPI refusing the key: nothing will change until somebody
    /// mends it.
    #[must_use]
    pub fn is_key_refused(&self) -> bool {
        self.key_refused.load(Ordering::Relaxed)
    }

    /// How many polls in a row failed; 0 after a good one.
    #[must_use]
    pub fn consecutive_failures(&self) -> u32 {
        self.consecutive_failures.load(Ordering::Relaxed)
    }

    /// The last poll that failed, also if later ones did not.
    #[must_use]
    pub fn last_failure(&self) -> Option<LastFailure> {
        self.last_failure.lock().clone()
    }

    /// Why the decisions can't be saved, while they can't.
    #[must_use]
    pub fn not_saved(&self) -> Option<NotSaved> {
        self.not_saved.lock().clone()
    }

    /// The decisions are on the disk.
    pub(crate) fn saved(&self) {
        *self.not_saved.lock() = None;
    }

    /// The disk refused the decisions.
    pub(crate) fn not_saved_because(&self, error: &SavedError, now: Tick) {
        let mut not_saved = self.not_saved.lock();
        let since = not_saved.as_ref().map_or(now, |known| known.since);
        *not_saved = Some(NotSaved {
            since,
            message: error.to_string(),
        });
    }

    /// How many polls ended with each result.
    pub fn polls(&self) -> impl Iterator<Item = (PollResult, u64)> + '_ {
        let counts = self.polls.iter().map(|count| count.load(Ordering::Relaxed));
        PollResult::ALL.into_iter().zip(counts)
    }

    /// How many decisions came and went.
    #[must_use]
    pub fn totals(&self) -> DecisionTotals {
        DecisionTotals {
            added: self.decisions_added.load(Ordering::Relaxed),
            deleted: self.decisions_deleted.load(Ordering::Relaxed),
            skipped: self.decisions_skipped.load(Ordering::Relaxed),
        }
    }

    /// A poll ended well. `skipped`: decisions that could not be understood.
    pub(crate) fn succeeded(&self, applied: &Applied, skipped: u64, now: Tick) {
        let deleted = applied.deleted.saturating_add(applied.dropped);
        add(&self.decisions_added, applied.added);
        add(&self.decisions_deleted, deleted);
        self.decisions_skipped.fetch_add(skipped, Ordering::Relaxed);
        self.count(PollResult::Ok);
        self.consecutive_failures.store(0, Ordering::Relaxed);
        self.key_refused.store(false, Ordering::Relaxed);
        let plus_one = now.as_millis().saturating_add(1);
        self.last_good_plus_one.store(plus_one, Ordering::Relaxed);
    }

    /// A poll failed. Returns how many did in a row.
    pub(crate) fn failed(&self, error: &PollError, now: Tick) -> u32 {
        let result = error.result();
        self.count(result);
        *self.last_failure.lock() = Some(LastFailure {
            at: now,
            result,
            message: error.to_string(),
        });
        self.key_refused
            .store(result == PollResult::KeyRefused, Ordering::Relaxed);
        let failures = self.consecutive_failures().saturating_add(1);
        self.consecutive_failures.store(failures, Ordering::Relaxed);
        failures
    }

    fn count(&self, result: PollResult) {
        if let Some(count) = self.polls.get(result as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn add(total: &AtomicU64, number: usize) {
    total.fetch_add(u64::try_from(number).unwrap_or(u64::MAX), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> LapiStatus {
        LapiStatus::new("http://127.0.0.1:8080/".parse().unwrap())
    }

    #[test]
    fn it_is_stale_without_end_until_the_first_good_poll() {
        let status = status();
        let now = Tick::from_millis(0);
        assert_eq!(
            (status.is_synced(), status.stale_for(now)),
            (false, Duration::MAX)
        );
        status.succeeded(&Applied::default(), 0, now);
        assert_eq!(
            (status.is_synced(), status.stale_for(now)),
            (true, Duration::ZERO)
        );
        assert_eq!(
            status.stale_for(Tick::from_millis(1_500)),
            Duration::from_millis(1_500)
        );
    }

    #[test]
    fn failures_leave_the_last_good_poll_alone() {
        let status = status();
        status.succeeded(&Applied::default(), 2, Tick::from_millis(1_000));
        let error = PollError::KeyRefused { status: 403 };
        assert_eq!(status.failed(&error, Tick::from_millis(2_000)), 1);
        assert_eq!(status.failed(&error, Tick::from_millis(3_000)), 2);
        assert_eq!(status.last_good_poll(), Some(Tick::from_millis(1_000)));
        assert!(status.is_synced() && status.is_key_refused());
        let last = status.last_failure().unwrap();
        assert_eq!(
            (last.at, last.result),
            (Tick::from_millis(3_000), PollResult::KeyRefused)
        );
        let counted: Vec<_> = status.polls().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(PollResult::Ok, 1), (PollResult::KeyRefused, 2)]);

        status.succeeded(&Applied::default(), 3, Tick::from_millis(4_000));
        assert_eq!(
            (status.consecutive_failures(), status.is_key_refused()),
            (0, false)
        );
        assert_eq!(status.totals().skipped, 5);
    }

    #[test]
    fn another_failure_is_no_wrong_key() {
        let status = status();
        status.failed(&PollError::KeyRefused { status: 403 }, Tick::from_millis(1));
        status.failed(&PollError::Stopped, Tick::from_millis(2));
        assert!(!status.is_key_refused());
    }
}
