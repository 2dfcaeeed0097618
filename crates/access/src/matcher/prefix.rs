//! Starts of values. Ends of values are the starts of values read backwards.

use super::Atom;

/// The parent of a text that no other text starts.
const NONE: u32 = u32::MAX;

/// An index from a value to every text that it starts with.
///
/// Texts are sorted; each knows the longest other text that it starts with (its parent). All texts
/// that a value starts with are on the chain of parents of the last text not above the value.
#[derive(Debug, Default)]
pub(crate) struct PrefixIndex {
    bytes: Box<[u8]>,
    texts: Box<[Text]>,
    len_max: usize,
}

#[derive(Debug)]
struct Text {
    start: u32,
    end: u32,
    parent: u32,
    atom: Atom,
}

impl PrefixIndex {
    pub(crate) fn new(mut texts: Vec<(Box<[u8]>, Atom)>) -> Self {
        texts.sort_unstable();
        let mut index = Vec::with_capacity(texts.len());
        let mut bytes = Vec::new();
        let mut open: Vec<u32> = Vec::new();
        for ((text, atom), at) in texts.iter().zip(0_u32..) {
            let is_start = |outer: &u32| {
                texts
                    .get(*outer as usize)
                    .is_some_and(|(outer, _)| text.starts_with(outer))
            };
            while open.pop_if(|outer| !is_start(outer)).is_some() {}
            let start = bytes.len();
            bytes.extend_from_slice(text);
            index.push(Text {
                start: u32::try_from(start).unwrap_or(u32::MAX),
                end: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
                parent: open.last().copied().unwrap_or(NONE),
                atom: *atom,
            });
            open.push(at);
        }
        Self {
            bytes: bytes.into(),
            texts: index.into(),
            len_max: texts.iter().map(|(text, _)| text.len()).max().unwrap_or(0),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The longest text, in bytes: more of a value need not be looked at.
    pub(crate) fn len_max(&self) -> usize {
        self.len_max
    }

    /// The atoms of all texts that `value` starts with, longest first.
    ///
    /// Hot path: runs per request, allocates nothing.
    pub(crate) fn find(&self, value: &[u8]) -> impl Iterator<Item = Atom> {
        let value = value.get(..self.len_max).unwrap_or(value);
        let after = self
            .texts
            .partition_point(|text| self.bytes_of(text) <= value);
        let nearest = after.checked_sub(1).and_then(|at| self.texts.get(at));
        let shared = nearest.map_or(0, |text| shared_len(self.bytes_of(text), value));
        std::iter::successors(nearest, |text| self.texts.get(text.parent as usize))
            .filter(move |text| (text.end.saturating_sub(text.start) as usize) <= shared)
            .map(|text| text.atom)
    }

    fn bytes_of(&self, text: &Text) -> &[u8] {
        self.bytes
            .get(text.start as usize..text.end as usize)
            .unwrap_or_default()
    }
}

fn shared_len(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn index(texts: &[&str]) -> PrefixIndex {
        PrefixIndex::new(
            texts
                .iter()
                .map(|text| text.as_bytes().into())
                .zip(0..)
                .collect(),
        )
    }

    #[track_caller]
    fn check(texts: &[&str], value: &str, expected: &[Atom]) {
        let got: Vec<Atom> = index(texts).find(value.as_bytes()).collect();
        assert_eq!(got, expected, "{value}");
    }

    #[test]
    fn all_texts_that_start_a_value() {
        let texts = ["/a", "/", "/ab", "/b", "/abcd", "/ac"];
        check(&texts, "/abc", &[2, 0, 1]);
        check(&texts, "/abcd", &[4, 2, 0, 1]);
        check(&texts, "/abcdefghi", &[4, 2, 0, 1]);
        check(&texts, "/aa", &[0, 1]);
        check(&texts, "/az", &[0, 1]);
        check(&texts, "/", &[1]);
        check(&texts, "", &[]);
        check(&texts, "x", &[]);
        check(&[], "x", &[]);
    }

    proptest! {
        #[test]
        fn agrees_with_a_scan(texts in prop::collection::btree_set("[ab]{1,4}", 0..12), value in "[abc]{0,6}") {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let mut got: Vec<Atom> = index(&texts).find(value.as_bytes()).collect();
            got.sort_unstable();
            let expected: Vec<Atom> = (0..).zip(&texts).filter(|(_, text)| value.starts_with(*text)).map(|(i, _)| i).collect();
            prop_assert_eq!(got, expected);
        }
    }
}
