//! What the poller has to say, for the log.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use palisade_decisions::Applied;

use crate::pacing::Pull;
use crate::poll_error::PollError;
use crate::saved::SavedError;
use crate::usage::ReportError;
use crate::wire::SkippedDecisions;

/// Is told what happens. Called on the poller's task: must not block.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn observe(&self, event: &LapiEvent);
}

impl<F: Fn(&LapiEvent) + Send + Sync> Observer for F {
    fn observe(&self, event: &LapiEvent) {
        self(event);
    }
}

/// Something that is worth a line in the log. Shown, it is that line. Failures that go on are told
/// at first and then every few minutes, not with each poll.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LapiEvent {
    /// Saved decisions are in the table.
    Restored {
        /// How many hold still.
        decisions: usize,
        /// How many had ended.
        ended: usize,
    },
    /// Saved decisions can't be used; the start goes on without them.
    NotRestored {
        /// The file.
        path: PathBuf,
        /// Why.
        error: SavedError,
    },
    /// The decisions can't be saved; they go on to hold.
    NotSaved {
        /// The file.
        path: PathBuf,
        /// Why.
        error: SavedError,
    },
    /// The decisions can be saved again.
    SavedAgain {
        /// The file.
        path: PathBuf,
    },
    /// An answer was applied that was a snapshot, or changed something.
    Applied {
        /// What was asked for.
        pull: Pull,
        /// What became of it.
        applied: Applied,
        /// How long it took, from the question to the live table.
        took: Duration,
    },
    /// Decisions of an answer were left out.
    Skipped(SkippedDecisions),
    /// The table takes no more decisions of LAPI.
    Full {
        /// How many were left out.
        refused: usize,
    },
    /// A poll failed.
    Failed {
        /// Why.
        error: PollError,
        /// How many did in a row.
        failures: u32,
        /// How old the last good poll is; none = there was none.
        stale_for: Option<Duration>,
    },
    /// A poll went well after some that failed.
    Recovered {
        /// How many failed.
        failures: u32,
    },
    /// LAPI did not take a report of usage.
    UsageNotReported(ReportError),
    /// LAPI took a report of usage after some that it did not take.
    UsageReportedAgain {
        /// How many those were.
        failures: u32,
    },
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// All is well.
    Info,
    /// Somebody may want to know.
    Warning,
    /// Somebody has to do something.
    Error,
}

impl LapiEvent {
    /// How much it matters.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Restored { .. }
            | Self::SavedAgain { .. }
            | Self::Applied { .. }
            | Self::Recovered { .. }
            | Self::UsageNotReported(ReportError::NotSupported)
            | Self::UsageReportedAgain { .. } => Severity::Info,
            Self::Failed {
                error: PollError::KeyRefused { .. },
                ..
            }
            | Self::UsageNotReported(ReportError::Failed(PollError::KeyRefused { .. })) => {
                Severity::Error
            }
            Self::NotRestored { .. }
            | Self::NotSaved { .. }
            | Self::Skipped(_)
            | Self::Full { .. }
            | Self::Failed { .. }
            | Self::UsageNotReported(_) => Severity::Warning,
        }
    }
}

impl fmt::Display for LapiEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restored { decisions, ended } => {
                write!(
                    f,
                    "{decisions} saved decisions are in force until LAPI answers; {ended} had ended"
                )
            }
            Self::NotRestored { path, error } => {
                write!(
                    f,
                    "the decisions saved in {} can't be used: {error}",
                    path.display()
                )
            }
            Self::NotSaved { path, error } => {
                write!(
                    f,
                    "the decisions can't be saved in {}: {error}",
                    path.display()
                )
            }
            Self::SavedAgain { path } => {
                write!(f, "the decisions are saved in {} again", path.display())
            }
            Self::Applied {
                pull,
                applied,
                took,
            } => applied_line(f, *pull, applied, *took),
            Self::Skipped(skipped) => {
                write!(f, "{} decisions of LAPI were left out", skipped.count)?;
                skipped
                    .samples
                    .iter()
                    .try_for_each(|sample| write!(f, "; {sample}"))
            }
            Self::Full { refused } => {
                write!(
                    f,
                    "the table is full: {refused} decisions of LAPI were left out; filters ask for fewer"
                )
            }
            Self::Failed {
                error,
                failures,
                stale_for,
            } => {
                write!(f, "{error}; poll {failures} in a row that failed")?;
                match stale_for {
                    Some(age) => write!(f, "; the last good one was {} s ago", age.as_secs()),
                    None => f.write_str("; there was no good one yet"),
                }
            }
            Self::Recovered { failures } => {
                write!(f, "LAPI answers again, after {failures} polls that failed")
            }
            Self::UsageNotReported(error) => error.fmt(f),
            Self::UsageReportedAgain { failures } => write!(
                f,
                "LAPI takes reports of usage again, after {failures} that it did not take"
            ),
        }
    }
}

fn applied_line(
    f: &mut fmt::Formatter<'_>,
    pull: Pull,
    applied: &Applied,
    took: Duration,
) -> fmt::Result {
    let what = match pull {
        Pull::Snapshot => "all decisions of LAPI",
        Pull::Delta => "changes of LAPI's decisions",
    };
    let gone = applied.deleted.saturating_add(applied.dropped);
    let Applied { added, updated, .. } = applied;
    write!(
        f,
        "{what}: {added} new, {updated} known, {gone} gone; {} ms",
        took.as_millis()
    )
}
