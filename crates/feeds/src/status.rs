//! How a list is, for `/status` and metrics.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use crate::settings::ListSettings;

/// How a list is. Share it by `Arc`.
#[derive(Debug)]
pub struct ListStatus {
    /// What it is for: `block`, `allow` or `access`.
    pub purpose: &'static str,
    /// Its name.
    pub name: String,
    /// Where it comes from, without what may be a key.
    pub source: String,
    state: Mutex<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    entries: usize,
    bad_entries: u64,
    good_at_unix_seconds: Option<u64>,
    is_not_saved: bool,
    failures: u64,
    consecutive_failures: u32,
    last_failure: Option<LastFailure>,
}

/// The last time that there was no new copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// When, in seconds since 1970-01-01T00:00:00Z.
    pub at_unix_seconds: u64,
    /// Why; a few hundred characters at most, without secrets.
    pub message: String,
}

impl ListStatus {
    pub(crate) fn new(settings: &ListSettings) -> Self {
        Self {
            purpose: settings.purpose.as_str(),
            name: settings.name.to_string(),
            source: settings.source.to_string(),
            state: Mutex::default(),
        }
    }

    /// Takes over how the list was under other settings, whose entries hold until there are others.
    pub(crate) fn follow(&self, old: &Self) {
        *self.state.lock() = old.state.lock().clone();
    }

    /// How many addresses and ranges the copy in force has.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.state.lock().entries
    }

    /// How many were left out of it.
    #[must_use]
    pub fn bad_entries(&self) -> u64 {
        self.state.lock().bad_entries
    }

    /// How long ago the copy in force was known to be what its source has; none where there never
    /// was one. By the wall clock, since it may be older than the process.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let good_at = self.state.lock().good_at_unix_seconds?;
        Some(Duration::from_secs(unix_seconds().saturating_sub(good_at)))
    }

    /// Whether the copy in force is on the disk, or is not to be.
    #[must_use]
    pub fn is_saved(&self) -> bool {
        !self.state.lock().is_not_saved
    }

    pub(crate) fn set_saved(&self, is_saved: bool) {
        self.state.lock().is_not_saved = !is_saved;
    }

    /// How many times there was no new copy, since the list is in the settings.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.state.lock().failures
    }

    /// How many times in a row.
    #[must_use]
    pub fn consecutive_failures(&self) -> u32 {
        self.state.lock().consecutive_failures
    }

    /// The last time, also if it went well since.
    #[must_use]
    pub fn last_failure(&self) -> Option<LastFailure> {
        self.state.lock().last_failure.clone()
    }

    pub(crate) fn applied(&self, entries: usize, bad_entries: u64, good_at_unix_seconds: u64) {
        let mut state = self.state.lock();
        state.entries = entries;
        state.bad_entries = bad_entries;
        state.good_at_unix_seconds = Some(good_at_unix_seconds);
    }

    /// Its source has nothing newer, or something that is in force by now. Returns how many
    /// failures in a row that ends.
    pub(crate) fn good(&self) -> u32 {
        let mut state = self.state.lock();
        state.good_at_unix_seconds = Some(unix_seconds());
        std::mem::take(&mut state.consecutive_failures)
    }

    /// Returns how many in a row.
    pub(crate) fn failed(&self, message: String) -> u32 {
        let mut state = self.state.lock();
        state.failures = state.failures.saturating_add(1);
        state.consecutive_failures = state.consecutive_failures.saturating_add(1);
        state.last_failure = Some(LastFailure {
            at_unix_seconds: unix_seconds(),
            message,
        });
        state.consecutive_failures
    }
}

/// By the machine's wall clock; one before 1970 is at its start.
pub(crate) fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
