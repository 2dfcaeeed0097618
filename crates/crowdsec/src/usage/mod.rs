//! What LAPI is told of the requests that Palisade saw: `POST /v1/usage-metrics`.
//!
//! LAPI has that since 1.6.3. Counters are told as what was added since the last report that LAPI
//! took: [`UsageLedger`] remembers what it took, so that a report that fails is made up for by the
//! next. A report that LAPI took though its answer was lost is told twice.

mod document;
mod ledger;
mod os;
mod report_error;
mod reporter;
mod status;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use palisade_vocabulary::IpFamily;

use crate::BoundedDuration;

pub use document::Identity;
pub use ledger::UsageLedger;
pub use os::OperatingSystem;
pub use report_error::{ReportError, ReportResult};
pub use reporter::{CountReport, UsageReporter, UsageSource};
pub use status::{LastReportFailure, UsageStatus};

/// How often usage is reported: 1 second to 1 day; each time moved by up to a tenth either way.
pub type UsageInterval = BoundedDuration<1_000, 86_400_000>;

/// What there is to report. Counters are totals since the process began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageTotals {
    /// How many requests came.
    pub processed: BTreeMap<IpFamily, u64>,
    /// How many of them were refused, by origin and family.
    pub dropped: BTreeMap<(Arc<str>, IpFamily), u64>,
    /// How many decisions hold now, by origin and family; none = on a country or an autonomous
    /// system.
    pub active_decisions: BTreeMap<(Arc<str>, Option<IpFamily>), u64>,
}
