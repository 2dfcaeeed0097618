//! What is known at one step of a phase.

use std::collections::HashMap;

use super::outline::{Change, Comparison, Outlines, Text, Write};
use crate::macro_text::Lookup;
use crate::operators::integer;
use crate::program::{CAPTURE_SLOTS, Slot};

/// The most states that are held apart at one step, by which rules are left out.
const STATES_MAX: usize = 8;
/// The longest value that is followed.
const VALUE_BYTES_MAX: usize = 4_096;

/// A value of `TX`, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Unknown,
    Unset,
    /// An index of [`Values`].
    Text(u32),
}

/// Values that are known, each once. A number is its digits: the engine reads either as the other.
#[derive(Debug, Default)]
pub(super) struct Values {
    texts: Vec<Box<[u8]>>,
    known: HashMap<Box<[u8]>, u32>,
}

impl Values {
    pub(super) fn text(&self, index: u32) -> &[u8] {
        self.texts.get(index as usize).map_or(b"", AsRef::as_ref)
    }

    fn add(&mut self, text: &[u8]) -> Value {
        if text.len() > VALUE_BYTES_MAX {
            return Value::Unknown;
        }
        if let Some(index) = self.known.get(text) {
            return Value::Text(*index);
        }
        let Ok(index) = u32::try_from(self.texts.len()) else {
            return Value::Unknown;
        };
        self.texts.push(text.into());
        self.known.insert(text.into(), index);
        Value::Text(index)
    }
}

/// A set of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn all(count: usize) -> Self {
        Self(vec![u64::MAX; count.div_ceil(64)])
    }

    pub(super) fn contains(&self, number: usize) -> bool {
        let word = self.0.get(number / 64).copied().unwrap_or(0);
        word >> (number % 64) & 1 == 1
    }

    fn set(&mut self, number: usize, is_in: bool) {
        if let Some(word) = self.0.get_mut(number / 64) {
            *word &= !(1 << (number % 64));
            *word |= u64::from(is_in) << (number % 64);
        }
    }

    fn add(&mut self, more: &[u64]) {
        self.0
            .iter_mut()
            .zip(more)
            .for_each(|(word, more)| *word |= more);
    }

    fn keep(&mut self, only: &[u64]) {
        self.0
            .iter_mut()
            .zip(only)
            .for_each(|(word, only)| *word &= only);
    }

    fn members(&self) -> impl Iterator<Item = usize> {
        let words = self.0.iter().enumerate().filter(|(_, word)| **word != 0);
        let all = words.flat_map(|(at, word)| (0..64).map(move |bit| (at, *word, bit)));
        all.filter(|(_, word, bit)| word >> bit & 1 == 1)
            .map(|(at, _, bit)| at * 64 + bit)
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

/// What is known where a step begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Knowledge {
    values: Vec<Value>,
    /// Rules that `ctl` has left out, whatever the request.
    pub(super) removed: Bits,
    /// Indexes of [`Outlines::removals`] that may have happened.
    removals: Bits,
}

impl Knowledge {
    /// A transaction begins. What operators captured is never known.
    pub(super) fn at_begin(outlines: &Outlines) -> Self {
        let captures = usize::from(CAPTURE_SLOTS);
        let mut values = vec![Value::Unknown; captures];
        values.resize(outlines.names.len().max(captures), Value::Unset);
        Self {
            values,
            removed: Bits::none(outlines.rules.len()),
            removals: Bits::none(outlines.removals.len()),
        }
    }

    /// How much memory a copy takes.
    pub(super) fn size(&self) -> usize {
        let words = self.removed.0.len() + self.removals.0.len();
        self.values.len() * size_of::<Value>() + words * size_of::<u64>()
    }

    pub(super) fn get(&self, slot: Slot) -> Value {
        let value = self.values.get(usize::from(slot));
        value.copied().unwrap_or(Value::Unknown)
    }

    fn set(&mut self, slot: Slot, value: Value) {
        if slot >= CAPTURE_SLOTS
            && let Some(cell) = self.values.get_mut(usize::from(slot))
        {
            *cell = value;
        }
    }

    /// Whether a comparison holds, if that is known.
    pub(super) fn compares(&self, comparison: &Comparison, values: &Values) -> Option<bool> {
        let value = match (self.get(comparison.slot), comparison.is_count) {
            (Value::Unknown, _) => return None,
            (value, true) => i64::from(value != Value::Unset),
            // What isn't there isn't looked at, by negated operators neither.
            (Value::Unset, false) => return Some(false),
            (Value::Text(text), false) => integer(values.text(text)),
        };
        let argument = integer(&self.expanded(&comparison.argument, values)?);
        Some(comparison.relation.holds(value, argument) != comparison.is_negated)
    }

    /// What a text with its macros expanded is.
    pub(super) fn value(&self, text: &Text, values: &mut Values) -> Value {
        match self.expanded(text, values) {
            Some(text) => values.add(&text),
            None => Value::Unknown,
        }
    }

    /// A text with its macros expanded, if that is known.
    fn expanded(&self, text: &Text, values: &Values) -> Option<Vec<u8>> {
        let mut slots = text.variables();
        let is_known =
            |slot: &Option<Slot>| slot.is_some_and(|one| self.get(one) != Value::Unknown);
        if !slots.all(is_known) {
            return None;
        }
        let mut out = Vec::new();
        text.append_to(&Expansion(self, values), VALUE_BYTES_MAX + 1, &mut out);
        (out.len() <= VALUE_BYTES_MAX).then_some(out)
    }

    /// What a match writes. `is_once` is whether it is certain that it is written, and once.
    pub(super) fn write(
        &mut self,
        write: &Write,
        is_once: bool,
        outlines: &Outlines,
        values: &mut Values,
    ) {
        match write {
            Write::To(slot, change) => {
                let changed = self.changed(*slot, change, values);
                let value = changed.filter(|_| is_once).unwrap_or(Value::Unknown);
                self.set(*slot, value);
            }
            Write::ToAny(begins) => {
                for slot in (0..).take(self.values.len()) {
                    if outlines.names.name(slot).starts_with(begins) {
                        self.set(slot, Value::Unknown);
                    }
                }
            }
            // However often.
            Write::Removes(removal) => {
                self.removals.set(*removal, true);
                if let Some(rules) = outlines.removals.get(*removal) {
                    self.removed.add(rules.words());
                }
            }
        }
    }

    fn changed(&self, slot: Slot, change: &Change, values: &mut Values) -> Option<Value> {
        let (text, is_added) = match change {
            Change::Unset => return Some(Value::Unset),
            Change::Set(text) => {
                let text = self.expanded(text, values)?;
                return Some(values.add(&text));
            }
            Change::Add(text) => (text, true),
            Change::Subtract(text) => (text, false),
        };
        let before = match self.get(slot) {
            Value::Unknown => return None,
            Value::Unset => 0,
            Value::Text(text) => integer(values.text(text)),
        };
        let by = integer(&self.expanded(text, values)?);
        let sum = match is_added {
            true => before.saturating_add(by),
            false => before.saturating_sub(by),
        };
        let mut buffer = itoa::Buffer::new();
        // Counters never go below zero.
        Some(values.add(buffer.format(sum.max(0)).as_bytes()))
    }

    /// Parts what is known where a rule begins that `ctl` may have left out: what is known where it did,
    /// if it may have; `self` is where it didn't.
    pub(super) fn part(&mut self, rule: usize, outlines: &Outlines) -> Option<Self> {
        let is_for = |removal: &usize| {
            let rules = outlines.removals.get(*removal);
            rules.is_some_and(|rules| rules.contains(rule))
        };
        let guilty: Vec<usize> = self.removals.members().filter(is_for).collect();
        if guilty.is_empty() {
            return None;
        }
        // One of them has happened, and left out whatever they all leave out.
        let mut left_out = Bits::all(outlines.rules.len());
        let mut without = self.clone();
        for removal in guilty {
            if let Some(rules) = outlines.removals.get(removal) {
                left_out.keep(rules.words());
            }
            self.removals.set(removal, false);
        }
        without.removed.add(&left_out.0);
        Some(without)
    }

    /// What is known where either may be.
    fn join(&mut self, other: &Self) {
        for (value, other) in self.values.iter_mut().zip(&other.values) {
            if value != other {
                *value = Value::Unknown;
            }
        }
        self.removed.keep(&other.removed.0);
        self.removals.add(&other.removals.0);
    }
}

/// Adds what is known on one more way to a step. Ways on which other rules are left out are held apart as
/// long as there are few: what those rules would have set is then known on each. Where there are many, two
/// are joined on which variables are the same, if there are such, of those that leave out fewest.
pub(super) fn join(states: &mut Vec<Knowledge>, mut state: Knowledge) {
    loop {
        let mut same = states.iter_mut();
        if let Some(same) = same.find(|one| one.removed == state.removed) {
            return same.join(&state);
        }
        states.push(state);
        if states.len() <= STATES_MAX {
            return;
        }
        states.sort_by_key(|one| one.removed.count());
        let (first, second) = alike(states);
        state = states.remove(second);
        state.join(&states.remove(first));
    }
}

/// Two of them that know the same of variables, the first such; else the first two.
fn alike(states: &[Knowledge]) -> (usize, usize) {
    let ends = 1..states.len();
    let mut pairs = ends.flat_map(|second| (0..second).map(move |first| (first, second)));
    let values = |at: usize| states.get(at).map(|one| &one.values);
    let found = pairs.find(|(first, second)| values(*first) == values(*second));
    found.unwrap_or((0, 1))
}

struct Expansion<'k>(&'k Knowledge, &'k Values);

impl Lookup<Option<Slot>> for Expansion<'_> {
    fn append(&self, slot: &Option<Slot>, out: &mut Vec<u8>) {
        let Self(knowledge, values) = self;
        if let Some(Value::Text(text)) = slot.map(|slot| knowledge.get(slot)) {
            out.extend_from_slice(values.text(text));
        }
    }
}
