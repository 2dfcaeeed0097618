//! What a phase walks, and where `skip` and `skipAfter` lead.

use std::collections::HashMap;

use crate::compile::assembly::Item;
use crate::program::{Rule, Step};
use crate::syntax::{Action, Phase, Place};

/// The steps of a phase.
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
    /// Where something leads nowhere: place, rule and what is wrong.
    pub(super) problems: Vec<(Place, u64, String)>,
}

/// Markers are in every phase; a rule in its own.
pub(super) fn steps(items: &[Item], rules: &mut [Rule], phase: Phase) -> Steps {
    let (mut steps, mut rule_steps) = (Vec::new(), Vec::new());
    // Where each name is last, walking from the end: the next one ahead.
    let mut names: Vec<(Vec<u8>, usize)> = Vec::new();
    let mut index = 0_u32;
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
                    rule_steps.push((draft, steps.len(), index));
                    steps.push(Step::Rule(index));
                }
                index += 1;
            }
        }
    }
    let mut ahead: HashMap<&[u8], usize> = HashMap::new();
    let mut names = names.iter().rev().peekable();
    let mut problems = Vec::new();
    for (draft, at, index) in rule_steps.iter().rev() {
        while let Some((name, step)) = names.next_if(|(_, step)| step > at) {
            ahead.insert(name, *step);
        }
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
                        problems.push((draft.place.clone(), draft.id, message));
                    }
                    skip_to = Some(found.map_or(steps.len(), |step| step + 1));
                }
                Action::Skip(count) => skip_to = Some(behind(&steps, *at, *count)),
                _ => {}
            }
        }
        let rule = usize::try_from(*index).ok();
        if let Some(rule) = rule.and_then(|rule| rules.get_mut(rule)) {
            rule.skip_to = skip_to.and_then(|step| u32::try_from(step).ok());
        }
    }
    Steps { steps, problems }
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
