//! Values of targets, and which rules may match one of them, looked up once a phase.

use std::ops::Range;

use super::Run;
use super::moving::is_meant;
use crate::program::{Exclusion, FormsId, PartId, Pick, Planned, PlannedUse, Side, Test};
use crate::syntax::VariableName;
use crate::transaction::arena::Span;
use crate::transaction::lookup::{Moment, MovingValue, entry_string, picks, scalar, xml_kind};
use crate::transaction::state::{Kind, kinds};
use crate::transaction::strings::{StringId, add_row, clear_row};
use crate::transaction::worker::{Plan, PlannedValue};

/// From so many values on many are the same, as the names of lists in JSON are.
const REPEATING: usize = 64;

/// Which values a link needn't look at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Skip {
    None,
    /// Those that a filter can't match in any form in which they have been searched.
    NoCandidateIn(u32),
    /// Those that have been searched, and that a filter, which requires something, can't match as they
    /// came.
    RuledOut(u32),
}

impl Skip {
    /// Of a link whose values have been searched for `filter`, if for any.
    pub(super) fn of(test: &Test, filter: Option<u32>, side: &Side) -> Self {
        let as_it_came = test.pipeline == 0 && !test.is_negated;
        match (filter, test.filter) {
            (Some(filter), _) => Self::NoCandidateIn(filter),
            (None, Some(filter)) if as_it_came && side.is_required(filter) => {
                Self::RuledOut(filter)
            }
            _ => Self::None,
        }
    }
}

impl Plan {
    /// What was looked up before is of another phase; of the head of the same request, `head`, it is
    /// still right.
    pub(super) fn begin(&mut self, head: (u64, bool, u64)) {
        self.run += 1;
        if self.head != head {
            self.head = head;
            self.head_run = self.run;
            self.values.clear();
        }
    }

    /// The run that what is known of a part must be of.
    fn run_of(&self, target: &Planned) -> u64 {
        match target.is_of_head {
            true => self.head_run,
            false => self.run,
        }
    }

    pub(super) fn give_back(&mut self, values: Vec<MovingValue>) {
        self.moving = values;
    }
}

impl Run<'_> {
    /// Whether a value that a group looks at may match a filter.
    #[inline]
    pub(super) fn is_candidate(&mut self, group: u32, filter: u32) -> bool {
        let at = group as usize;
        if self.plan.groups.get(at) != Some(&self.plan.run) {
            self.search_group(at);
        }
        has(&self.plan.group_rows, at * self.plan.words, filter)
    }

    /// Whether a value of a part may match a filter. The part has been searched.
    #[inline]
    pub(super) fn is_candidate_of_part(&self, part: PartId, filter: u32) -> bool {
        has(
            &self.plan.part_rows,
            part as usize * self.plan.words,
            filter,
        )
    }

    /// The first of these values that isn't skipped, and its index.
    #[inline]
    pub(super) fn next_value(&self, values: Range<u32>, skip: Skip) -> Option<(u32, PlannedValue)> {
        let range = values.start as usize..values.end as usize;
        let rest = self.plan.values.get(range)?;
        let skipped = match skip {
            Skip::None => 0,
            Skip::NoCandidateIn(filter) => {
                let probe = self.strings.probe(filter);
                let mut rest = rest.iter();
                rest.position(|value| self.strings.is_candidate_in(value.string, probe))?
            }
            Skip::RuledOut(filter) => {
                let probe = self.strings.probe_as_it_came(filter);
                let mut rest = rest.iter();
                rest.position(|value| !self.strings.is_searched_without(value.string, probe))?
            }
        };
        let value = rest.get(skipped)?;
        Some((values.start + u32::try_from(skipped).ok()?, *value))
    }

    /// Finds which filters may match the values of a group's parts.
    #[inline(never)]
    fn search_group(&mut self, at: usize) {
        let Some(group) = self.program.groups.get(at) else {
            return;
        };
        let row = at * self.plan.words..(at + 1) * self.plan.words;
        clear(&mut self.plan.group_rows, row.clone());
        for part in group {
            let values = self.part(*part);
            if values.is_empty() {
                continue;
            }
            self.search_part(*part, values);
            let plan = &mut *self.plan;
            let from = *part as usize * plan.words;
            let more = plan.part_rows.get(from..from + plan.words);
            let to = plan.group_rows.get_mut(row.clone());
            add_row(to.unwrap_or_default(), more.unwrap_or_default());
        }
        if let Some(run) = self.plan.groups.get_mut(at) {
            *run = self.plan.run;
        }
    }

    /// Searches a part, if some rule does anyway.
    pub(super) fn search_part_if_needed(&mut self, part: PartId, values: Range<u32>) {
        let forms = self.side.part_forms.get(part as usize);
        if !values.is_empty() && forms.is_some_and(|forms| *forms != FormsId::NONE) {
            self.search_part(part, values);
        }
    }

    /// Finds which filters may match the values of a part, in the forms that rules look at.
    #[inline]
    fn search_part(&mut self, part: PartId, values: Range<u32>) {
        let at = part as usize;
        match self.plan.parts.get_mut(at) {
            Some(planned) if planned.row_run != planned.run => planned.row_run = planned.run,
            _ => return,
        }
        self.search_values(at, values);
    }

    #[inline(never)]
    fn search_values(&mut self, at: usize, values: Range<u32>) {
        let forms = self.side.part_forms.get(at).copied();
        let forms = forms.unwrap_or(FormsId::NONE);
        let row = at * self.plan.words..(at + 1) * self.plan.words;
        clear(&mut self.plan.part_rows, row.clone());
        let unicode = &self.program.unicode;
        // It is for many rules: what fails in it is no one's.
        let asked = self.buffers.asked.take();
        let part = (values.len() >= REPEATING).then(|| self.strings.begin_part());
        self.strings.limit_work(self.state.bytes_left);
        for value in values.start as usize..values.end as usize {
            let Some(value) = self.plan.values.get(value) else {
                return;
            };
            let strings = &mut *self.strings;
            if part.is_some_and(|part| strings.has_come(value.string, part)) {
                continue;
            }
            if let Some(more) = strings.candidates_in(self.side, unicode, value.string, forms) {
                add(&mut self.plan.part_rows, row.clone(), more);
            }
            // Most are known.
            if self.strings.has_worked() {
                self.spend_worked();
                // Then no rule runs any more.
                if self.is_spent() {
                    return;
                }
                self.strings.limit_work(self.state.bytes_left);
            }
        }
        self.buffers.asked = asked;
    }

    /// The values of a part that stay the same throughout the phase, as indexes of the plan's values.
    #[inline]
    pub(super) fn part(&mut self, part: PartId) -> Range<u32> {
        let at = part as usize;
        match self.plan.parts.get(at) {
            Some(planned) if planned.is_valid_in == self.plan.run => planned.values.clone(),
            _ => self.plan_part(at),
        }
    }

    #[inline(never)]
    fn plan_part(&mut self, at: usize) -> Range<u32> {
        let Some(target) = self.program.parts.get(at) else {
            return 0..0;
        };
        let run = self.plan.run_of(target);
        if let Some(planned) = self.plan.parts.get_mut(at).filter(|one| one.run == run) {
            planned.is_valid_in = self.plan.run;
            return planned.values.clone();
        }
        let begins = self.plan.values.len();
        self.plan_target(target);
        let end = u32::try_from(self.plan.values.len()).unwrap_or(u32::MAX);
        let values = u32::try_from(begins).unwrap_or(end)..end;
        if let Some(planned) = self.plan.parts.get_mut(at) {
            planned.run = run;
            planned.is_valid_in = self.plan.run;
            planned.values = values.clone();
        }
        values
    }

    fn plan_target(&mut self, target: &Planned) {
        if target.use_ == PlannedUse::Count {
            let count = self.count_of(&[], target);
            let mut buffer = itoa::Buffer::new();
            let text = buffer.format(count);
            let string = self.strings.intern(self.side, text.as_bytes());
            self.plan_value(target, string, None);
            return;
        }
        if target.name == VariableName::Xml {
            return self.plan_entries(target, xml_kind(&target.pick), false);
        }
        if let Some((kinds, is_name)) = kinds(target.name) {
            for kind in kinds {
                self.plan_entries(target, *kind, is_name);
            }
            return;
        }
        if let Some(span) = self.scalar(target.name) {
            let text = self.state.arena.get(span);
            let string = self.strings.intern(self.side, text);
            self.plan_value(target, string, None);
        }
    }

    fn plan_entries(&mut self, target: &Planned, kind: Kind, is_name: bool) {
        let mut from = 0;
        while let Some(index) = self.next_entry(target, kind, from) {
            from = index + 1;
            let member = self.state.entries(kind).get(index).map(|entry| entry.name);
            let string = entry_string(self.state, self.strings, self.side, kind, index, is_name);
            self.plan_value(target, string, member);
        }
    }

    /// The first entry that a target means, of those at `from` and behind.
    #[inline]
    fn next_entry(&mut self, target: &Planned, kind: Kind, from: usize) -> Option<usize> {
        let (arena, selectors) = (&self.state.arena, &mut self.buffers.selectors);
        let all = self.state.entries(kind);
        if matches!(target.pick, Pick::All) {
            return (from < all.len()).then_some(from);
        }
        let mut entries = all.get(from..)?.iter();
        let skipped = match &target.pick {
            // Most are told apart by their length.
            Pick::Name(lower) => entries.position(|entry| {
                let name = entry.name;
                name.len() == lower.len() && arena.get(name).eq_ignore_ascii_case(lower)
            }),
            pick => entries.position(|entry| picks(pick, arena.get(entry.name), selectors)),
        };
        Some(from + skipped?)
    }

    fn plan_value(&mut self, target: &Planned, string: StringId, member: Option<Span>) {
        self.plan.values.push(PlannedValue {
            string,
            member: member.unwrap_or_default(),
            variable: target.name,
            // A path of XML is no name.
            has_member: member.is_some() && target.name != VariableName::Xml,
            is_count: target.use_ == PlannedUse::Count,
        });
    }

    pub(super) fn scalar(&mut self, name: VariableName) -> Option<Span> {
        let (clock, started) = (self.clock, self.state.started_micros);
        scalar(
            self.program,
            self.state,
            self.strings,
            || Moment::now(clock, started),
            name,
            &mut self.buffers.scalar,
        )
    }

    /// How many members a target means; 0 or 1 of what is no collection.
    fn count_of(&mut self, exclusions: &[Exclusion], target: &Planned) -> usize {
        let kinds: &[Kind] = match (target.name, kinds(target.name)) {
            (VariableName::Xml, _) => &[xml_kind(&target.pick)],
            (_, Some((kinds, _))) => kinds,
            (name, None) => return usize::from(self.scalar(name).is_some()),
        };
        let mut count = 0;
        for kind in kinds {
            let entries = self.state.entries(*kind);
            if matches!(target.pick, Pick::All) && exclusions.is_empty() {
                count += entries.len();
                continue;
            }
            for entry in entries {
                let name = self.state.arena.get(entry.name);
                count += usize::from(is_meant(
                    exclusions,
                    target,
                    name,
                    &mut self.buffers.selectors,
                ));
            }
        }
        count
    }
}

fn clear(rows: &mut [u64], row: Range<usize>) {
    clear_row(rows.get_mut(row).unwrap_or_default());
}

fn add(rows: &mut [u64], row: Range<usize>, more: &[u64]) {
    add_row(rows.get_mut(row).unwrap_or_default(), more);
}

fn has(rows: &[u64], row: usize, filter: u32) -> bool {
    let word = rows.get(row + filter as usize / 64);
    word.copied().unwrap_or(0) >> (filter % 64) & 1 == 1
}
