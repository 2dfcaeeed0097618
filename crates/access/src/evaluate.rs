//! What the rules say of a request.

use palisade_vocabulary::RequestView;

use crate::compile::Node;
use crate::field_values::PathForm;
use crate::hits::{Hits, Matching};
use crate::{Rule, RuleSet, Truth};

/// Memory that evaluations need. It belongs to no rule set and nothing of a request matters to the
/// next: one serves all sets of a worker. It grows to what they need and then stays.
#[derive(Debug)]
pub struct Scratch {
    hits: Hits,
    /// Positions of rules.
    recorded: Vec<u32>,
}

impl Scratch {
    /// Memory that has yet to grow.
    #[must_use]
    pub fn new() -> Self {
        Self {
            hits: Hits::new(),
            recorded: Vec::new(),
        }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// What the rules say of a request. Borrows the rules and, for what is recorded, the scratch.
#[derive(Clone, Copy, Debug)]
pub struct Ruling<'r, 's> {
    /// The first rule that blocks or allows; `None` if no rule does.
    pub decided: Option<&'r Rule>,
    rules: &'r [Rule],
    recorded: &'s [u32],
}

impl<'r, 's> Ruling<'r, 's> {
    /// The rules that matched before the decision and only record: those whose action is `log` and
    /// those in detect mode. In file order.
    pub fn recorded(&self) -> impl Iterator<Item = &'r Rule> + use<'r, 's> {
        let rules = self.rules;
        self.recorded
            .iter()
            .filter_map(move |rule| rules.get(*rule as usize))
    }
}

impl Ruling<'_, '_> {
    /// Where those that are [recorded](Self::recorded) stand among the rules of the set, from 0.
    pub fn recorded_positions(&self) -> impl Iterator<Item = u32> {
        self.recorded.iter().copied()
    }
}

impl RuleSet {
    /// What the rules say of a request: the first rule in file order that blocks or allows ends it,
    /// rules that log or are in detect mode are recorded on the way.
    ///
    /// Costs what the request hits, not what the set holds. Hot path: runs per request, allocates
    /// nothing once `scratch` has grown.
    pub fn evaluate<'r, 's>(
        &'r self,
        view: &RequestView<'_>,
        scratch: &'s mut Scratch,
    ) -> Ruling<'r, 's> {
        scratch.recorded.clear();
        let mut decided = None;
        let mut matching = Matching::new(self.compiled(), view, &mut scratch.hits);
        matching.find_candidates();
        let mut position = 0;
        while let Some(number) = matching.candidate(position) {
            position += 1;
            let (Some(rule), Some(condition)) =
                (self.rules().get(number as usize), self.condition(number))
            else {
                continue;
            };
            if rule_truth(rule, condition, &mut matching) != Truth::True {
                continue;
            }
            if rule.decides() {
                decided = Some(rule);
                break;
            }
            scratch.recorded.push(number);
        }
        Ruling {
            decided,
            rules: self.rules(),
            recorded: &scratch.recorded,
        }
    }
}

/// Whether a rule holds. What blocks or logs holds if it does for either form of the path, so that
/// `;params` neither hide a path from a `match` nor fake one for a `not`.
pub(crate) fn rule_truth(rule: &Rule, condition: &Node, matching: &mut Matching<'_>) -> Truth {
    let canonical = matching.truth(condition, PathForm::Canonical);
    if canonical == Truth::True || !rule.tries_path_without_params() || !matching.has_params() {
        return canonical;
    }
    canonical.max(matching.truth(condition, PathForm::WithoutParams))
}

#[cfg(test)]
pub(crate) mod tests;
