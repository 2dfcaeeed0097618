//! Which filters, scans and pipelines rules need.

use std::collections::HashMap;
use std::ops::Range;

use super::operators::Operators;
use crate::ByteSet;
use crate::Transformation;
use crate::prefilter::{Prefilter, Requirement};
use crate::program::{NodeId, Pipelines, Scan, Side};

/// One side's filters and pipelines, while rules are lowered.
#[derive(Debug)]
pub(super) struct SideDraft {
    pub(super) pipelines: Pipelines,
    filters: Vec<u32>,
    /// By operator.
    known: HashMap<u32, u32>,
}

impl SideDraft {
    pub(super) fn new() -> Self {
        Self {
            pipelines: Pipelines::new(),
            filters: Vec::new(),
            known: HashMap::new(),
        }
    }

    /// The filter of an operator.
    pub(super) fn filter(&mut self, operator: u32) -> u32 {
        let next = u32::try_from(self.filters.len()).unwrap_or(u32::MAX);
        let filter = *self.known.entry(operator).or_insert(next);
        if filter == next {
            self.filters.push(operator);
        }
        filter
    }

    /// The side, with what its strings are searched for.
    pub(super) fn finish(mut self, operators: &Operators, requirements: &Requirements) -> Side {
        let required = self.filters.iter().zip(0_u32..);
        let required = required.filter_map(|(operator, filter)| {
            Some((filter, requirements.of(*operator, operators)?))
        });
        let mut transformations: Vec<Transformation> = self.pipelines.transformations().collect();
        transformations.sort_unstable();
        transformations.dedup();
        let triggered: Vec<(Transformation, ByteSet)> = transformations
            .into_iter()
            .filter_map(|one| Some((one, one.triggers()?)))
            .filter(|_| requirements.is_on)
            .collect();
        let sets: Vec<ByteSet> = triggered.iter().map(|(_, set)| *set).collect();
        let (prefilter, classes) = Prefilter::build(required, &sets);
        self.pipelines.set_triggers(|transformation| {
            let at = triggered
                .iter()
                .position(|(one, _)| *one == transformation)?;
            classes.get(at).copied().flatten()
        });
        Side {
            prefilter,
            pipelines: self.pipelines,
            filters: self.filters.into(),
        }
    }
}

/// What values must have for operators to match them.
#[derive(Debug)]
pub(super) struct Requirements {
    is_on: bool,
}

impl Requirements {
    pub(super) fn new(is_on: bool) -> Self {
        Self { is_on }
    }

    pub(super) fn of(&self, operator: u32, operators: &Operators) -> Option<Requirement> {
        if !self.is_on {
            return None;
        }
        Requirement::of(&operators.get(operator)?.operator)
    }
}

/// Scans, each once, and the lists of them that tests have.
#[derive(Debug, Default)]
pub(super) struct Scans {
    pub(super) all: Vec<Scan>,
    pub(super) lists: Vec<u32>,
    known: HashMap<Scan, u32>,
}

impl Scans {
    /// Where the list of these is.
    pub(super) fn add(&mut self, scans: impl Iterator<Item = Scan>) -> Range<u32> {
        let begins = self.lists.len();
        for scan in scans {
            let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
            let index = *self.known.entry(scan).or_insert(next);
            if index == next {
                self.all.push(scan);
            }
            self.lists.push(index);
        }
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        number(begins)..number(self.lists.len())
    }
}

/// The node of a list of transformations; `None` where there are too many.
pub(super) fn pipeline(side: &mut SideDraft, list: &[Transformation]) -> Option<NodeId> {
    side.pipelines.add(list)
}
