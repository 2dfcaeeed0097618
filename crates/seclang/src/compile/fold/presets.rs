//! Rules that always match, and only set variables to values that are known.

use super::super::tx_sources::canonical_integer;
use super::knowledge::{Value, Values};
use super::outline::{Outline, Write};
use super::walk::Seen;
use crate::program::{PresetValue, TxNames};

/// What a rule that always matches sets, in order: names, and what they then are. `None` where it does
/// anything else.
pub(super) fn sets(
    rule: &Outline,
    seen: &Seen,
    names: &TxNames,
    values: &Values,
) -> Option<Vec<(Box<[u8]>, PresetValue)>> {
    if !rule.only_sets() {
        return None;
    }
    let mut sets = Vec::new();
    for (link, notes) in rule.links.iter().zip(&seen.links) {
        for (place, write) in &link.writes {
            let Write::To(slot, _) = write else {
                return None;
            };
            let value = match notes.results.get(place)?.known()? {
                Value::Unknown => return None,
                Value::Unset => PresetValue::Unset,
                Value::Text(text) => preset_value(values.text(text)),
            };
            sets.push((names.name(*slot).into(), value));
        }
    }
    Some(sets)
}

fn preset_value(text: &[u8]) -> PresetValue {
    match canonical_integer(text) {
        Some(number) => PresetValue::Integer(number),
        None => PresetValue::Text(text.into()),
    }
}
