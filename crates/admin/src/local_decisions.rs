//! The operator's own decisions: added by hand, kept on disk.

mod new_decision;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use palisade_crowdsec::{SavedError, SavedFile};
use palisade_decisions::{Decision, DecisionId, DecisionTable, Deletion, Delta, Scope, SourceId};
use palisade_vocabulary::Tick;
use parking_lot::Mutex;

use crate::query::{Query, excerpt};

pub use new_decision::{NewDecision, NewDecisionError};

/// The operator's own decisions: in the decision table under [`SourceId::Local`], and in
/// `local-decisions.jsonl` of the state directory. Share it by `Arc`.
///
/// The table is the only store; the file follows each change before the change is answered for.
/// There is one decision for each scope and type: adding it again replaces its end and its reason.
/// Methods read the whole table and wait for the disk: call them where that holds nobody up.
#[derive(Debug)]
pub struct LocalDecisions {
    table: Arc<DecisionTable>,
    writer: Mutex<Writer>,
}

#[derive(Debug)]
struct Writer {
    file: Option<SavedFile>,
    /// The id that was given last.
    last_id: u64,
    /// The disk refused the last change.
    is_behind: bool,
}

/// Decisions, each with how long it still holds.
type Held = Vec<(Decision, Duration)>;

/// Which local decisions to take back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteTarget {
    /// The one of this id.
    Id(DecisionId),
    /// All on exactly this scope.
    Scope(Scope),
}

impl DeleteTarget {
    /// Reads the query of a deletion: `id=7`, or `scope=Ip&value=192.0.2.7`.
    ///
    /// # Errors
    /// What is wrong with it, as text for the caller.
    pub fn parse(query: Option<&str>) -> Result<Self, String> {
        let query = Query::parse(query, &["scope", "value", "id"])?;
        match (query.get("id"), query.get("scope"), query.get("value")) {
            (Some(id), None, None) => {
                let number = id.parse().ok().and_then(DecisionId::new);
                let id = number
                    .ok_or_else(|| format!("id \"{}\" is not a number above 0", excerpt(id)))?;
                Ok(Self::Id(id))
            }
            (None, Some(scope), Some(value)) => {
                let scope = Scope::parse(scope, value).map_err(|error| error.to_string())?;
                Ok(Self::Scope(scope))
            }
            _ => Err(
                "expected either scope and value, or id; DELETE /decisions/all takes all back"
                    .to_owned(),
            ),
        }
    }
}

/// A decision that was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The decision as it now holds.
    pub decision: Decision,
    /// Whether it took the place of one with the same scope and type.
    pub replaced: bool,
    /// Why a restart will not know of it, if so.
    pub not_kept: Option<NotKept>,
}

/// Decisions that were taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// The decisions.
    pub decisions: Vec<Decision>,
    /// Why a restart will bring them back, if so.
    pub not_kept: Option<NotKept>,
}

/// Why a decision can't be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// There are as many as there may be.
    #[error(
        "there are {max} local decisions, as many as there may be; take some back, or ban a range, \
         a country or an autonomous system in their place"
    )]
    Full {
        /// How many there may be.
        max: usize,
    },
}

/// Why a change holds only as long as the process lives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotKept {
    /// The settings name no state directory.
    #[error("a restart forgets this change: the settings have no `state_directory`")]
    NoStateDirectory,
    /// The file can't be written.
    #[error("a restart may forget this change: {path} can't be written: {error}")]
    NotSaved {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: SavedError,
    },
}

/// Local decisions of an earlier process that are lost to this one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreProblem {
    /// The file can't be read.
    #[error(
        "can't read the local decisions in {path}: {error}; started without them, and the next \
         change replaces the file"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: SavedError,
    },
    /// The file is not as it was written.
    #[error(
        "can't use the local decisions in {path}: {error}; started without them, and renamed the \
         file to {path}.rejected"
    )]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: SavedError,
    },
    /// The file has more decisions than there may be.
    #[error("{path} has {got} local decisions; the first {max} are used")]
    TooMany {
        /// The file.
        path: PathBuf,
        /// How many there are.
        got: usize,
        /// How many there may be.
        max: usize,
    },
}

impl LocalDecisions {
    /// How many there may be.
    pub const DECISIONS_MAX: usize = 100_000;
    /// Their origin in logs and metrics.
    pub const ORIGIN: &'static str = "local";

    /// Puts what an earlier process kept in `state_directory` into `table`, without what ended in
    /// the meantime. Without a directory nothing is kept. Call it before the first request.
    ///
    /// A file that can't be used is told as a [`RestoreProblem`], and the start goes on without it.
    #[must_use]
    pub fn open(
        table: Arc<DecisionTable>,
        state_directory: Option<&Path>,
        now: Tick,
    ) -> (Self, Option<RestoreProblem>) {
        let file = state_directory.map(SavedFile::of_operator);
        let (decisions, problem) = match &file {
            Some(file) => restore(file, now),
            None => (Vec::new(), None),
        };
        let ids = decisions.iter().filter_map(|decision| decision.id);
        let last_id = ids.max().map_or(0, DecisionId::get);
        let delta = Delta {
            added: decisions,
            ..Delta::default()
        };
        table.apply(SourceId::Local, delta, now);
        let writer = Mutex::new(Writer {
            file,
            last_id,
            is_behind: false,
        });
        (Self { table, writer }, problem)
    }

    /// Has these decisions, those of the process whose place this one takes, and no others. Call it
    /// before the first request. Why the file is not as it should be, if so.
    pub fn take_over(&self, decisions: Vec<Decision>, now: Tick) -> Option<NotKept> {
        let mut writer = self.writer.lock();
        let ids = decisions.iter().filter_map(|decision| decision.id);
        let last_id = ids.max().map_or(0, DecisionId::get);
        writer.last_id = writer.last_id.max(last_id);
        let snapshot = Delta {
            added: decisions,
            ..Delta::default()
        };
        self.table.apply_snapshot(SourceId::Local, snapshot, now);
        writer.keep(&self.table.export(SourceId::Local, now))
    }

    /// Adds a decision, or replaces the one with the same scope and type.
    ///
    /// # Errors
    /// When there are [`Self::DECISIONS_MAX`] already.
    pub fn add(&self, new: NewDecision, now: Tick) -> Result<Added, AddError> {
        let mut writer = self.writer.lock();
        let mut held = self.table.export(SourceId::Local, now);
        let is_same = |(held, _): &(Decision, Duration)| {
            held.scope == new.scope() && held.remedy == new.remedy()
        };
        let replaced: Held = held.extract_if(.., |held| is_same(held)).collect();
        if held.len() >= Self::DECISIONS_MAX {
            let max = Self::DECISIONS_MAX;
            return Err(AddError::Full { max });
        }
        let known_id = replaced.iter().find_map(|(decision, _)| decision.id);
        let id = known_id.unwrap_or_else(|| writer.next_id(&held));
        let remaining = new.duration();
        let decision = new.into_decision(id, now);
        held.push((decision.clone(), remaining));
        let not_kept = writer.keep(&held);
        let delta = Delta {
            deleted: replaced.iter().map(|(old, _)| deletion(old)).collect(),
            added: vec![decision.clone()],
        };
        self.table.apply(SourceId::Local, delta, now);
        Ok(Added {
            decision,
            replaced: !replaced.is_empty(),
            not_kept,
        })
    }

    /// Takes decisions back; none where there is nothing to take back.
    #[must_use]
    pub fn delete(&self, target: DeleteTarget, now: Tick) -> Option<Deleted> {
        let is_meant = |decision: &Decision| match target {
            DeleteTarget::Id(id) => decision.id == Some(id),
            DeleteTarget::Scope(scope) => decision.scope == scope,
        };
        let deleted = self.delete_where(is_meant, now);
        (!deleted.decisions.is_empty()).then_some(deleted)
    }

    /// Takes all decisions back.
    pub fn flush(&self, now: Tick) -> Deleted {
        self.delete_where(|_| true, now)
    }

    /// Writes what the disk refused; does nothing where it refused nothing. Whether the file has
    /// everything now that was missing from it.
    pub fn catch_up(&self, now: Tick) -> bool {
        let mut writer = self.writer.lock();
        writer.is_behind && {
            let held = self.table.export(SourceId::Local, now);
            writer.keep(&held).is_none()
        }
    }

    fn delete_where(&self, is_meant: impl Fn(&Decision) -> bool, now: Tick) -> Deleted {
        let mut writer = self.writer.lock();
        let held = self.table.export(SourceId::Local, now);
        let (meant, kept): (Held, Held) = held
            .into_iter()
            .partition(|(decision, _)| is_meant(decision));
        let decisions: Vec<Decision> = meant.into_iter().map(|(decision, _)| decision).collect();
        if decisions.is_empty() {
            return Deleted {
                decisions,
                not_kept: None,
            };
        }
        let not_kept = writer.keep(&kept);
        let delta = Delta {
            deleted: decisions.iter().map(deletion).collect(),
            ..Delta::default()
        };
        self.table.apply(SourceId::Local, delta, now);
        Deleted {
            decisions,
            not_kept,
        }
    }
}

/// What takes exactly `decision` back.
fn deletion(decision: &Decision) -> Deletion {
    Deletion {
        scope: decision.scope,
        id: decision.id,
        remedy: Some(decision.remedy),
    }
}

fn restore(file: &SavedFile, now: Tick) -> (Vec<Decision>, Option<RestoreProblem>) {
    let path = file.path().to_owned();
    let mut decisions = match file.load(now) {
        Ok(restored) => restored.unwrap_or_default().decisions,
        Err(error @ SavedError::Io(_)) => {
            return (Vec::new(), Some(RestoreProblem::Unreadable { path, error }));
        }
        Err(error) => return (Vec::new(), Some(RestoreProblem::Unusable { path, error })),
    };
    let (got, max) = (decisions.len(), LocalDecisions::DECISIONS_MAX);
    if got <= max {
        return (decisions, None);
    }
    decisions.truncate(max);
    (decisions, Some(RestoreProblem::TooMany { path, got, max }))
}

impl Writer {
    /// An id that no held decision has: the one after the last, so that an operator who takes back
    /// what was listed a while ago doesn't meet another decision.
    fn next_id(&mut self, held: &[(Decision, Duration)]) -> DecisionId {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            let id = DecisionId::new(self.last_id);
            if let Some(id) = id
                && !held.iter().any(|(decision, _)| decision.id == Some(id))
            {
                return id;
            }
        }
    }

    /// Replaces what is in the file.
    fn keep(&mut self, held: &[(Decision, Duration)]) -> Option<NotKept> {
        let Some(file) = &self.file else {
            return Some(NotKept::NoStateDirectory);
        };
        let saved = file.save(held);
        self.is_behind = saved.is_err();
        let error = saved.err()?;
        let path = file.path().to_owned();
        Some(NotKept::NotSaved { path, error })
    }
}
