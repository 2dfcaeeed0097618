//! The rules of a phase, in the order of loading.

mod ask;
mod plan;

use std::ops::Range;

use super::arena::Arena;
use super::lookup::{MovingValue, is_excluded};
use super::matched::{Matched, MatchedRule, Member, Name, Text};
use super::state::State;
use super::strings::{StringId, Strings};
use super::tx_values::TxValue;
use super::worker::{Budget, Buffers, Clock, Plan, PlannedValue, Worker};
use super::{Interruption, InterruptionAction, Outcome as TransactionOutcome};
use crate::program::{
    Filtered, Gate, Link, NodeId, Operand, Outcome, Program, Rule, RuleIndex, Side, SlotComparison,
    Step, TargetSet, Test,
};
use crate::syntax::{AllowScope, EngineMode, Phase};
use crate::{Collections, Countries};

use ask::Found;

/// The longest message or data that is kept of a match.
const LOGGED_BYTES_MAX: usize = 1_024;
/// The longest value that is kept of a match.
const LOGGED_VALUE_BYTES_MAX: usize = 512;
/// The most matches that are kept of a transaction; further ones are counted.
const EVENTS_MAX: usize = 1_000;

/// One phase of one transaction.
pub(super) struct Run<'r> {
    pub(super) program: &'r Program,
    pub(super) side: &'r Side,
    pub(super) strings: &'r mut Strings,
    pub(super) buffers: &'r mut Buffers,
    pub(super) plan: &'r mut Plan,
    pub(super) state: &'r mut State,
    pub(super) phase: Phase,
    pub(super) clock: Clock,
    pub(super) collections: Option<&'r Collections>,
    pub(super) countries: Option<&'r dyn Countries>,
    pub(super) budget: Budget,
    /// Bytes until the clock is looked at again.
    pub(super) until_clock: usize,
    /// Whether `ctl` left targets out of the rule that runs.
    has_removals: bool,
}

/// How a phase goes on.
enum Flow {
    Next,
    To(u32),
    End,
}

impl<'r> Run<'r> {
    pub(super) fn new(worker: &'r mut Worker, state: &'r mut State, phase: Phase) -> Self {
        let program: &Program = &worker.program;
        let is_response = Worker::is_response(phase);
        Self {
            program,
            side: program.side(phase),
            strings: match is_response {
                true => &mut worker.strings.1,
                false => &mut worker.strings.0,
            },
            buffers: &mut worker.buffers,
            plan: &mut worker.plan,
            state,
            phase,
            clock: worker.options.clock,
            collections: worker.options.collections.as_deref(),
            countries: worker.options.countries.as_deref(),
            budget: worker.options.budget,
            until_clock: ask::CLOCK_EVERY,
            has_removals: false,
        }
    }

    /// Runs it.
    pub(super) fn phase(mut self) {
        if self.state.controls.engine == EngineMode::Off || self.is_spent() {
            return;
        }
        self.prepare();
        let steps = self.program.steps(self.phase);
        let mut at = 0;
        while let Some(step) = steps.get(at) {
            let flow = match step {
                Step::Marker => Flow::Next,
                Step::Gate(gate) => self.gate(gate),
                Step::Filtered(filtered) => self.filtered(filtered),
                Step::Rule(index) => self.rule(*index),
            };
            at = match flow {
                Flow::Next => at + 1,
                Flow::To(step) => step as usize,
                Flow::End => break,
            };
        }
        // Strings may be forgotten before the next phase.
        self.state.matched.clear();
    }

    fn prepare(&mut self) {
        let epoch = self.strings.epoch();
        let is_response = Worker::is_response(self.phase);
        self.plan.begin((self.state.number, is_response, epoch));
        let key = (u64::from(is_response), epoch + 1);
        if self.state.epochs != key {
            self.state.epochs = key;
            self.state.forget_ids();
        }
    }

    fn gate(&mut self, gate: &Gate) -> Flow {
        if self.state.is_removed(gate.rule) {
            return Flow::Next;
        }
        if self.are_targets_left_out(gate.rule) {
            return self.rule(gate.rule);
        }
        self.count(gate.rule, |counter| counter.evaluations += 1);
        if !self.compares(&gate.comparison) {
            return Flow::Next;
        }
        self.count(gate.rule, |counter| counter.hits += 1);
        gate.skip_to.map_or(Flow::Next, Flow::To)
    }

    fn compares(&self, comparison: &SlotComparison) -> bool {
        let value = self.state.tx.get(comparison.slot);
        let number = match (comparison.is_count, value) {
            (true, value) => i64::from(value.is_set()),
            // What isn't there isn't looked at, by negated operators neither.
            (false, TxValue::Unset) => return false,
            (false, value) => value.integer(&self.state.arena),
        };
        let argument = match &comparison.operand {
            Operand::Integer(number) => *number,
            Operand::Tx(slot) => self.state.tx.get(*slot).integer(&self.state.arena),
            Operand::Text(_) | Operand::Macros(_) => 0,
        };
        comparison.relation.holds(number, argument) != comparison.is_negated
    }

    fn rule(&mut self, index: RuleIndex) -> Flow {
        let program = self.program;
        let Some(rule) = program.rules.get(index as usize) else {
            return Flow::Next;
        };
        if self.state.is_removed(index) {
            return Flow::Next;
        }
        let links = links(program, rule);
        self.count(index, |counter| counter.evaluations += 1);
        self.state.matched.clear();
        for (number, link) in links.iter().enumerate() {
            // The link before may have left some out.
            self.has_removals = self.are_targets_left_out(index);
            let is_last = number + 1 == links.len();
            if !self.link(index, rule, link, is_last) {
                return self.end_if_over(Flow::Next);
            }
            if self.state.interruption.is_some() && self.phase != Phase::Logging {
                break;
            }
        }
        self.count(index, |counter| counter.hits += 1);
        let flow = rule.skip_to.map_or(Flow::Next, Flow::To);
        self.end_if_over(flow)
    }

    fn filtered(&mut self, filtered: &Filtered) -> Flow {
        match self.is_candidate(filtered.group, filtered.filter) {
            true => self.rule(filtered.rule),
            false if self.is_spent() => Flow::End,
            false => Flow::Next,
        }
    }

    fn end_if_over(&self, flow: Flow) -> Flow {
        let ends = self.state.interruption.is_some() || self.state.allowed.is_some();
        let is_over = (ends && self.phase != Phase::Logging)
            || self.state.controls.engine == EngineMode::Off
            || self.is_spent();
        if is_over { Flow::End } else { flow }
    }

    fn count(&mut self, rule: RuleIndex, add: impl FnOnce(&mut super::RuleCounter)) {
        if let Some(counter) = self.buffers.counters.get_mut(rule as usize) {
            add(counter);
        }
    }

    /// Whether any value of a link's targets matches. What the rule does it does for each that does.
    fn link(&mut self, index: RuleIndex, rule: &'r Rule, link: &'r Link, is_last: bool) -> bool {
        let Some(test) = &link.test else {
            self.matches(index, rule, link, is_last, None);
            return true;
        };
        let Some(set) = self.program.target_sets.get(test.targets as usize) else {
            return false;
        };
        match set.is_static {
            true => self.static_link(index, rule, link, test, set, is_last),
            false => self.moving_link(index, rule, link, test, is_last),
        }
    }

    fn static_link(
        &mut self,
        index: RuleIndex,
        rule: &'r Rule,
        link: &'r Link,
        test: &'r Test,
        set: &TargetSet,
        is_last: bool,
    ) -> bool {
        let mut is_match = false;
        let group = test
            .group
            .and_then(|group| self.program.groups.get(group as usize));
        let searched = group.map(|group| group.pipeline);
        for part in &set.parts {
            let (values, _) = self.part(*part);
            for at in values {
                let Some(value) = self.plan.values.get(at as usize).copied() else {
                    break;
                };
                if self.is_excluded_of(set, index, &value) {
                    continue;
                }
                is_match |= match test.is_multi_match {
                    false => {
                        if let (Some(searched), Some(filter)) = (searched, test.filter) {
                            let form = self.transformed(value.string, searched);
                            if !self.may_match(filter, form) {
                                continue;
                            }
                        }
                        let string = self.transformed(value.string, test.pipeline);
                        self.string(index, rule, link, test, is_last, &value, string)
                    }
                    true => self.each_form(index, rule, link, test, is_last, &value),
                };
                if self.is_over() {
                    return is_match;
                }
            }
        }
        is_match
    }

    /// Whether a value is left out of a set, by the rule's own words or by `ctl`.
    fn is_excluded_of(&mut self, set: &TargetSet, index: RuleIndex, value: &PlannedValue) -> bool {
        if !set.exclusions.is_empty() {
            let name = self.state.arena.get(value.member);
            let selectors = &mut self.buffers.selectors;
            // A count is not left out: of what is counted members are.
            if !value.is_count && is_excluded(&set.exclusions, value.variable, name, selectors) {
                return true;
            }
        }
        self.is_left_out(index, value.variable, Some(MemberName::Span(value.member)))
    }

    /// `multiMatch`: the value as it came, and each time that a transformation has changed it.
    fn each_form(
        &mut self,
        index: RuleIndex,
        rule: &'r Rule,
        link: &'r Link,
        test: &'r Test,
        is_last: bool,
        value: &PlannedValue,
    ) -> bool {
        let mut is_match = self.string(index, rule, link, test, is_last, value, value.string);
        let mut before = value.string;
        for node in self.side.pipelines.path(test.pipeline) {
            let after = self.transformed(value.string, *node);
            if after != before && !self.is_over() {
                is_match |= self.string(index, rule, link, test, is_last, value, after);
            }
            before = after;
        }
        is_match
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what is asked, of what, for whom"
    )]
    fn string(
        &mut self,
        index: RuleIndex,
        rule: &'r Rule,
        link: &'r Link,
        test: &'r Test,
        is_last: bool,
        value: &PlannedValue,
        string: StringId,
    ) -> bool {
        let found = match test.filter {
            Some(filter) => self.ask_filter(test, filter, string, link.captures),
            None => self.ask_string(rule, test.operator, string),
        };
        if found.is_some() == test.is_negated {
            return false;
        }
        let matched = Matched {
            name: Name {
                variable: value.variable,
                member: match value.has_member {
                    true => Member::Named(value.member),
                    false => Member::None,
                },
                is_count: value.is_count,
            },
            value: Text::String(string),
        };
        self.found(index, rule, link, test, is_last, matched, found);
        true
    }

    fn moving_link(
        &mut self,
        index: RuleIndex,
        rule: &'r Rule,
        link: &'r Link,
        test: &'r Test,
        is_last: bool,
    ) -> bool {
        if let Some(comparison) = test.comparison.as_ref().filter(|_| !self.has_removals) {
            if !self.compares(comparison) {
                return false;
            }
            if !rule.needs_matched && !link.captures {
                self.matches(index, rule, link, is_last, None);
                return true;
            }
        }
        let mut is_match = false;
        let values = self.moving_values(test.targets);
        for value in &values {
            let member = match value.name.member {
                Member::None => None,
                Member::Named(span) | Member::Unshown(span) => Some(MemberName::Span(span)),
                Member::Tx(slot) => Some(MemberName::Tx(slot)),
            };
            if self.is_left_out(index, value.name.variable, member) {
                continue;
            }
            is_match |= self.moving_value(index, rule, link, test, is_last, value);
            if self.is_over() {
                break;
            }
        }
        self.plan.give_back(values);
        is_match
    }

    fn moving_value(
        &mut self,
        index: RuleIndex,
        rule: &'r Rule,
        link: &'r Link,
        test: &'r Test,
        is_last: bool,
        value: &MovingValue,
    ) -> bool {
        if test.pipeline == 0 {
            let found = self.ask_moving(rule, test.operator, value);
            return self.moving_found(
                index, rule, link, test, is_last, value.name, value.text, found,
            );
        }
        let path = self.side.pipelines.path(test.pipeline);
        let mut text = value.text;
        let mut is_match = false;
        if test.is_multi_match {
            let found = self.ask_moving(rule, test.operator, value);
            is_match = self.moving_found(index, rule, link, test, is_last, value.name, text, found);
        }
        let last = path.len();
        for (number, node) in path.iter().enumerate() {
            let changed = self.transform_moving(text, *node);
            text = changed.unwrap_or(text);
            let is_asked = match test.is_multi_match {
                true => changed.is_some(),
                false => number + 1 == last,
            };
            if is_asked {
                let value = MovingValue {
                    name: value.name,
                    text,
                    integer: None,
                };
                let found = self.ask_moving(rule, test.operator, &value);
                is_match |=
                    self.moving_found(index, rule, link, test, is_last, value.name, text, found);
            }
        }
        is_match
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what was found, of what, for whom"
    )]
    fn moving_found(
        &mut self,
        index: RuleIndex,
        rule: &'r Rule,
        link: &'r Link,
        test: &'r Test,
        is_last: bool,
        name: Name,
        text: Text,
        found: Option<Found<'r>>,
    ) -> bool {
        if found.is_some() == test.is_negated {
            return false;
        }
        let matched = Matched { name, value: text };
        self.found(index, rule, link, test, is_last, matched, found);
        true
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what was found, of what, for whom"
    )]
    fn found(
        &mut self,
        index: RuleIndex,
        rule: &'r Rule,
        link: &'r Link,
        test: &'r Test,
        is_last: bool,
        matched: Matched,
        found: Option<Found<'r>>,
    ) {
        if link.captures
            && let Some(found) = found
        {
            self.capture(test.operator, matched.value, found);
        }
        self.matches(index, rule, link, is_last, Some(matched));
    }

    /// A link matches: what it does is done, and what the rule does with it, if it is the chain's last.
    fn matches(
        &mut self,
        index: RuleIndex,
        rule: &'r Rule,
        link: &'r Link,
        is_last: bool,
        matched: Option<Matched>,
    ) {
        if let Some(matched) = matched.filter(|_| rule.needs_matched) {
            self.state.matched.push(matched);
        }
        for effect in &link.effects {
            self.effect(rule, effect);
        }
        if is_last {
            self.conclude(index, rule, matched);
        }
    }

    fn conclude(&mut self, index: RuleIndex, rule: &'r Rule, matched: Option<Matched>) {
        if let Some(severity) = rule.severity {
            self.state.highest_severity = self.state.highest_severity.min(severity);
        }
        self.state.is_audit_relevant |= rule.is_audit_logged;
        let action = match &rule.outcome {
            Outcome::Pass => None,
            Outcome::Deny(status) => Some(InterruptionAction::Deny(*status)),
            Outcome::Drop => Some(InterruptionAction::Drop),
            Outcome::Redirect(status, to) => Some(InterruptionAction::Redirect {
                status: *status,
                location: {
                    let location = self.kept(rule, to);
                    self.state.arena.get(location).to_vec()
                },
            }),
            Outcome::Allow(scope) => {
                self.allow(*scope);
                None
            }
        };
        if rule.is_logged || action.is_some() {
            self.log(index, rule, matched, action.is_some());
        }
        if let Some(action) = action {
            self.interrupt(rule, action);
        }
    }

    fn allow(&mut self, scope: AllowScope) {
        if self.state.controls.engine == EngineMode::On && self.phase != Phase::Logging {
            self.state.allowed = Some(scope);
        }
    }

    fn interrupt(&mut self, rule: &Rule, action: InterruptionAction) {
        // Everything has happened by then.
        if self.phase == Phase::Logging {
            return;
        }
        let interruption = Interruption {
            rule: rule.id,
            phase: self.phase,
            action,
        };
        match self.state.controls.engine {
            EngineMode::On => self.state.interruption = Some(interruption),
            _ => {
                self.state.would_be.get_or_insert(interruption);
            }
        }
    }

    fn log(
        &mut self,
        index: RuleIndex,
        rule: &Rule,
        matched: Option<Matched>,
        is_disruptive: bool,
    ) {
        if self.state.events.len() == EVENTS_MAX {
            self.state.events_left_out += 1;
            return;
        }
        let message = self.logged(rule, rule.message.as_ref());
        let data = self.logged(rule, rule.log_data.as_ref());
        let (name, value) = match matched {
            Some(matched) => self.logged_value(matched),
            None => Default::default(),
        };
        self.state.events.push(MatchedRule {
            rule: index,
            message,
            data,
            name,
            value,
            is_logged: rule.is_logged,
            is_disruptive,
        });
    }

    fn logged(
        &mut self,
        rule: &Rule,
        text: Option<&crate::MacroText<crate::program::Source>>,
    ) -> super::arena::Span {
        let Some(text) = text else {
            return super::arena::Span::default();
        };
        let mut out = std::mem::take(&mut self.buffers.expanded);
        out.clear();
        self.append_expanded(rule, text, LOGGED_BYTES_MAX, &mut out);
        let span = self.state.arena.push(&out);
        self.buffers.expanded = out;
        span
    }

    fn logged_value(&mut self, matched: Matched) -> (super::arena::Span, super::arena::Span) {
        let mut out = std::mem::take(&mut self.buffers.expanded);
        out.clear();
        matched
            .name
            .append_to(self.program, &self.state.arena, &mut out);
        out.truncate(LOGGED_VALUE_BYTES_MAX);
        let name = self.state.arena.push(&out);
        self.buffers.expanded = out;
        let value = match matched.value {
            Text::Arena(span) => Arena::part(span, 0, LOGGED_VALUE_BYTES_MAX),
            Text::String(id) => {
                let text = self.strings.get(id);
                let text = text.get(..LOGGED_VALUE_BYTES_MAX).unwrap_or(text);
                self.state.arena.push(text)
            }
        };
        (name, value)
    }

    /// Whether `ctl:ruleRemoveTargetBy...` was for a rule.
    fn are_targets_left_out(&self, index: RuleIndex) -> bool {
        let removals = self.state.removals.iter();
        let mut removals = removals.filter_map(|removal| self.program.removals.get(*removal));
        removals.any(|removal| removal.rules.contains(index as usize))
    }

    /// Whether a value is among what `ctl:ruleRemoveTargetBy...` left out of a rule.
    fn is_left_out(
        &mut self,
        index: RuleIndex,
        variable: crate::syntax::VariableName,
        member: Option<MemberName>,
    ) -> bool {
        if !self.has_removals {
            return false;
        }
        let name = match member {
            None => b"".as_slice(),
            Some(MemberName::Span(span)) => self.state.arena.get(span),
            Some(MemberName::Tx(slot)) => self.program.tx.name(slot),
        };
        let selectors = &mut self.buffers.selectors;
        self.state.removals.iter().any(|removal| {
            let removal = self.program.removals.get(*removal);
            removal.is_some_and(|removal| {
                removal.rules.contains(index as usize)
                    && is_excluded(&removal.exclusions, variable, name, selectors)
            })
        })
    }

    fn transformed(&mut self, string: StringId, pipeline: NodeId) -> StringId {
        let unicode = &self.program.unicode;
        let form = self
            .strings
            .transformed(self.side, unicode, string, pipeline);
        self.spend_worked();
        form
    }

    /// Takes what was done to strings off the budget.
    fn spend_worked(&mut self) {
        match self.strings.take_worked() {
            0 => {}
            bytes => self.spend(bytes),
        }
    }

    fn is_over(&self) -> bool {
        self.is_spent() || (self.state.interruption.is_some() && self.phase != Phase::Logging)
    }

    fn is_spent(&self) -> bool {
        self.state.outcome != TransactionOutcome::Complete
    }
}

/// Where the name of a member is.
#[derive(Clone, Copy)]
enum MemberName {
    Span(super::arena::Span),
    Tx(crate::program::Slot),
}

fn links<'p>(program: &'p Program, rule: &Rule) -> &'p [Link] {
    let Range { start, end } = rule.links;
    let range = start as usize..end as usize;
    program.links.get(range).unwrap_or_default()
}
