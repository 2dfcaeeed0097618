//! What rules do to their transaction when they match.

use super::arena::Span;
use super::evaluate::Run;
use super::expand::Expansion;
use super::records;
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
                let key = self.kept(rule, key);
                let now = (self.clock)().as_secs();
                let settings = &self.program.settings;
                records::open(
                    self.state,
                    *collection,
                    key,
                    now,
                    settings,
                    self.collections,
                );
            }
            Effect::Expire(collection, name, seconds) => {
                self.expire(rule, *collection, name, seconds);
            }
            Effect::SetEnv(name, value) => {
                let name = self.kept(rule, name);
                let value = value.as_ref().map(|value| self.kept(rule, value));
                self.set_env(name, value);
            }
            Effect::Sanitise(what) => self.sanitise(what),
        }
    }

    fn set_env(&mut self, name: Span, value: Option<Span>) {
        let state = &mut *self.state;
        let (arena, env) = (&state.arena, &mut state.env);
        env.retain(|(known, _)| !arena.get(*known).eq_ignore_ascii_case(arena.get(name)));
        if let Some(value) = value.filter(|_| env.len() < ENV_MAX) {
            env.push((name, value));
        }
    }

    fn set(&mut self, rule: &Rule, destination: &Destination, change: &Change) {
        let name = match destination {
            Destination::Tx(slot) => {
                let value = self.changed(rule, self.state.tx.get(*slot), change);
                return self.state.tx.set(*slot, value);
            }
            Destination::TxNamed(name) | Destination::Member(_, name) => name,
        };
        let mut lower = std::mem::take(&mut self.buffers.name);
        self.expand(rule, name, &mut lower);
        lower.make_ascii_lowercase();
        match destination {
            Destination::Member(collection, _) => {
                let old = records::get(self.state, *collection, &lower);
                let value = self.changed(rule, old, change);
                let is_sum = matches!(change, Change::Add(_) | Change::Subtract(_));
                records::set(self.state, *collection, &lower, value, is_sum);
            }
            _ => self.set_named(rule, &lower, change),
        }
        self.buffers.name = lower;
    }

    fn expire(
        &mut self,
        rule: &Rule,
        collection: VariableName,
        name: &MacroText<Source>,
        seconds: &MacroText<Source>,
    ) {
        let seconds = self.kept(rule, seconds);
        let seconds = crate::integer(self.state.arena.get(seconds));
        let seconds = u64::try_from(seconds).unwrap_or(0);
        let mut lower = std::mem::take(&mut self.buffers.name);
        self.expand(rule, name, &mut lower);
        lower.make_ascii_lowercase();
        let now = (self.clock)().as_secs();
        records::expire(self.state, collection, &lower, now, seconds);
        self.buffers.name = lower;
    }

    /// A variable of `TX` whose name only this request decides.
    fn set_named(&mut self, rule: &Rule, lower: &[u8], change: &Change) {
        if let Some(slot) = self.program.tx.find(lower) {
            let value = self.changed(rule, self.state.tx.get(slot), change);
            return self.state.tx.set(slot, value);
        }
        let old = match change {
            Change::Set(_) | Change::Unset => TxValue::Unset,
            Change::Add(_) | Change::Subtract(_) => {
                self.state.tx.unforeseen(lower, &self.state.arena)
            }
        };
        let value = self.changed(rule, old, change);
        let state = &mut *self.state;
        state.tx.set_unforeseen(lower, value, &mut state.arena);
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
            Change::Set(Operand::Macros(text)) => TxValue::Text(self.kept(rule, text)),
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
            Operand::Macros(text) => {
                let mut value = std::mem::take(&mut self.buffers.value);
                self.expand(rule, text, &mut value);
                let number = crate::integer(&value);
                self.buffers.value = value;
                number
            }
        }
    }

    /// A text with its macros expanded, kept in the arena.
    pub(super) fn kept(&mut self, rule: &Rule, text: &MacroText<Source>) -> Span {
        let mut value = std::mem::take(&mut self.buffers.value);
        self.expand(rule, text, &mut value);
        let span = self.state.arena.push(&value);
        self.buffers.value = value;
        span
    }

    /// Writes a text with its macros expanded over `out`.
    fn expand(&mut self, rule: &Rule, text: &MacroText<Source>, out: &mut Vec<u8>) {
        out.clear();
        self.append_expanded(rule, text, EXPANDED_BYTES_MAX, out);
        self.spend(out.len());
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
            CtlEffect::AuditLogParts(change) => {
                let before = controls.audit_parts.as_deref();
                let before = before.unwrap_or(&self.program.settings.audit.parts);
                controls.audit_parts = Some(changed_parts(before, change));
            }
            CtlEffect::RuleEngine(mode) => controls.engine = *mode,
            CtlEffect::AuditEngine(mode) => controls.audit = *mode,
            CtlEffect::RequestBodyAccess(is_on) => controls.has_request_body_access = *is_on,
            CtlEffect::ResponseBodyAccess(is_on) => controls.has_response_body_access = *is_on,
            CtlEffect::RequestBodyLimit(limit) => controls.request_body_limit = *limit,
            CtlEffect::ResponseBodyLimit(limit) => controls.response_body_limit = *limit,
            CtlEffect::Processor(processor) => controls.processor = Some(*processor),
            CtlEffect::XmlArguments(mode) => controls.xml_arguments = *mode,
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

/// Parts of the audit log, with some more (`+E`), without some (`-E`), or all anew.
fn changed_parts(before: &[u8], change: &[u8]) -> Box<[u8]> {
    match change {
        [b'+', added @ ..] => {
            let new = added.iter().filter(|part| !before.contains(part));
            before.iter().chain(new).copied().collect()
        }
        [b'-', removed @ ..] => {
            let left = before.iter().filter(|part| !removed.contains(part));
            left.copied().collect()
        }
        parts => parts.into(),
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
