//! Texts anywhere in a value, found in one pass.

use std::collections::HashMap;

use aho_corasick::automaton::OverlappingState;
use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind, packed};
use smallvec::SmallVec;

/// Up to this many bytes of texts become a DFA: one table look-up a byte, at some hundred bytes of
/// memory a state. Beyond, states are packed: slower by a small factor, but ten times smaller.
const DFA_TEXT_BYTES_MAX: usize = 128 * 1024;

/// Values of up to this many bytes are put into lower case for [`packed`] to search; it is copied on the stack.
const FOLDED_BYTES_MAX: usize = 512;

/// An index from a value to what asks for the texts in it. ASCII letters are compared in both
/// cases; who asks for one case checks the bytes found.
#[derive(Debug)]
pub(crate) struct SubstringIndex<T> {
    automaton: AhoCorasick,
    /// Finds a text in lower case, many bytes at a time. It takes no more than some dozens of texts, and no
    /// letter case for another.
    packed: Option<packed::Searcher>,
    /// By pattern of the automaton: who asks for it.
    askers: Box<[Box<[T]>]>,
}

impl<T> SubstringIndex<T> {
    /// From texts in lower case and who asks for each; `None` if there is no text, or if all of them
    /// together are more than an automaton can number.
    pub(crate) fn new(texts: Vec<(Box<[u8]>, T)>) -> Option<Self> {
        if texts.is_empty() {
            return None;
        }
        let mut numbers: HashMap<Box<[u8]>, usize> = HashMap::new();
        let mut needles: Vec<Box<[u8]>> = Vec::new();
        let mut askers: Vec<Vec<T>> = Vec::new();
        for (text, asker) in texts {
            let number = *numbers.entry(text).or_insert_with_key(|text| {
                needles.push(text.clone());
                askers.push(Vec::new());
                needles.len() - 1
            });
            if let Some(askers) = askers.get_mut(number) {
                askers.push(asker);
            }
        }
        let text_bytes: usize = needles.iter().map(|needle| needle.len()).sum();
        let kind = if text_bytes <= DFA_TEXT_BYTES_MAX {
            AhoCorasickKind::DFA
        } else {
            AhoCorasickKind::ContiguousNFA
        };
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .kind(Some(kind))
            .build(&needles)
            .ok()?;
        let packed = packed::Config::new().builder().extend(&needles).build();
        Some(Self {
            automaton,
            packed,
            askers: askers.into_iter().map(Into::into).collect(),
        })
    }

    /// Calls `visit` for each text at each place in `value`, with who asks and the bytes found.
    ///
    /// Hot path: runs per request, allocates nothing.
    pub(crate) fn find<'v>(&self, value: &'v [u8], mut visit: impl FnMut(&T, &'v [u8])) {
        if !self.is_any_in(value) {
            return;
        }
        let mut state = OverlappingState::start();
        loop {
            let searched = self
                .automaton
                .try_find_overlapping(Input::new(value), &mut state);
            let Some(found) = state.get_match().filter(|_| searched.is_ok()) else {
                return;
            };
            let bytes = value.get(found.range()).unwrap_or_default();
            for asker in self
                .askers
                .get(found.pattern().as_usize())
                .into_iter()
                .flatten()
            {
                visit(asker, bytes);
            }
        }
    }

    /// Whether any text is in a value. Most hold none, and that is told faster than which.
    fn is_any_in(&self, value: &[u8]) -> bool {
        match &self.packed {
            Some(packed) if value.len() <= FOLDED_BYTES_MAX => {
                let mut folded = SmallVec::<[u8; FOLDED_BYTES_MAX]>::from_slice(value);
                folded.make_ascii_lowercase();
                packed.find(&folded).is_some()
            }
            _ => self.automaton.is_match(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(texts: &[&str], value: &str, expected: &[(usize, &str)]) {
        let texts = texts.iter().map(|text| text.as_bytes().into()).zip(0..);
        let index = SubstringIndex::<usize>::new(texts.collect()).unwrap();
        let mut got = Vec::new();
        index.find(value.as_bytes(), |asker, bytes| {
            got.push((*asker, std::str::from_utf8(bytes).unwrap()));
        });
        got.sort_unstable();
        assert_eq!(got, expected, "{value}");
    }

    #[test]
    fn every_text_at_every_place() {
        check(
            &["she", "he", "hers", "he"],
            "uSHers",
            &[(0, "SHe"), (1, "He"), (2, "Hers"), (3, "He")],
        );
        check(&["a"], "aba", &[(0, "a"), (0, "a")]);
        check(&["a"], "", &[]);
        check(&["abc"], "ab", &[]);
        assert!(SubstringIndex::<u32>::new(Vec::new()).is_none());
    }

    /// Where each text is, by comparing everywhere.
    fn everywhere(texts: &[Vec<u8>], value: &[u8]) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for (text, number) in texts.iter().zip(0..) {
            for (window, at) in value.windows(text.len()).zip(0..) {
                if window.eq_ignore_ascii_case(text) {
                    found.push((number, at));
                }
            }
        }
        found
    }

    /// Few letters, so that there is something to find; the last two have case outside ASCII.
    fn bytes(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
        let byte = prop::sample::select(&b"aAbBcC-\xc3\xa4\x84"[..]);
        prop::collection::vec(byte, length)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn what_is_found_is_what_is_there(
            texts in prop::collection::vec(bytes(1..6), 1..8),
            filling in prop::sample::select(vec![0, 1, FOLDED_BYTES_MAX]),
            many in any::<bool>(),
            value in bytes(0..40),
        ) {
            let mut texts = texts;
            texts.iter_mut().for_each(|text| text.make_ascii_lowercase());
            if many {
                // More than are searched together.
                texts.extend((0..200).map(|number| format!("none-{number}").into_bytes()));
            }
            let value = [value, vec![b'.'; filling]].concat();
            let index = texts.iter().map(|text| text.as_slice().into()).zip(0..);
            let index = SubstringIndex::<usize>::new(index.collect()).unwrap();
            prop_assert_eq!(index.packed.is_none(), many);
            let mut found = Vec::new();
            index.find(&value, |number, bytes| {
                found.push((*number, bytes.as_ptr() as usize - value.as_ptr() as usize));
            });
            found.sort_unstable();
            prop_assert_eq!(found, everywhere(&texts, &value));
        }
    }
}
