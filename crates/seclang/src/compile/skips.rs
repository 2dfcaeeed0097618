//! What a phase walks, and where `skip` and `skipAfter` lead.

use std::collections::HashMap;

use super::assembly::{Draft, Item};
use crate::program::{RuleIndex, Step};
use crate::syntax::{Action, Phase, Place};

/// What all phases walk.
pub(super) struct Walks {
    pub(super) phases: [Vec<Step>; 5],
    /// Where the phase of each rule goes on if it matches; the next step where there is none.
    pub(super) skip_to: Vec<Option<u32>>,
    /// Where something leads nowhere: place, rule and what is wrong.
    pub(super) problems: Vec<(Place, u64, String)>,
}

impl Walks {
    pub(super) fn new(items: &[Item]) -> Self {
        let rules = items.iter().filter(|item| matches!(item, Item::Rule(_)));
        let mut walks = Self {
            phases: Default::default(),
            skip_to: vec![None; rules.count()],
            problems: Vec::new(),
        };
        walks.phases = Phase::ALL.map(|phase| walks.phase(items, phase));
        walks
    }

    /// Markers are in every phase; a rule in its own.
    fn phase(&mut self, items: &[Item], phase: Phase) -> Vec<Step> {
        let (steps, names, rules) = steps(items, phase);
        // Where each name is last, walking from the end: the next one ahead.
        let mut ahead: HashMap<&[u8], usize> = HashMap::new();
        let mut names = names.iter().rev().peekable();
        for (draft, at, index) in rules.iter().rev() {
            while let Some((name, step)) = names.next_if(|(_, step)| step > at) {
                ahead.insert(name, *step);
            }
            let skip_to = self.leads_to(draft, *at, &steps, &ahead);
            if let Some(cell) = self.skip_to.get_mut(*index as usize) {
                *cell = skip_to.and_then(|step| u32::try_from(step).ok());
            }
        }
        steps
    }

    fn leads_to(
        &mut self,
        draft: &Draft,
        at: usize,
        steps: &[Step],
        ahead: &HashMap<&[u8], usize>,
    ) -> Option<usize> {
        let mut skip_to = None;
        for action in draft.starter_actions() {
            match action {
                Action::SkipAfter(name) => {
                    // One that isn't ahead ends the phase.
                    let found = ahead.get(name.as_slice());
                    if found.is_none() {
                        let name = String::from_utf8_lossy(name);
                        let message = format!(
                            "skipAfter: no marker {name} follows, so that the phase ends there"
                        );
                        self.problems.push((draft.place.clone(), draft.id, message));
                    }
                    skip_to = Some(found.map_or(steps.len(), |step| step + 1));
                }
                Action::Skip(count) => skip_to = Some(behind(steps, at, *count)),
                _ => {}
            }
        }
        skip_to
    }

    /// Leaves out markers and the rules of which `is_folded` says so, which nobody has to walk any more.
    pub(super) fn without(&mut self, is_folded: impl Fn(RuleIndex) -> bool) {
        for steps in &mut self.phases {
            let is_kept = |step: &Step| matches!(step, Step::Rule(rule) if !is_folded(*rule));
            let mut next = 0;
            let mut places: Vec<u32> = Vec::with_capacity(steps.len() + 1);
            for step in steps.iter() {
                places.push(next);
                next += u32::from(is_kept(step));
            }
            places.push(next);
            for step in steps.iter() {
                let Step::Rule(rule) = step else { continue };
                let skip_to = self.skip_to.get_mut(*rule as usize);
                if let Some(Some(to)) = skip_to {
                    *to = places.get(*to as usize).copied().unwrap_or(next);
                }
            }
            steps.retain(is_kept);
        }
    }
}

/// A rule of the phase, and its step.
type Placed<'i> = (&'i Draft, usize, RuleIndex);

/// Names of steps, in order.
type Names = Vec<(Vec<u8>, usize)>;

/// The steps of a phase, what is found by name among them, and its rules.
fn steps(items: &[Item], phase: Phase) -> (Vec<Step>, Names, Vec<Placed<'_>>) {
    let (mut steps, mut rules) = (Vec::new(), Vec::new());
    let mut names: Names = Vec::new();
    let mut index = 0;
    for item in items {
        match item {
            Item::Marker(name) => {
                names.push((name.clone(), steps.len()));
                steps.push(Step::Marker);
            }
            Item::Removed(id, of) => {
                if *of == phase {
                    names.push((id.to_string().into_bytes(), steps.len()));
                    steps.push(Step::Marker);
                }
            }
            Item::Rule(draft) => {
                if draft.phase == phase {
                    names.push((draft.id.to_string().into_bytes(), steps.len()));
                    rules.push((draft, steps.len(), index));
                    steps.push(Step::Rule(index));
                }
                index += 1;
            }
        }
    }
    (steps, names, rules)
}

/// The step behind the `count` rules that follow; markers don't count.
fn behind(steps: &[Step], at: usize, count: u32) -> usize {
    let mut left = count;
    let mut next = at + 1;
    while left > 0 {
        match steps.get(next) {
            Some(Step::Marker) => {}
            Some(_) => left -= 1,
            None => return steps.len(),
        }
        next += 1;
    }
    next
}
