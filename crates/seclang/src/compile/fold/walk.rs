//! Phases, walked without a request.

use super::super::skips::Walks;
use super::knowledge::{Knowledge, Values, join};
use super::notes::LinkNotes;
use super::outline::{Asks, Change, End, Outline, OutlineLink, Outlines, Write};
use crate::program::{Fate, Step};

/// How often phases are walked until what is known of their begin stays the same.
const PASSES_MAX: usize = 16;
/// How many bytes of what is known may be copied, all in all; beyond, nothing is folded.
const COPIED_BYTES_MAX: usize = 1 << 30;

/// What has come of a rule on all ways to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    matches: bool,
    fails: bool,
    is_undecided: bool,
    /// Whether `ctl` may have left it out.
    pub(super) is_left_out: bool,
    pub(super) links: Vec<LinkNotes>,
}

impl Seen {
    pub(super) fn fate(&self) -> Fate {
        match self {
            Self {
                is_undecided: true, ..
            }
            | Self {
                matches: true,
                fails: true,
                ..
            } => Fate::Asked,
            Self { matches: true, .. } => Fate::Certain,
            // It fails, or nothing leads to it.
            _ => Fate::Folded,
        }
    }
}

/// What is known where a phase has ended.
#[derive(Debug, Default)]
struct Ended {
    /// Other phases may follow.
    phase: Vec<Knowledge>,
    /// Of other phases only the last.
    transaction: Vec<Knowledge>,
}

/// The walk.
pub(super) struct Walk<'o> {
    outlines: &'o Outlines,
    walks: &'o Walks,
    values: Values,
    seen: Vec<Seen>,
    copied: usize,
    /// What is known on each way to each step of the phase.
    waiting: Vec<Vec<Knowledge>>,
    ended: Ended,
}

impl<'o> Walk<'o> {
    pub(super) fn new(outlines: &'o Outlines, walks: &'o Walks) -> Self {
        let seen = outlines.rules.iter().map(|rule| Seen {
            links: vec![LinkNotes::default(); rule.links.len()],
            ..Seen::default()
        });
        Self {
            outlines,
            walks,
            values: Values::default(),
            seen: seen.collect(),
            copied: 0,
            waiting: Vec::new(),
            ended: Ended::default(),
        }
    }

    /// What has come of each rule, and the values in it; `None` where finding out would take too long.
    pub(super) fn all(mut self) -> Option<(Vec<Seen>, Values)> {
        let [first, middle @ .., last] = &self.walks.phases;
        let mut known = self.phase(first, vec![Knowledge::at_begin(self.outlines)])?;
        // The host may leave out any of the others: each begins with what any has left.
        for pass in 0..=PASSES_MAX {
            let before = known.phase.clone();
            for steps in middle {
                let left = self.phase(steps, known.phase.clone())?;
                known.add(left);
            }
            if before == known.phase {
                break;
            }
            if pass == PASSES_MAX {
                return None;
            }
        }
        let Ended { phase, transaction } = known;
        let mut entry = transaction;
        phase.into_iter().for_each(|one| join(&mut entry, one));
        self.phase(last, entry)?;
        Some((self.seen, self.values))
    }

    fn phase(&mut self, steps: &[Step], entry: Vec<Knowledge>) -> Option<Ended> {
        self.ended = Ended::default();
        self.waiting.clear();
        self.waiting.resize_with(steps.len() + 1, Vec::new);
        if let Some(first) = self.waiting.first_mut() {
            *first = entry;
        }
        for (at, step) in steps.iter().enumerate() {
            for state in self.at(at) {
                match step {
                    Step::Rule(rule) => self.rule(at, *rule as usize, state),
                    _ => self.go(at + 1, state),
                }
            }
            if self.copied > COPIED_BYTES_MAX {
                return None;
            }
        }
        for state in self.at(steps.len()) {
            join(&mut self.ended.phase, state);
        }
        Some(std::mem::take(&mut self.ended))
    }

    fn at(&mut self, step: usize) -> Vec<Knowledge> {
        let waiting = self.waiting.get_mut(step);
        waiting.map(std::mem::take).unwrap_or_default()
    }

    fn go(&mut self, step: usize, state: Knowledge) {
        if let Some(waiting) = self.waiting.get_mut(step) {
            join(waiting, state);
        }
    }

    fn copy(&mut self, state: &Knowledge) -> Knowledge {
        self.copied += state.size();
        state.clone()
    }

    fn rule(&mut self, at: usize, index: usize, mut state: Knowledge) {
        let outlines = self.outlines;
        let Some(rule) = outlines.rules.get(index) else {
            return;
        };
        if state.removed.contains(index) {
            self.note(index, |seen| seen.is_left_out = true);
            return self.go(at + 1, state);
        }
        if let Some(without) = state.part(index, outlines) {
            self.copied += without.size();
            self.note(index, |seen| seen.is_left_out = true);
            self.go(at + 1, without);
        }
        if let Some(matched) = self.ask(at, index, rule, state) {
            self.conclude(at, index, rule, matched);
        }
    }

    /// Asks a rule's links, and goes on where one doesn't match: what is known where all do, if they may.
    fn ask(
        &mut self,
        at: usize,
        index: usize,
        rule: &Outline,
        mut state: Knowledge,
    ) -> Option<Knowledge> {
        let (mut is_decided, mut has_effects) = (true, false);
        for (number, link) in rule.links.iter().enumerate() {
            let holds = match &link.asks {
                Asks::Nothing => Some(true),
                Asks::Request => None,
                Asks::Compares(comparison) => state.compares(comparison, &self.values),
            };
            is_decided &= holds.is_some();
            if holds.is_some() {
                self.note_argument((index, number), link, &state);
            }
            match holds {
                Some(true) => {}
                Some(false) => {
                    // What links before it do is done.
                    let fails = is_decided && !has_effects;
                    self.note(index, |seen| match fails {
                        true => seen.fails = true,
                        false => seen.is_undecided = true,
                    });
                    self.go(at + 1, state);
                    return None;
                }
                None => {
                    let failed = self.copy(&state);
                    self.go(at + 1, failed);
                }
            }
            has_effects |= link.has_effects;
            self.write((index, number), link, holds.is_some(), &mut state);
        }
        self.note(index, |seen| match is_decided {
            true => seen.matches = true,
            false => seen.is_undecided = true,
        });
        Some(state)
    }

    /// A rule matches. Whether it ends anything is for `SecRuleEngine`, which `ctl` may change: it may
    /// always go on.
    fn conclude(&mut self, at: usize, index: usize, rule: &Outline, state: Knowledge) {
        if rule.end != End::Nothing {
            let ended = self.copy(&state);
            match rule.end {
                End::Transaction => join(&mut self.ended.transaction, ended),
                _ => join(&mut self.ended.phase, ended),
            }
        }
        let skip_to = self.walks.skip_to.get(index).copied().flatten();
        self.go(skip_to.map_or(at + 1, |to| to as usize), state);
    }

    /// What a link does that matches. `is_once` is whether it is certain that it does, and once.
    fn write(
        &mut self,
        at: (usize, usize),
        link: &OutlineLink,
        is_once: bool,
        state: &mut Knowledge,
    ) {
        for (place, write) in &link.writes {
            if is_once {
                self.note_operand(at, *place, write, state);
            }
            state.write(write, is_once, self.outlines, &mut self.values);
            if let Write::To(slot, _) = write {
                let value = state.get(*slot);
                self.note_link(at, |notes| {
                    notes.results.entry(*place).or_default().add(value);
                });
            }
        }
        if is_once {
            return;
        }
        // It may be asked again of a further value, and write again, when it has written.
        self.note_argument(at, link, state);
        for (place, write) in &link.writes {
            self.note_operand(at, *place, write, state);
        }
    }

    fn note_argument(&mut self, at: (usize, usize), link: &OutlineLink, state: &Knowledge) {
        if let Some(argument) = &link.argument {
            let value = state.value(argument, &mut self.values);
            self.note_link(at, |notes| notes.argument.add(value));
        }
    }

    fn note_operand(&mut self, at: (usize, usize), place: usize, write: &Write, state: &Knowledge) {
        if let Write::To(_, Change::Set(text) | Change::Add(text) | Change::Subtract(text)) = write
        {
            let value = state.value(text, &mut self.values);
            self.note_link(at, |notes| {
                notes.operands.entry(place).or_default().add(value);
            });
        }
    }

    fn note_link(&mut self, (rule, link): (usize, usize), note: impl FnOnce(&mut LinkNotes)) {
        let seen = self.seen.get_mut(rule);
        if let Some(notes) = seen.and_then(|seen| seen.links.get_mut(link)) {
            note(notes);
        }
    }

    fn note(&mut self, rule: usize, note: impl FnOnce(&mut Seen)) {
        if let Some(seen) = self.seen.get_mut(rule) {
            note(seen);
        }
    }
}

impl Ended {
    fn add(&mut self, more: Self) {
        let Self { phase, transaction } = more;
        phase.into_iter().for_each(|one| join(&mut self.phase, one));
        let transaction = transaction.into_iter();
        transaction.for_each(|one| join(&mut self.transaction, one));
    }
}
