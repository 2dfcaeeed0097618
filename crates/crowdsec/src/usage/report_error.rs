//! What a report of usage can end with.

use crate::poll_error::{PollError, PollResult};

/// Why LAPI did not take a report. What was in it is in the next one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// LAPI is older than 1.6.3.
    #[error(
        "this LAPI takes no usage metrics (it answered with 404; CrowdSec has them since 1.6.3)"
    )]
    NotSupported,
    /// LAPI answered, but not with 201.
    #[error("LAPI answered a report of usage with status {status} instead of 201: {excerpt}")]
    Refused {
        /// The status.
        status: u16,
        /// The start of the body, safe to print.
        excerpt: String,
    },
    /// There was no answer, or LAPI refuses the key.
    #[error("usage is not reported: {0}")]
    Failed(PollError),
}

impl ReportError {
    /// What is counted.
    #[must_use]
    pub fn result(&self) -> ReportResult {
        match self {
            Self::NotSupported => ReportResult::NotSupported,
            Self::Refused { .. } => ReportResult::Failed(PollResult::Status),
            Self::Failed(error) => ReportResult::Failed(error.result()),
        }
    }
}

/// What reports are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportResult {
    /// LAPI took it.
    Ok,
    /// See [`ReportError::NotSupported`].
    NotSupported,
    /// As with a poll.
    Failed(PollResult),
}

impl ReportResult {
    /// The value of a metric's label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Ok => PollResult::Ok.label(),
            Self::NotSupported => "not_supported",
            Self::Failed(result) => result.label(),
        }
    }
}
