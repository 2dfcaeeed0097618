//! Whether one condition holds wherever another does.

use palisade_vocabulary::Cidr;

use super::pattern::implies_pattern;
use super::satisfiability::is_certain;
use crate::{AddressCondition, Condition, TextCondition};

/// Answers whether one condition implies another, within a bound on all answers together.
pub(super) struct Implication {
    steps_left: u64,
}

impl Implication {
    pub(super) fn within(steps_max: u64) -> Self {
        Self {
            steps_left: steps_max,
        }
    }

    /// Whether the bound was reached; every answer since is "no".
    pub(super) fn is_spent(&self) -> bool {
        self.steps_left == 0
    }

    /// Whether on every request `right` is at least as true as `left` (false < unknown < true). "No"
    /// may also mean that it can't be told.
    ///
    /// "And" is the least and "or" the greatest of its parts, so the rules below are those of any
    /// lattice. Recursion is bounded by [`Condition::DEPTH_MAX`] on either side.
    pub(super) fn holds(&mut self, left: &Condition, right: &Condition) -> bool {
        if !self.spend(1) {
            return false;
        }
        match (left, right) {
            (_, Condition::All(parts)) => parts.iter().all(|part| self.holds(left, part)),
            (Condition::Any(parts), _) => parts.iter().all(|part| self.holds(part, right)),
            (Condition::All(lefts), Condition::Any(rights)) => {
                lefts.iter().any(|part| self.holds(part, right))
                    || rights.iter().any(|part| self.holds(left, part))
            }
            (Condition::All(parts), _) => {
                is_certain(right) || parts.iter().any(|part| self.holds(part, right))
            }
            (_, Condition::Any(parts)) => parts.iter().any(|part| self.holds(left, part)),
            (Condition::Not(left), Condition::Not(right)) => self.holds(right, left),
            _ => is_certain(right) || self.leaf_implies(left, right),
        }
    }

    fn leaf_implies(&mut self, left: &Condition, right: &Condition) -> bool {
        match (left, right) {
            (Condition::Address(left), Condition::Address(right)) => {
                self.address_implies(left, right)
            }
            (Condition::Country(left), Condition::Country(right)) => {
                (right.holds_if_unknown() || !left.holds_if_unknown())
                    && is_subset(left.countries(), right.countries())
            }
            (Condition::Asn(left), Condition::Asn(right)) => {
                (right.holds_if_unknown() || !left.holds_if_unknown())
                    && is_subset(left.numbers(), right.numbers())
            }
            (Condition::Text(left), Condition::Text(right)) => self.text_implies(left, right),
            _ => false,
        }
    }

    fn address_implies(&mut self, left: &AddressCondition, right: &AddressCondition) -> bool {
        let (left, right) = (left.ranges(), right.ranges());
        std::ptr::addr_eq(left.as_ptr(), right.as_ptr()) && left.len() == right.len()
            || left == right
            || (self.spend(pairs(left, right))
                && left.iter().all(|range| is_covered(*range, right)))
    }

    fn text_implies(&mut self, left: &TextCondition, right: &TextCondition) -> bool {
        left.field() == right.field()
            && self.spend(pairs(left.patterns(), right.patterns()))
            && left.patterns().iter().all(|pattern| {
                right
                    .patterns()
                    .iter()
                    .any(|other| implies_pattern(pattern, other))
            })
    }

    /// Takes `steps` from what is left; whether there were as many.
    fn spend(&mut self, steps: u64) -> bool {
        let enough = self.steps_left > steps;
        self.steps_left = self.steps_left.saturating_sub(steps);
        enough
    }
}

/// Whether one of `ranges` holds all of `range`.
fn is_covered(range: Cidr, ranges: &[Cidr]) -> bool {
    ranges.iter().any(|other| other.covers(range))
}

fn is_subset<T: Ord>(left: &[T], right: &[T]) -> bool {
    left.iter().all(|item| right.binary_search(item).is_ok())
}

fn pairs<T>(left: &[T], right: &[T]) -> u64 {
    (left.len() as u64).saturating_mul(right.len() as u64)
}
