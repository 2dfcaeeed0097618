//! How the reports went, for `/status` and metrics.

use palisade_vocabulary::Tick;
use parking_lot::Mutex;

use super::{ReportError, ReportResult};

/// How the reports went. Written by the reporter alone; share it by `Arc`.
#[derive(Debug, Default)]
pub struct UsageStatus(Mutex<Reports>);

#[derive(Debug, Default)]
struct Reports {
    last_taken: Option<Tick>,
    is_supported: Option<bool>,
    consecutive_failures: u32,
    last_failure: Option<LastReportFailure>,
}

/// The last report that LAPI did not take, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastReportFailure {
    /// When.
    pub at: Tick,
    /// Why; a few hundred characters at most, without secrets.
    pub message: String,
}

impl UsageStatus {
    /// When LAPI last took a report.
    #[must_use]
    pub fn last_taken(&self) -> Option<Tick> {
        self.0.lock().last_taken
    }

    /// Whether LAPI takes reports at all; none before it answered one.
    #[must_use]
    pub fn is_supported(&self) -> Option<bool> {
        self.0.lock().is_supported
    }

    /// How many reports in a row it did not take; 0 after one that it took.
    #[must_use]
    pub fn consecutive_failures(&self) -> u32 {
        self.0.lock().consecutive_failures
    }

    /// The last report that it did not take, also if it took later ones.
    #[must_use]
    pub fn last_failure(&self) -> Option<LastReportFailure> {
        self.0.lock().last_failure.clone()
    }

    pub(super) fn taken(&self, at: Tick) {
        let mut reports = self.0.lock();
        reports.last_taken = Some(at);
        reports.is_supported = Some(true);
        reports.consecutive_failures = 0;
    }

    /// Returns how many in a row were not taken.
    pub(super) fn failed(&self, error: &ReportError, at: Tick) -> u32 {
        let mut reports = self.0.lock();
        if error.result() == ReportResult::NotSupported {
            reports.is_supported = Some(false);
        }
        reports.consecutive_failures = reports.consecutive_failures.saturating_add(1);
        reports.last_failure = Some(LastReportFailure {
            at,
            message: error.to_string(),
        });
        reports.consecutive_failures
    }
}
