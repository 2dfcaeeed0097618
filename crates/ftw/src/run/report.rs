//! What came of tests.

use std::fmt;

use palisade_yaml::Location;

use super::check::Mismatch;
use crate::overrides::Override;
use crate::suite::TestId;

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The test.
    pub id: TestId,
    /// Where it is written.
    pub location: Location,
    /// What came of it.
    pub outcome: Outcome,
}

/// Whether a test passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It does as it is written.
    Passed,
    /// It does with what its override expects.
    Overridden {
        /// The override's reason.
        reason: String,
        /// What fails without it.
        without: Failure,
    },
    /// It does as it is written, though it has an override: that can go.
    OverrideNotNeeded {
        /// The override's reason.
        reason: String,
    },
    /// It doesn't, nor with its override if it has one.
    Failed(Failure),
}

/// The first stage that fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The stage, from 0.
    pub stage: usize,
    /// What is wrong with it.
    pub mismatch: Box<Mismatch>,
}

impl fmt::Display for Failure {
    /// The stage is named where it isn't the first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.stage > 0 {
            write!(f, "stage {}: ", self.stage)?;
        }
        self.mismatch.fmt(f)
    }
}

impl fmt::Display for Report {
    /// `920100-4 failed: expected status 200, got 400 (920100.yaml:59:5)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, location, .. } = self;
        match &self.outcome {
            Outcome::Passed => write!(f, "{id} passed"),
            Outcome::Overridden { reason, without } => {
                write!(f, "{id} overridden: {reason}: {without} ({location})")
            }
            Outcome::OverrideNotNeeded { reason } => {
                write!(
                    f,
                    "{id} passed, its override is not needed: {reason} ({location})"
                )
            }
            Outcome::Failed(failure) => write!(f, "{id} failed: {failure} ({location})"),
        }
    }
}

/// What came of many tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Of each, in the order in which they ran.
    pub reports: Vec<Report>,
    /// Overrides that are for no test that ran.
    pub overrides_without_test: Vec<Override>,
}

impl Summary {
    /// How many passed, and how many didn't.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for report in &self.reports {
            let count = match report.outcome {
                Outcome::Passed => &mut totals.passed,
                Outcome::Overridden { .. } => &mut totals.overridden,
                Outcome::OverrideNotNeeded { .. } => &mut totals.overrides_not_needed,
                Outcome::Failed(_) => &mut totals.failed,
            };
            *count += 1;
        }
        totals
    }
}

/// How many tests passed, and how many didn't; each test counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Passed as they are written, without an override.
    pub passed: usize,
    /// Passed with what their override expects.
    pub overridden: usize,
    /// Passed as they are written, though they have an override.
    pub overrides_not_needed: usize,
    /// Didn't pass.
    pub failed: usize,
}

impl fmt::Display for Totals {
    /// `4990 passed, 11 overridden, 2 with overrides that are not needed, 0 failed`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            overridden,
            overrides_not_needed,
            failed,
        } = self;
        write!(
            f,
            "{passed} passed, {overridden} overridden, {overrides_not_needed} with overrides that are not needed, {failed} failed"
        )
    }
}
