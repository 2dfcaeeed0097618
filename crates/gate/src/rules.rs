//! Compiled access rules, with what can be known of them beforehand.

use palisade_access::{Action, BuildError, Condition, Rule, RuleSet};
use palisade_vocabulary::SkippableCheck;

/// The access rules of one place: all sites, or one.
#[derive(Debug)]
pub struct Rules {
    set: RuleSet,
    skips: Vec<SkippableCheck>,
    needs_place: bool,
}

impl Rules {
    /// Compiles rules.
    ///
    /// # Errors
    /// All that keeps them from being compiled together.
    pub fn build(rules: Vec<Rule>) -> Result<Self, Vec<BuildError>> {
        use SkippableCheck::{AppSec, Decisions, Limits, Waf};
        let skipped = |check: &SkippableCheck| {
            rules.iter().any(|rule| match rule.action {
                Action::Allow { skip } => skip.contains(*check),
                Action::Block { .. } | Action::Log => false,
            })
        };
        let skips = [Decisions, Limits, Waf, AppSec].into_iter().filter(skipped);
        Ok(Self {
            skips: skips.collect(),
            needs_place: rules.iter().any(|rule| asks_for_place(&rule.condition)),
            set: RuleSet::build(rules)?,
        })
    }

    /// The rules themselves.
    #[must_use]
    pub fn set(&self) -> &RuleSet {
        &self.set
    }

    /// Whether there is no rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.rules().is_empty()
    }

    /// Whether any rule asks where a client is.
    #[must_use]
    pub fn needs_place(&self) -> bool {
        self.needs_place
    }

    /// Whether any rule can skip a check.
    #[must_use]
    pub fn may_skip(&self, check: SkippableCheck) -> bool {
        self.skips.contains(&check)
    }
}

fn asks_for_place(condition: &Condition) -> bool {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().any(asks_for_place),
        Condition::Not(part) => asks_for_place(part),
        Condition::Country(_) | Condition::Asn(_) => true,
        Condition::Address(_) | Condition::Text(_) => false,
    }
}
