//! Why the rules say what they say.

use std::fmt;

use palisade_vocabulary::RequestView;

use crate::compile::Node;
use crate::evaluate::rule_truth;
use crate::field_values::PathForm;
use crate::hits::{Hits, Matching};
use crate::{Condition, Rule, RuleSet, Scratch, Truth};

/// What one rule says of a request, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleExplanation<'r> {
    /// The rule.
    pub rule: &'r Rule,
    /// What it says.
    pub outcome: Outcome,
    /// Whether it holds only for the path without `;params`.
    pub without_params_only: bool,
    /// The conditions that settle it, in the order of the file: all that hold of a rule that holds,
    /// the first that fails of one that doesn't. Empty for a rule that is off.
    pub because: Vec<Because<'r>>,
}

/// What one rule says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It blocks or allows, and ends the access rules.
    Decides,
    /// It holds and is recorded.
    Records,
    /// It holds, but a rule before it decided.
    TooLate,
    /// It doesn't hold.
    NoMatch,
    /// No database can tell whether it holds, so it doesn't apply.
    Unknown,
    /// It is off.
    Off,
}

/// A condition without parts, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Because<'r> {
    /// The condition.
    pub condition: &'r Condition,
    /// Whether it holds.
    pub truth: Truth,
}

impl RuleSet {
    /// Every rule with what it says of a request, in file order. The decision is the one that
    /// [`RuleSet::evaluate`] comes to; conditions are asked of the same compiled rules.
    #[must_use]
    pub fn explain(&self, view: &RequestView<'_>) -> Vec<RuleExplanation<'_>> {
        let decided = self.evaluate(view, &mut Scratch::new()).decided;
        let mut hits = Hits::new();
        let mut matching = Matching::new(self.compiled(), view, &mut hits);
        let mut reached = true;
        let mut explanations = Vec::with_capacity(self.rules().len());
        for (rule, number) in self.rules().iter().zip(0..) {
            let decides = decided.is_some_and(|decided| std::ptr::eq(decided, rule));
            explanations.push(match self.condition(number) {
                Some(condition) => explain_rule(rule, condition, decides, reached, &mut matching),
                None => RuleExplanation {
                    rule,
                    outcome: Outcome::Off,
                    without_params_only: false,
                    because: Vec::new(),
                },
            });
            reached &= !decides;
        }
        explanations
    }
}

fn explain_rule<'r>(
    rule: &'r Rule,
    node: &Node,
    decides: bool,
    reached: bool,
    matching: &mut Matching<'_>,
) -> RuleExplanation<'r> {
    let truth = rule_truth(rule, node, matching);
    let outcome = match truth {
        Truth::False => Outcome::NoMatch,
        Truth::Unknown => Outcome::Unknown,
        Truth::True if decides => Outcome::Decides,
        Truth::True if reached => Outcome::Records,
        Truth::True => Outcome::TooLate,
    };
    let without_params_only = matching.truth(node, PathForm::Canonical) != truth;
    let form = if without_params_only {
        PathForm::WithoutParams
    } else {
        PathForm::Canonical
    };
    let mut because = Vec::new();
    settle(node, &rule.condition, form, matching, &mut because);
    RuleExplanation {
        rule,
        outcome,
        without_params_only,
        because,
    }
}

/// Collects the leaves that settle what `node`, compiled from `condition`, is.
fn settle<'r>(
    node: &Node,
    condition: &'r Condition,
    form: PathForm,
    matching: &mut Matching<'_>,
    because: &mut Vec<Because<'r>>,
) {
    let truth = matching.truth(node, form);
    match (node, condition) {
        (Node::Not(node), Condition::Not(part)) => settle(node, part, form, matching, because),
        (Node::All(nodes), Condition::All(parts)) => {
            settle_parts(
                nodes,
                parts,
                form,
                truth,
                truth == Truth::False,
                matching,
                because,
            );
        }
        (Node::Any(nodes), Condition::Any(parts)) => {
            settle_parts(
                nodes,
                parts,
                form,
                truth,
                truth == Truth::True,
                matching,
                because,
            );
        }
        _ => because.push(Because { condition, truth }),
    }
}

/// The parts that are what the whole is; one alone is enough where `one_settles`.
fn settle_parts<'r>(
    nodes: &[Node],
    parts: &'r [Condition],
    form: PathForm,
    whole: Truth,
    one_settles: bool,
    matching: &mut Matching<'_>,
    because: &mut Vec<Because<'r>>,
) {
    for (node, part) in nodes.iter().zip(parts) {
        if matching.truth(node, form) == whole {
            settle(node, part, form, matching, because);
            if one_settles {
                return;
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Decides => "decides",
            Self::Records => "recorded",
            Self::TooLate => "matches, but an earlier rule decided",
            Self::NoMatch => "no match",
            Self::Unknown => "can't be known",
            Self::Off => "off",
        })
    }
}

impl fmt::Display for Because<'_> {
    /// `path prefix "/admin": yes`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.condition, self.truth)
    }
}

#[cfg(test)]
mod tests;
