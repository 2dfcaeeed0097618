//! The decisions that a process left behind.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use palisade_admin::LocalDecisions;
use palisade_config::Settings;
use palisade_crowdsec::{LapiEvent, Poller};
use palisade_decisions::DecisionTable;
use palisade_vocabulary::Tick;

use crate::complain;

/// Puts the saved decisions into `table`; says how many. Asks nobody.
pub(crate) fn load(
    settings: &Settings,
    directory: &Path,
    table: &Arc<DecisionTable>,
    now: Tick,
) -> Result<usize> {
    let (_, problem) = LocalDecisions::open(Arc::clone(table), Some(directory), now);
    if let Some(problem) = problem {
        complain(&problem.to_string());
    }
    if let Some(crowdsec) = &settings.crowdsec {
        let tell = |event: &LapiEvent| {
            if matches!(event, LapiEvent::NotRestored { .. }) {
                complain(&event.to_string());
            }
        };
        // A poller that never runs: only its saved decisions are wanted.
        let poller = Poller::new(crowdsec, Arc::clone(table), Arc::new(move || now), Arc::new(tell))?;
        drop(poller.with_state_directory(directory));
    }
    Ok(table.len())
}
