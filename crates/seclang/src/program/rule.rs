//! A rule, its chain, and what each link asks.

use std::ops::Range;

use super::effect::Effect;
use super::pipeline::NodeId;
use super::source::Source;
use super::step::SlotComparison;
use super::target::TargetSetId;
use crate::MacroText;
use crate::syntax::{AllowScope, Phase, Place};

/// Which rule, as an index of [`Program::rules`](super::Program).
pub(crate) type RuleIndex = u32;

/// A single rule, or a chain of them.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(crate) id: u64,
    pub(crate) phase: Phase,
    pub(crate) place: Place,
    pub(crate) message: Option<MacroText<Source>>,
    pub(crate) log_data: Option<MacroText<Source>>,
    pub(crate) severity: Option<u8>,
    pub(crate) tags: Box<[MacroText<Source>]>,
    pub(crate) revision: Option<Box<str>>,
    pub(crate) version: Option<Box<str>>,
    pub(crate) maturity: Option<u8>,
    pub(crate) accuracy: Option<u8>,
    pub(crate) outcome: Outcome,
    pub(crate) fate: Fate,
    pub(crate) is_logged: bool,
    pub(crate) is_audit_logged: bool,
    /// What its last link asks, as it is written.
    pub(crate) asks: Option<Asks>,
    /// Whether the value that matched, or its name, is asked for by anything in the chain.
    pub(crate) needs_matched: bool,
    /// Where the phase goes on, if it matches; the next step otherwise.
    pub(crate) skip_to: Option<u32>,
    pub(crate) links: Range<u32>,
}

/// An operator, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asks {
    /// Its name, without `@`.
    pub operator: Box<str>,
    /// What it is given; at most 512 bytes of it.
    pub argument: Box<str>,
}

impl Rule {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What its last link asks of values; `None` of `SecAction`.
    #[must_use]
    pub fn asks(&self) -> Option<&Asks> {
        self.asks.as_ref()
    }

    /// The phase that it runs in.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Its `msg`, where that has no macros.
    #[must_use]
    pub fn message(&self) -> Option<&[u8]> {
        self.message.as_ref()?.as_literal()
    }

    /// Its `severity`: 0 (emergency) to 7 (debug).
    #[must_use]
    pub fn severity(&self) -> Option<u8> {
        self.severity
    }

    /// Its `ver`.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Its `rev`.
    #[must_use]
    pub fn revision(&self) -> Option<&str> {
        self.revision.as_deref()
    }

    /// Its `maturity`.
    #[must_use]
    pub fn maturity(&self) -> Option<u8> {
        self.maturity
    }

    /// Its `accuracy`.
    #[must_use]
    pub fn accuracy(&self) -> Option<u8> {
        self.accuracy
    }

    /// Whether it was decided when the rules were loaded that it never matches, is never reached, only
    /// skips what never runs, or only sets variables to values that are known: no phase looks at it, and
    /// its counters stay 0.
    #[must_use]
    pub fn is_folded(&self) -> bool {
        matches!(self.fate, Fate::Folded | Fate::Preset)
    }

    /// Its tags, those without macros.
    pub fn tags(&self) -> impl Iterator<Item = &[u8]> {
        self.tags.iter().filter_map(MacroText::as_literal)
    }

    /// How many links its chain has; 1 for a single rule.
    #[must_use]
    pub fn link_count(&self) -> usize {
        self.links.len()
    }
}

/// What is known of a rule before any request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing.
    Asked,
    /// It matches whenever it is reached.
    Certain,
    /// It matches whenever it is reached, and only sets variables of `TX` to values that are known: a
    /// [`Preset`](super::Preset) sets them instead.
    Preset,
    /// It never matches, is never reached, or does nothing when it matches: no phase walks it.
    Folded,
}

/// What a match does to the transaction (`SecDefaultAction` applied).
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Pass,
    Deny(u16),
    Drop,
    Redirect(u16, MacroText<Source>),
    Allow(AllowScope),
}

/// A link of a chain.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// What has to hold; nothing for `SecAction`.
    pub(crate) test: Option<Test>,
    pub(crate) effects: Box<[Effect]>,
    pub(crate) captures: bool,
}

/// What a link asks of its targets.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub(crate) targets: TargetSetId,
    pub(crate) pipeline: NodeId,
    pub(crate) is_multi_match: bool,
    pub(crate) is_negated: bool,
    /// An index of [`Program::operators`](super::Program).
    pub(crate) operator: u32,
    /// Which filter of its side, where value and operator alone decide.
    pub(crate) filter: Option<u32>,
    /// The form in which values are searched for the filter: `pipeline` without `lowercase` at its end,
    /// since filters are found in either case.
    pub(crate) searched: NodeId,
    /// The group whose candidates tell whether to look at all; none where every value has to be looked
    /// at.
    pub(crate) group: Option<u32>,
    /// The whole test, where it is no more than this.
    pub(crate) comparison: Option<SlotComparison>,
}
