//! The filters that strings may pass by their classes alone.

use crate::prefilter::Prefilter;

/// Rows of the classes that were asked for last, each at a place that its classes give: most strings
/// have the same classes as one before.
#[derive(Debug)]
pub(super) struct ClassRows {
    /// The classes of each place; all of [`NONE`] where it is free.
    classes: Vec<u64>,
    words: Vec<u64>,
    row_len: usize,
}

const PLACES_LOG: u32 = 6;
const PLACES: usize = 1 << PLACES_LOG;
/// No string has these: one class is every string's, and it has no filters.
const NONE: u64 = u64::MAX;

impl ClassRows {
    pub(super) fn new(row_len: usize) -> Self {
        Self {
            classes: vec![NONE; PLACES],
            words: vec![0; PLACES * row_len],
            row_len,
        }
    }

    /// The row of strings of these classes. Hot path.
    #[inline]
    pub(super) fn get(&mut self, prefilter: &Prefilter, classes: u64) -> &[u64] {
        let classes = prefilter.filtering(classes);
        // Fibonacci hashing.
        let place = classes.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PLACES_LOG);
        let place = usize::try_from(place).unwrap_or(0);
        let row = place * self.row_len..(place + 1) * self.row_len;
        let known = self.classes.get_mut(place);
        if let Some(known) = known.filter(|known| **known != classes) {
            *known = classes;
            let row = self.words.get_mut(row.clone()).unwrap_or_default();
            row.fill(0);
            prefilter.of_classes(classes, row);
        }
        self.words.get(row).unwrap_or_default()
    }
}
