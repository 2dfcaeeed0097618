//! What a rule does to its transaction when it matches, beside ending it.

use palisade_body::Processor;

use super::source::Source;
use super::target::Exclusion;
use super::tx_names::Slot;
use crate::MacroText;
use crate::syntax::{AuditMode, EngineMode, Sanitise, VariableName, XmlArguments};

/// One action that isn't disruptive.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    /// `setvar`
    Set(Destination, Change),
    /// `expirevar`
    Expire(VariableName, MacroText<Source>, MacroText<Source>),
    /// `initcol`, `setsid`, `setuid`, `setrsc`
    InitCollection(VariableName, MacroText<Source>),
    /// `setenv`
    SetEnv(MacroText<Source>, Option<MacroText<Source>>),
    /// `ctl`
    Ctl(CtlEffect),
    /// `sanitiseArg`, `sanitiseMatched`, ...
    Sanitise(Sanitise),
}

/// A variable that is written.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// `tx.score`
    Tx(Slot),
    /// `tx.counter_%{MATCHED_VAR_NAME}`
    TxNamed(MacroText<Source>),
    /// `ip.counter`
    Member(VariableName, MacroText<Source>),
}

/// What becomes of it.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Unset,
    Set(Operand),
    Add(Operand),
    Subtract(Operand),
}

/// A value that is known, another variable's, or text to be expanded.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    Integer(i64),
    Tx(Slot),
    Text(Box<[u8]>),
    Macros(MacroText<Source>),
}

/// What `ctl` changes for the rest of the transaction.
#[derive(Clone, Debug)]
pub(crate) enum CtlEffect {
    RuleEngine(EngineMode),
    AuditEngine(AuditMode),
    AuditLogParts(Box<[u8]>),
    RequestBodyAccess(bool),
    ResponseBodyAccess(bool),
    RequestBodyLimit(u64),
    ResponseBodyLimit(u64),
    Processor(Processor),
    XmlArguments(XmlArguments),
    ForceRequestBody(bool),
    ForceResponseBody(bool),
    RemoveRules(RuleSet),
    /// An index of [`Program::removals`](super::Program).
    RemoveTargets(usize),
}

/// Rules, by their indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RuleSet(Box<[u64]>);

impl RuleSet {
    pub(crate) fn new(rule_count: usize, is_member: impl Fn(usize) -> bool) -> Self {
        let mut words = vec![0_u64; rule_count.div_ceil(64)];
        for rule in (0..rule_count).filter(|rule| is_member(*rule)) {
            if let Some(word) = words.get_mut(rule / 64) {
                *word |= 1 << (rule % 64);
            }
        }
        Self(words.into())
    }

    pub(crate) fn contains(&self, rule: usize) -> bool {
        let word = self.0.get(rule / 64).copied().unwrap_or(0);
        word >> (rule % 64) & 1 == 1
    }

    pub(crate) fn words(&self) -> &[u64] {
        &self.0
    }
}

/// What `ctl:ruleRemoveTargetBy...` leaves out, and of which rules.
#[derive(Clone, Debug)]
pub(crate) struct TargetRemoval {
    pub(crate) rules: RuleSet,
    pub(crate) exclusions: Box<[Exclusion]>,
}
