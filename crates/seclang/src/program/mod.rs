//! Rules in the form in which they run: what [`compile`](crate::compile) makes, and a
//! [`Transaction`](crate::Transaction) walks.
//!
//! Immutable: a program is shared by all threads, and changed rules are another program.

mod actions;
mod effect;
mod forms;
mod narrowed;
mod pipeline;
mod relevant_status;
mod rule;
mod settings;
mod source;
mod step;
mod summary;
mod target;
#[cfg(test)]
pub(crate) mod test_rules;
mod tx_names;

use crate::UnicodeMap;
use crate::operators::Operator;
use crate::prefilter::Prefilter;
use crate::syntax::Phase;

pub(crate) use effect::{Change, CtlEffect, Destination, Effect, Operand, RuleSet, TargetRemoval};
pub(crate) use forms::{Form, FormNeeds, Forms, FormsId, LISTS_MAX};
pub(crate) use pipeline::{NodeId, Pipelines};
pub use relevant_status::RelevantStatus;
pub use rule::{Asks, Rule};
pub(crate) use rule::{Fate, Link, Outcome, RuleIndex, Test};
pub use settings::{AuditSettings, BodyAccess, Settings};
pub(crate) use source::{RuleField, Source};
pub(crate) use step::{Filtered, Gate, Preset, PresetValue, SlotComparison, Step};
pub use summary::{Asked, Folded, Summary};
pub(crate) use target::{Exclusion, PartId, Pick, Planned, PlannedUse, TargetSet, TargetSetId};
pub(crate) use tx_names::{CAPTURE_SLOTS, Slot, TxNames};

/// Compiled rules.
#[derive(Debug)]
pub struct Program {
    pub(crate) settings: Settings,
    pub(crate) unicode: UnicodeMap,
    /// Chain starters and single rules, in the order of loading.
    pub(crate) rules: Box<[Rule]>,
    /// The links of all chains; [`Rule::links`] says which are a rule's.
    pub(crate) links: Box<[Link]>,
    /// What each phase walks, in the order of loading.
    pub(crate) steps: [Box<[Step]>; 5],
    pub(crate) target_sets: Box<[TargetSet]>,
    /// How many selectors are expressions.
    pub(crate) selector_count: usize,
    pub(crate) operators: Box<[CompiledOperator]>,
    pub(crate) request: Side,
    pub(crate) response: Side,
    pub(crate) tx: TxNames,
    /// What `ctl:ruleRemoveTargetBy...` leave out.
    pub(crate) removals: Box<[TargetRemoval]>,
    /// What targets name, each once.
    pub(crate) parts: Box<[Planned]>,
    /// The lists of parts that rules look at, each once: which rules may match is told of all of a list
    /// at once.
    pub(crate) groups: Box<[Box<[PartId]>]>,
}

/// An operator, and what its macros stand for.
#[derive(Debug)]
pub(crate) struct CompiledOperator {
    pub(crate) operator: Operator,
    pub(crate) expanded: Option<crate::MacroText<Source>>,
}

/// Rows of words are joined by so many words at once.
pub(crate) const ROW_STEP: usize = 4;

/// What phases of a request share, or those of an answer: strings are looked at for all rules of a side
/// at once.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) prefilter: Prefilter,
    pub(crate) pipelines: Pipelines,
    /// The operator of each filter, as an index of [`Program::operators`].
    pub(crate) filters: Box<[u32]>,
    /// A row of words: the filters that require something, so that what wasn't found to have it doesn't
    /// match.
    pub(crate) required: Box<[u64]>,
    /// A row of words: the filters that are asked only of forms in which letters are in the case that they
    /// came in. Strings are searched in either case, and a form that differs in nothing else is no other
    /// one: of other filters, what is known of a string says nothing of such a form.
    pub(crate) in_their_case: Box<[u64]>,
    /// A row of words: the filters that all rules look for in the same form, or in the same forms one after
    /// the other, so that what was found not to match in it doesn't match in any.
    pub(crate) in_one_form: Box<[u64]>,
    /// A row of words for each node: the filters that its form is searched for.
    pub(crate) searched: Box<[u64]>,
    /// Lists of forms in which values are searched.
    pub(crate) forms: Box<[Forms]>,
    /// For each part the list in which its values are searched; [`FormsId::NONE`] where none is.
    pub(crate) part_forms: Box<[FormsId]>,
}

impl Side {
    /// The filters that the form of a node is searched for.
    pub(crate) fn searched(&self, node: NodeId) -> &[u64] {
        let words = self.words();
        let row = usize::from(node) * words..(usize::from(node) + 1) * words;
        self.searched.get(row).unwrap_or_default()
    }

    /// Whether a filter requires something.
    pub(crate) fn is_required(&self, filter: u32) -> bool {
        has_bit(&self.required, filter)
    }

    /// Whether a filter is asked only of forms in which letters are in the case that they came in.
    pub(crate) fn is_in_their_case(&self, filter: u32) -> bool {
        has_bit(&self.in_their_case, filter)
    }

    /// Whether all rules look for a filter in the same form.
    pub(crate) fn is_in_one_form(&self, filter: u32) -> bool {
        has_bit(&self.in_one_form, filter)
    }

    /// How many words a row of all filters takes.
    pub(crate) fn words(&self) -> usize {
        words_of(self.filters.len())
    }
}

/// How many words a row of so many filters takes: a multiple of [`ROW_STEP`].
pub(crate) fn words_of(filters: usize) -> usize {
    filters.div_ceil(64).next_multiple_of(ROW_STEP)
}

fn has_bit(row: &[u64], filter: u32) -> bool {
    let word = row.get(filter as usize / 64);
    word.is_some_and(|word| word >> (filter % 64) & 1 == 1)
}

impl Program {
    /// What the rules say of bodies, limits and the audit log.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many rules there are; a chain is one.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    /// The rules, in the order of loading.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.rules.iter()
    }

    /// Whether any rule asks where an address is.
    #[must_use]
    pub fn asks_for_countries(&self) -> bool {
        let mut operators = self.operators.iter();
        operators.any(|one| matches!(one.operator, Operator::GeoLookup))
    }

    pub(crate) fn side(&self, phase: Phase) -> &Side {
        match phase {
            Phase::ResponseHeaders | Phase::ResponseBody => &self.response,
            Phase::RequestHeaders | Phase::RequestBody | Phase::Logging => &self.request,
        }
    }

    pub(crate) fn steps(&self, phase: Phase) -> &[Step] {
        let [one, two, three, four, five] = &self.steps;
        match phase {
            Phase::RequestHeaders => one,
            Phase::RequestBody => two,
            Phase::ResponseHeaders => three,
            Phase::ResponseBody => four,
            Phase::Logging => five,
        }
    }
}
