//! What there is to say of a list, for the log.

use std::fmt;
use std::sync::Arc;

use crate::copy::CopyError;
use crate::fetch_error::FetchError;
use crate::parse::BadEntries;

/// Something that is worth a line in the log. Shown, it is that line.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ListEvent {
    /// A saved copy is in force until a new one comes.
    Restored {
        /// How many ranges it has.
        entries: usize,
    },
    /// A saved copy can't be used.
    NotRestored(String),
    /// The copy can't be saved; it goes on to hold.
    NotSaved(CopyError),
    /// A new copy is in force.
    Applied {
        /// How many ranges it has.
        entries: usize,
        /// How many the table had not; 0 but for block lists.
        added: usize,
        /// How many the table had, and it has not; likewise.
        removed: usize,
        /// What was left out of it.
        bad: BadEntries,
    },
    /// The table takes no more decisions.
    Full {
        /// How many were left out.
        refused: usize,
    },
    /// There is no new copy.
    Failed {
        /// Why.
        error: FetchError,
        /// How many times in a row.
        failures: u32,
    },
    /// There is one again, or the last one is known to be the newest.
    Recovered {
        /// How many times there was none.
        failures: u32,
    },
    /// The settings have no such list any more.
    Forgotten,
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// All is well.
    Info,
    /// Somebody may want to know.
    Warning,
}

/// Is told what happens to which list (`block/firehol`). Must not block.
pub(crate) type Observer = dyn Fn(&str, &ListEvent) + Send + Sync;

/// What is told of one list.
#[derive(Clone)]
pub(crate) struct Teller {
    pub(crate) list: Arc<str>,
    pub(crate) observer: Arc<Observer>,
}

impl Teller {
    pub(crate) fn tell(&self, event: &ListEvent) {
        (self.observer)(&self.list, event);
    }
}

impl ListEvent {
    /// How much it matters.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Restored { .. } | Self::Recovered { .. } | Self::Forgotten => Severity::Info,
            Self::Applied { bad, .. } if bad.count == 0 => Severity::Info,
            Self::NotRestored(_)
            | Self::NotSaved(_)
            | Self::Applied { .. }
            | Self::Full { .. }
            | Self::Failed { .. } => Severity::Warning,
        }
    }
}

impl fmt::Display for ListEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restored { entries } => {
                write!(
                    f,
                    "{entries} saved entries are in force until a new copy comes"
                )
            }
            Self::NotRestored(reason) => write!(f, "the saved copy can't be used: {reason}"),
            Self::NotSaved(error) => write!(f, "the copy can't be saved: {error}"),
            Self::Applied {
                entries,
                added,
                removed,
                bad,
            } => {
                write!(f, "{entries} entries")?;
                if added + removed > 0 {
                    write!(f, ": {added} new, {removed} gone")?;
                }
                if bad.count > 0 {
                    write!(f, "; {} left out", bad.count)?;
                }
                bad.samples
                    .iter()
                    .try_for_each(|sample| write!(f, "; {sample}"))
            }
            Self::Full { refused } => {
                write!(f, "the table is full: {refused} entries were left out")
            }
            Self::Failed { error, failures } => {
                write!(
                    f,
                    "{error}; failure {failures} in a row, the last good copy stays"
                )
            }
            Self::Recovered { failures } => {
                write!(f, "good again; failures in a row before: {failures}")
            }
            Self::Forgotten => f.write_str("gone from the settings, and what it said with it"),
        }
    }
}
