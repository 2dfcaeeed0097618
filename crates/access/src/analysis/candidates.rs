//! Which earlier rules are worth comparing with a later one.

use super::satisfiability::is_certain;
use crate::compile::{Compiled, Leaf, LeafId, Node, Source, compile};
use crate::matcher::Workspace;
use crate::{Condition, PatternKind, Rule};

/// Up to so many pairs all are compared; beyond, compiling the rules first is cheaper.
const PAIRS_MAX: usize = 200_000;

/// Finds the earlier rules that a later one may imply, without comparing all pairs.
///
/// A condition implies a leaf only by a leaf of its own: by a pattern whose text the other pattern
/// matches (`/admin/x` and the prefix `/admin`), by a range within a range, by a shared country. So
/// the texts and ranges of the later rule are put to the compiled rules as if they were a request.
pub(super) enum Candidates {
    /// All earlier rules.
    All,
    /// Those that the compiled rules list.
    Listed(Box<Listed>),
}

pub(super) struct Listed {
    compiled: Compiled,
    /// Rules that no leaf lists, or that may be implied without one.
    always: Vec<u32>,
    workspace: Workspace,
}

impl Candidates {
    pub(super) fn among(before: &[Rule], rules: &[Rule]) -> Self {
        if are_few(before.len(), rules.len()) {
            return Self::All;
        }
        let all: Vec<Rule> = before.iter().chain(rules).cloned().collect();
        Self::listed(&all)
    }

    /// As [`Self::among`] with none before, of rules that are compiled already.
    pub(super) fn of(compiled: Compiled, rules: &[Rule]) -> Self {
        match are_few(0, rules.len()) {
            true => Self::All,
            false => Self::Listed(Box::new(Listed::of(compiled, rules))),
        }
    }

    /// All earlier rules where the rules can't be compiled together.
    pub(super) fn listed(rules: &[Rule]) -> Self {
        Listed::new(rules).map_or(Self::All, |listed| Self::Listed(Box::new(listed)))
    }

    /// The positions, ascending, of the rules before the one at `later` that it may imply.
    pub(super) fn before(&mut self, later: usize, condition: &Condition) -> Vec<usize> {
        match self {
            Self::All => (0..later).collect(),
            Self::Listed(listed) => listed.before(later, condition),
        }
    }
}

/// Whether each pair may be compared.
fn are_few(before: usize, rules: usize) -> bool {
    before.saturating_add(rules).saturating_mul(rules) <= PAIRS_MAX
}

impl Listed {
    fn new(rules: &[Rule]) -> Option<Self> {
        Some(Self::of(compile(rules).ok()?, rules))
    }

    fn of(compiled: Compiled, rules: &[Rule]) -> Self {
        let certain = (0..)
            .zip(rules)
            .filter(|(_, rule)| has_certain_leaf(&rule.condition));
        let mut always: Vec<u32> = certain.map(|(position, _)| position).collect();
        always.extend(&compiled.always);
        Self {
            compiled,
            always,
            workspace: Workspace::new(),
        }
    }

    fn before(&mut self, later: usize, condition: &Condition) -> Vec<usize> {
        let mut leaves: Vec<LeafId> = Vec::new();
        if let Some(Some(node)) = self.compiled.conditions.get(later) {
            collect(
                &self.compiled,
                node,
                condition,
                &mut self.workspace,
                &mut leaves,
            );
        }
        leaves.sort_unstable();
        leaves.dedup();
        let listed = leaves
            .iter()
            .flat_map(|leaf| self.compiled.rules_by_leaf.get(*leaf));
        let mut rules: Vec<usize> = listed
            .chain(&self.always)
            .map(|rule| *rule as usize)
            .filter(|rule| *rule < later)
            .collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }
}

/// Adds the listing leaves that a leaf of `condition` may imply; `node` is its compiled form.
fn collect(
    compiled: &Compiled,
    node: &Node,
    condition: &Condition,
    workspace: &mut Workspace,
    leaves: &mut Vec<LeafId>,
) {
    match (node, condition) {
        (Node::All(nodes), Condition::All(parts)) | (Node::Any(nodes), Condition::Any(parts)) => {
            for (node, part) in nodes.iter().zip(parts) {
                collect(compiled, node, part, workspace, leaves);
            }
        }
        (Node::Not(node), Condition::Not(part)) => {
            collect(compiled, node, part, workspace, leaves);
        }
        (Node::Leaf(leaf), _) => {
            if let Some(leaf) = compiled.leaves.get(*leaf as usize) {
                collect_leaf(compiled, leaf, condition, workspace, leaves);
            }
        }
        _ => {}
    }
}

/// What `leaf` itself lists, and what lists whatever the texts or ranges of its condition hit.
fn collect_leaf(
    compiled: &Compiled,
    leaf: &Leaf,
    condition: &Condition,
    workspace: &mut Workspace,
    leaves: &mut Vec<LeafId>,
) {
    let Some(listing) = compiled.listing(leaf.source) else {
        return;
    };
    let mut list = |atom| leaves.extend(listing.get(atom));
    leaf.atoms.iter().copied().for_each(&mut list);
    match (leaf.source, condition) {
        (Source::Address, Condition::Address(address)) => {
            let networks = address.ranges().iter().map(|range| range.network());
            networks
                .flat_map(|network| compiled.addresses.find(network))
                .for_each(list);
        }
        (Source::Text(field), Condition::Text(text)) => {
            let Some(field) = compiled.fields.get(field as usize) else {
                return;
            };
            workspace.fit(&field.index);
            for pattern in text.patterns() {
                // The text of a regular expression is no value of the field.
                if pattern.kind() != PatternKind::Regex {
                    field
                        .index
                        .find(pattern.text().as_bytes(), workspace, &mut list);
                }
            }
        }
        _ => {}
    }
}

/// Whether some leaf holds on every request: anything implies it.
fn has_certain_leaf(condition: &Condition) -> bool {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().any(has_certain_leaf),
        Condition::Not(part) => has_certain_leaf(part),
        leaf => is_certain(leaf),
    }
}
