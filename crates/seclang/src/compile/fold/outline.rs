//! Rules as far as `TX` is concerned.

use super::super::assembly::{Draft, DraftLink, Drafts};
use super::super::choice::Choice;
use super::super::lower::actions::Singles;
use super::super::rule_files::{Beside, RuleFiles};
use crate::MacroText;
use crate::macro_text::Variable;
use crate::operators::{Matcher, Operator, Relation};
use crate::program::{RuleSet, Slot, TxNames};
use crate::syntax::{
    self, Action, AllowScope, Condition, Ctl, Disruptive, Phase, Place, Placed, RuleChoice,
    Selector, SetVar, Target, TargetUse, VariableName,
};

/// Operators that compare numbers.
const RELATIONS: [&[u8]; 6] = [b"eq", b"ne", b"ge", b"gt", b"le", b"lt"];

/// A text whose macros are variables of `TX`, or none that is known at load.
pub(super) type Text = MacroText<Option<Slot>>;

/// A rule.
pub(super) struct Outline {
    pub(super) links: Vec<OutlineLink>,
    pub(super) end: End,
    /// Whether nobody is told that it matched.
    is_silent: bool,
}

/// What a match may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Nothing,
    /// Later phases run.
    Phase,
    /// Of later phases the last runs.
    Transaction,
}

/// A link of a chain.
pub(super) struct OutlineLink {
    pub(super) asks: Asks,
    /// The argument of what it asks, where it has macros.
    pub(super) argument: Option<Text>,
    /// What a match writes, each with the place of its action among the link's.
    pub(super) writes: Vec<(usize, Write)>,
    /// Whether a match changes anything.
    pub(super) has_effects: bool,
    /// Whether all that a match changes is variables of `TX` whose names are known.
    only_sets: bool,
}

/// What a link asks.
pub(super) enum Asks {
    /// `SecAction`
    Nothing,
    Compares(Comparison),
    /// Only a request decides.
    Request,
}

/// A comparison of one variable of `TX`.
pub(super) struct Comparison {
    pub(super) slot: Slot,
    /// `&TX:a`
    pub(super) is_count: bool,
    pub(super) is_negated: bool,
    pub(super) relation: Relation,
    pub(super) argument: Text,
}

/// What a match changes of what is known.
pub(super) enum Write {
    To(Slot, Change),
    /// Any variable whose name begins so, in lower case.
    ToAny(Vec<u8>),
    /// An index of [`Outlines::removals`].
    Removes(usize),
}

/// What becomes of a variable.
pub(super) enum Change {
    Unset,
    Set(Text),
    Add(Text),
    Subtract(Text),
}

/// All rules.
pub(super) struct Outlines {
    pub(super) rules: Vec<Outline>,
    pub(super) names: TxNames,
    /// The rules that each `ctl:ruleRemoveBy...` leaves out.
    pub(super) removals: Vec<RuleSet>,
}

impl Outline {
    /// Whether a match of it is nothing to anybody, but for where the phase goes on.
    pub(super) fn does_nothing(&self) -> bool {
        let has_effects = self.links.iter().any(|link| link.has_effects);
        self.is_silent && self.end == End::Nothing && !has_effects
    }

    /// Whether a match of it is nothing to anybody, but for variables of `TX` that it sets and for where
    /// the phase goes on.
    pub(super) fn only_sets(&self) -> bool {
        let only_sets = self.links.iter().all(|link| link.only_sets);
        self.is_silent && self.end == End::Nothing && only_sets
    }
}

impl Outlines {
    /// `None` where there is something wrong with the rules, of which others tell.
    pub(super) fn new(drafts: &Drafts, files: &dyn RuleFiles) -> Option<Self> {
        let mut outliner = Outliner {
            drafts,
            files,
            names: TxNames::new(),
            removals: Vec::new(),
            unsure: vec![false; drafts.rules().count()],
        };
        let rules = drafts.rules().map(|draft| outliner.rule(draft));
        let mut rules: Vec<Outline> = rules.collect::<Option<_>>()?;
        // Of a rule whose targets of TX may be left out, nothing is decided.
        for (rule, is_unsure) in rules.iter_mut().zip(&outliner.unsure) {
            for link in rule.links.iter_mut().filter(|_| *is_unsure) {
                if let Asks::Compares(_) = link.asks {
                    link.asks = Asks::Request;
                }
            }
        }
        Some(Self {
            rules,
            names: outliner.names,
            removals: outliner.removals,
        })
    }
}

impl Outlines {
    /// The removals that are for a rule, as indexes.
    pub(super) fn removals_of(&self, rule: usize) -> Vec<usize> {
        let all = self.removals.iter().enumerate();
        let its = all.filter(|(_, rules)| rules.contains(rule));
        its.map(|(removal, _)| removal).collect()
    }
}

struct Outliner<'d> {
    drafts: &'d Drafts,
    files: &'d dyn RuleFiles,
    names: TxNames,
    removals: Vec<RuleSet>,
    /// Whether `ctl:ruleRemoveTargetBy...` may leave variables of `TX` out of each rule.
    unsure: Vec<bool>,
}

impl Outliner<'_> {
    fn rule(&mut self, draft: &Draft) -> Option<Outline> {
        let links = draft.links.iter().enumerate();
        let links = links.map(|(number, link)| self.link(draft, link, number == 0));
        let links = links.collect::<Option<_>>()?;
        let singles = Singles::of(draft);
        let end = match singles.disruptive() {
            // Everything has happened by then.
            _ if draft.phase == Phase::Logging => End::Nothing,
            None | Some(Disruptive::Pass | Disruptive::Block) => End::Nothing,
            Some(Disruptive::Allow(AllowScope::Phase | AllowScope::Request)) => End::Phase,
            Some(Disruptive::Allow(AllowScope::Transaction)) => End::Transaction,
            Some(Disruptive::Deny | Disruptive::Drop | Disruptive::Redirect(_)) => End::Transaction,
        };
        Some(Outline {
            links,
            end,
            is_silent: !singles.is_logged && !singles.is_audit_logged && singles.severity.is_none(),
        })
    }

    fn link(&mut self, draft: &Draft, link: &DraftLink, is_starter: bool) -> Option<OutlineLink> {
        let actions: Vec<_> = draft.actions(link, is_starter).collect();
        let (mut writes, mut has_effects, mut only_sets) = (Vec::new(), false, true);
        for (place, action) in actions.iter().enumerate() {
            let write = self.write(action)?;
            has_effects |= is_effect(&action.value);
            only_sets &= !is_effect(&action.value) || matches!(write, Some(Write::To(..)));
            writes.extend(write.map(|write| (place, write)));
        }
        let (asks, argument) = match &link.condition {
            None => (Asks::Nothing, None),
            Some(condition) => {
                let asks = match self.comparison(condition, &actions)? {
                    Some(comparison) => Asks::Compares(comparison),
                    None => Asks::Request,
                };
                (asks, self.argument(condition)?)
            }
        };
        Some(OutlineLink {
            asks,
            argument,
            writes,
            has_effects,
            only_sets,
        })
    }

    /// What an action writes. The inner `None` is nothing, the outer one a problem.
    fn write(&mut self, action: &Placed<Action>) -> Option<Option<Write>> {
        Some(match &action.value {
            Action::SetVar(set) if set.variable.collection == b"tx" => Some(self.set(set)?),
            Action::Ctl(ctl) => self.ctl(ctl, &action.place)?.map(|removal| {
                self.removals.push(removal);
                Write::Removes(self.removals.len() - 1)
            }),
            _ => None,
        })
    }

    fn set(&mut self, set: &SetVar) -> Option<Write> {
        let name = &set.variable.name;
        let Some(literal) = name.as_literal() else {
            let begins = name.leading_literal().to_ascii_lowercase();
            return Some(Write::ToAny(begins));
        };
        let slot = self.names.add(literal)?;
        Some(Write::To(
            slot,
            match &set.change {
                syntax::Change::Unset => Change::Unset,
                syntax::Change::Set(value) => Change::Set(self.text(value)?),
                syntax::Change::Add(value) => Change::Add(self.text(value)?),
                syntax::Change::Subtract(value) => Change::Subtract(self.text(value)?),
            },
        ))
    }

    /// The rules that it leaves out; notes those of which it leaves variables of `TX` out.
    fn ctl(&mut self, ctl: &Ctl, place: &Place) -> Option<Option<RuleSet>> {
        let (choice, targets): (_, &[Target]) = match ctl {
            Ctl::RemoveById(ids) => (RuleChoice::Ids(ids.clone()), &[]),
            Ctl::RemoveByTag(tag) => (RuleChoice::Tag(tag.clone()), &[]),
            Ctl::RemoveByMessage(message) => (RuleChoice::Message(message.clone()), &[]),
            Ctl::RemoveTargetById(ids, targets) => (RuleChoice::Ids(ids.clone()), targets),
            Ctl::RemoveTargetByTag(tag, targets) => (RuleChoice::Tag(tag.clone()), targets),
            Ctl::RemoveTargetByMessage(message, targets) => {
                (RuleChoice::Message(message.clone()), targets)
            }
            _ => return Some(None),
        };
        let is_of_targets = !targets.is_empty();
        if is_of_targets && targets.iter().all(|one| one.name != VariableName::Tx) {
            return Some(None);
        }
        let beside = Beside {
            files: self.files,
            from: &place.file,
        };
        let choice = Choice::new(&choice, &beside).ok()?;
        let chosen: Vec<bool> = self.drafts.rules().map(|one| choice.is_for(one)).collect();
        if is_of_targets {
            for (unsure, is_chosen) in self.unsure.iter_mut().zip(&chosen) {
                *unsure |= is_chosen;
            }
            return Some(None);
        }
        let is_chosen = |rule: usize| chosen.get(rule).copied().unwrap_or(false);
        Some(Some(RuleSet::new(chosen.len(), is_chosen)))
    }

    /// A condition as a comparison of one variable of `TX`, if it is no more than that. The inner `None`
    /// is no comparison, the outer one a problem.
    fn comparison(
        &mut self,
        condition: &Condition,
        actions: &[&Placed<Action>],
    ) -> Option<Option<Comparison>> {
        let [target] = &*condition.targets else {
            return Some(None);
        };
        let (VariableName::Tx, Some(Selector::Name(name))) = (target.name, &target.selector) else {
            return Some(None);
        };
        let operator = condition.operator.to_ascii_lowercase();
        let is_of_numbers = RELATIONS.contains(&operator.as_slice());
        let is_transformed = !super::super::lower::transformations(actions).is_empty();
        if target.use_ == TargetUse::Exclude || !is_of_numbers || is_transformed {
            return Some(None);
        }
        let beside = Beside {
            files: self.files,
            from: &condition.operator_place.file,
        };
        let parsed = Operator::parse(&condition.operator, &condition.argument, &beside).ok()?;
        let Operator::Match(Matcher::Comparison(comparison)) = &parsed else {
            return Some(None);
        };
        let argument = match comparison.macros() {
            Some(macros) => macros.clone(),
            None => MacroText::parse(&condition.argument).ok()?,
        };
        Some(Some(Comparison {
            slot: self.names.add(name)?,
            is_count: target.use_ == TargetUse::Count,
            is_negated: condition.is_negated,
            relation: comparison.relation(),
            argument: self.text(&argument)?,
        }))
    }

    /// The argument of a condition, where it has macros: whether its operator takes any is for others. The
    /// inner `None` is no such argument, the outer one a problem.
    fn argument(&mut self, condition: &Condition) -> Option<Option<Text>> {
        let parsed = MacroText::parse(&condition.argument).ok();
        Some(match parsed.filter(|text| text.as_literal().is_none()) {
            Some(text) => Some(self.text(&text)?),
            None => None,
        })
    }

    fn text(&mut self, text: &MacroText) -> Option<Text> {
        let resolved = text.clone().try_map(|variable| {
            let Variable { collection, key } = variable;
            match (VariableName::named(&collection), key) {
                (Some(VariableName::Tx), Some(key)) => self.names.add(&key).map(Some).ok_or(()),
                _ => Ok(None),
            }
        });
        resolved.ok()
    }
}

/// Whether an action does anything to the transaction. Each is named, so that a new one is thought of.
fn is_effect(action: &Action) -> bool {
    match action {
        Action::SetVar(_)
        | Action::ExpireVar { .. }
        | Action::InitCollection { .. }
        | Action::SetEnv { .. }
        | Action::Ctl(_)
        | Action::Sanitise(_)
        | Action::Capture => true,
        Action::Id(_)
        | Action::Phase(_)
        | Action::Message(_)
        | Action::LogData(_)
        | Action::Severity(_)
        | Action::Tag(_)
        | Action::Revision(_)
        | Action::Version(_)
        | Action::Maturity(_)
        | Action::Accuracy(_)
        | Action::Disruptive(_)
        | Action::Status(_)
        | Action::Chain
        | Action::Skip(_)
        | Action::SkipAfter(_)
        | Action::Log(_)
        | Action::AuditLog(_)
        | Action::MultiMatch
        | Action::NoTransformations
        | Action::Transform(_)
        | Action::IgnoredCtl { .. } => false,
    }
}
