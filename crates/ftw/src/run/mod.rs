//! Running tests: each by itself, so that who calls may share them out among threads.

mod check;
mod report;
mod session;

pub use check::Mismatch;
pub use report::{Failure, Outcome, Report, Summary, Totals};
pub use session::RedirectError;

use crate::engine::Engine;
use crate::overrides::{Override, Overrides};
use crate::suite::Test;

/// Runs `tests` one after the other. Overrides that are for none of them are told too.
pub fn run(engine: &mut dyn Engine, tests: &[Test], overrides: &Overrides) -> Summary {
    Summary {
        reports: tests
            .iter()
            .map(|test| run_test(engine, test, overrides))
            .collect(),
        overrides_without_test: overrides.without_test(tests),
    }
}

/// Runs one test: as it is written first, and with its overrides only where that fails, so that those
/// are found that are no longer needed.
pub fn run_test(engine: &mut dyn Engine, test: &Test, overrides: &Overrides) -> Report {
    let own: Vec<&Override> = overrides.of(test.id).collect();
    let outcome = match &own[..] {
        [] => match session::run_stages(engine, &test.stages) {
            Ok(()) => Outcome::Passed,
            Err(failure) => Outcome::Failed(failure),
        },
        [.., last] => run_overridden(engine, test, &own, &last.reason),
    };
    Report {
        id: test.id,
        location: test.location.clone(),
        outcome,
    }
}

fn run_overridden(
    engine: &mut dyn Engine,
    test: &Test,
    overrides: &[&Override],
    reason: &str,
) -> Outcome {
    let mut stages = test.stages.clone();
    for one in overrides {
        one.apply(&mut stages);
    }
    let reason = reason.to_owned();
    match session::run_stages(engine, &test.stages) {
        Ok(()) => Outcome::OverrideNotNeeded { reason },
        Err(without) => match session::run_stages(engine, &stages) {
            Ok(()) => Outcome::Overridden { reason, without },
            Err(failure) => Outcome::Failed(failure),
        },
    }
}

#[cfg(test)]
mod tests;
