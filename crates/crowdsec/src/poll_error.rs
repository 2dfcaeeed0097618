//! What a poll of LAPI can end with.

use std::time::Duration;

use palisade_remote::ConnectStage;
use palisade_vocabulary::ByteSize;

/// Why a poll of LAPI brought nothing. Nothing of a failed poll is applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PollError {
    /// There is no connection to LAPI.
    #[error("LAPI can't be reached ({stage}): {reason}")]
    Unreachable {
        /// What failed.
        stage: ConnectStage,
        /// How it failed.
        reason: String,
    },
    /// The answer was not complete in time.
    #[error(
        "LAPI's answer was not complete after {after:?}; is it overloaded, or the timeout too short?"
    )]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// LAPI does not know the key, or does not accept the client certificate.
    #[error(
        "LAPI refuses the key or client certificate (status {status}): decisions are no longer updated; `cscli bouncers list` shows who is known, `cscli bouncers add palisade` prints a new key"
    )]
    KeyRefused {
        /// 403, or 401.
        status: u16,
    },
    /// Another status than 200.
    #[error("LAPI answered with status {status} instead of 200: {excerpt}")]
    Status {
        /// The status.
        status: u16,
        /// The start of the body, safe to print.
        excerpt: String,
    },
    /// The answer broke off.
    #[error("LAPI's answer broke off: {reason}")]
    Truncated {
        /// Where and how.
        reason: String,
    },
    /// The answer is not a stream document.
    #[error("LAPI's answer is no decision stream: line {line}, column {column}: {reason}")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// The byte in the line, from 1; 0 before its first.
        column: usize,
        /// What was expected.
        reason: String,
    },
    /// The answer is longer than the settings allow.
    #[error("LAPI's answer is longer than the limit of {limit}")]
    TooLarge {
        /// The limit.
        limit: ByteSize,
    },
    /// Palisade is stopping.
    #[error("stopped before the answer was read")]
    Stopped,
}

impl PollError {
    /// What is counted.
    #[must_use]
    pub fn result(&self) -> PollResult {
        match self {
            Self::Unreachable { stage, .. } => match stage {
                ConnectStage::Dns => PollResult::Dns,
                ConnectStage::Connect => PollResult::Connect,
                ConnectStage::Tls => PollResult::Tls,
            },
            Self::TimedOut { .. } => PollResult::TimedOut,
            Self::KeyRefused { .. } => PollResult::KeyRefused,
            Self::Status { .. } => PollResult::Status,
            Self::Truncated { .. } => PollResult::Truncated,
            Self::Malformed { .. } => PollResult::Malformed,
            Self::TooLarge { .. } => PollResult::TooLarge,
            Self::Stopped => PollResult::Stopped,
        }
    }

    /// Whether LAPI may believe that it has told what changed. It moves its cursor for this bouncer
    /// when *it* has written a whole answer; what was in it is not told again but in a snapshot.
    pub(crate) fn may_have_moved_cursor(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::KeyRefused { .. } | Self::Status { .. } => false,
            Self::TimedOut { .. }
            | Self::Truncated { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::Stopped => true,
        }
    }
}

/// What polls are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollResult {
    /// An answer was applied.
    Ok,
    /// See [`ConnectStage::Dns`].
    Dns,
    /// See [`ConnectStage::Connect`].
    Connect,
    /// See [`ConnectStage::Tls`].
    Tls,
    /// See [`PollError::TimedOut`].
    TimedOut,
    /// See [`PollError::KeyRefused`].
    KeyRefused,
    /// See [`PollError::Status`].
    Status,
    /// See [`PollError::Truncated`].
    Truncated,
    /// See [`PollError::Malformed`].
    Malformed,
    /// See [`PollError::TooLarge`].
    TooLarge,
    /// See [`PollError::Stopped`].
    Stopped,
}

impl PollResult {
    /// All of them; `ALL[result as usize]` is `result`.
    pub const ALL: [PollResult; 11] = [
        Self::Ok,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::TimedOut,
        Self::KeyRefused,
        Self::Status,
        Self::Truncated,
        Self::Malformed,
        Self::TooLarge,
        Self::Stopped,
    ];

    /// The value of a metric's label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::TimedOut => "timeout",
            Self::KeyRefused => "key_refused",
            Self::Status => "status",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Stopped => "stopped",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_their_own_index_and_have_labels_of_their_own() {
        for (index, result) in PollResult::ALL.into_iter().enumerate() {
            assert_eq!(result as usize, index);
            let same = PollResult::ALL
                .iter()
                .filter(|other| other.label() == result.label());
            assert_eq!(same.count(), 1, "{result:?}");
        }
    }
}
