//! The decisions that a process left behind.

use std::path::Path;
use std::sync::Arc;

use palisade_admin::LocalDecisions;
use palisade_config::Settings;
use palisade_crowdsec::SavedFile;
use palisade_decisions::{DecisionTable, Delta, SourceId};
use palisade_feeds::{ListEvent, Lists, Severity};
use palisade_vocabulary::Tick;

use crate::complain;

/// Puts the saved decisions into `table`; says how many. What can't be used is told.
pub(crate) fn load(
    settings: &Settings,
    directory: &Path,
    table: &Arc<DecisionTable>,
    now: Tick,
) -> usize {
    let (_, problem) = LocalDecisions::open(Arc::clone(table), Some(directory), now);
    if let Some(problem) = problem {
        complain(&problem.to_string());
    }
    if let Some(crowdsec) = &settings.crowdsec {
        let file = SavedFile::of_lapi(directory, crowdsec.lapi_url().as_str());
        match file.load(now) {
            Ok(None) => {}
            Ok(Some(restored)) => {
                let delta = Delta {
                    added: restored.decisions,
                    ..Delta::default()
                };
                table.apply(SourceId::CrowdSec, delta, now);
            }
            Err(error) => complain(&format!("{}: {error}", file.path().display())),
        }
    }
    table.len()
}

/// Puts the lists into `table`, as their files and their last good copies have them.
pub(crate) fn restore_lists(
    settings: &Settings,
    directory: Option<&Path>,
    table: &Arc<DecisionTable>,
    now: Tick,
) {
    let tell = |list: &str, event: &ListEvent| {
        if event.severity() == Severity::Warning {
            complain(&format!("list {list}: {event}"));
        }
    };
    let clock = Arc::new(move || now);
    let directory = directory.map(Path::to_owned);
    Lists::offline(Arc::clone(table), directory, clock, tell).restore(settings.lists.clone());
}
