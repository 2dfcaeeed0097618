//! Which filters, forms and pipelines rules need.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::needs::{Least, Needs};
use super::operators::Operators;
use crate::ByteSet;
use crate::Transformation;
use crate::prefilter::{Prefilter, Requirement};
use crate::program::{
    FormNeeds, Forms, FormsId, LISTS_MAX, NodeId, PartId, Pipelines, Side, words_of,
};

/// One side's filters and pipelines, while rules are lowered.
#[derive(Debug)]
pub(super) struct SideDraft {
    pub(super) pipelines: Pipelines,
    filters: Vec<u32>,
    /// By operator, and whether it is asked of forms in which letters may have changed their case.
    known: HashMap<(u32, bool), u32>,
    /// Which filters the form of which node is searched for.
    searched: Vec<(NodeId, u32)>,
    /// In which forms each filter is searched for; and whether in each on the way.
    searches: HashMap<u32, BTreeSet<(NodeId, bool)>>,
    forms: PartForms,
}

impl SideDraft {
    pub(super) fn new() -> Self {
        Self {
            pipelines: Pipelines::new(),
            filters: Vec::new(),
            known: HashMap::new(),
            searched: Vec::new(),
            searches: HashMap::new(),
            forms: PartForms::default(),
        }
    }

    /// Notes that values of parts are searched for a filter in the form of a node, or also in each on the
    /// way to it, and that it is asked of that of `asked`.
    pub(super) fn search(
        &mut self,
        parts: &[PartId],
        (node, asked): (NodeId, NodeId),
        is_multi_match: bool,
        filter: u32,
    ) {
        let searches = self.searches.entry(filter).or_default();
        searches.insert((asked, is_multi_match));
        let (came, path) = match is_multi_match {
            true => (Some(0), self.pipelines.path(node)),
            false => (None, &[][..]),
        };
        let nodes = came.into_iter().chain(path.iter().copied()).chain([node]);
        self.searched
            .extend(nodes.clone().map(|node| (node, filter)));
        self.forms.add(parts, nodes);
    }

    /// The filter of an operator that is asked of the form of a node.
    pub(super) fn filter(&mut self, operator: u32, node: NodeId) -> u32 {
        let changes_case = self.pipelines.changes_case(node);
        let next = u32::try_from(self.filters.len()).unwrap_or(u32::MAX);
        let filter = *self.known.entry((operator, changes_case)).or_insert(next);
        if filter == next {
            self.filters.push(operator);
        }
        filter
    }

    /// The side, with what its strings are searched for.
    pub(super) fn finish(
        mut self,
        operators: &Operators,
        requirements: &mut Requirements,
        part_count: usize,
    ) -> Side {
        let required = self.required(operators, requirements);
        let least: HashMap<u32, Least> = required
            .iter()
            .map(|(filter, requirement)| (*filter, Least::of(requirement)))
            .collect();
        let mut prefilter = self.prefilter(required, requirements.is_on);
        for (operator, filter) in self.filters.iter().zip(0_u32..) {
            let compiled = operators.get(*operator).filter(|_| requirements.is_on);
            let besides = compiled.and_then(|compiled| Requirement::besides(&compiled.operator));
            if let Some(besides) = besides {
                prefilter.require_besides(filter, besides);
            }
        }
        let words = words_of(self.filters.len());
        let in_their_case = self.known.iter();
        let in_their_case = in_their_case.filter(|((_, changes_case), _)| !changes_case);
        let in_one_form = self.searches.iter().filter(|(_, forms)| forms.len() == 1);
        let mut searched = vec![0; self.pipelines.len() * words];
        let mut needs = Needs::default();
        for (node, filter) in self.searched {
            let word = usize::from(node) * words + filter as usize / 64;
            if let Some(word) = searched.get_mut(word) {
                *word |= 1 << (filter % 64);
            }
            needs.add(node, least.get(&filter));
        }
        let removed = |node| self.pipelines.removed(node);
        let needs = needs.in_classes(&mut prefilter, removed);
        let mut side = Side {
            prefilter,
            pipelines: self.pipelines,
            filters: self.filters.into(),
            required: row(least.keys().copied(), words),
            in_their_case: row(in_their_case.map(|(_, filter)| *filter), words),
            in_one_form: row(in_one_form.map(|(filter, _)| *filter), words),
            searched: searched.into(),
            forms: Box::default(),
            part_forms: Box::default(),
        };
        (side.forms, side.part_forms) = self.forms.finish(part_count, &side, &needs);
        side
    }

    /// What each filter requires that requires anything.
    fn required(
        &self,
        operators: &Operators,
        requirements: &mut Requirements,
    ) -> Vec<(u32, Requirement)> {
        let filters = self.filters.iter().zip(0_u32..);
        let required = filters.filter_map(|(operator, filter)| {
            let mut requirement = requirements.of(*operator, operators)?.clone();
            requirement.class = requirement.class.in_either_case();
            Some((filter, requirement))
        });
        required.collect()
    }

    /// What looks for all of that at once; which classes tell that transformations change a string is set
    /// in the pipelines, where it `is_on`.
    fn prefilter(&mut self, required: Vec<(u32, Requirement)>, is_on: bool) -> Prefilter {
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
        prefilter
    }
}

/// A row of words with these filters' bits.
fn row(filters: impl Iterator<Item = u32>, words: usize) -> Box<[u64]> {
    let mut row = vec![0; words];
    for filter in filters {
        if let Some(word) = row.get_mut(filter as usize / 64) {
            *word |= 1 << (filter % 64);
        }
    }
    row.into()
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

/// Lists of parts, each once.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) all: Vec<Box<[PartId]>>,
    known: HashMap<Box<[PartId]>, u32>,
}

impl Groups {
    /// The group of these parts.
    pub(super) fn add(&mut self, parts: &[PartId]) -> u32 {
        if let Some(group) = self.known.get(parts) {
            return *group;
        }
        let group = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(parts.into());
        self.known.insert(parts.into(), group);
        group
    }
}

/// In which forms the values of parts are searched.
#[derive(Debug, Default)]
struct PartForms {
    by_part: BTreeMap<PartId, BTreeSet<NodeId>>,
}

impl PartForms {
    fn add(&mut self, parts: &[PartId], nodes: impl Iterator<Item = NodeId> + Clone) {
        for part in parts {
            self.by_part.entry(*part).or_default().extend(nodes.clone());
        }
    }

    /// The lists, each once, and which is whose.
    fn finish(
        &self,
        part_count: usize,
        side: &Side,
        needs: &BTreeMap<NodeId, FormNeeds>,
    ) -> (Box<[Forms]>, Box<[FormsId]>) {
        let mut lists: Vec<BTreeSet<NodeId>> = Vec::new();
        let mut of_parts = vec![FormsId::NONE; part_count];
        for (part, nodes) in &self.by_part {
            let known = lists.iter().position(|list| list == nodes);
            let at = known.unwrap_or_else(|| {
                if lists.len() < LISTS_MAX {
                    lists.push(BTreeSet::new());
                }
                lists.len() - 1
            });
            if let Some(list) = lists.get_mut(at) {
                list.extend(nodes);
            }
            let place = of_parts.get_mut(usize::try_from(*part).unwrap_or(usize::MAX));
            if let (Some(place), Ok(at)) = (place, u8::try_from(at)) {
                *place = FormsId(at);
            }
        }
        let needs = |node| needs.get(&node).copied().unwrap_or(FormNeeds::ANY);
        let written = |transformation: Transformation| match transformation.written() {
            Some(bytes) => side.prefilter.written(bytes, transformation.changes_case()),
            None => u64::MAX,
        };
        let searched = |node| side.searched(node);
        let lists = lists
            .iter()
            .map(|list| Forms::new(list, &side.pipelines, searched, &needs, &written));
        (lists.collect(), of_parts.into())
    }
}

/// The node of a list of transformations; `None` where there are too many.
pub(super) fn pipeline(side: &mut SideDraft, list: &[Transformation]) -> Option<NodeId> {
    side.pipelines.add(list)
}
