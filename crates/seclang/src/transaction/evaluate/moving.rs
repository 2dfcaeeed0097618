//! Values of targets that change while rules run, as they are now.

use super::Run;
use crate::operators::OperatorCache;
use crate::program::{Exclusion, Pick, Planned, PlannedUse, Slot, TargetSet, TargetSetId};
use crate::syntax::VariableName;
use crate::transaction::arena::Span;
use crate::transaction::effects::is_record;
use crate::transaction::lookup::{MovingValue, is_excluded, named, picks, xml_kind};
use crate::transaction::matched::{Member, Name, Text};
use crate::transaction::state::{Entry, Kind, kinds};
use crate::transaction::tx_values::TxValue;

impl Run<'_> {
    /// The values of a set of targets that change while rules run, as they are now.
    pub(super) fn moving_values(&mut self, targets: TargetSetId) -> Vec<MovingValue> {
        let mut values = std::mem::take(&mut self.plan.moving);
        values.clear();
        let Some(set) = self.program.target_sets.get(targets as usize) else {
            return values;
        };
        for part in &set.parts {
            let Some(target) = self.program.parts.get(*part as usize) else {
                continue;
            };
            match target.use_ {
                PlannedUse::Values => self.move_target(set, target, &mut values),
                PlannedUse::Count => {
                    let count = self.moving_count(set, target);
                    values.push(self.moving_integer(
                        Name {
                            variable: target.name,
                            member: Member::None,
                            is_count: true,
                        },
                        count,
                    ));
                }
            }
        }
        values
    }

    fn moving_count(&mut self, set: &TargetSet, target: &Planned) -> i64 {
        // The commonest question: is it set?
        if let Pick::Slot(slot) = target.pick {
            return i64::from(self.state.tx.get(slot).is_set());
        }
        let mut members = std::mem::take(&mut self.plan.counted);
        members.clear();
        self.move_target(set, target, &mut members);
        let count = i64::try_from(members.len()).unwrap_or(i64::MAX);
        self.plan.counted = members;
        count
    }

    fn moving_integer(&mut self, name: Name, integer: i64) -> MovingValue {
        let mut buffer = itoa::Buffer::new();
        MovingValue {
            name,
            text: Text::Arena(self.state.arena.push(buffer.format(integer).as_bytes())),
            integer: Some(integer),
        }
    }

    fn move_target(&mut self, set: &TargetSet, target: &Planned, values: &mut Vec<MovingValue>) {
        match target.name {
            VariableName::Tx => self.move_tx(set, target, values),
            VariableName::MatchedVars | VariableName::MatchedVarsNames => {
                self.move_matched(set, target, values);
            }
            VariableName::Env => {
                for at in 0..self.state.env.len() {
                    if let Some((name, value)) = self.state.env.get(at).copied() {
                        self.move_named(set, target, name, value, values);
                    }
                }
            }
            VariableName::Geo => {
                for at in 0..self.state.geo.len() {
                    if let Some((name, value)) = self.state.geo.get(at).copied() {
                        self.move_named(set, target, name, value, values);
                    }
                }
            }
            VariableName::Xml => {
                let selectors = &mut self.buffers.selectors;
                let entries = self.state.entries(xml_kind(&target.pick)).iter();
                let is_meant = |entry: &&Entry| {
                    let path = self.state.arena.get(entry.name);
                    !is_excluded(&set.exclusions, target.name, path, selectors)
                };
                values.extend(entries.filter(is_meant).map(|entry| MovingValue {
                    name: named(VariableName::Xml, Member::Unshown(entry.name)),
                    text: Text::Arena(entry.value),
                    integer: None,
                }));
            }
            name if is_record(name) => self.move_record(set, target, values),
            name => match kinds(name) {
                Some((kinds, is_name)) => {
                    for kind in kinds {
                        self.move_entries(set, target, *kind, is_name, values);
                    }
                }
                None if is_excluded(&set.exclusions, name, b"", &mut self.buffers.selectors) => {}
                None => {
                    let value = self.scalar(name);
                    values.extend(value.map(|span| MovingValue {
                        name: named(name, Member::None),
                        text: Text::Arena(span),
                        integer: None,
                    }));
                }
            },
        }
    }

    fn move_entries(
        &mut self,
        set: &TargetSet,
        target: &Planned,
        kind: Kind,
        is_name: bool,
        values: &mut Vec<MovingValue>,
    ) {
        for at in 0..self.state.entries(kind).len() {
            if let Some(entry) = self.state.entries(kind).get(at).copied() {
                let value = if is_name { entry.name } else { entry.value };
                self.move_named(set, target, entry.name, value, values);
            }
        }
    }

    fn move_record(&mut self, set: &TargetSet, target: &Planned, values: &mut Vec<MovingValue>) {
        let mut records = self.state.records.iter();
        let Some(record) = records.position(|record| record.collection == target.name) else {
            return;
        };
        let mut at = 0;
        loop {
            let held = self.state.records.get(record);
            let Some((name, value)) = held.and_then(|held| held.value_at(at)) else {
                return;
            };
            at += 1;
            if let Some(value) = value.text(&mut self.state.arena) {
                self.move_named(set, target, name, value, values);
            }
        }
    }

    fn move_named(
        &mut self,
        set: &TargetSet,
        target: &Planned,
        name: Span,
        value: Span,
        values: &mut Vec<MovingValue>,
    ) {
        let text = self.state.arena.get(name);
        if is_meant(&set.exclusions, target, text, &mut self.buffers.selectors) {
            values.push(MovingValue {
                name: named(target.name, Member::Named(name)),
                text: Text::Arena(value),
                integer: None,
            });
        }
    }

    fn move_tx(&mut self, set: &TargetSet, target: &Planned, values: &mut Vec<MovingValue>) {
        if let Pick::Slot(slot) = target.pick {
            if !self.is_slot_excluded(set, slot) {
                let value = self.state.tx.get(slot);
                self.push_tx(Member::Tx(slot), value, values);
            }
            return;
        }
        for slot in &target.slots {
            let value = self.state.tx.get(*slot);
            if value.is_set() && !self.is_slot_excluded(set, *slot) {
                self.push_tx(Member::Tx(*slot), value, values);
            }
        }
        let mut at = 0;
        while let Some((name, value)) = self.state.tx.other(at) {
            at += 1;
            let text = self.state.arena.get(name);
            if value.is_set()
                && is_meant(&set.exclusions, target, text, &mut self.buffers.selectors)
            {
                self.push_tx(Member::Named(name), value, values);
            }
        }
    }

    fn is_slot_excluded(&mut self, set: &TargetSet, slot: Slot) -> bool {
        let name = self.program.tx.name(slot);
        set.exclusions.iter().any(|one| match one.pick {
            Pick::Slot(excluded) => excluded == slot,
            _ => {
                one.name == VariableName::Tx && picks(&one.pick, name, &mut self.buffers.selectors)
            }
        })
    }

    fn push_tx(&mut self, member: Member, value: TxValue, values: &mut Vec<MovingValue>) {
        let integer = match value {
            TxValue::Integer(number) => Some(number),
            _ => None,
        };
        if let Some(span) = value.text(&mut self.state.arena) {
            values.push(MovingValue {
                name: named(VariableName::Tx, member),
                text: Text::Arena(span),
                integer,
            });
        }
    }

    /// What the links before this one matched; as names, `MATCHED_VARS_NAMES`.
    fn move_matched(&mut self, set: &TargetSet, target: &Planned, values: &mut Vec<MovingValue>) {
        let mut name = std::mem::take(&mut self.buffers.name);
        for number in 0..self.state.matched.len() {
            let Some(matched) = self.state.matched.get(number).copied() else {
                break;
            };
            name.clear();
            matched
                .name
                .append_to(self.program, &self.state.arena, &mut name);
            if !is_meant(&set.exclusions, target, &name, &mut self.buffers.selectors) {
                continue;
            }
            let span = self.state.arena.push(&name);
            let text = match target.name {
                VariableName::MatchedVarsNames => Text::Arena(span),
                _ => matched.value,
            };
            values.push(MovingValue {
                name: named(target.name, Member::Named(span)),
                text,
                integer: None,
            });
        }
        self.buffers.name = name;
    }
}

/// Whether a target means a member that its set doesn't leave out.
pub(super) fn is_meant(
    exclusions: &[Exclusion],
    target: &Planned,
    name: &[u8],
    selectors: &mut [OperatorCache],
) -> bool {
    picks(&target.pick, name, selectors) && !is_excluded(exclusions, target.name, name, selectors)
}
