//! What a rule that matches does to its transaction, and what is kept of that for logs.

use super::Run;
use crate::MacroText;
use crate::program::{Outcome, Rule, RuleIndex, Source};
use crate::syntax::{AllowScope, EngineMode, Phase};
use crate::transaction::arena::{Arena, Span};
use crate::transaction::matched::{Matched, MatchedRule, Text};
use crate::transaction::{Interruption, InterruptionAction};

/// The longest message or data that is kept of a match.
const LOGGED_BYTES_MAX: usize = 1_024;
/// The longest value that is kept of a match.
pub(in crate::transaction) const LOGGED_VALUE_BYTES_MAX: usize = 512;
/// The most matches that are kept of a transaction; further ones are counted.
const EVENTS_MAX: usize = 1_000;

impl<'r> Run<'r> {
    pub(super) fn conclude(&mut self, index: RuleIndex, rule: &'r Rule, matched: Option<Matched>) {
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

    /// Whether rules may end the transaction: everything has happened in the last phase.
    fn can_interrupt(&self) -> bool {
        self.state.controls.engine == EngineMode::On && self.phase != Phase::Logging
    }

    fn allow(&mut self, scope: AllowScope) {
        if self.can_interrupt() {
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
            matched: matched.map(|matched| matched.name),
            message,
            data,
            name,
            value,
            is_logged: rule.is_logged,
            is_disruptive,
            has_interrupted: is_disruptive && self.can_interrupt(),
        });
    }

    fn logged(&mut self, rule: &Rule, text: Option<&MacroText<Source>>) -> Span {
        let Some(text) = text else {
            return Span::default();
        };
        let mut out = std::mem::take(&mut self.buffers.expanded);
        out.clear();
        self.append_expanded(rule, text, LOGGED_BYTES_MAX, &mut out);
        let span = self.state.arena.push(&out);
        self.buffers.expanded = out;
        span
    }

    fn logged_value(&mut self, matched: Matched) -> (Span, Span) {
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
}
