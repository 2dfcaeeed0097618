//! Why a list could not be had.

use std::time::Duration;

use palisade_remote::ConnectStage;
use palisade_vocabulary::ByteSize;

use crate::parse::ListError;

/// Why there is no new copy of a list. The last good one stays in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// There is no connection to the server.
    #[error("the server can't be reached ({stage}): {reason}")]
    Unreachable {
        /// What failed.
        stage: ConnectStage,
        /// How it failed.
        reason: String,
    },
    /// The answer was not complete in time.
    #[error("the answer was not complete after {after:?}")]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// Neither 200 nor 304.
    #[error("the server answered with status {status}: {excerpt}")]
    Status {
        /// The status.
        status: u16,
        /// The start of the body, safe to print.
        excerpt: String,
    },
    /// The server sends us on, too often or to where we don't go.
    #[error("the server redirects {0}")]
    Redirect(String),
    /// The answer broke off.
    #[error("the answer broke off: {reason}")]
    BrokeOff {
        /// Where and how.
        reason: String,
    },
    /// It is longer than the settings allow.
    #[error("it is longer than the limit of {limit}; `size_max` says how long it may be")]
    TooLarge {
        /// The limit.
        limit: ByteSize,
    },
    /// The file can't be read.
    #[error("it can't be read: {0}")]
    File(String),
    /// The disk doesn't take the copy that would be used.
    #[error("the copy can't be saved, and so not be used: {0}")]
    NotSaved(String),
    /// What came is not a list.
    #[error("the new copy is not used: {0}")]
    List(#[from] ListError),
    /// Palisade is stopping.
    #[error("stopped before the list was read")]
    Stopped,
}
