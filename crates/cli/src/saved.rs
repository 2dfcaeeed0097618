//! The decisions that a process left behind.

use std::path::Path;
use std::sync::Arc;

use palisade_admin::LocalDecisions;
use palisade_config::Settings;
use palisade_crowdsec::SavedFile;
use palisade_decisions::{DecisionTable, Delta, SourceId};
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
