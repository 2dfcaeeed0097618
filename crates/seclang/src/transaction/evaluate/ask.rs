//! Operators are asked.

use std::net::IpAddr;
use std::ops::Range;

use palisade_injection::sqli::Fingerprint;

use super::Run;
use crate::operators::{Match, Matcher, Operator};
use crate::program::{CAPTURE_SLOTS, CompiledOperator, NodeId, Rule, Source, Test};
use crate::transaction::Outcome;
use crate::transaction::arena::Arena;
use crate::transaction::lookup::MovingValue;
use crate::transaction::matched::Text;
use crate::transaction::strings::{StringId, Verdict};
use crate::transaction::tx_values::TxValue;

/// The clock is looked at each time that so many bytes were.
pub(super) const CLOCK_EVERY: usize = 64 * 1024;
/// What asking costs beside the bytes of the value.
const ASKING_BYTES: usize = 16;

/// That an operator matches, and what there is for `TX:0`.
#[derive(Clone, Debug)]
pub(super) enum Found<'r> {
    Plain,
    Phrase(&'r [u8]),
    Part(Range<usize>),
    Groups,
    Fingerprint(Fingerprint),
}

impl<'r> Run<'r> {
    /// Whether a filter may match a string, which is in the form that a group searches.
    pub(super) fn may_match(&mut self, filter: u32, string: StringId) -> bool {
        let candidates = self.strings.candidates(self.side, string);
        let word = candidates.and_then(|row| row.get(filter as usize / 64));
        word.is_some_and(|word| word >> (filter % 64) & 1 == 1)
    }

    /// What is known of a filter and a string, or what comes of asking.
    pub(super) fn ask_filter(
        &mut self,
        test: &Test,
        filter: u32,
        string: StringId,
        captures: bool,
    ) -> Option<Found<'r>> {
        match self.strings.verdict(string, filter) {
            Verdict::Differs => None,
            Verdict::Matches if !captures => Some(Found::Plain),
            Verdict::Unknown if self.strings.is_ruled_out(self.side, string, filter) => None,
            _ => {
                let found = self.ask(test.operator, Text::String(string));
                // What was cut short by the budget is not known.
                if self.state.outcome == Outcome::Complete {
                    self.strings
                        .decide(self.side, string, filter, found.is_some());
                }
                found
            }
        }
    }

    /// An operator whose argument has macros, or that compares numbers.
    pub(super) fn ask_string(
        &mut self,
        rule: &Rule,
        operator: u32,
        string: StringId,
    ) -> Option<Found<'r>> {
        self.expand_argument(rule, operator);
        self.ask(operator, Text::String(string))
    }

    pub(super) fn ask_moving(
        &mut self,
        rule: &Rule,
        operator: u32,
        value: &MovingValue,
    ) -> Option<Found<'r>> {
        if let Some(holds) = self.compare(operator, value) {
            return holds.then_some(Found::Plain);
        }
        self.expand_argument(rule, operator);
        self.ask(operator, value.text)
    }

    /// A number with a number, neither of which has to be written first.
    fn compare(&self, operator: u32, value: &MovingValue) -> Option<bool> {
        let integer = value.integer?;
        let compiled = self.compiled(operator)?;
        let Operator::Match(Matcher::Comparison(comparison)) = &compiled.operator else {
            return None;
        };
        let argument = match &compiled.expanded {
            None => comparison.fixed()?,
            Some(text) => match text.as_variable()? {
                Source::Tx(slot) => self.state.tx.get(*slot).integer(&self.state.arena),
                _ => return None,
            },
        };
        Some(comparison.relation().holds(integer, argument))
    }

    fn compiled(&self, operator: u32) -> Option<&'r CompiledOperator> {
        self.program.operators.get(operator as usize)
    }

    /// Leaves the argument in the buffer for it.
    fn expand_argument(&mut self, rule: &Rule, operator: u32) {
        let Some(text) = self
            .compiled(operator)
            .and_then(|compiled| compiled.expanded.as_ref())
        else {
            return;
        };
        let mut out = std::mem::take(&mut self.buffers.expanded);
        out.clear();
        self.append_expanded(rule, text, crate::macro_text::EXPANDED_BYTES_MAX, &mut out);
        self.buffers.expanded = out;
    }

    fn ask(&mut self, operator: u32, text: Text) -> Option<Found<'r>> {
        let compiled = self.compiled(operator)?;
        let len = self.text(text).len();
        self.spend(len + ASKING_BYTES);
        if self.state.outcome != Outcome::Complete {
            return None;
        }
        let buffers = &mut *self.buffers;
        let value = match text {
            Text::Arena(span) => self.state.arena.get(span),
            Text::String(id) => self.strings.get(id),
        };
        match &compiled.operator {
            Operator::Match(matcher) => {
                let cache = buffers.caches.get_mut(operator as usize)?;
                let found = matcher.matches(value, &buffers.expanded, cache)?;
                Some(match found {
                    Match::Plain => Found::Plain,
                    Match::Phrase(phrase) => Found::Phrase(phrase),
                    Match::Part(part) => Found::Part(part),
                    Match::Groups => Found::Groups,
                })
            }
            Operator::DetectSqli => palisade_injection::sqli::detect(value).map(Found::Fingerprint),
            Operator::DetectXss => palisade_injection::xss::detect(value).then_some(Found::Plain),
            Operator::GeoLookup => {
                let address = std::str::from_utf8(value).ok();
                let address = address.and_then(|text| text.parse().ok());
                self.look_up(address).then_some(Found::Plain)
            }
        }
    }

    /// Whether it is known where an address is, which `GEO` then says; otherwise it says nothing.
    fn look_up(&mut self, address: Option<IpAddr>) -> bool {
        let state = &mut *self.state;
        state.geo.clear();
        let location = address.and_then(|address| self.countries?.country(address));
        let Some(location) = location else {
            return false;
        };
        let said = [
            ("COUNTRY_CODE", Some(location.country.as_str().as_bytes())),
            (
                "COUNTRY_NAME",
                location.country_name.as_deref().map(str::as_bytes),
            ),
            (
                "COUNTRY_CONTINENT",
                location.continent.as_ref().map(<[u8; 2]>::as_slice),
            ),
        ];
        for (name, value) in said {
            if let Some(value) = value {
                let member = (state.arena.push(name.as_bytes()), state.arena.push(value));
                state.geo.push(member);
            }
        }
        true
    }

    pub(super) fn text(&self, text: Text) -> &[u8] {
        match text {
            Text::Arena(span) => self.state.arena.get(span),
            Text::String(id) => self.strings.get(id),
        }
    }

    /// `TX:0` to `TX:9`: what was found, and nothing of what was found before (ModSecurity 2).
    pub(super) fn capture(&mut self, operator: u32, text: Text, found: Found<'r>) {
        self.state.tx.unset_captures();
        match found {
            Found::Plain => {}
            Found::Phrase(phrase) => {
                let span = self.state.arena.push(phrase);
                self.state.tx.set(0, TxValue::Text(span));
            }
            Found::Fingerprint(fingerprint) => {
                let span = self.state.arena.push(fingerprint.as_bytes());
                self.state.tx.set(0, TxValue::Text(span));
            }
            Found::Part(part) => self.capture_part(0, text, part),
            Found::Groups => self.capture_groups(operator, text),
        }
    }

    fn capture_groups(&mut self, operator: u32, text: Text) {
        let Some(CompiledOperator {
            operator: Operator::Match(matcher),
            ..
        }) = self.compiled(operator)
        else {
            return;
        };
        let buffers = &mut *self.buffers;
        let Some(cache) = buffers.caches.get_mut(operator as usize) else {
            return;
        };
        let value = match text {
            Text::Arena(span) => self.state.arena.get(span),
            Text::String(id) => self.strings.get(id),
        };
        let mut groups = std::mem::take(&mut buffers.groups);
        matcher.captures(value, cache, &mut groups);
        for (slot, part) in (0..CAPTURE_SLOTS).zip(groups.iter()) {
            self.capture_part(slot, text, part);
        }
        self.buffers.groups = groups;
        let len = self.text(text).len();
        self.spend(len);
    }

    fn capture_part(&mut self, slot: u16, text: Text, part: Range<usize>) {
        let span = match text {
            Text::Arena(span) => Arena::part(span, part.start, part.len()),
            Text::String(id) => {
                let value = self.strings.get(id);
                self.state.arena.push(value.get(part).unwrap_or_default())
            }
        };
        self.state.tx.set(slot, TxValue::Text(span));
    }

    /// A value of a variable that changes while rules run, transformed; `None` where it stays the same.
    pub(super) fn transform_moving(&mut self, text: Text, node: NodeId) -> Option<Text> {
        let transformation = self.side.pipelines.node(node)?.last;
        let mut out = std::mem::take(&mut self.buffers.transformed);
        let value = self.text(text);
        let len = value.len();
        let is_changed = transformation.apply(value, &mut out, &self.program.unicode);
        let changed = is_changed.then(|| Text::Arena(self.state.arena.push(&out)));
        self.buffers.transformed = out;
        self.spend(len);
        changed
    }

    /// Whether the phases before this one and this one took too long, from when it was first asked: what
    /// passes between phases, such as while a body comes in, is not the rules'.
    #[cold]
    fn is_out_of_time(&mut self) -> bool {
        self.until_clock = CLOCK_EVERY;
        let now = (self.stopwatch)();
        let began = *self.time_began.get_or_insert(now);
        self.state.time_spent + now.saturating_sub(began) > self.budget.time
    }

    /// Takes bytes off the budget; once it is spent, nothing is asked any more.
    pub(in crate::transaction) fn spend(&mut self, bytes: usize) {
        let taken = u64::try_from(bytes).unwrap_or(u64::MAX);
        let left = self.state.bytes_left.checked_sub(taken);
        self.state.bytes_left = left.unwrap_or(0);
        let mut is_spent = left.is_none();
        match self.until_clock.checked_sub(bytes) {
            Some(until) => self.until_clock = until,
            None => is_spent |= self.is_out_of_time(),
        }
        if is_spent {
            self.state.outcome = Outcome::BudgetSpent(self.phase);
        }
    }
}
