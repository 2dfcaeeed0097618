//! What is known of the texts of a link, on all ways to it.

use std::collections::BTreeMap;

use super::KnownLink;
use super::knowledge::{Value, Values};

/// A value on all ways that have been walked so far; nothing where none has been.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Noted(Option<Value>);

impl Noted {
    /// Adds what it is on one more way.
    pub(super) fn add(&mut self, value: Value) {
        match self.0 {
            Some(before) if before != value => self.0 = Some(Value::Unknown),
            _ => self.0 = Some(value),
        }
    }

    /// What it is on all ways; `None` where that isn't known.
    pub(super) fn known(self) -> Option<Value> {
        self.0.filter(|value| *value != Value::Unknown)
    }

    /// The text that it is on all ways.
    pub(super) fn text(self, values: &Values) -> Option<Box<[u8]>> {
        match self.0 {
            Some(Value::Text(text)) => Some(values.text(text).into()),
            _ => None,
        }
    }
}

/// What is known of a link.
#[derive(Clone, Debug, Default)]
pub(super) struct LinkNotes {
    /// What the argument of its operator is.
    pub(super) argument: Noted,
    /// What each change of a variable sets, adds or takes away, by the places of their actions.
    pub(super) operands: BTreeMap<usize, Noted>,
    /// What variables are behind the changes that it makes, in order.
    pub(super) results: BTreeMap<usize, Noted>,
}

impl LinkNotes {
    pub(super) fn known(&self, values: &Values) -> KnownLink {
        KnownLink {
            argument: self.argument.text(values),
            operands: self
                .operands
                .iter()
                .filter_map(|(place, noted)| Some((*place, noted.text(values)?)))
                .collect(),
        }
    }
}
