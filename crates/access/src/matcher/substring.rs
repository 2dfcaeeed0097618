//! Texts anywhere in a value, found in one pass.

use std::collections::HashMap;

use aho_corasick::automaton::OverlappingState;
use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

/// Up to this many bytes of texts become a DFA: one table look-up a byte, at some hundred bytes of
/// memory a state. Beyond, states are packed: slower by a small factor, but ten times smaller.
const DFA_TEXT_BYTES_MAX: usize = 128 * 1024;

/// An index from a value to what asks for the texts in it. ASCII letters are compared in both
/// cases; who asks for one case checks the bytes found.
#[derive(Debug)]
pub(crate) struct SubstringIndex<T> {
    automaton: AhoCorasick,
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
        Some(Self {
            automaton,
            askers: askers.into_iter().map(Into::into).collect(),
        })
    }

    /// Calls `visit` for each text at each place in `value`, with who asks and the bytes found.
    ///
    /// Hot path: runs per request, allocates nothing.
    pub(crate) fn find<'v>(&self, value: &'v [u8], mut visit: impl FnMut(&T, &'v [u8])) {
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
}

#[cfg(test)]
mod tests {
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
}
