//! What rules do to their transaction when they match.

use super::evaluate::Run;
use super::expand::Expansion;
use super::records::{self, Record};
use super::tx_values::TxValue;
use crate::MacroText;
use crate::macro_text::EXPANDED_BYTES_MAX;
use crate::program::{Change, CtlEffect, Destination, Effect, Operand, Rule, Source};
use crate::syntax::VariableName;

/// The most variables that rules set with `setenv`.
const ENV_MAX: usize = 256;
/// The most removals of targets in force at once.
const REMOVALS_MAX: usize = 4_096;

impl Run<'_> {
    pub(super) fn effect(&mut self, rule: &Rule, effect: &Effect) {
        match effect {
            Effect::Set(destination, change) => self.set(rule, destination, change),
            Effect::Ctl(ctl) => self.ctl(ctl),
            Effect::InitCollection(collection, key) => {
                let key = self.expanded(rule, key);
                let key = self.state.arena.push(&key);
                let is_open = |record: &Record| record.collection == *collection;
                if !self.state.records.iter().any(is_open) {
                    self.state.records.push(Record {
                        collection: *collection,
                        key,
                        values: Vec::new(),
                    });
                }
            }
            // Records don't outlive their transaction yet, so that nothing expires before it ends.
            Effect::Expire(..) => {}
            Effect::SetEnv(name, value) => {
                let name = self.expanded(rule, name);
                let value = value.as_ref().map(|value| self.expanded(rule, value));
                self.set_env(&name, value.as_deref());
            }
        }
    }

    fn set_env(&mut self, name: &[u8], value: Option<&[u8]>) {
        let state = &mut *self.state;
        let arena = &mut state.arena;
        state
            .env
            .retain(|(known, _)| !arena.get(*known).eq_ignore_ascii_case(name));
        if let Some(value) = value.filter(|_| state.env.len() < ENV_MAX) {
            let entry = (arena.push(name), arena.push(value));
            state.env.push(entry);
        }
    }

    fn set(&mut self, rule: &Rule, destination: &Destination, change: &Change) {
        match destination {
            Destination::Tx(slot) => {
                let value = self.changed(rule, self.state.tx.get(*slot), change);
                self.state.tx.set(*slot, value);
            }
            Destination::TxNamed(name) => {
                let mut name = self.expanded(rule, name);
                name.make_ascii_lowercase();
                if let Some(slot) = self.program.tx.find(&name) {
                    let value = self.changed(rule, self.state.tx.get(slot), change);
                    return self.state.tx.set(slot, value);
                }
                let old = self.state.tx.unforeseen(&name, &self.state.arena);
                let value = self.changed(rule, old, change);
                let state = &mut *self.state;
                state.tx.set_unforeseen(&name, value, &mut state.arena);
            }
            Destination::Member(collection, name) => {
                let mut name = self.expanded(rule, name);
                name.make_ascii_lowercase();
                let old = records::get(self.state, *collection, &name);
                let value = self.changed(rule, old, change);
                records::set(self.state, *collection, &name, value);
            }
        }
    }

    /// What becomes of a value. Counters never go below zero, as in ModSecurity 2.
    fn changed(&mut self, rule: &Rule, old: TxValue, change: &Change) -> TxValue {
        match change {
            Change::Unset => TxValue::Unset,
            Change::Set(Operand::Integer(number)) => TxValue::Integer(*number),
            // Without a value it is empty, and there.
            Change::Set(Operand::Tx(slot)) => match self.state.tx.get(*slot) {
                TxValue::Unset => TxValue::Text(self.state.arena.push(b"")),
                value => value,
            },
            Change::Set(Operand::Text(text)) => TxValue::Text(self.state.arena.push(text)),
            Change::Set(Operand::Macros(text)) => {
                let text = self.expanded(rule, text);
                TxValue::Text(self.state.arena.push(&text))
            }
            Change::Add(operand) => {
                let by = self.number(rule, operand);
                let sum = old.integer(&self.state.arena).saturating_add(by);
                TxValue::Integer(sum.max(0))
            }
            Change::Subtract(operand) => {
                let by = self.number(rule, operand);
                let difference = old.integer(&self.state.arena).saturating_sub(by);
                TxValue::Integer(difference.max(0))
            }
        }
    }

    fn number(&mut self, rule: &Rule, operand: &Operand) -> i64 {
        match operand {
            Operand::Integer(number) => *number,
            Operand::Tx(slot) => self.state.tx.get(*slot).integer(&self.state.arena),
            Operand::Text(text) => crate::integer(text),
            Operand::Macros(text) => crate::integer(&self.expanded(rule, text)),
        }
    }

    /// A text with its macros expanded.
    pub(super) fn expanded(&mut self, rule: &Rule, text: &MacroText<Source>) -> Vec<u8> {
        let mut out = std::mem::take(&mut self.buffers.expanded);
        out.clear();
        self.append_expanded(rule, text, EXPANDED_BYTES_MAX, &mut out);
        let expanded = out.clone();
        self.buffers.expanded = out;
        self.spend(expanded.len());
        expanded
    }

    pub(super) fn append_expanded(
        &self,
        rule: &Rule,
        text: &MacroText<Source>,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) {
        let expansion = Expansion {
            program: self.program,
            state: self.state,
            strings: self.strings,
            rule,
            bytes_max,
            clock: self.clock,
        };
        text.append_to(&expansion, bytes_max, out);
    }

    fn ctl(&mut self, ctl: &CtlEffect) {
        let controls = &mut self.state.controls;
        match ctl {
            CtlEffect::RuleEngine(mode) => controls.engine = *mode,
            CtlEffect::AuditEngine(mode) => controls.audit = *mode,
            CtlEffect::AuditLogParts(parts) => controls.audit_parts = Some(parts.clone()),
            CtlEffect::RequestBodyAccess(is_on) => controls.has_request_body_access = *is_on,
            CtlEffect::ResponseBodyAccess(is_on) => controls.has_response_body_access = *is_on,
            CtlEffect::RequestBodyLimit(limit) => controls.request_body_limit = *limit,
            CtlEffect::ResponseBodyLimit(limit) => controls.response_body_limit = *limit,
            CtlEffect::Processor(processor) => controls.processor = Some(*processor),
            CtlEffect::ForceRequestBody(is_on) => controls.forces_request_body = *is_on,
            CtlEffect::ForceResponseBody(is_on) => controls.forces_response_body = *is_on,
            CtlEffect::RemoveRules(rules) => {
                let removed = &mut self.state.removed;
                removed.resize(removed.len().max(rules.words().len()), 0);
                for (word, more) in removed.iter_mut().zip(rules.words()) {
                    *word |= more;
                }
            }
            CtlEffect::RemoveTargets(removal) => {
                let removals = &mut self.state.removals;
                if !removals.contains(removal) && removals.len() < REMOVALS_MAX {
                    removals.push(*removal);
                }
            }
        }
    }
}

/// Collections that `initcol` and its kin open.
pub(super) fn is_record(name: VariableName) -> bool {
    matches!(
        name,
        VariableName::Ip
            | VariableName::Global
            | VariableName::Session
            | VariableName::User
            | VariableName::Resource
    )
}
