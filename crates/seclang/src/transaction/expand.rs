//! What macros expand to.

use super::lookup::{Moment, append, append_scalar, first_member};
use super::matched::Text;
use super::state::State;
use super::strings::Strings;
use super::worker::Clock;
use crate::macro_text::Lookup;
use crate::program::{Program, Rule, RuleField, Source};
use crate::syntax::VariableName;

/// Gives the values of a transaction to macros.
pub(super) struct Expansion<'e> {
    pub(super) program: &'e Program,
    pub(super) state: &'e State,
    pub(super) strings: &'e Strings,
    pub(super) rule: &'e Rule,
    /// The most bytes of one value.
    pub(super) bytes_max: usize,
    pub(super) clock: Clock,
}

impl Lookup<Source> for Expansion<'_> {
    fn append(&self, source: &Source, out: &mut Vec<u8>) {
        match source {
            Source::Tx(slot) => {
                let value = self.state.tx.get(*slot);
                value.append_to(&self.state.arena, self.bytes_max, out);
            }
            Source::Variable(name) => self.variable(*name, out),
            Source::Member(name, key) => self.member(*name, key, out),
            Source::Rule(field) => self.rule(*field, out),
            Source::Nothing => {}
        }
    }
}

impl Expansion<'_> {
    fn variable(&self, name: VariableName, out: &mut Vec<u8>) {
        if name.is_collection() {
            return self.member(name, b"", out);
        }
        append_scalar(
            self.program,
            self.state,
            self.strings,
            || Moment::now(self.clock, self.state.started_micros),
            name,
            self.bytes_max,
            out,
        );
    }

    /// The first member of the name; without one, the first.
    fn member(&self, name: VariableName, key: &[u8], out: &mut Vec<u8>) {
        let arena = &self.state.arena;
        match name {
            VariableName::Tx => {
                let value = self.state.tx.unforeseen(key, arena);
                value.append_to(arena, self.bytes_max, out);
            }
            VariableName::Env | VariableName::Geo => {
                let mut all = match name {
                    VariableName::Geo => self.state.geo.iter(),
                    _ => self.state.env.iter(),
                };
                let found = all.find(|(name, _)| arena.get(*name).eq_ignore_ascii_case(key));
                if let Some((_, value)) = found {
                    append(arena.get(*value), self.bytes_max, out);
                }
            }
            VariableName::MatchedVars | VariableName::MatchedVarsNames => {
                let Some(first) = self.state.matched.first() else {
                    return;
                };
                match (name, first.value) {
                    (VariableName::MatchedVarsNames, _) => {
                        first.name.append_to(self.program, arena, out);
                    }
                    (_, Text::Arena(span)) => append(arena.get(span), self.bytes_max, out),
                    (_, Text::String(id)) => append(self.strings.get(id), self.bytes_max, out),
                }
            }
            VariableName::Ip
            | VariableName::Global
            | VariableName::Session
            | VariableName::User
            | VariableName::Resource => {
                let value = super::records::get(self.state, name, key);
                value.append_to(arena, self.bytes_max, out);
            }
            _ => {
                let key = (!key.is_empty()).then_some(key);
                if let Some(value) = first_member(self.state, name, key) {
                    append(value, self.bytes_max, out);
                }
            }
        }
    }

    fn rule(&self, field: RuleField, out: &mut Vec<u8>) {
        let number = |number: u64, out: &mut Vec<u8>| {
            let mut buffer = itoa::Buffer::new();
            out.extend_from_slice(buffer.format(number).as_bytes());
        };
        match field {
            RuleField::Id => number(self.rule.id, out),
            RuleField::Severity => {
                if let Some(severity) = self.rule.severity {
                    number(u64::from(severity), out);
                }
            }
            RuleField::Revision => {
                append(
                    self.rule.revision().unwrap_or("").as_bytes(),
                    self.bytes_max,
                    out,
                );
            }
            RuleField::Version => {
                append(
                    self.rule.version().unwrap_or("").as_bytes(),
                    self.bytes_max,
                    out,
                );
            }
            // Their own macros are not expanded: they could name each other.
            RuleField::Message => literal(self.rule.message.as_ref(), out),
            RuleField::LogData => literal(self.rule.log_data.as_ref(), out),
        }
    }
}

fn literal(text: Option<&crate::MacroText<Source>>, out: &mut Vec<u8>) {
    if let Some(text) = text.and_then(crate::MacroText::as_literal) {
        out.extend_from_slice(text);
    }
}
