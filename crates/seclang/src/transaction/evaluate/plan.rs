//! Values of targets, and which groups have candidates among them, looked up once a phase.

use std::ops::Range;

use super::Run;
use crate::operators::OperatorCache;
use crate::program::{Pick, Planned, PlannedUse, TargetSet, TargetSetId};
use crate::syntax::VariableName;
use crate::transaction::arena::Span;
use crate::transaction::effects::is_record;
use crate::transaction::lookup::{
    Moment, MovingValue, entry_string, is_excluded, named, picks, scalar, xml_kind,
};
use crate::transaction::matched::{Member, Name, Text};
use crate::transaction::state::{Kind, kinds};
use crate::transaction::strings::StringId;
use crate::transaction::tx_values::TxValue;
use crate::transaction::worker::{Plan, PlannedValue};

impl Plan {
    /// What was looked up before is of another phase.
    pub(super) fn begin(&mut self) {
        self.run += 1;
        self.values.clear();
    }

    pub(super) fn give_back(&mut self, values: Vec<MovingValue>) {
        self.moving = values;
    }
}

impl Run<'_> {
    /// Whether a value of a group's targets may match one of its filters.
    pub(super) fn is_candidate(&mut self, group: u32, filter: u32) -> bool {
        let at = group as usize;
        if self.plan.groups.get(at) != Some(&self.plan.run) {
            self.scan(group);
        }
        let word = at * self.plan.words + filter as usize / 64;
        let word = self.plan.candidates.get(word).copied().unwrap_or(0);
        word >> (filter % 64) & 1 == 1
    }

    fn scan(&mut self, index: u32) {
        let at = index as usize;
        let Some(group) = self.program.groups.get(at).copied() else {
            return;
        };
        if let Some(run) = self.plan.groups.get_mut(at) {
            *run = self.plan.run;
        }
        let row = at * self.plan.words..(at + 1) * self.plan.words;
        if let Some(row) = self.plan.candidates.get_mut(row.clone()) {
            row.fill(0);
        }
        for value in self.values_of(group.targets) {
            let Some(string) = self.plan.values.get(value as usize).map(|one| one.string) else {
                return;
            };
            let last = self.transformed(string, group.pipeline);
            self.add_candidates(row.clone(), last);
            // All forms are the same where the last is.
            if group.is_multi_match && last != string {
                self.add_candidates(row.clone(), string);
                for node in self.side.pipelines.path(group.pipeline) {
                    let form = self.transformed(string, node);
                    self.add_candidates(row.clone(), form);
                }
            }
        }
    }

    fn add_candidates(&mut self, row: Range<usize>, string: StringId) {
        let Some(candidates) = self.strings.candidates(self.side, string) else {
            return;
        };
        let row = self.plan.candidates.get_mut(row).unwrap_or_default();
        for (word, more) in row.iter_mut().zip(candidates) {
            *word |= more;
        }
    }

    /// The values of a set of targets that stay the same throughout the phase, as indexes of the plan's
    /// values.
    pub(super) fn values_of(&mut self, targets: TargetSetId) -> Range<u32> {
        let at = targets as usize;
        if let Some((run, values)) = self.plan.sets.get(at)
            && *run == self.plan.run
        {
            return values.clone();
        }
        let Some(set) = self.program.target_sets.get(at) else {
            return 0..0;
        };
        let begins = self.plan.values.len();
        for target in &set.targets {
            self.plan_target(set, target);
        }
        let end = u32::try_from(self.plan.values.len()).unwrap_or(u32::MAX);
        let values = u32::try_from(begins).unwrap_or(end)..end;
        if let Some(planned) = self.plan.sets.get_mut(at) {
            *planned = (self.plan.run, values.clone());
        }
        values
    }

    fn plan_target(&mut self, set: &TargetSet, target: &Planned) {
        if target.use_ == PlannedUse::Count {
            let count = self.count_of(set, target);
            let mut buffer = itoa::Buffer::new();
            let text = buffer.format(count);
            let string = self.strings.intern(self.side, text.as_bytes());
            self.plan_value(target, string, None);
            return;
        }
        if target.name == VariableName::Xml {
            return self.plan_entries(set, target, xml_kind(&target.pick), false);
        }
        if let Some((kinds, is_name)) = kinds(target.name) {
            for kind in kinds {
                self.plan_entries(set, target, *kind, is_name);
            }
            return;
        }
        let mut cache = OperatorCache::default();
        if is_excluded(&set.exclusions, target.name, b"", &mut cache) {
            return;
        }
        if let Some(span) = self.scalar(target.name) {
            let string = self.strings.intern(self.side, self.state.arena.get(span));
            self.plan_value(target, string, None);
        }
    }

    fn plan_entries(&mut self, set: &TargetSet, target: &Planned, kind: Kind, is_name: bool) {
        let count = self.state.entries(kind).len();
        let is_all = matches!(target.pick, Pick::All) && set.exclusions.is_empty();
        let mut cache = OperatorCache::default();
        for index in 0..count {
            let Some(entry) = self.state.entries(kind).get(index) else {
                return;
            };
            let member = entry.name;
            if !is_all {
                let name = self.state.arena.get(member);
                let is_meant = picks(&target.pick, name, &mut cache)
                    && !is_excluded(&set.exclusions, target.name, name, &mut cache);
                if !is_meant {
                    continue;
                }
            }
            let string = entry_string(self.state, self.strings, self.side, kind, index, is_name);
            let has_member = target.name != VariableName::Xml;
            self.plan_value(target, string, has_member.then_some(member));
        }
    }

    fn plan_value(&mut self, target: &Planned, string: StringId, member: Option<Span>) {
        self.plan.values.push(PlannedValue {
            string,
            member: member.unwrap_or_default(),
            variable: target.name,
            has_member: member.is_some(),
            is_count: target.use_ == PlannedUse::Count,
        });
    }

    fn scalar(&mut self, name: VariableName) -> Option<Span> {
        let (clock, started) = (self.clock, self.state.started_micros);
        scalar(
            self.program,
            self.state,
            self.strings,
            || Moment::now(clock, started),
            name,
        )
    }

    /// How many members a target means; 0 or 1 of what is no collection.
    fn count_of(&mut self, set: &TargetSet, target: &Planned) -> usize {
        let mut cache = OperatorCache::default();
        let kinds: &[Kind] = match (target.name, kinds(target.name)) {
            (VariableName::Xml, _) => &[xml_kind(&target.pick)],
            (_, Some((kinds, _))) => kinds,
            (name, None) => return usize::from(self.scalar(name).is_some()),
        };
        let entries = kinds.iter().flat_map(|kind| self.state.entries(*kind));
        let is_meant = |name: &[u8]| {
            picks(&target.pick, name, &mut cache)
                && !is_excluded(
                    &set.exclusions,
                    target.name,
                    name,
                    &mut OperatorCache::default(),
                )
        };
        entries
            .map(|entry| self.state.arena.get(entry.name))
            .map(is_meant)
            .filter(|is_meant| *is_meant)
            .count()
    }

    /// The values of a set of targets that change while rules run, as they are now.
    pub(super) fn moving_values(&mut self, targets: TargetSetId) -> Vec<MovingValue> {
        let mut values = std::mem::take(&mut self.plan.moving);
        values.clear();
        let Some(set) = self.program.target_sets.get(targets as usize) else {
            return values;
        };
        for target in &set.targets {
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
        if let (VariableName::Tx, Pick::Name(name)) = (target.name, &target.pick)
            && let Some(slot) = self.program.tx.find(name)
        {
            return i64::from(self.state.tx.get(slot).is_set());
        }
        let mut members = Vec::new();
        self.move_target(set, target, &mut members);
        i64::try_from(members.len()).unwrap_or(i64::MAX)
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
                let env = self.state.env.clone();
                self.move_named(set, target, &env, values);
            }
            name if is_record(name) => {
                let mut records = self.state.records.iter();
                let record = records.find(|record| record.collection == name);
                let held = record.map(|record| record.values.clone());
                let held: Vec<(Span, Span)> = held
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value.text(&mut self.state.arena)?)))
                    .collect();
                self.move_named(set, target, &held, values);
            }
            VariableName::Xml => {
                let entries = self.state.entries(xml_kind(&target.pick)).iter();
                values.extend(entries.map(|entry| MovingValue {
                    name: named(VariableName::Xml, Member::None),
                    text: Text::Arena(entry.value),
                    integer: None,
                }));
            }
            name => match kinds(name) {
                Some((kinds, is_name)) => {
                    let entries = kinds.iter().flat_map(|kind| self.state.entries(*kind));
                    let held: Vec<(Span, Span)> = entries
                        .map(|entry| match is_name {
                            true => (entry.name, entry.name),
                            false => (entry.name, entry.value),
                        })
                        .collect();
                    self.move_named(set, target, &held, values);
                }
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

    fn move_named(
        &mut self,
        set: &TargetSet,
        target: &Planned,
        held: &[(Span, Span)],
        values: &mut Vec<MovingValue>,
    ) {
        let mut cache = OperatorCache::default();
        for (name, value) in held {
            let text = self.state.arena.get(*name);
            let is_meant = picks(&target.pick, text, &mut cache)
                && !is_excluded(&set.exclusions, target.name, text, &mut cache);
            if is_meant {
                values.push(MovingValue {
                    name: named(target.name, Member::Named(*name)),
                    text: Text::Arena(*value),
                    integer: None,
                });
            }
        }
    }

    fn move_tx(&mut self, set: &TargetSet, target: &Planned, values: &mut Vec<MovingValue>) {
        if let Pick::Name(name) = &target.pick
            && let Some(slot) = self.program.tx.find(name)
        {
            let value = self.state.tx.get(slot);
            return self.push_tx(Member::Tx(slot), value, values);
        }
        let mut cache = OperatorCache::default();
        let mut is_meant = |name: &[u8]| {
            picks(&target.pick, name, &mut cache)
                && !is_excluded(
                    &set.exclusions,
                    target.name,
                    name,
                    &mut OperatorCache::default(),
                )
        };
        let slots: Vec<_> = self
            .state
            .tx
            .slots()
            .filter(|(slot, _)| is_meant(self.program.tx.name(*slot)))
            .collect();
        let others: Vec<_> = self
            .state
            .tx
            .others()
            .filter(|(name, _)| is_meant(self.state.arena.get(*name)))
            .collect();
        for (slot, value) in slots {
            self.push_tx(Member::Tx(slot), value, values);
        }
        for (name, value) in others {
            self.push_tx(Member::Named(name), value, values);
        }
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
        let mut cache = OperatorCache::default();
        for number in 0..self.state.matched.len() {
            let Some(matched) = self.state.matched.get(number).copied() else {
                return;
            };
            let mut name = Vec::new();
            matched
                .name
                .append_to(self.program, &self.state.arena, &mut name);
            let is_meant = picks(&target.pick, &name, &mut cache)
                && !is_excluded(&set.exclusions, target.name, &name, &mut cache);
            if !is_meant {
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
    }
}
