//! The rules of a phase, in the order of loading.

mod ask;
mod conclude;
mod links;
mod moving;
mod plan;

use std::ops::Range;
use std::time::Duration;

use super::Outcome;
use super::arena::Arena;
use super::state::State;
use super::strings::Strings;
use super::tx_values::TxValue;
use super::worker::{Budget, Buffers, Clock, Plan, Worker};
use crate::program::{
    Filtered, Gate, Link, Operand, Preset, PresetValue, Program, Rule, RuleIndex, Side,
    SlotComparison, Step,
};
use crate::syntax::{EngineMode, Phase};
use crate::{Collections, Countries};

pub(super) use conclude::LOGGED_VALUE_BYTES_MAX;

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
    stopwatch: Clock,
    pub(super) collections: Option<&'r Collections>,
    pub(super) countries: Option<&'r dyn Countries>,
    pub(super) budget: Budget,
    /// Bytes until the clock is looked at again.
    pub(super) until_clock: usize,
    /// When the stopwatch was first looked at in this phase.
    pub(super) time_began: Option<Duration>,
    /// Whether `ctl` left targets out of the rule that runs.
    has_removals: bool,
}

/// How a phase goes on.
enum Flow {
    Next,
    To(u32),
    End,
}

/// Which link of which rule is asked.
#[derive(Clone, Copy)]
struct Asked<'r> {
    index: RuleIndex,
    rule: &'r Rule,
    link: &'r Link,
    /// Whether it is the chain's last, so that the rule matches where it does.
    is_last: bool,
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
            stopwatch: worker.options.stopwatch,
            collections: worker.options.collections.as_deref(),
            countries: worker.options.countries.as_deref(),
            budget: worker.options.budget,
            until_clock: ask::CLOCK_EVERY,
            time_began: None,
            has_removals: false,
        }
    }

    /// Runs it.
    pub(super) fn phase(mut self) {
        if self.state.controls.engine == EngineMode::Off || self.is_spent() {
            return;
        }
        self.buffers.asked = None;
        self.prepare();
        let steps = self.program.steps(self.phase);
        let mut at = 0;
        while let Some(step) = steps.get(at) {
            let flow = match step {
                Step::Marker => Flow::Next,
                Step::Gate(gate) => self.gate(gate),
                Step::Filtered(filtered) => self.filtered(filtered),
                Step::Preset(preset) => self.preset(preset),
                Step::Rule(index) => self.rule(*index),
            };
            at = match flow {
                Flow::Next => at + 1,
                Flow::To(step) => step as usize,
                Flow::End => break,
            };
        }
        if let Some(began) = self.time_began {
            self.state.time_spent += (self.stopwatch)().saturating_sub(began);
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
        let began = self.evaluation_began(gate.rule);
        let is_match = self.compares(&gate.comparison);
        self.evaluation_ended(gate.rule, began);
        if !is_match {
            return Flow::Next;
        }
        self.count_hit(gate.rule);
        gate.skip_to.map_or(Flow::Next, Flow::To)
    }

    fn preset(&mut self, preset: &Preset) -> Flow {
        if self.state.is_removed(preset.rule) {
            return Flow::Next;
        }
        let state = &mut *self.state;
        let texts = state.arena.push(&preset.texts);
        for (slot, value) in &preset.values {
            let value = match value {
                PresetValue::Unset => TxValue::Unset,
                PresetValue::Integer(number) => TxValue::Integer(*number),
                PresetValue::Text(part) => {
                    TxValue::Text(Arena::part(texts, part.start, part.len()))
                }
            };
            state.tx.set(*slot, value);
        }
        Flow::Next
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
        let began = self.evaluation_began(index);
        let is_match = self.chain(index, rule);
        self.evaluation_ended(index, began);
        if !is_match {
            return self.end_if_over(Flow::Next);
        }
        self.count_hit(index);
        let flow = rule.skip_to.map_or(Flow::Next, Flow::To);
        self.end_if_over(flow)
    }

    /// Whether all links of a rule match.
    fn chain(&mut self, index: RuleIndex, rule: &'r Rule) -> bool {
        let links = links(self.program, rule);
        self.state.matched.clear();
        for (number, link) in links.iter().enumerate() {
            // The link before may have left some out.
            self.has_removals = self.are_targets_left_out(index);
            let asked = Asked {
                index,
                rule,
                link,
                is_last: number + 1 == links.len(),
            };
            if !self.link(asked) {
                return false;
            }
            if self.state.interruption.is_some() && self.phase != Phase::Logging {
                break;
            }
        }
        true
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

    /// Counts an evaluation of a rule; when it began, if it is one to time.
    fn evaluation_began(&mut self, rule: RuleIndex) -> Option<Duration> {
        self.buffers.asked = Some(rule);
        let counter = self.buffers.counters.get_mut(rule as usize)?;
        counter.evaluate().then(self.stopwatch)
    }

    fn evaluation_ended(&mut self, rule: RuleIndex, began: Option<Duration>) {
        let Some(began) = began else {
            return;
        };
        let took = (self.stopwatch)().saturating_sub(began);
        if let Some(counter) = self.buffers.counters.get_mut(rule as usize) {
            counter.sample(took);
        }
    }

    fn count_hit(&mut self, rule: RuleIndex) {
        if let Some(counter) = self.buffers.counters.get_mut(rule as usize) {
            counter.hits += 1;
        }
    }

    fn is_over(&self) -> bool {
        self.is_spent() || (self.state.interruption.is_some() && self.phase != Phase::Logging)
    }

    fn is_spent(&self) -> bool {
        self.state.outcome != Outcome::Complete
    }
}

fn links<'p>(program: &'p Program, rule: &Rule) -> &'p [Link] {
    let Range { start, end } = rule.links;
    let range = start as usize..end as usize;
    program.links.get(range).unwrap_or_default()
}
