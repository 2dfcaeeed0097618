//! Persistent collections (`IP`, `GLOBAL`, `SESSION`, `USER`, `RESOURCE`), as far as one transaction has
//! them open.

use super::arena::Span;
use super::tx_values::TxValue;
use crate::syntax::VariableName;

/// A record that `initcol` opened.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) collection: VariableName,
    pub(super) key: Span,
    pub(super) values: Vec<(Span, TxValue)>,
}

/// Appends what `setuid` or `setsid` was given; says whether one of them was.
pub(super) fn append_key(
    state: &super::state::State,
    name: VariableName,
    out: &mut Vec<u8>,
) -> bool {
    let collection = match name {
        VariableName::UserId => VariableName::User,
        _ => VariableName::Session,
    };
    let mut records = state.records.iter();
    let Some(record) = records.find(|record| record.collection == collection) else {
        return false;
    };
    out.extend_from_slice(state.arena.get(record.key));
    true
}

/// The value of a variable of an open record; its name is in lower case.
pub(super) fn get(state: &super::state::State, collection: VariableName, lower: &[u8]) -> TxValue {
    let mut records = state.records.iter();
    let record = records.find(|record| record.collection == collection);
    let values = record.map(|record| record.values.as_slice());
    let mut values = values.unwrap_or_default().iter();
    values
        .find(|(name, _)| state.arena.get(*name) == lower)
        .map(|(_, value)| *value)
        .unwrap_or_default()
}

/// Sets it; nothing happens where the collection isn't open.
pub(super) fn set(
    state: &mut super::state::State,
    collection: VariableName,
    lower: &[u8],
    value: TxValue,
) {
    let arena = &mut state.arena;
    let mut records = state.records.iter_mut();
    let Some(record) = records.find(|record| record.collection == collection) else {
        return;
    };
    let known = record.values.iter_mut();
    let mut known = known.filter(|(name, _)| arena.get(*name) == lower);
    if let Some((_, old)) = known.next() {
        *old = value;
        return;
    }
    if record.values.len() < VALUES_MAX {
        record.values.push((arena.push(lower), value));
    }
}

/// The most variables of one record.
const VALUES_MAX: usize = 256;
