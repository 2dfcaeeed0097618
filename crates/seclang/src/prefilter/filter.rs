//! All requirements, looked for at once.

use std::cmp::Reverse;

use super::byte_classes::ByteClasses;
use super::filter_bits::FilterBits;
use super::frequency;
use super::grouped::Grouped;
use super::literals::{self, Literals};
use super::requirement::Requirement;
use crate::ByteSet;

/// The share of values beyond which it spares nothing to know that they have a byte of a class.
const CLASS_RATE_MAX: f64 = 0.75;

/// Tells which of many filters, each with a requirement, a value can pass. What is found are bits, one
/// for each filter, in words of 64; the more there are, the more filters are to be asked.
#[derive(Clone, Debug)]
pub(crate) struct Prefilter {
    classes: ByteClasses,
    /// For each class its filters, the words that have any.
    class_filters: Grouped<FilterBits>,
    /// The classes that have filters.
    filtering: u64,
    always: Box<[u64]>,
    /// Classes without which a value passes no filter of some that look for no literals.
    besides: Vec<(u64, FilterBits)>,
    literals: Literals,
}

impl Prefilter {
    /// For these filters, by their numbers, and what each requires; those that require nothing are
    /// left out. Classes that the caller wants to know of besides, `extra`, come first: the bit of
    /// each, or `None` beyond 64.
    pub(crate) fn build(
        requirements: impl IntoIterator<Item = (u32, Requirement)>,
        extra: &[ByteSet],
    ) -> (Self, Vec<Option<u32>>) {
        let mut wanted = Wanted::default();
        for (filter, requirement) in requirements {
            wanted.add(filter, requirement);
        }
        let words = wanted.filters.div_ceil(64);
        let mut classes = ByteClasses::new();
        let extra = extra.iter().map(|class| classes.number(*class)).collect();
        let by_class = wanted.by_class(&mut classes);
        let mut always = vec![0; words];
        for filters in FilterBits::of(&by_class.always) {
            filters.add_to(&mut always);
        }
        let prefilter = Self {
            classes,
            filtering: by_class.filtering,
            class_filters: by_class
                .filters
                .iter()
                .map(|filters| FilterBits::of(filters))
                .collect(),
            always: always.into(),
            besides: Vec::new(),
            literals: Literals::new(&wanted.literals),
        };
        (prefilter, extra)
    }

    /// Notes that a filter, which looks for no literals, isn't passed without a byte of `set` either, where
    /// there is a class for it.
    pub(crate) fn require_besides(&mut self, filter: u32, set: ByteSet) {
        let number = self.classes.number(set);
        let number = number.or_else(|| wider(&self.classes, set));
        if let Some(class) = number.map(|number| 1 << number) {
            self.filtering |= class;
            let filters = FilterBits::of(&[filter]).into_iter();
            self.besides.extend(filters.map(|filters| (class, filters)));
        }
    }

    /// The class of which a value has a byte that has one of `set`, as its bit: a class of no filter where
    /// a number is left for it, or else one that has other bytes too; all ones where there is none, or
    /// where most values have one.
    pub(crate) fn class_of(&mut self, set: ByteSet) -> u64 {
        if set.is_empty() {
            return 0;
        }
        if frequency::of_class(&set) > CLASS_RATE_MAX {
            return u64::MAX;
        }
        let number = self.classes.number(set);
        let number = number.or_else(|| wider(&self.classes, set));
        number.map_or(u64::MAX, |number| 1 << number)
    }

    /// The classes of which a value may have a byte, and had none before bytes of `set` were written; if
    /// `changes_case`, letters only in place of the same in the other case. Once all have their numbers.
    pub(crate) fn written(&self, set: ByteSet, changes_case: bool) -> u64 {
        match changes_case {
            true => self.classes.meeting_beyond_case(set),
            false => self.classes.meeting(set),
        }
    }

    /// Those of some classes that have filters.
    pub(crate) fn filtering(&self, classes: u64) -> u64 {
        classes & self.filtering
    }

    /// Sets in `found`, which is empty, the filters that any value of these classes can pass.
    pub(crate) fn of_classes(&self, classes: u64, found: &mut [u64]) {
        // What every value passes, since there were no bits left for their classes.
        for (word, always) in found.iter_mut().zip(&self.always) {
            *word = *always;
        }
        self.add_of_classes(classes, found);
        for (class, filters) in &self.besides {
            if classes & class == 0 {
                filters.take_from(found);
            }
        }
    }

    /// The bits of the classes of which `value` has a byte. Hot path: two instructions a byte.
    pub(crate) fn classes_of(&self, value: &[u8]) -> u64 {
        self.classes.of(value)
    }

    /// Adds to `found` the filters that a value of these classes can pass.
    pub(super) fn add_of_classes(&self, classes: u64, found: &mut [u64]) {
        let mut rest = classes & self.filtering;
        while rest != 0 {
            for filters in self.class_filters.get(rest.trailing_zeros()) {
                filters.add_to(found);
            }
            rest &= rest - 1;
        }
    }

    /// Adds to `found` the filters of which a literal is in `value`. Hot path: about ten instructions a
    /// byte.
    pub(crate) fn scan(&self, value: &[u8], found: &mut [u64]) {
        self.literals.find(value, found);
    }

    /// The memory that it takes, in bytes.
    pub(crate) fn memory_usage(&self) -> usize {
        size_of::<[u64; 256]>() + self.class_filters.memory_usage() + self.literals.memory_usage()
    }
}

#[cfg(test)]
impl Prefilter {
    /// The filters that every value passes.
    pub(super) fn always(&self) -> &[u64] {
        &self.always
    }

    /// The most literals that are compared at one place of a value.
    pub(super) fn compared_max(&self) -> usize {
        self.literals.compared_max()
    }
}

/// What is to be looked for, and the filters that want it.
#[derive(Default)]
struct Wanted {
    literals: literals::Wanted,
    classes: Vec<(ByteSet, Vec<u32>)>,
    /// One more than the largest number.
    filters: usize,
}

impl Wanted {
    fn add(&mut self, filter: u32, Requirement { literals, class }: Requirement) {
        self.filters = self.filters.max(filter as usize + 1);
        for literal in literals {
            let filters = self.literals.entry(literal).or_default();
            if filters.last() != Some(&filter) {
                filters.push(filter);
            }
        }
        if class.is_empty() {
            return;
        }
        match self.classes.iter_mut().find(|(known, _)| *known == class) {
            Some((_, filters)) => filters.push(filter),
            None => self.classes.push((class, vec![filter])),
        }
    }

    /// The filters of each class, whose number is one of `classes`; those that most filters want come
    /// first. Where there is no number left, one is found that has all of its bytes and others.
    fn by_class(&mut self, classes: &mut ByteClasses) -> ByClass {
        let mut by_class = ByClass {
            filters: vec![Vec::new(); u64::BITS as usize],
            filtering: 0,
            always: Vec::new(),
        };
        self.classes
            .sort_by_key(|(_, filters)| Reverse(filters.len()));
        for (class, filters) in &self.classes {
            let number = classes.number(*class).or_else(|| wider(classes, *class));
            let all = number.and_then(|number| by_class.filters.get_mut(number as usize));
            let all = all.unwrap_or(&mut by_class.always);
            all.extend(filters);
            all.sort_unstable();
            by_class.filtering |= number.map_or(0, |number| 1 << number);
        }
        by_class
    }
}

/// The filters of classes.
struct ByClass {
    /// Of each class.
    filters: Vec<Vec<u32>>,
    /// The classes that have any.
    filtering: u64,
    /// The filters for whose class there was no number.
    always: Vec<u32>,
}

/// The number of the rarest class that has all bytes of `class`.
fn wider(classes: &ByteClasses, class: ByteSet) -> Option<u32> {
    let has_all = |wider: &ByteSet| !wider.complement().intersects(class);
    let wider = classes.iter().filter(|(_, wider)| has_all(wider));
    let rated = wider.map(|(number, wider)| (number, frequency::of_class(wider)));
    let rarest = rated.min_by(|(_, rate), (_, other)| rate.total_cmp(other));
    rarest.map(|(number, _)| number)
}
