//! From rules as they are written to rules as they run.

pub(super) mod actions;
mod ctl;
mod doubts;

use actions::Singles;

use super::CompileOptions;
use super::assembly::{Draft, DraftLink, Drafts};
use super::filters::{Groups, Requirements, SideDraft};
use super::fold::{self, Known};
use super::operators::{Operators, Refusal, is_of_value_alone};
use super::rule_files::{Beside, RuleFiles};
use super::skips::Walks;
use super::target_sets::TargetSets;
use super::tx_sources::TxSources;
use crate::Program;
use crate::Transformation;
use crate::operators::{Matcher, Operator};
use crate::program::{
    Asks, CompiledOperator, Effect, Fate, Filtered, Gate, Link, Operand, Outcome, Pick, PlannedUse,
    Rule, SlotComparison, Source, Step, TargetRemoval, TargetSet, TargetSetId, Test,
};
use crate::syntax::{
    Action, Condition, Phase, Place, Placed, Problem, Problems, Sanitise, Severity, VariableName,
};

/// Lowers rules, one after another.
pub(super) struct Lowering<'a> {
    files: &'a dyn RuleFiles,
    problems: Problems,
    tx: TxSources,
    operators: Operators,
    target_sets: TargetSets,
    requirements: Requirements,
    request: SideDraft,
    response: SideDraft,
    groups: Groups,
    links: Vec<Link>,
    removals: Vec<TargetRemoval>,
    options: CompileOptions,
    /// The rule that is being lowered.
    rule_id: u64,
}

impl<'a> Lowering<'a> {
    pub(super) fn new(
        files: &'a dyn RuleFiles,
        options: CompileOptions,
        problems: Problems,
    ) -> Self {
        Self {
            files,
            problems,
            tx: TxSources::new(),
            operators: Operators::default(),
            target_sets: TargetSets::default(),
            requirements: Requirements::new(options.prefilter),
            request: SideDraft::new(),
            response: SideDraft::new(),
            groups: Groups::default(),
            links: Vec::new(),
            removals: Vec::new(),
            options,
            rule_id: 0,
        }
    }

    pub(super) fn into_problems(self) -> Problems {
        self.problems
    }

    /// The program, if nothing is wrong with any rule.
    pub(super) fn program(&mut self, drafts: Drafts) -> Option<Program> {
        let mut walks = Walks::new(&drafts.items);
        let known = match self.options.fold {
            true => fold::known(&drafts, &walks, self.files),
            false => fold::nothing(&walks),
        };
        let (mut rules, mut is_whole) = (Vec::new(), true);
        for (draft, known) in drafts.rules().zip(&known) {
            let rule = self.rule(draft, known, &drafts);
            is_whole &= rule.is_some();
            rules.extend(rule);
        }
        if !is_whole {
            return None;
        }
        if self.options.fold {
            let is_folded = |known: &Known| known.fate == Fate::Folded;
            walks.without(|rule| known.get(rule as usize).is_some_and(is_folded));
            let names = &self.tx.names;
            let sets = |rule: u32| {
                let known = known.get(rule as usize);
                let sets = &known.filter(|known| known.fate == Fate::Preset)?.sets;
                // Whatever a rule sets has had a slot since it was lowered.
                let slots = sets.iter();
                Some(slots.filter_map(|(name, value)| Some((names.find(name)?, value.clone()))))
            };
            let left_out_by = |rule: u32| known.get(rule as usize).map(|known| &known.left_out_by);
            walks.preset(sets, |one, other| left_out_by(one) == left_out_by(other));
        }
        let steps = self.steps(walks, &mut rules);
        self.target_sets.find_slots(&self.tx.names);
        let mut operators = std::mem::take(&mut self.operators);
        operators.forget_unasked();
        let part_count = self.target_sets.parts.len();
        let mut side = |draft: &mut SideDraft| {
            let draft = std::mem::replace(draft, SideDraft::new());
            draft.finish(&operators, &mut self.requirements, part_count)
        };
        let (request, response) = (side(&mut self.request), side(&mut self.response));
        Some(Program {
            settings: drafts.settings,
            unicode: drafts.unicode,
            rules: rules.into(),
            links: std::mem::take(&mut self.links).into(),
            steps,
            selector_count: self.target_sets.selectors,
            target_sets: std::mem::take(&mut self.target_sets.sets).into(),
            request,
            response,
            operators: operators.all.into(),
            tx: std::mem::replace(&mut self.tx, TxSources::new()).names,
            removals: std::mem::take(&mut self.removals).into(),
            parts: std::mem::take(&mut self.target_sets.parts).into(),
            groups: std::mem::take(&mut self.groups.all).into(),
        })
    }

    fn rule(&mut self, draft: &Draft, known: &Known, drafts: &Drafts) -> Option<Rule> {
        self.rule_id = draft.id;
        let fate = known.fate;
        let begins = u32::try_from(self.links.len()).ok()?;
        for (number, link) in draft.links.iter().enumerate() {
            let lowered = self.link(draft, link, number, known, drafts)?;
            self.links.push(lowered);
        }
        let links = begins..u32::try_from(self.links.len()).ok()?;
        let singles = Singles::of(draft);
        let outcome = match self.outcome(&singles)? {
            Outcome::Deny(_) | Outcome::Drop | Outcome::Redirect(..)
                if draft.phase == Phase::Logging =>
            {
                let message = "nothing is refused in phase 5: the transaction is over".to_owned();
                self.add(&draft.place, Severity::Warning, message);
                Outcome::Pass
            }
            outcome => outcome,
        };
        let is_told = singles.is_logged || !matches!(outcome, Outcome::Pass | Outcome::Allow(_));
        let needs_matched = is_told || self.uses_matched(&links);
        if fate == Fate::Certain && !needs_matched {
            self.match_always(&links);
        }
        Some(Rule {
            id: draft.id,
            phase: draft.phase,
            place: draft.place.clone(),
            message: self.optional_text(singles.message, &draft.place)?,
            log_data: self.optional_text(singles.log_data, &draft.place)?,
            severity: singles.severity,
            tags: self.texts(&singles.tags, &draft.place)?,
            revision: singles.revision.map(lossy),
            version: singles.version.map(lossy),
            maturity: singles.maturity,
            accuracy: singles.accuracy,
            outcome,
            fate,
            is_logged: singles.is_logged,
            is_audit_logged: singles.is_audit_logged,
            asks: asks(draft),
            needs_matched,
            skip_to: None,
            links,
        })
    }

    fn link(
        &mut self,
        draft: &Draft,
        link: &DraftLink,
        number: usize,
        known: &Known,
        drafts: &Drafts,
    ) -> Option<Link> {
        let is_starter = number == 0;
        let known_link = known.links.get(number);
        let actions: Vec<_> = draft.actions(link, is_starter).collect();
        let mut effects = Vec::new();
        for (place, action) in actions.iter().enumerate() {
            let operand = known_link.and_then(|link| link.operands.get(&place));
            let operand = operand.map(AsRef::as_ref);
            let effect = self.effect(&action.value, &action.place, operand, drafts)?;
            effects.extend(effect);
        }
        let test = match &link.condition {
            None => None,
            Some(condition) => {
                let (operator, targets) = self.asked(condition)?;
                let argument = known_link.and_then(|link| link.argument.as_ref());
                match known.fate {
                    Fate::Folded | Fate::Preset => None,
                    _ => {
                        let fixed = argument.map(|text| self.operators.fixed(operator, text));
                        Some(self.test(
                            condition,
                            (fixed.unwrap_or(operator), targets),
                            &actions,
                            draft.phase,
                            is_starter,
                        )?)
                    }
                }
            }
        };
        Some(Link {
            test,
            effects: effects.into(),
            captures: actions.iter().any(|one| one.value == Action::Capture),
        })
    }

    /// The operator of a condition, and its targets: what may be wrong with it, whether it is ever asked
    /// or not.
    fn asked(&mut self, condition: &Condition) -> Option<(u32, TargetSetId)> {
        let operator = self.operator(condition)?;
        let mut targets = condition.targets.iter();
        if targets.any(|target| target.name == VariableName::Rule) {
            let message = "RULE is for macros: as a target it has no values".to_owned();
            self.add(&condition.targets_place, Severity::Warning, message);
        }
        let beside = Beside {
            files: self.files,
            from: &condition.targets_place.file,
        };
        let targets = self
            .target_sets
            .add(&condition.targets, &mut self.tx, &beside);
        match targets {
            Ok(targets) => Some((operator, targets)),
            Err(message) => {
                self.error(&condition.targets_place, message);
                None
            }
        }
    }

    fn test(
        &mut self,
        condition: &Condition,
        (operator, targets): (u32, TargetSetId),
        actions: &[&Placed<Action>],
        phase: Phase,
        is_starter: bool,
    ) -> Option<Test> {
        self.operators.ask(operator);
        let list = transformations(actions);
        let is_multi_match = actions.iter().any(|one| one.value == Action::MultiMatch);
        let side = match phase {
            Phase::ResponseHeaders | Phase::ResponseBody => &mut self.response,
            _ => &mut self.request,
        };
        let Some(pipeline) = super::filters::pipeline(side, &list) else {
            self.error(
                &condition.operator_place,
                "there are too many lists of transformations".to_owned(),
            );
            return None;
        };
        let searched = match is_multi_match {
            true => pipeline,
            false => side.pipelines.without_lowercase(pipeline),
        };
        let set = self.target_sets.sets.get(usize::try_from(targets).ok()?)?;
        let compiled = self.operators.get(operator)?;
        let filter =
            (set.is_static && is_of_value_alone(compiled)).then(|| side.filter(operator, pipeline));
        let comparison = self.comparison(set, compiled, condition.is_negated);
        let is_filtered = is_starter
            && filter.is_some()
            && !condition.is_negated
            && self.requirements.of(operator, &self.operators).is_some();
        let parts = set.parts.clone();
        let group = is_filtered.then(|| self.groups.add(&parts));
        if let Some(filter) = filter.filter(|_| is_filtered) {
            let side = self.side(phase);
            side.search(&parts, (searched, pipeline), is_multi_match, filter);
        }
        Some(Test {
            targets,
            pipeline,
            is_multi_match,
            is_negated: condition.is_negated,
            operator,
            filter,
            searched,
            group,
            comparison: comparison.filter(|_| pipeline == 0),
        })
    }

    fn operator(&mut self, condition: &Condition) -> Option<u32> {
        let beside = Beside {
            files: self.files,
            from: &condition.operator_place.file,
        };
        let added = self.operators.add(
            &condition.operator,
            &condition.argument,
            &mut self.tx,
            &beside,
        );
        match added {
            Ok(operator) => {
                self.warn_of_operator(operator, condition);
                Some(operator)
            }
            Err(Refusal::TooManyNames) => {
                self.too_many_names(&condition.operator_place);
                None
            }
            Err(Refusal::Operator(error)) => {
                use crate::operators::Problem;
                let place = match error.problem {
                    Problem::Unknown | Problem::Refused(_) => None,
                    _ => condition.argument_place.of(error.offset),
                };
                let place = place.unwrap_or_else(|| condition.operator_place.clone());
                self.error(&place, format!("@{}: {}", error.operator, error.problem));
                None
            }
        }
    }

    /// The variables that a set names.
    fn names(&self, set: &TargetSet) -> impl Iterator<Item = VariableName> {
        let parts = set.parts.iter();
        let planned = parts.filter_map(|part| {
            let part = usize::try_from(*part).ok()?;
            self.target_sets.parts.get(part)
        });
        planned.map(|planned| planned.name)
    }

    /// Whether a chain asks what it matched.
    fn uses_matched(&self, links: &std::ops::Range<u32>) -> bool {
        let range =
            usize::try_from(links.start).unwrap_or(0)..usize::try_from(links.end).unwrap_or(0);
        let links = self.links.get(range).unwrap_or_default();
        links.iter().any(|link| {
            let by_target = link.test.as_ref().is_some_and(|test| {
                let set = usize::try_from(test.targets).ok();
                let set = set.and_then(|set| self.target_sets.sets.get(set));
                set.is_some_and(|set| self.names(set).any(is_matched))
                    || self
                        .operators
                        .get(test.operator)
                        .and_then(|operator| operator.expanded.as_ref())
                        .is_some_and(names_matched)
            });
            by_target || link.effects.iter().any(effect_names_matched)
        })
    }

    /// Takes the tests of a rule's links away, which always hold.
    fn match_always(&mut self, links: &std::ops::Range<u32>) {
        let range = links.start as usize..links.end as usize;
        let links = self.links.get_mut(range).unwrap_or_default();
        if links.iter().all(|link| !link.captures) {
            links.iter_mut().for_each(|link| link.test = None);
        }
    }

    /// What a phase walks; where rules skip to is set in `rules`.
    fn steps(&mut self, walks: Walks, rules: &mut [Rule]) -> [Box<[Step]>; 5] {
        for (place, rule, message) in walks.problems {
            self.problems.add(Problem {
                place,
                severity: Severity::Warning,
                rule: Some(rule),
                message,
            });
        }
        for (rule, skip_to) in rules.iter_mut().zip(walks.skip_to) {
            rule.skip_to = skip_to;
        }
        walks.phases.map(|steps| {
            let gated = steps.into_iter().map(|step| match step {
                Step::Rule(index) => match (self.gate(index, rules), self.filtered(index, rules)) {
                    (Some(gate), _) => Step::Gate(gate),
                    (None, Some(filtered)) => Step::Filtered(filtered),
                    (None, None) => step,
                },
                other => other,
            });
            gated.collect()
        })
    }

    /// A rule as one that is looked at only where a value may match it, if it is.
    fn filtered(&self, index: u32, rules: &[Rule]) -> Option<Filtered> {
        let rule = rules.get(usize::try_from(index).ok()?)?;
        let link = self.links.get(usize::try_from(rule.links.start).ok()?)?;
        let test = link.test.as_ref()?;
        Some(Filtered {
            rule: index,
            group: test.group?,
            filter: test.filter?,
        })
    }

    fn side(&mut self, phase: Phase) -> &mut SideDraft {
        match phase {
            Phase::ResponseHeaders | Phase::ResponseBody => &mut self.response,
            _ => &mut self.request,
        }
    }

    /// A rule as a gate, if it is no more than that.
    fn gate(&self, index: u32, rules: &[Rule]) -> Option<Gate> {
        let rule = rules.get(usize::try_from(index).ok()?)?;
        let is_silent = !rule.is_logged && !rule.is_audit_logged && rule.severity.is_none();
        if !(is_silent && matches!(rule.outcome, Outcome::Pass) && rule.links.len() == 1) {
            return None;
        }
        let link = self.links.get(usize::try_from(rule.links.start).ok()?)?;
        let test = link.test.as_ref()?;
        if !link.effects.is_empty() || link.captures {
            return None;
        }
        Some(Gate {
            rule: index,
            comparison: test.comparison.clone()?,
            skip_to: rule.skip_to,
        })
    }

    /// A test as a comparison of one variable of `TX`, if it is no more than that.
    fn comparison(
        &self,
        set: &TargetSet,
        compiled: &CompiledOperator,
        is_negated: bool,
    ) -> Option<SlotComparison> {
        let ([part], []) = (&*set.parts, &*set.exclusions) else {
            return None;
        };
        let target = self.target_sets.parts.get(usize::try_from(*part).ok()?)?;
        let Pick::Slot(slot) = target.pick else {
            return None;
        };
        let Operator::Match(Matcher::Comparison(comparison)) = &compiled.operator else {
            return None;
        };
        let operand = match (&compiled.expanded, comparison.fixed()) {
            (None, Some(number)) => Operand::Integer(number),
            (Some(text), _) => match text.as_variable() {
                Some(Source::Tx(slot)) => Operand::Tx(*slot),
                _ => return None,
            },
            _ => return None,
        };
        Some(SlotComparison {
            slot,
            is_count: target.use_ == PlannedUse::Count,
            relation: comparison.relation(),
            operand,
            is_negated,
        })
    }

    fn too_many_names(&mut self, place: &Place) {
        let message = "there are too many names of variables of TX".to_owned();
        self.error(place, message);
    }

    fn error(&mut self, place: &Place, message: String) {
        self.add(place, Severity::Error, message);
    }

    fn add(&mut self, place: &Place, severity: Severity, message: String) {
        self.problems.add(Problem {
            place: place.clone(),
            severity,
            rule: Some(self.rule_id),
            message,
        });
    }
}

/// What `t:` actions come to.
pub(super) fn transformations(actions: &[&Placed<Action>]) -> Vec<Transformation> {
    let mut list = Vec::new();
    for action in actions {
        match action.value {
            Action::NoTransformations => list.clear(),
            Action::Transform(transformation) => list.push(transformation),
            _ => {}
        }
    }
    list
}

/// What the last link asks, for logs.
fn asks(draft: &Draft) -> Option<Asks> {
    const ARGUMENT_BYTES_MAX: usize = 512;
    let condition = draft.links.last()?.condition.as_ref()?;
    let argument = condition.argument.as_slice();
    Some(Asks {
        operator: lossy(&condition.operator),
        argument: lossy(argument.get(..ARGUMENT_BYTES_MAX).unwrap_or(argument)),
    })
}

fn lossy(text: &[u8]) -> Box<str> {
    String::from_utf8_lossy(text).into()
}

fn is_matched(name: VariableName) -> bool {
    matches!(
        name,
        VariableName::MatchedVar
            | VariableName::MatchedVarName
            | VariableName::MatchedVars
            | VariableName::MatchedVarsNames
    )
}

fn names_matched(text: &crate::MacroText<Source>) -> bool {
    text.variables().any(|source| match source {
        Source::Variable(name) | Source::Member(name, _) => is_matched(*name),
        _ => false,
    })
}

fn effect_names_matched(effect: &Effect) -> bool {
    use crate::program::{Change, Destination};
    match effect {
        Effect::Set(destination, change) => {
            let by_name = match destination {
                Destination::Tx(_) => false,
                Destination::TxNamed(name) | Destination::Member(_, name) => names_matched(name),
            };
            let by_value = match change {
                Change::Unset => false,
                Change::Set(operand) | Change::Add(operand) | Change::Subtract(operand) => {
                    matches!(operand, Operand::Macros(text) if names_matched(text))
                }
            };
            by_name || by_value
        }
        Effect::Expire(_, name, seconds) => names_matched(name) || names_matched(seconds),
        Effect::InitCollection(_, key) => names_matched(key),
        Effect::SetEnv(name, value) => {
            names_matched(name) || value.as_ref().is_some_and(names_matched)
        }
        Effect::Sanitise(what) => {
            matches!(what, Sanitise::Matched | Sanitise::MatchedBytes { .. })
        }
        Effect::Ctl(_) => false,
    }
}
