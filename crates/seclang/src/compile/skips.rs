//! What a phase walks, and where `skip` and `skipAfter` lead.

use std::collections::{BTreeSet, HashMap};

use super::assembly::{Draft, Item};
use crate::program::{Preset, PresetValue, RuleIndex, Slot, Step};
use crate::syntax::{Action, Phase, Place};

/// What all phases walk.
pub(super) struct Walks {
    pub(super) phases: [Vec<Step>; 5],
    /// The rules of each that skip.
    skipping: [Vec<RuleIndex>; 5],
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
            skipping: Default::default(),
            skip_to: vec![None; rules.count()],
            problems: Vec::new(),
        };
        walks.phases = Phase::ALL.map(|phase| walks.phase(items, phase));
        let rules_of = |steps: &Vec<Step>| -> Vec<RuleIndex> {
            let rules = steps.iter().filter_map(|step| match step {
                Step::Rule(rule) => Some(*rule),
                _ => None,
            });
            let skips = |rule: &RuleIndex| walks.skip_to.get(*rule as usize).copied().flatten();
            rules.filter(|rule| skips(rule).is_some()).collect()
        };
        walks.skipping = walks.phases.each_ref().map(rules_of);
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
        self.rewrite(|steps, _| {
            let is_kept = |step: &Step| matches!(step, Step::Rule(rule) if !is_folded(*rule));
            let mut kept = Vec::new();
            let mut places = Vec::with_capacity(steps.len());
            for step in steps {
                places.push(kept.len());
                kept.extend(is_kept(&step).then_some(step));
            }
            (kept, places)
        });
    }

    /// Makes one step of rules that stand one behind the other and only set variables, where no rule
    /// leads in between; `sets` is what a rule sets, if it is no more than that. Those that `ctl` may leave
    /// out `are_alike` where it leaves out both.
    pub(super) fn preset<S>(
        &mut self,
        sets: impl Fn(RuleIndex) -> Option<S>,
        are_alike: impl Fn(RuleIndex, RuleIndex) -> bool,
    ) where
        S: Iterator<Item = (Slot, PresetValue)>,
    {
        self.rewrite(|steps, targets| {
            let mut joined = Vec::new();
            let mut places = Vec::with_capacity(steps.len());
            // The first rule of those that are joined, and what they set.
            let mut run: Option<(RuleIndex, Vec<(Slot, PresetValue)>)> = None;
            for (at, step) in steps.into_iter().enumerate() {
                let set = match step {
                    Step::Rule(rule) => sets(rule).map(|set| (rule, set)),
                    _ => None,
                };
                let goes_on = |first: RuleIndex| {
                    let is_alike = set
                        .as_ref()
                        .is_some_and(|(rule, _)| are_alike(first, *rule));
                    is_alike && !targets.contains(&at)
                };
                if let Some((rule, values)) = run.take_if(|(first, _)| !goes_on(*first)) {
                    joined.push(Step::Preset(Preset::new(rule, values)));
                }
                places.push(joined.len());
                match set {
                    Some((rule, set)) => run.get_or_insert((rule, Vec::new())).1.extend(set),
                    None => joined.push(step),
                }
            }
            let last = run.map(|(rule, values)| Step::Preset(Preset::new(rule, values)));
            joined.extend(last);
            (joined, places)
        });
    }

    /// Puts other steps in the place of each phase's. `change` gets them and those that rules lead to,
    /// and gives new ones, with where each old one is among them.
    fn rewrite(&mut self, change: impl Fn(Vec<Step>, &BTreeSet<usize>) -> (Vec<Step>, Vec<usize>)) {
        for (steps, skipping) in self.phases.iter_mut().zip(&self.skipping) {
            let leads = |step: &Step| match step {
                Step::Rule(rule) => self.skip_to.get(*rule as usize).copied().flatten(),
                _ => None,
            };
            let targets = steps.iter().filter_map(leads).map(|to| to as usize);
            let targets = targets.collect();
            let (changed, places) = change(std::mem::take(steps), &targets);
            *steps = changed;
            for rule in skipping {
                if let Some(Some(to)) = self.skip_to.get_mut(*rule as usize) {
                    let place = places.get(*to as usize).copied().unwrap_or(steps.len());
                    *to = u32::try_from(place).unwrap_or(u32::MAX);
                }
            }
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
