//! Literals that are searched for together, each by a few of its bytes.

use std::array::from_fn;
use std::collections::BTreeMap;
use std::ops::Range;

use super::automaton::Automaton;
use super::filter_bits::FilterBits;
use super::frequency;
use super::grouped::Grouped;

/// The most bytes of a literal that the automaton looks for. More take memory, and find little less.
pub(super) const WINDOW_MAX: usize = 4;
/// How many places of a long value are read at once.
const LANES: usize = 4;
/// A shorter value is read from its beginning to its end.
const LANES_BYTES_MIN: usize = 48;
/// The most memory of the automaton: that of a few thousand rules, where CRS's takes a sixth.
const AUTOMATON_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Literals, and which filters want each.
///
/// Of each literal the automaton looks for the rarest few bytes; where it finds them, the whole
/// literal is compared. ASCII letters are found in either case.
#[derive(Clone, Debug)]
pub(super) struct Literals {
    automaton: Automaton,
    /// What is compared where windows are found, by the automaton's numbers.
    candidates: Grouped<Candidate>,
    /// The bytes of the literals that are longer than their windows.
    text: Box<[u8]>,
}

/// A literal that may be where its window was found.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    /// Where its bytes are in `text`; nowhere, if the window is all of it.
    start: u32,
    len: u32,
    /// How many of them end where the window ends.
    end: u32,
    /// The filters that want it; further words of these are candidates of their own.
    filters: FilterBits,
}

/// The candidates of each window.
type Windows<'a> = BTreeMap<&'a [u8], Vec<Candidate>>;

impl Literals {
    /// Those that are the keys of `wanted`, in lower case and not empty, with the filters that want them.
    pub(super) fn new(wanted: &Wanted) -> Self {
        Self::within(wanted, AUTOMATON_BYTES_MAX)
    }

    /// With windows so short that the automaton takes no more than `bytes_max`, or of one byte.
    fn within(wanted: &Wanted, bytes_max: usize) -> Self {
        let mut len = WINDOW_MAX;
        let (mut windows, mut text) = windows(wanted, len);
        while len > 1 && Automaton::table_bytes(&texts(&windows)) > bytes_max {
            len -= 1;
            (windows, text) = self::windows(wanted, len);
        }
        let (automaton, found) = Automaton::new(&texts(&windows));
        let windows: Vec<Vec<Candidate>> = windows.into_values().collect();
        let candidates = found.iter().map(|windows_found| {
            let lists = windows_found
                .iter()
                .filter_map(|window| windows.get(*window as usize));
            lists.flatten().copied()
        });
        Self {
            automaton,
            candidates: candidates.collect(),
            text: text.into(),
        }
    }

    /// Adds to `found`, a bit each, the filters that want a literal that is in `value`. Hot path:
    /// about nine instructions a byte, and some hundred where a window is found.
    pub(super) fn find(&self, value: &[u8], found: &mut [u64]) {
        match value.len() < LANES_BYTES_MIN {
            true => self.find_from((Automaton::START, 0), value, found),
            false => self.find_in_lanes(value, found),
        }
    }

    /// Reads a value at several places at once: each step waits for the one before it, and so others can be
    /// done meanwhile.
    fn find_in_lanes(&self, value: &[u8], found: &mut [u64]) {
        let len = value.len() / LANES;
        let lanes: [&[u8]; LANES] = from_fn(|lane| part(value, lane * len, len));
        // What ends in a lane may begin before it, by less than a window; what ends there is of the lane before.
        let mut states = from_fn(|lane| {
            let before = WINDOW_MAX - 1;
            let bytes = part(value, (lane * len).saturating_sub(before), before);
            let bytes: &[u8] = if lane == 0 { &[] } else { bytes };
            let step = |state, byte: &u8| self.automaton.next(state, *byte).unwrap_or(state);
            bytes.iter().fold(Automaton::START, step)
        });
        let [first, second, third, fourth] = lanes;
        let pairs = first.iter().zip(second).zip(third.iter().zip(fourth));
        for (at, ((first, second), (third, fourth))) in pairs.enumerate() {
            let mut has_found = false;
            for (state, byte) in states.iter_mut().zip([first, second, third, fourth]) {
                let Some(next) = self.automaton.next(*state, *byte) else {
                    return;
                };
                *state = next;
                has_found |= self.automaton.has_found(next);
            }
            if has_found {
                self.compare_lanes(states, at + 1, value, found);
            }
        }
        let [.., last] = states;
        self.find_from((last, LANES * len), value, found);
    }

    #[cold]
    #[inline(never)]
    fn compare_lanes(&self, states: [usize; LANES], end: usize, value: &[u8], found: &mut [u64]) {
        for (lane, state) in states.into_iter().enumerate() {
            if self.automaton.has_found(state) {
                let window_end = lane * (value.len() / LANES) + end;
                self.compare(state, window_end, value, found);
            }
        }
    }

    /// Reads a value on, from the state behind its first `len` bytes.
    fn find_from(&self, (mut state, mut len): (usize, usize), value: &[u8], found: &mut [u64]) {
        let (blocks, rest) = value.get(len..).unwrap_or_default().as_chunks::<4>();
        for block in blocks {
            len += block.len();
            for (byte, behind) in block.iter().zip([3, 2, 1, 0]) {
                let Some(next) = self.automaton.next(state, *byte) else {
                    return;
                };
                state = next;
                if self.automaton.has_found(state) {
                    self.compare(state, len - behind, value, found);
                }
            }
        }
        for byte in rest {
            let Some(next) = self.automaton.next(state, *byte) else {
                return;
            };
            (state, len) = (next, len + 1);
            if self.automaton.has_found(state) {
                self.compare(state, len, value, found);
            }
        }
    }

    /// Compares what may be where a window ends. Apart, so that the loop has all registers.
    #[cold]
    #[inline(never)]
    fn compare(&self, state: usize, window_end: usize, value: &[u8], found: &mut [u64]) {
        for candidate in self.candidates.get(self.automaton.found(state)) {
            let is_known = candidate.filters.are_in(found);
            if !is_known && self.is_at(candidate, window_end, value) {
                candidate.filters.add_to(found);
            }
        }
    }

    fn is_at(&self, candidate: &Candidate, window_end: usize, value: &[u8]) -> bool {
        let Candidate {
            start, len, end, ..
        } = *candidate;
        if len == 0 {
            return true;
        }
        let (start, len) = (start as usize, len as usize);
        let text = self.text.get(start..start + len).unwrap_or_default();
        let there = window_end.checked_sub(end as usize);
        let there = there.and_then(|there| value.get(there..there + len));
        // The text is in lower case.
        let mut pairs = there.unwrap_or_default().iter().zip(text);
        there.is_some() && pairs.all(|(byte, lower)| byte.to_ascii_lowercase() == *lower)
    }

    /// The memory that it takes, in bytes.
    pub(super) fn memory_usage(&self) -> usize {
        self.automaton.memory_usage() + self.candidates.memory_usage() + size_of_val(&*self.text)
    }
}

fn part(value: &[u8], start: usize, len: usize) -> &[u8] {
    value.get(start..start + len).unwrap_or_default()
}

/// Literals, and the filters that want each.
pub(super) type Wanted = BTreeMap<Box<[u8]>, Vec<u32>>;

/// Of each literal the rarest `len` bytes, or all where it has less; and the text that is compared.
fn windows(wanted: &Wanted, len: usize) -> (Windows<'_>, Vec<u8>) {
    let (mut windows, mut text) = (Windows::new(), Vec::new());
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    for (literal, filters) in wanted {
        let window = rarest_window(literal, len);
        let is_longer = window.len() < literal.len();
        let candidates = FilterBits::of(filters)
            .into_iter()
            .map(|filters| Candidate {
                start: number(text.len()),
                len: if is_longer { number(literal.len()) } else { 0 },
                end: number(window.end),
                filters,
            });
        let candidates: Vec<Candidate> = candidates.collect();
        if is_longer {
            text.extend_from_slice(literal);
        }
        let window = literal.get(window).unwrap_or(literal);
        windows.entry(window).or_default().extend(candidates);
    }
    (windows, text)
}

fn texts<'a>(windows: &Windows<'a>) -> Vec<&'a [u8]> {
    windows.keys().copied().collect()
}

/// Which `len` bytes of `literal` come up least often in harmless values; all where it has less.
pub(super) fn rarest_window(literal: &[u8], len: usize) -> Range<usize> {
    let rates = literal.windows(len).map(frequency::of_text).enumerate();
    let rarest = rates.min_by(|(_, rate), (_, other)| rate.total_cmp(other));
    rarest.map_or(0..literal.len(), |(start, _)| start..start + len)
}

#[cfg(test)]
impl Literals {
    /// The most literals that are compared at one place.
    pub(super) fn compared_max(&self) -> usize {
        let lists = (0..).map(|number| self.candidates.get(number).len());
        lists.take_while(|len| *len > 0).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wanted(literals: &[&str]) -> Wanted {
        let numbered = (0..).zip(literals);
        numbered
            .map(|(filter, literal)| (literal.as_bytes().into(), vec![filter]))
            .collect()
    }

    /// With windows of all lengths.
    #[track_caller]
    fn check(literals: &[&str], value: &[u8], expected: u64) {
        let wanted = wanted(literals);
        for bytes_max in [AUTOMATON_BYTES_MAX, 1_000, 300, 100, 0] {
            let literals = Literals::within(&wanted, bytes_max);
            let mut found = [0];
            literals.find(value, &mut found);
            assert_eq!(
                found,
                [expected],
                "within {bytes_max} bytes: {}",
                value.escape_ascii()
            );
        }
    }

    #[test]
    fn whole_literals_are_compared() {
        check(&["select", "selected", "elec"], b"a SELECT b", 0b101);
        check(&["select", "selected", "elec"], b"elect", 0b100);
        check(&["xp_cmdshell", "cmd.exe"], b"cmdshell", 0);
        check(&["xp_cmdshell", "cmd.exe"], b"xp_cmdshell", 1);
        check(&["ab", "abab"], b"abab", 0b11);
        check(&["\u{e9}b"], "x\u{e9}B".as_bytes(), 1);
    }

    #[test]
    fn literals_are_found_wherever_they_stand_in_a_long_value() {
        for len in [47, 48, 50, 51, 100, 203] {
            for at in 0..len - 6 {
                let mut value = vec![b'-'; len];
                value.splice(at..at + 6, *b"seLEct");
                check(&["select", "ec", "x"], &value, 0b11);
            }
        }
    }

    #[test]
    fn shorter_windows_take_less_memory() {
        let literals: Vec<String> = (0..500)
            .map(|number| format!("word{number}{number}"))
            .collect();
        let literals: Vec<&str> = literals.iter().map(String::as_str).collect();
        let size = |bytes_max| {
            Literals::within(&wanted(&literals), bytes_max)
                .automaton
                .memory_usage()
        };
        assert!(size(20_000) < 21_000 && size(usize::MAX) > 21_000);
        assert!(size(0) < 2_000);
    }

    proptest! {
        #[test]
        fn agrees_with_a_scan(literals in prop::collection::btree_set("[abc.]{1,7}", 0..20), value in "[abcABC.]{0,25}|(x{1,20}[abcABC.]{1,5}){3,12}") {
            let literals: Vec<&str> = literals.iter().map(String::as_str).collect();
            let lower = value.to_ascii_lowercase();
            let expected = literals.iter().zip(0..).filter(|(literal, _)| lower.contains(**literal));
            check(&literals, value.as_bytes(), expected.fold(0, |all, (_, filter)| all | 1 << filter));
        }
    }
}
