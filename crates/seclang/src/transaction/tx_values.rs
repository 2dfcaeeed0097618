//! Variables of the transaction collection (`TX`).

use super::arena::{Arena, Span};
use crate::operators::integer;
use crate::program::{CAPTURE_SLOTS, Slot};

/// The most variables whose names only a request decides: rules that count arguments by name make one
/// for each.
const UNFORESEEN_MAX: usize = 4_096;

/// A value of `TX`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TxValue {
    #[default]
    Unset,
    Integer(i64),
    Text(Span),
}

impl TxValue {
    pub(super) fn is_set(self) -> bool {
        self != Self::Unset
    }

    /// As a number, as `atoi` reads it; nothing is 0.
    pub(super) fn integer(self, arena: &Arena) -> i64 {
        match self {
            Self::Unset => 0,
            Self::Integer(number) => number,
            Self::Text(span) => integer(arena.get(span)),
        }
    }

    /// Its text, kept in the arena where it isn't yet.
    pub(super) fn text(self, arena: &mut Arena) -> Option<Span> {
        match self {
            Self::Unset => None,
            Self::Integer(number) => {
                let mut buffer = itoa::Buffer::new();
                Some(arena.push(buffer.format(number).as_bytes()))
            }
            Self::Text(span) => Some(span),
        }
    }

    pub(super) fn append_to(self, arena: &Arena, bytes_max: usize, out: &mut Vec<u8>) {
        match self {
            Self::Unset => {}
            Self::Integer(number) => {
                let mut buffer = itoa::Buffer::new();
                out.extend_from_slice(buffer.format(number).as_bytes());
            }
            Self::Text(span) => {
                let text = arena.get(span);
                out.extend_from_slice(text.get(..bytes_max).unwrap_or(text));
            }
        }
    }
}

/// All of them: those whose names rules give, by slot, and others.
#[derive(Debug, Default)]
pub(super) struct TxValues {
    slots: Vec<TxValue>,
    /// How many of the first, which are for captures, may be set.
    captures: usize,
    unforeseen: Vec<(Span, TxValue)>,
}

impl TxValues {
    pub(super) fn reset(&mut self, slots: usize) {
        self.slots.clear();
        self.slots.resize(slots, TxValue::Unset);
        self.unforeseen.clear();
    }

    /// Unsets `TX:0` to `TX:9`.
    pub(super) fn unset_captures(&mut self) {
        let captures = self.slots.get_mut(..self.captures);
        captures.unwrap_or_default().fill(TxValue::Unset);
        self.captures = 0;
    }

    pub(super) fn get(&self, slot: Slot) -> TxValue {
        self.slots
            .get(usize::from(slot))
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn set(&mut self, slot: Slot, value: TxValue) {
        if slot < CAPTURE_SLOTS {
            self.captures = self.captures.max(usize::from(slot) + 1);
        }
        if let Some(cell) = self.slots.get_mut(usize::from(slot)) {
            *cell = value;
        }
    }

    /// The value of a name that isn't among the slots', in lower case.
    pub(super) fn unforeseen(&self, name: &[u8], arena: &Arena) -> TxValue {
        let mut all = self.unforeseen.iter();
        all.find(|(known, _)| arena.get(*known) == name)
            .map(|(_, value)| *value)
            .unwrap_or_default()
    }

    /// Sets it; beyond 4,096 of them new ones are dropped.
    pub(super) fn set_unforeseen(&mut self, name: &[u8], value: TxValue, arena: &mut Arena) {
        let mut all = self.unforeseen.iter_mut();
        let is_it = |known: Span| known.len() == name.len() && arena.get(known) == name;
        if let Some((_, old)) = all.find(|(known, _)| is_it(*known)) {
            *old = value;
        } else if self.unforeseen.len() < UNFORESEEN_MAX {
            self.unforeseen.push((arena.push(name), value));
        }
    }

    /// The `at`-th of those that have no slot, and its name.
    pub(super) fn other(&self, at: usize) -> Option<(Span, TxValue)> {
        self.unforeseen.get(at).copied()
    }
}
