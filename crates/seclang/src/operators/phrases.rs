//! `pm`, `pmFromFile` and `pmf`: one of many phrases.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::content;
use super::error::{Found, Problem};
use super::files::{Line, files};
use crate::Sources;

/// The most phrases of one operator; CRS has 1,831.
const PHRASES_MAX: usize = 100_000;
/// The most bytes of all phrases of one operator; CRS's largest file has 74 KiB.
const PHRASE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Phrases that are searched for in one pass, ASCII letters in either case.
#[derive(Clone, Debug)]
pub struct Phrases {
    /// As they are written, without duplicates being removed.
    phrases: Box<[Box<[u8]>]>,
    automaton: AhoCorasick,
}

impl Phrases {
    /// Phrases separated by white space.
    pub(super) fn parse(argument: &[u8]) -> Result<Self, Found> {
        let content = content::decode(content::unquoted(argument));
        let phrases = content
            .split(u8::is_ascii_whitespace)
            .filter(|phrase| !phrase.is_empty());
        Self::new(phrases.map(Into::into).collect(), "phrases to search for")
    }

    /// A phrase a line, without white space around it; lines that are empty or begin with `#` are none.
    pub(super) fn from_files(argument: &[u8], sources: &dyn Sources) -> Result<Self, Found> {
        let mut phrases: Vec<Box<[u8]>> = Vec::new();
        for file in files(argument, sources)? {
            phrases.extend(file.lines().map(|Line { text, .. }| {
                let decoded = content::decode(text);
                Box::from(decoded.trim_ascii())
            }));
        }
        phrases.retain(|phrase| !phrase.is_empty());
        Self::new(phrases, "a file with phrases")
    }

    fn new(phrases: Vec<Box<[u8]>>, expected: &'static str) -> Result<Self, Found> {
        if phrases.is_empty() {
            return Err((0, Problem::Empty(expected)));
        }
        bound("phrases", phrases.len(), PHRASES_MAX)?;
        let bytes = phrases.iter().map(|phrase| phrase.len()).sum();
        bound("bytes of phrases", bytes, PHRASE_BYTES_MAX)?;
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            // A tenth of a DFA's memory.
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&phrases)
            .map_err(|_| too_much("bytes of phrases", bytes, PHRASE_BYTES_MAX))?;
        Ok(Self {
            phrases: phrases.into(),
            automaton,
        })
    }

    /// The phrases, as they are written.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.phrases.iter().map(AsRef::as_ref)
    }

    /// The memory that they take with their compiled form, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let phrases: usize = self.phrases.iter().map(|phrase| phrase.len()).sum();
        self.automaton.memory_usage() + phrases
    }

    /// The phrase that ends first in `value`; of several that end there, the longest.
    pub(super) fn find(&self, value: &[u8]) -> Option<&[u8]> {
        let found = self.automaton.find(value)?;
        self.phrases
            .get(found.pattern().as_usize())
            .map(AsRef::as_ref)
    }
}

fn bound(what: &'static str, got: usize, max: usize) -> Result<(), Found> {
    if got > max {
        return Err(too_much(what, got, max));
    }
    Ok(())
}

fn too_much(what: &'static str, got: usize, max: usize) -> Found {
    (0, Problem::TooMuch { what, got, max })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_phrase, parse_error};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn phrases_in_either_case() {
        check_phrase("pm", b" gzip  Deflate\tbr ", b"xDEFLATEx", Some(b"Deflate"));
        check_phrase("pm", b"gzip deflate", b"gzi p", None);
        check_phrase("pm", b"\xc4", b"\xe4", None);
        check_phrase("pm", b"a|62|c", b"ABC", Some(b"abc"));
        check_phrase("pm", b"( )", b"a)", Some(b")"));
        check_phrase("pm", b"\"a b\"", b"b", Some(b"b"));
        check("pm", b"a", b"", false);
        assert_eq!(
            parse_error("pm", b" "),
            "@pm: the argument is empty; expected phrases to search for (at byte 0 of the argument)"
        );
    }

    #[test]
    fn the_one_that_ends_first_is_told() {
        check_phrase("pm", b"abcd bc", b"abcd", Some(b"bc"));
        check_phrase("pm", b"bc abc", b"abc", Some(b"abc"));
        check_phrase("pm", b"abc bc", b"abc", Some(b"abc"));
    }

    #[test]
    fn phrases_have_a_bound() {
        let many = "a ".repeat(PHRASES_MAX + 1);
        assert!(
            parse_error("pm", many.as_bytes())
                .starts_with("@pm: the argument has 100001 phrases; expected at most 100000")
        );
        let long = vec![b'a'; PHRASE_BYTES_MAX + 1];
        assert!(
            parse_error("pm", &long).starts_with("@pm: the argument has 2097153 bytes of phrases")
        );
    }

    #[test]
    fn phrases_of_files() {
        check_phrase("pmFromFile", b"phrases.data", b"x A B x", Some(b"a b"));
        check_phrase("pmf", b"phrases.data", b"xtwo|bars", Some(b"two|bars"));
        check_phrase("pmFromFile", b"phrases.data", b"# no phrase", None);
        check_phrase("pmFromFile", b"phrases.data", b"fg", Some(b"fg"));
        check_phrase(
            "pmFromFile",
            b" phrases.data  more.data ",
            b"more",
            Some(b"more"),
        );
        assert_eq!(
            parse_error("pmFromFile", b"more.data none.data"),
            "@pmFromFile: none.data: no such file (at byte 10 of the argument)"
        );
        assert_eq!(
            parse_error("pmFromFile", b"\x1b[2J"),
            "@pmFromFile: \\x1b[2J: no such file (at byte 0 of the argument)"
        );
        assert_eq!(
            parse_error("pmFromFile", b" "),
            "@pmFromFile: the argument is empty; expected the name of a file (at byte 0 of the argument)"
        );
        assert_eq!(
            parse_error("pmFromFile", b"empty.data"),
            "@pmFromFile: the argument is empty; expected a file with phrases (at byte 0 of the argument)"
        );
    }

    proptest! {
        #[test]
        fn agrees_with_a_scan(phrases in prop::collection::vec("[abAB]{1,3}", 1..4), value in "[abAB ]{0,12}") {
            let lower = value.to_ascii_lowercase();
            let expected = phrases.iter().any(|phrase| lower.contains(&phrase.to_ascii_lowercase()));
            check("pm", phrases.join(" ").as_bytes(), value.as_bytes(), expected);
        }
    }
}
