//! What a phase walks.

use super::effect::Operand;
use super::rule::RuleIndex;
use super::tx_names::Slot;
use crate::operators::Relation;

/// One step of a phase.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// `SecMarker`: nothing happens there.
    Marker,
    /// A rule that only decides where to go on.
    Gate(Gate),
    /// A rule that is looked at only where a value may match it.
    Filtered(Filtered),
    /// Any other rule.
    Rule(RuleIndex),
}

/// A rule, and where it is told whether a value may match it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filtered {
    pub(crate) rule: RuleIndex,
    /// The parts that it looks at, as an index of [`Program::groups`](super::Program).
    pub(crate) group: u32,
    pub(crate) filter: u32,
}

/// A rule that compares one variable of the transaction with a number, does nothing else, and is not
/// logged: what paranoia levels are made of.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub(crate) rule: RuleIndex,
    pub(crate) comparison: SlotComparison,
    pub(crate) skip_to: Option<u32>,
}

/// A comparison of one variable of `TX` with a number, or with another of them.
#[derive(Clone, Debug)]
pub(crate) struct SlotComparison {
    pub(crate) slot: Slot,
    /// `&TX:a`
    pub(crate) is_count: bool,
    pub(crate) relation: Relation,
    pub(crate) operand: Operand,
    pub(crate) is_negated: bool,
}
