//! A link of a chain, asked of each value of its targets.

use super::ask::Found;
use super::plan::Skip;
use super::{Asked, Run};
use crate::program::{NodeId, RuleIndex, Slot, TargetSet, Test};
use crate::syntax::VariableName;
use crate::transaction::arena::Span;
use crate::transaction::lookup::{MovingValue, is_excluded};
use crate::transaction::matched::{Matched, Member, Name, Text};
use crate::transaction::strings::StringId;
use crate::transaction::worker::PlannedValue;

impl<'r> Run<'r> {
    /// Whether any value of a link's targets matches. What the rule does it does for each that does.
    pub(super) fn link(&mut self, asked: Asked<'r>) -> bool {
        let Some(test) = &asked.link.test else {
            self.matches(asked, None);
            return true;
        };
        let Some(set) = self.program.target_sets.get(test.targets as usize) else {
            return false;
        };
        match set.is_static {
            true => self.static_link(asked, test, set),
            false => self.moving_link(asked, test),
        }
    }

    fn static_link(&mut self, asked: Asked<'r>, test: &'r Test, set: &TargetSet) -> bool {
        let mut is_match = false;
        // Only then its parts have been searched.
        let filter = test.filter.filter(|_| test.group.is_some());
        let skip = Skip::of(test, filter, self.side);
        for part in &set.parts {
            if filter.is_some_and(|filter| !self.is_candidate_of_part(*part, filter)) {
                continue;
            }
            let values = self.part(*part);
            if matches!(skip, Skip::RuledOut(_)) {
                // It is cheaper now than to ask, and will be done for other rules anyway.
                self.search_part_if_needed(*part, values.clone());
            }
            let mut at = values.start;
            while let Some((index, value)) = self.next_value(at..values.end, skip) {
                at = index + 1;
                if self.is_excluded_of(set, asked.index, &value) {
                    continue;
                }
                let is_one = self.static_value(asked, test, filter, &value);
                is_match |= is_one;
                if self.is_over() {
                    return is_match;
                }
                if let Some(filter) = filter.filter(|_| !is_one) {
                    self.strings.differs(self.side, value.string, filter);
                }
            }
        }
        is_match
    }

    fn static_value(
        &mut self,
        asked: Asked<'r>,
        test: &'r Test,
        filter: Option<u32>,
        value: &PlannedValue,
    ) -> bool {
        if test.is_multi_match {
            return self.each_form(asked, test, value);
        }
        let form = self.transformed(value.string, test.searched);
        if filter.is_some_and(|filter| !self.may_match(filter, form)) {
            return false;
        }
        let string = self.transformed(value.string, test.pipeline);
        self.string(asked, test, value, string)
    }

    /// Whether a value is left out of a set, by the rule's own words or by `ctl`.
    fn is_excluded_of(&mut self, set: &TargetSet, index: RuleIndex, value: &PlannedValue) -> bool {
        if !set.exclusions.is_empty() {
            let name = self.state.arena.get(value.member);
            let selectors = &mut self.buffers.selectors;
            // A count is not left out: of what is counted members are.
            if !value.is_count && is_excluded(&set.exclusions, value.variable, name, selectors) {
                return true;
            }
        }
        self.has_removals
            && self.is_left_out(index, value.variable, Some(MemberName::Span(value.member)))
    }

    /// `multiMatch`: the value as it came, and each time that a transformation has changed it.
    fn each_form(&mut self, asked: Asked<'r>, test: &'r Test, value: &PlannedValue) -> bool {
        let mut is_match = self.string(asked, test, value, value.string);
        let mut before = value.string;
        for node in self.side.pipelines.path(test.pipeline) {
            let after = self.transformed(value.string, *node);
            if after != before && !self.is_over() {
                is_match |= self.string(asked, test, value, after);
            }
            before = after;
        }
        is_match
    }

    fn string(
        &mut self,
        asked: Asked<'r>,
        test: &'r Test,
        value: &PlannedValue,
        string: StringId,
    ) -> bool {
        let found = match test.filter {
            Some(filter) => self.ask_filter(test, filter, string, asked.link.captures),
            None => self.ask_string(asked.rule, test.operator, string),
        };
        if found.is_some() == test.is_negated {
            return false;
        }
        let matched = Matched {
            name: Name {
                variable: value.variable,
                member: match value.has_member {
                    true => Member::Named(value.member),
                    false => Member::None,
                },
                is_count: value.is_count,
            },
            value: Text::String(string),
        };
        self.found(asked, test, matched, found);
        true
    }

    fn moving_link(&mut self, asked: Asked<'r>, test: &'r Test) -> bool {
        if let Some(comparison) = test.comparison.as_ref().filter(|_| !self.has_removals) {
            if !self.compares(comparison) {
                return false;
            }
            if !asked.rule.needs_matched && !asked.link.captures {
                self.matches(asked, None);
                return true;
            }
        }
        let mut is_match = false;
        let values = self.moving_values(test.targets);
        for value in &values {
            let member = match value.name.member {
                Member::None => None,
                Member::Named(span) | Member::Unshown(span) => Some(MemberName::Span(span)),
                Member::Tx(slot) => Some(MemberName::Tx(slot)),
            };
            if self.is_left_out(asked.index, value.name.variable, member) {
                continue;
            }
            is_match |= self.moving_value(asked, test, value);
            if self.is_over() {
                break;
            }
        }
        self.plan.give_back(values);
        is_match
    }

    fn moving_value(&mut self, asked: Asked<'r>, test: &'r Test, value: &MovingValue) -> bool {
        if test.pipeline == 0 {
            let found = self.ask_moving(asked.rule, test.operator, value);
            return self.moving_found(asked, test, value.name, value.text, found);
        }
        let path = self.side.pipelines.path(test.pipeline);
        let mut text = value.text;
        let mut is_match = false;
        if test.is_multi_match {
            let found = self.ask_moving(asked.rule, test.operator, value);
            is_match = self.moving_found(asked, test, value.name, text, found);
        }
        let last = path.len();
        for (number, node) in path.iter().enumerate() {
            let changed = self.transform_moving(text, *node);
            text = changed.unwrap_or(text);
            let is_asked = match test.is_multi_match {
                true => changed.is_some(),
                false => number + 1 == last,
            };
            if is_asked {
                let value = MovingValue {
                    name: value.name,
                    text,
                    integer: None,
                };
                let found = self.ask_moving(asked.rule, test.operator, &value);
                is_match |= self.moving_found(asked, test, value.name, text, found);
            }
        }
        is_match
    }

    fn moving_found(
        &mut self,
        asked: Asked<'r>,
        test: &'r Test,
        name: Name,
        text: Text,
        found: Option<Found<'r>>,
    ) -> bool {
        if found.is_some() == test.is_negated {
            return false;
        }
        let matched = Matched { name, value: text };
        self.found(asked, test, matched, found);
        true
    }

    fn found(
        &mut self,
        asked: Asked<'r>,
        test: &'r Test,
        matched: Matched,
        found: Option<Found<'r>>,
    ) {
        if asked.link.captures
            && let Some(found) = found
        {
            self.capture(test.operator, matched.value, found);
        }
        self.matches(asked, Some(matched));
    }

    /// A link matches: what it does is done, and what the rule does with it, if it is the chain's last.
    fn matches(&mut self, asked: Asked<'r>, matched: Option<Matched>) {
        if let Some(matched) = matched.filter(|_| asked.rule.needs_matched) {
            self.state.matched.push(matched);
        }
        for effect in &asked.link.effects {
            self.effect(asked.rule, effect);
        }
        if asked.is_last {
            self.conclude(asked.index, asked.rule, matched);
        }
    }

    /// Whether `ctl:ruleRemoveTargetBy...` was for a rule.
    pub(super) fn are_targets_left_out(&self, index: RuleIndex) -> bool {
        let removals = self.state.removals.iter();
        let mut removals = removals.filter_map(|removal| self.program.removals.get(*removal));
        removals.any(|removal| removal.rules.contains(index as usize))
    }

    /// Whether a value is among what `ctl:ruleRemoveTargetBy...` left out of a rule.
    fn is_left_out(
        &mut self,
        index: RuleIndex,
        variable: VariableName,
        member: Option<MemberName>,
    ) -> bool {
        if !self.has_removals {
            return false;
        }
        let name = match member {
            None => b"".as_slice(),
            Some(MemberName::Span(span)) => self.state.arena.get(span),
            Some(MemberName::Tx(slot)) => self.program.tx.name(slot),
        };
        let selectors = &mut self.buffers.selectors;
        self.state.removals.iter().any(|removal| {
            let removal = self.program.removals.get(*removal);
            removal.is_some_and(|removal| {
                removal.rules.contains(index as usize)
                    && is_excluded(&removal.exclusions, variable, name, selectors)
            })
        })
    }

    #[inline]
    pub(super) fn transformed(&mut self, string: StringId, pipeline: NodeId) -> StringId {
        if pipeline == 0 {
            return string;
        }
        let unicode = &self.program.unicode;
        let form = self
            .strings
            .transformed(self.side, unicode, string, pipeline);
        self.spend_worked();
        form
    }

    /// Takes what was done to strings off the budget.
    pub(super) fn spend_worked(&mut self) {
        match self.strings.take_worked() {
            0 => {}
            bytes => self.spend(bytes),
        }
    }
}

/// Where the name of a member is.
#[derive(Clone, Copy)]
enum MemberName {
    Span(Span),
    Tx(Slot),
}
