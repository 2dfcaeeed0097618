//! What a phase walks.

use std::collections::BTreeMap;
use std::ops::Range;

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
    /// Rules that only set variables to values that are known.
    Preset(Preset),
    /// Any other rule.
    Rule(RuleIndex),
}

/// Variables of `TX` that are set at once, whatever the request: what rules that stand one behind the
/// other come to.
#[derive(Clone, Debug)]
pub(crate) struct Preset {
    /// The first of these rules. Where `ctl` leaves it out, it leaves out all of them.
    pub(crate) rule: RuleIndex,
    /// What texts among the values are parts of, so that a transaction keeps them all at once.
    pub(crate) texts: Box<[u8]>,
    pub(crate) values: Box<[(Slot, PresetValue<Range<usize>>)]>,
}

/// A value that is known, its text as a `T`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PresetValue<T = Box<[u8]>> {
    Unset,
    Integer(i64),
    Text(T),
}

impl Preset {
    /// What comes of setting these, one after the other.
    pub(crate) fn new(
        rule: RuleIndex,
        sets: impl IntoIterator<Item = (Slot, PresetValue)>,
    ) -> Self {
        // The last value of each counts.
        let last: BTreeMap<Slot, PresetValue> = sets.into_iter().collect();
        let mut texts = Vec::new();
        let values = last.into_iter().map(|(slot, value)| {
            let value = match value {
                PresetValue::Unset => PresetValue::Unset,
                PresetValue::Integer(number) => PresetValue::Integer(number),
                PresetValue::Text(text) => {
                    let start = texts.len();
                    texts.extend_from_slice(&text);
                    PresetValue::Text(start..texts.len())
                }
            };
            (slot, value)
        });
        Self {
            rule,
            values: values.collect(),
            texts: texts.into(),
        }
    }
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
