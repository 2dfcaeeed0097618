//! All patterns of a rule set on one field.

use std::sync::Arc;

use regex_automata::PatternSet;

use super::Atom;
use super::exact::ExactIndex;
use super::prefix::PrefixIndex;
use super::regexes::{RegexSetError, RegexSetIndex};
use super::stamps::Stamps;
use super::substring::SubstringIndex;
use crate::regex::CompiledRegex;
use crate::{Pattern, PatternKind};

/// An index from a value of a field to the atoms of all patterns that match it.
#[derive(Debug)]
pub(crate) struct FieldIndex {
    as_sent: CaseIndex,
    /// Over texts and values in lower case.
    folded: CaseIndex,
    substrings: Option<SubstringIndex<Asker>>,
    /// Expressions that are run where one of their literals was found.
    gated: Box<[(Arc<CompiledRegex>, Atom)]>,
    ungated: Option<RegexSetIndex>,
}

/// Who asks for a text somewhere in a value.
#[derive(Debug)]
enum Asker {
    /// A pattern that ignores case: found is enough.
    Folded(Atom),
    /// A pattern that doesn't: the bytes found must be the text's.
    AsSent(Atom, Box<[u8]>),
    /// An expression that can't match without: the position in `gated`.
    Gate(u32),
}

/// Memory that searching needs, kept between requests.
#[derive(Debug)]
pub(crate) struct Workspace {
    bytes: Vec<u8>,
    tried: Stamps,
    matched: PatternSet,
}

impl Workspace {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            tried: Stamps::default(),
            matched: PatternSet::new(0),
        }
    }

    /// Makes room for `index`. Allocates only when it grows.
    pub(crate) fn fit(&mut self, index: &FieldIndex) {
        let regexes = index.ungated.as_ref().map_or(0, RegexSetIndex::len);
        if self.matched.capacity() < regexes {
            self.matched = PatternSet::new(regexes);
        }
    }
}

impl FieldIndex {
    /// An index of distinct patterns; the atom of each is its position.
    pub(crate) fn new(patterns: &[Pattern]) -> Result<Self, RegexSetError> {
        let mut askers: Vec<(Box<[u8]>, Asker)> = Vec::new();
        let (mut gated, mut ungated) = (Vec::new(), Vec::new());
        for (pattern, atom) in patterns.iter().zip(0..) {
            if pattern.kind() == PatternKind::Contains {
                let text = pattern.text().as_bytes();
                let asker = if pattern.ignores_case() {
                    Asker::Folded(atom)
                } else {
                    Asker::AsSent(atom, text.into())
                };
                askers.push((text.to_ascii_lowercase().into(), asker));
            }
            let Some(regex) = pattern.regex() else {
                continue;
            };
            let Some(literals) = regex.literals() else {
                ungated.push((Arc::clone(regex), atom));
                continue;
            };
            let gate = u32::try_from(gated.len()).unwrap_or(u32::MAX);
            gated.push((Arc::clone(regex), atom));
            let gates = literals
                .iter()
                .map(|text| (text.as_slice().into(), Asker::Gate(gate)));
            askers.extend(gates);
        }
        Ok(Self {
            as_sent: CaseIndex::new(patterns, false),
            folded: CaseIndex::new(patterns, true),
            substrings: SubstringIndex::new(askers),
            gated: gated.into(),
            ungated: RegexSetIndex::new(&ungated)?,
        })
    }

    /// Calls `hit` with the atom of every pattern that matches `value`, perhaps more than once.
    ///
    /// Hot path: runs per request, allocates nothing once `work` has grown.
    pub(crate) fn find(&self, value: &[u8], work: &mut Workspace, hit: &mut impl FnMut(Atom)) {
        self.as_sent.find_as_sent(value, &mut work.bytes, hit);
        self.folded.find_folded(value, &mut work.bytes, hit);
        if let Some(substrings) = &self.substrings {
            self.find_substrings(substrings, value, &mut work.tried, hit);
        }
        if let Some(ungated) = &self.ungated {
            ungated.find(value, &mut work.matched, hit);
        }
    }

    fn find_substrings(
        &self,
        substrings: &SubstringIndex<Asker>,
        value: &[u8],
        tried: &mut Stamps,
        hit: &mut impl FnMut(Atom),
    ) {
        tried.begin(self.gated.len());
        substrings.find(value, |asker, bytes| match asker {
            Asker::Folded(atom) => hit(*atom),
            Asker::AsSent(atom, text) if **text == *bytes => hit(*atom),
            Asker::AsSent(..) => {}
            Asker::Gate(gate) if tried.insert(*gate) => {
                if let Some((regex, atom)) = self.gated.get(*gate as usize)
                    && regex.is_match(value)
                {
                    hit(*atom);
                }
            }
            Asker::Gate(_) => {}
        });
    }
}

/// Whole values, starts and ends, compared in one way.
#[derive(Debug)]
struct CaseIndex {
    exact: ExactIndex,
    prefix: PrefixIndex,
    suffix: PrefixIndex,
}

impl CaseIndex {
    fn new(patterns: &[Pattern], ignore_case: bool) -> Self {
        let texts = |kind: PatternKind| {
            let chosen = patterns.iter().zip(0..).filter(move |(pattern, _)| {
                pattern.kind() == kind && pattern.ignores_case() == ignore_case
            });
            chosen.map(move |(pattern, atom)| {
                let mut text = pattern.text().as_bytes().to_vec();
                if ignore_case {
                    text.make_ascii_lowercase();
                }
                if kind == PatternKind::Suffix {
                    text.reverse();
                }
                (text.into_boxed_slice(), atom)
            })
        };
        Self {
            exact: ExactIndex::new(texts(PatternKind::Equals).collect()),
            prefix: PrefixIndex::new(texts(PatternKind::Prefix).collect()),
            suffix: PrefixIndex::new(texts(PatternKind::Suffix).collect()),
        }
    }

    fn find_as_sent(&self, value: &[u8], bytes: &mut Vec<u8>, hit: &mut impl FnMut(Atom)) {
        if !self.exact.is_empty() {
            self.exact.find(value).into_iter().for_each(&mut *hit);
        }
        if !self.prefix.is_empty() {
            self.prefix.find(value, hit);
        }
        if !self.suffix.is_empty() {
            bytes.clear();
            bytes.extend(value.iter().rev().take(self.suffix.len_max()));
            self.suffix.find(bytes, hit);
        }
    }

    fn find_folded(&self, value: &[u8], bytes: &mut Vec<u8>, hit: &mut impl FnMut(Atom)) {
        let lower = |byte: &u8| byte.to_ascii_lowercase();
        if !self.exact.is_empty() || !self.prefix.is_empty() {
            // One byte over the longest text still tells that the value is longer.
            let enough = self
                .exact
                .len_max()
                .saturating_add(1)
                .max(self.prefix.len_max());
            bytes.clear();
            bytes.extend(value.iter().take(enough).map(lower));
            self.exact.find(bytes).into_iter().for_each(&mut *hit);
            self.prefix.find(bytes, hit);
        }
        if !self.suffix.is_empty() {
            bytes.clear();
            bytes.extend(value.iter().rev().take(self.suffix.len_max()).map(lower));
            self.suffix.find(bytes, hit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PatternKind::{Contains, Equals, Prefix, Regex, Suffix};
    use proptest::prelude::*;

    fn found(index: &FieldIndex, value: &[u8]) -> Vec<Atom> {
        let mut work = Workspace::new();
        work.fit(index);
        let mut got = Vec::new();
        index.find(value, &mut work, &mut |atom| got.push(atom));
        got.sort_unstable();
        got.dedup();
        got
    }

    #[track_caller]
    fn check(patterns: &[(PatternKind, &str, bool)], value: &str, expected: &[Atom]) {
        let patterns: Vec<Pattern> = patterns
            .iter()
            .map(|(kind, text, ignore_case)| Pattern::new(*kind, text, *ignore_case).unwrap())
            .collect();
        let index = FieldIndex::new(&patterns).unwrap();
        assert_eq!(found(&index, value.as_bytes()), expected, "{value}");
    }

    #[test]
    fn every_kind_in_both_ways() {
        let all = [
            (Equals, "/Admin", false),
            (Equals, "/Admin", true),
            (Prefix, "/Ad", false),
            (Prefix, "/Ad", true),
            (Suffix, "Min", false),
            (Suffix, "Min", true),
            (Contains, "Dm", false),
            (Contains, "Dm", true),
            (Regex, "^/A.*n$", false),
            (Regex, "^/A.*n$", true),
            (Regex, "adm[i]n", false),
            (Regex, "ADM[i]N", true),
        ];
        check(&all, "/Admin", &[0, 1, 2, 3, 5, 7, 8, 9, 11]);
        check(&all, "/ADMIN", &[1, 3, 5, 7, 9, 11]);
        check(&all, "/aDMin", &[1, 3, 4, 5, 7, 9, 11]);
        check(&all, "/aDmin", &[1, 3, 5, 6, 7, 9, 11]);
        check(&all, "/admin", &[1, 3, 5, 7, 9, 10, 11]);
        check(&all, "/admins", &[3, 7, 10, 11]);
        check(&all, "", &[]);
        check(&[(Equals, "", false), (Equals, "", true)], "", &[0, 1]);
    }

    #[test]
    fn too_many_expressions_without_a_literal_are_refused() {
        let pattern = |n: usize| Pattern::new(Regex, &format!("^[a-z]{{{n}}}$"), false).unwrap();
        let patterns: Vec<Pattern> = (100..1000).map(pattern).collect();
        let error = FieldIndex::new(&patterns).unwrap_err();
        assert!(error.atom > 10, "{error:?}");
    }

    fn any_pattern() -> impl Strategy<Value = Pattern> {
        let regex = prop::sample::select(vec![
            "ab",
            "^a+b",
            "(?i:aB)c?",
            "b$",
            "^[abc]{2}$",
            "a.c",
            "(ab|bc|cA)+",
            "c|ab",
            "^$",
            "[^a]b",
            "(abc)?B{2}",
            "(ab)*c",
            "(bc){0,2}a",
        ]);
        let literal = prop::sample::select(vec![Equals, Prefix, Suffix, Contains]);
        prop_oneof![
            (regex, any::<bool>())
                .prop_map(|(text, case)| Pattern::new(Regex, text, case).unwrap()),
            (literal, "[abAB]{1,3}", any::<bool>())
                .prop_map(|(kind, text, case)| Pattern::new(kind, &text, case).unwrap()),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_each_pattern_alone(patterns in prop::collection::vec(any_pattern(), 0..12), value in "[abcABC]{0,6}") {
            let mut distinct: Vec<Pattern> = Vec::new();
            for pattern in patterns {
                // Patterns that ignore case and differ in case alone are one atom.
                let same = |other: &Pattern| pattern.kind() == other.kind() && pattern.ignores_case() == other.ignores_case()
                    && pattern.text().eq_ignore_ascii_case(other.text());
                if !distinct.iter().any(same) {
                    distinct.push(pattern);
                }
            }
            let index = FieldIndex::new(&distinct).unwrap();
            let expected: Vec<Atom> = (0..).zip(&distinct).filter(|(_, p)| p.matches(value.as_bytes())).map(|(i, _)| i).collect();
            prop_assert_eq!(found(&index, value.as_bytes()), expected);
        }
    }
}
