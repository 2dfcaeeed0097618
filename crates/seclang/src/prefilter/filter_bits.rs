//! Sets of filters as bits, in words of 64.

/// Some filters of one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FilterBits {
    pub(super) word: u32,
    pub(super) bits: u64,
}

impl FilterBits {
    /// The words of `filters`, which are numbers in ascending order.
    pub(super) fn of(filters: &[u32]) -> Vec<Self> {
        let mut words: Vec<Self> = Vec::new();
        for filter in filters {
            let (word, bits) = (filter / 64, 1 << (filter % 64));
            match words.last_mut().filter(|last| last.word == word) {
                Some(last) => last.bits |= bits,
                None => words.push(Self { word, bits }),
            }
        }
        words
    }

    /// Adds them to `found`, whose words are enough. Hot path.
    #[inline]
    pub(super) fn add_to(self, found: &mut [u64]) {
        if let Some(word) = found.get_mut(self.word as usize) {
            *word |= self.bits;
        }
    }

    /// Takes them out of `found`.
    pub(super) fn take_from(self, found: &mut [u64]) {
        if let Some(word) = found.get_mut(self.word as usize) {
            *word &= !self.bits;
        }
    }

    /// Whether all are in `found`. Hot path.
    #[inline]
    pub(super) fn are_in(self, found: &[u64]) -> bool {
        let word = found.get(self.word as usize);
        word.is_none_or(|word| word & self.bits == self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(filters: &[u32], expected: &[u64]) {
        let mut found = vec![0; expected.len()];
        for filters in FilterBits::of(filters) {
            assert!(!filters.are_in(&found));
            filters.add_to(&mut found);
            assert!(filters.are_in(&found));
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn filters_are_bits() {
        check(&[], &[0, 0]);
        check(&[0, 1, 63, 64, 130], &[1 << 63 | 0b11, 1, 0b100]);
        check(&[200], &[0, 0, 0, 1 << 8]);
        assert_eq!(FilterBits::of(&[1, 2]).len(), 1);
    }
}
