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
    pub(super) fn finish(mut self, operators: &Operators, requirements: &mut Requirements) -> Side {
        let required = self.filters.iter().zip(0_u32..);
        let is_on = requirements.is_on;
        let required = required.filter_map(|(operator, filter)| {
            let mut requirement = requirements.of(*operator, operators)?.clone();
            requirement.class = requirement.class.in_either_case();
            Some((filter, requirement))
        });
        let mut transformations: Vec<Transformation> = self.pipelines.transformations().collect();
        transformations.sort_unstable();
        transformations.dedup();
        let triggered: Vec<(Transformation, ByteSet)> = transformations
            .into_iter()
            .filter_map(|one| Some((one, one.triggers()?)))
            .filter(|_| is_on)
            .collect();
        let exact = triggered.iter().map(|(_, set)| *set);
        let searched = triggered.iter().map(|(one, set)| one.beyond_case(*set));
        let sets: Vec<ByteSet> = exact.chain(searched).collect();
        let (prefilter, classes) = Prefilter::build(required, &sets);
        self.pipelines.set_triggers(|transformation| {
            let mut known = triggered.iter();
            let Some(at) = known.position(|(one, _)| *one == transformation) else {
                return (None, None);
            };
            let class = |at: usize| classes.get(at).copied().flatten();
            let beyond = triggered.len() + at;
            let searched = match sets.get(beyond).is_some_and(|set| set.is_empty()) {
                true => Some(0),
                false => class(beyond).map(|class| 1_u64.checked_shl(class).unwrap_or(0)),
            };
            (class(at), searched)
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
    /// By operator: what it takes to find one out is most of compiling.
    known: HashMap<u32, Option<Requirement>>,
}

impl Requirements {
    pub(super) fn new(is_on: bool) -> Self {
        Self {
            is_on,
            known: HashMap::new(),
        }
    }

    pub(super) fn of(&mut self, operator: u32, operators: &Operators) -> Option<&Requirement> {
        if !self.is_on {
            return None;
        }
        let compiled = operators.get(operator)?;
        let known = self.known.entry(operator);
        known
            .or_insert_with(|| Requirement::of(&compiled.operator))
            .as_ref()
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
            triggers: u64::MAX,
            scans: number(begins)..number(self.lists.len()),
        });
        self.known.insert(key, group);
        group
    }

    /// Sets which classes strings need to have another form, once that is known of nodes.
    pub(super) fn set_triggers(&mut self, request: &Side, response: &Side) {
        for group in &mut self.all {
            let scan = self.lists.get(group.scans.start as usize);
            let scan = scan.and_then(|scan| self.scans.get(*scan as usize));
            let side = match scan.is_some_and(|scan| scan.is_response) {
                true => response,
                false => request,
            };
            let node = side.pipelines.node(group.pipeline);
            let triggers = node.and_then(|node| node.searched_triggers);
            group.triggers = triggers.unwrap_or(u64::MAX);
        }
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
