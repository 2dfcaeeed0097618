//! Which filters, scans and pipelines rules need.

use std::collections::HashMap;

use super::operators::Operators;
use crate::ByteSet;
use crate::Transformation;
use crate::prefilter::{Prefilter, Requirement};
use crate::program::{Group, NodeId, PartId, Pipelines, Scan, Side, TargetSetId};

/// One side's filters and pipelines, while rules are lowered.
#[derive(Debug)]
pub(super) struct SideDraft {
    pub(super) pipelines: Pipelines,
    filters: Vec<u32>,
    /// By operator.
    known: HashMap<u32, u32>,
    /// Which filters the form of which node is searched for.
    searched: Vec<(NodeId, u32)>,
}

impl SideDraft {
    pub(super) fn new() -> Self {
        Self {
            pipelines: Pipelines::new(),
            filters: Vec::new(),
            known: HashMap::new(),
            searched: Vec::new(),
        }
    }

    /// Notes that the form of a node, or each on the way to it, is searched for a filter.
    pub(super) fn search(&mut self, node: NodeId, is_multi_match: bool, filter: u32) {
        self.searched.push((node, filter));
        if is_multi_match {
            let path = self.pipelines.path(node).iter();
            self.searched.extend(path.map(|node| (*node, filter)));
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
            let mut requirement = requirements.of(*operator, operators)?;
            requirement.class = requirement.class.in_either_case();
            Some((filter, requirement))
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
        let mut side = Side {
            prefilter,
            pipelines: self.pipelines,
            filters: self.filters.into(),
            searched: Box::default(),
        };
        let words = side.words();
        let mut searched = vec![0; side.pipelines.len() * words];
        for (node, filter) in self.searched {
            let word = usize::from(node) * words + filter as usize / 64;
            if let Some(word) = searched.get_mut(word) {
                *word |= 1 << (filter % 64);
            }
        }
        side.searched = searched.into();
        side
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

/// Scans and groups of them, each once.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) all: Vec<Group>,
    pub(super) scans: Vec<Scan>,
    pub(super) lists: Vec<u32>,
    known: HashMap<(TargetSetId, NodeId, bool, bool), u32>,
    known_scans: HashMap<Scan, u32>,
}

impl Groups {
    /// The group of the parts of a set in a form.
    pub(super) fn add(
        &mut self,
        targets: TargetSetId,
        parts: &[PartId],
        form: impl Fn(PartId) -> Scan,
    ) -> u32 {
        let scan = form(0);
        let key = (
            targets,
            scan.pipeline,
            scan.is_multi_match,
            scan.is_response,
        );
        if let Some(group) = self.known.get(&key) {
            return *group;
        }
        let begins = self.lists.len();
        for part in parts {
            let scan = self.scan(form(*part));
            self.lists.push(scan);
        }
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let group = number(self.all.len());
        self.all.push(Group {
            targets,
            pipeline: scan.pipeline,
            scans: number(begins)..number(self.lists.len()),
        });
        self.known.insert(key, group);
        group
    }

    fn scan(&mut self, scan: Scan) -> u32 {
        let next = u32::try_from(self.scans.len()).unwrap_or(u32::MAX);
        let index = *self.known_scans.entry(scan).or_insert(next);
        if index == next {
            self.scans.push(scan);
        }
        index
    }
}

/// The node of a list of transformations; `None` where there are too many.
pub(super) fn pipeline(side: &mut SideDraft, list: &[Transformation]) -> Option<NodeId> {
    side.pipelines.add(list)
}
