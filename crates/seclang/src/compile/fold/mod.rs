//! What is known of rules before any request: which can never match or are never reached, and which
//! always match.
//!
//! Much of a rule set asks what the operator has set: whether a variable of `TX` has a default yet, and
//! whether the paranoia level is one at which the next rules run. Phase 1 is walked once with variables
//! that have no value yet, as every transaction begins, and where all of a rule's comparisons are of
//! values that are known, it is decided here. What a rule that is not decided may write is not known
//! behind it. Rules that are never reached need no filter, no form of any value and no step.
//!
//! Texts in which rules name variables are known too, where those are the same on all ways to a rule: the
//! argument of an operator, such as `@within %{tx.allowed_methods}`, and the value of a `setvar`, such as
//! `tx.score=+%{tx.critical_anomaly_score}`, are then as if their author had written them.
//!
//! Rules that always match and only set variables to values that are known, as those that give CRS's
//! settings their defaults, are no rules any more for those who run them: the values are set at once.
//!
//! The other phases are walked with what holds however phase 1 has ended, and whichever of them have run:
//! [`Transaction`](crate::Transaction) runs none of them without phase 1.

mod knowledge;
mod notes;
mod outline;
mod presets;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeMap;

use super::assembly::Drafts;
use super::rule_files::RuleFiles;
use super::skips::Walks;
use crate::program::{Fate, PresetValue, Step};

use outline::{Outline, Outlines};
use walk::{Seen, Walk};

/// What is known of a rule.
pub(super) struct Known {
    pub(super) fate: Fate,
    /// Of a [`Fate::Preset`] what it sets, in order: names of `TX`, and what they then are.
    pub(super) sets: Vec<(Box<[u8]>, PresetValue)>,
    /// The `ctl` that may leave it out. Rules of which these are the same are left out together.
    pub(super) left_out_by: Vec<usize>,
    /// What is known of each of its links; nothing of those that are not here.
    pub(super) links: Vec<KnownLink>,
}

/// What is known of a link.
pub(super) struct KnownLink {
    /// What the argument of its operator comes to, whenever it is asked.
    pub(super) argument: Option<Box<[u8]>>,
    /// What is set, added or taken away by those of its actions of which that is known, by their places.
    pub(super) operands: BTreeMap<usize, Box<[u8]>>,
}

impl Known {
    /// Nothing is.
    const NOTHING: Self = Self {
        fate: Fate::Asked,
        sets: Vec::new(),
        left_out_by: Vec::new(),
        links: Vec::new(),
    };
}

/// What is known of each rule, by index; of all of them nothing where that would take too long.
pub(super) fn known(drafts: &Drafts, walks: &Walks, files: &dyn RuleFiles) -> Vec<Known> {
    let known = Outlines::new(drafts, files).and_then(|outlines| {
        let (seen, values) = Walk::new(&outlines, walks).all()?;
        let fates = settled(&outlines.rules, walks, &seen);
        let rules = fates.into_iter().zip(&seen).enumerate();
        let rules = rules.map(|(index, (fate, seen))| {
            let skips = walks.skip_to.get(index).is_some_and(Option::is_some);
            let is_preset = fate == Fate::Certain && !skips;
            let sets = match outlines.rules.get(index).filter(|_| is_preset) {
                Some(rule) => presets::sets(rule, seen, &outlines.names, &values),
                None => None,
            };
            let links = seen.links.iter();
            Known {
                fate: if sets.is_some() { Fate::Preset } else { fate },
                sets: sets.unwrap_or_default(),
                left_out_by: match seen.is_left_out {
                    true => outlines.removals_of(index),
                    false => Vec::new(),
                },
                links: links.map(|notes| notes.known(&values)).collect(),
            }
        });
        Some(rules.collect())
    });
    known.unwrap_or_else(|| nothing(walks))
}

/// Nothing is known of any rule.
pub(super) fn nothing(walks: &Walks) -> Vec<Known> {
    walks.skip_to.iter().map(|_| Known::NOTHING).collect()
}

fn settled(rules: &[Outline], walks: &Walks, seen: &[Seen]) -> Vec<Fate> {
    let mut fates: Vec<Fate> = seen.iter().map(Seen::fate).collect();
    for steps in &walks.phases {
        settle_gates(rules, walks, steps, &mut fates);
    }
    fates
}

/// A rule that always matches and does nothing but skip is no more than its skip, and that is nothing
/// where no rule is left to be skipped.
fn settle_gates(rules: &[Outline], walks: &Walks, steps: &[Step], fates: &mut [Fate]) {
    // How many rules are left from each step on.
    let mut left = vec![0_usize; steps.len() + 1];
    for (at, step) in steps.iter().enumerate().rev() {
        let behind = left.get(at + 1).copied().unwrap_or(0);
        let mut is_left = false;
        if let Step::Rule(rule) = step {
            let index = *rule as usize;
            let skip_to = walks.skip_to.get(index).copied().flatten();
            let from = skip_to.map_or(at + 1, |to| to as usize);
            let skips_none = left.get(from).copied().unwrap_or(0) == behind;
            let does_nothing = rules.get(index).is_some_and(Outline::does_nothing);
            if let Some(fate) = fates.get_mut(index) {
                if *fate == Fate::Certain && does_nothing && skips_none {
                    *fate = Fate::Folded;
                }
                is_left = *fate != Fate::Folded;
            }
        }
        if let Some(cell) = left.get_mut(at) {
            *cell = behind + usize::from(is_left);
        }
    }
}
