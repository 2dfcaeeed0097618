//! Aho and Corasick's automaton, one table look-up a byte.

use std::collections::{BTreeSet, HashSet, VecDeque};

/// Finds all of some patterns, ASCII letters in either case, wherever they end.
///
/// Bytes are first made classes: those that are in no pattern are one class, and letters are one in
/// both cases. A row of the table, one for each state, says for each class where the next state's
/// row begins; its last cell is the number of what is found. Rows near the start come first, so
/// that what most values need is close together; those where something is found come last.
#[derive(Clone, Debug)]
pub(super) struct Automaton {
    classes: Box<[u8; 256]>,
    rows: Box<[u32]>,
    /// The cells of a row.
    stride: usize,
    /// Where the rows begin where something is found.
    first_found: usize,
}

impl Automaton {
    /// Where a value begins.
    pub(super) const START: usize = 0;

    /// Finds `patterns`, which are in lower case, each once and not empty. Besides, the indexes of the
    /// patterns that end together, by the number of what is found.
    pub(super) fn new(patterns: &[&[u8]]) -> (Self, Vec<Vec<u32>>) {
        let (classes, stride) = classes(patterns);
        let mut trie = Trie::new(stride);
        for (pattern, number) in patterns.iter().zip(0..) {
            let classes = pattern.iter().map(|byte| class(&classes, *byte));
            trie.insert(classes, number);
        }
        let order = trie.complete();
        let is_without = |state: &u32| trie.found_in(*state).is_empty();
        let (mut order, with): (Vec<u32>, Vec<u32>) = order.into_iter().partition(is_without);
        let first_found = order.len();
        order.extend(&with);
        let mut rows = trie.rows(&order);
        let found_rows = rows.chunks_exact_mut(stride).skip(first_found);
        for (cell, number) in found_rows.filter_map(<[u32]>::last_mut).zip(0..) {
            *cell = number;
        }
        let found = with.iter().map(|state| trie.found_in(*state).to_vec());
        let automaton = Self {
            classes,
            rows: rows.into(),
            stride,
            first_found: first_found * stride,
        };
        (automaton, found.collect())
    }

    /// The state behind `byte`; there always is one. Hot path.
    #[inline]
    pub(super) fn next(&self, state: usize, byte: u8) -> Option<usize> {
        let next = self.rows.get(state + class(&self.classes, byte))?;
        Some(*next as usize)
    }

    /// Whether a pattern ends there. Hot path.
    #[inline]
    pub(super) fn has_found(&self, state: usize) -> bool {
        state >= self.first_found
    }

    /// The number of what is found there, if anything is.
    pub(super) fn found(&self, state: usize) -> u32 {
        let number = self.rows.get(state + self.stride - 1);
        number.copied().unwrap_or(u32::MAX)
    }

    /// The memory that it takes, in bytes.
    pub(super) fn memory_usage(&self) -> usize {
        size_of_val(&*self.classes) + size_of_val(&*self.rows)
    }

    /// The memory that the table for `patterns` takes, in bytes.
    pub(super) fn table_bytes(patterns: &[&[u8]]) -> usize {
        let prefixes: HashSet<&[u8]> = patterns
            .iter()
            .flat_map(|pattern| (1..=pattern.len()).filter_map(|len| pattern.get(..len)))
            .collect();
        let (_, stride) = classes(patterns);
        (prefixes.len() + 1) * stride * size_of::<u32>()
    }
}

/// The classes of the bytes of `patterns`, and how many cells a row has.
fn classes(patterns: &[&[u8]]) -> (Box<[u8; 256]>, usize) {
    let bytes: BTreeSet<u8> = patterns.iter().copied().flatten().copied().collect();
    let mut classes = Box::new([0; 256]);
    for (byte, place) in (0..=u8::MAX).zip(classes.iter_mut()) {
        let number = bytes
            .iter()
            .position(|known| *known == byte.to_ascii_lowercase());
        *place = number.map_or(0, |number| u8::try_from(number + 1).unwrap_or(0));
    }
    // Those, that of all others, and what is found.
    (classes, bytes.len() + 2)
}

fn class(classes: &[u8; 256], byte: u8) -> usize {
    classes
        .get(usize::from(byte))
        .copied()
        .map_or(0, usize::from)
}

/// A tree of patterns, which becomes an automaton.
struct Trie {
    stride: usize,
    /// A row for each state, of the next states' numbers; 0, the root, where there is none.
    cells: Vec<u32>,
    /// The patterns that end in each state.
    found: Vec<Vec<u32>>,
}

impl Trie {
    fn new(stride: usize) -> Self {
        Self {
            stride,
            cells: vec![0; stride],
            found: vec![Vec::new()],
        }
    }

    fn insert(&mut self, classes: impl Iterator<Item = usize>, pattern: u32) {
        let mut state = 0;
        for class in classes {
            state = match self.next(state, class) {
                0 => self.grow(state, class),
                next => next,
            };
        }
        if let Some(found) = self.found.get_mut(state as usize) {
            found.push(pattern);
        }
    }

    fn grow(&mut self, state: u32, class: usize) -> u32 {
        let new = u32::try_from(self.found.len()).unwrap_or(0);
        self.set(state, class, new);
        self.cells.resize(self.cells.len() + self.stride, 0);
        self.found.push(Vec::new());
        new
    }

    /// Fills in where each state goes with what none of its patterns goes on with: where the longest of
    /// its ends goes that begins a pattern. All states, nearest to the root first.
    fn complete(&mut self) -> Vec<u32> {
        let mut order = Vec::with_capacity(self.found.len());
        let mut queue = VecDeque::from([(0, 0)]);
        while let Some((state, fallback)) = queue.pop_front() {
            order.push(state);
            let shorter = self.found_in(fallback).to_vec();
            if let Some(found) = self.found.get_mut(state as usize).filter(|_| state > 0) {
                found.extend(shorter);
            }
            for class in 0..self.stride {
                let behind = match state {
                    0 => 0,
                    _ => self.next(fallback, class),
                };
                match self.next(state, class) {
                    0 => self.set(state, class, behind),
                    next => queue.push_back((next, behind)),
                }
            }
        }
        order
    }

    /// The rows of an automaton whose states are in this order.
    fn rows(&self, order: &[u32]) -> Vec<u32> {
        let mut row_of = vec![0; order.len()];
        for (row, state) in order.iter().enumerate() {
            if let Some(place) = row_of.get_mut(*state as usize) {
                *place = u32::try_from(row * self.stride).unwrap_or(0);
            }
        }
        let row_of = |next: &u32| row_of.get(*next as usize).copied().unwrap_or(0);
        let rows = order.iter().flat_map(|state| self.row(*state));
        rows.map(row_of).collect()
    }

    fn row(&self, state: u32) -> &[u32] {
        let start = state as usize * self.stride;
        self.cells
            .get(start..start + self.stride)
            .unwrap_or_default()
    }

    fn next(&self, state: u32, class: usize) -> u32 {
        self.row(state).get(class).copied().unwrap_or(0)
    }

    fn set(&mut self, state: u32, class: usize, next: u32) {
        let cell = self.cells.get_mut(state as usize * self.stride + class);
        if let Some(cell) = cell {
            *cell = next;
        }
    }

    fn found_in(&self, state: u32) -> &[u32] {
        self.found.get(state as usize).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each pattern, where it ends.
    fn find(patterns: &[&[u8]], value: &[u8]) -> Vec<(usize, u32)> {
        let (automaton, found) = Automaton::new(patterns);
        let (mut all, mut state) = (Vec::new(), Automaton::START);
        for (index, byte) in value.iter().enumerate() {
            state = automaton.next(state, *byte).unwrap();
            if automaton.has_found(state) {
                let found = &found[automaton.found(state) as usize];
                assert!(!found.is_empty());
                all.extend(found.iter().map(|pattern| (index + 1, *pattern)));
            }
        }
        all.sort_unstable();
        all
    }

    #[track_caller]
    fn check(patterns: &[&[u8]], value: &[u8], expected: &[(usize, u32)]) {
        assert_eq!(find(patterns, value), expected);
    }

    #[test]
    fn patterns_in_either_case() {
        check(&[], b"abc", &[]);
        check(&[b"bc", b"c", b"abcd"], b"aBC", &[(3, 0), (3, 1)]);
        check(
            &[b"bc", b"c", b"abcd"],
            b"ABCDc",
            &[(3, 0), (3, 1), (4, 2), (5, 1)],
        );
        check(&[b"\xe9\0"], b"\xc9\0\xe9\0", &[(4, 0)]);
        check(&[b"aab"], b"aaab", &[(4, 0)]);
    }

    #[test]
    fn all_bytes_can_be_in_patterns() {
        let all: Vec<[u8; 1]> = (0..=u8::MAX)
            .filter(|byte| !byte.is_ascii_uppercase())
            .map(|byte| [byte])
            .collect();
        let patterns: Vec<&[u8]> = all.iter().map(|pattern| &pattern[..]).collect();
        for byte in 0..=u8::MAX {
            assert_eq!(find(&patterns, &[byte]).len(), 1, "{byte}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_scan(
            patterns in prop::collection::btree_set("[abc]{1,4}", 0..8),
            value in "[abcABCd]{0,20}",
        ) {
            let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
            let mut expected = Vec::new();
            for end in 1..=value.len() {
                let begin = value.as_bytes()[..end].to_ascii_lowercase();
                for (pattern, number) in patterns.iter().zip(0..) {
                    if begin.ends_with(pattern) {
                        expected.push((end, number));
                    }
                }
            }
            check(&patterns, value.as_bytes(), &expected);
            let (automaton, _) = Automaton::new(&patterns);
            prop_assert_eq!(Automaton::table_bytes(&patterns), size_of_val(&*automaton.rows));
        }
    }
}
