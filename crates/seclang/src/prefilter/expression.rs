//! What every match of an expression has in it.
//!
//! As RE2's `FilteredRE2` does it: which strings a part of the expression matches is known as long as
//! these are few; the sets of neighbours are joined. Where they become too many, what they begin and
//! end with is still known, and the rarest of what was known on the way is the answer.

use std::collections::BTreeSet;

use regex_syntax::hir::{Class, ClassBytes, Hir, HirKind};

use super::clause::Clause;
use super::unquoted::{QUOTING, unquoted};
use crate::ByteSet;

/// The most strings of a set.
const WORDS_MAX: usize = 256;
/// The most bytes of all strings of a set.
const WORD_BYTES_MAX: usize = 1024;
/// The most bytes of a class whose strings are told one by one.
const CLASS_WORDS_MAX: usize = 16;
/// As how many parts, one behind the other, a repetition is looked at.
const COPIES_MAX: u32 = 8;

/// The rarest clause that is known to hold of each match of `expression`.
pub(super) fn clause(expression: &Hir) -> Option<Clause> {
    let clause = Matches::of(expression).into_clause();
    let is_rare = |clause: &Clause| clause.rate() < QUOTED_RATE;
    if clause.as_ref().is_some_and(is_rare) {
        return clause;
    }
    Clause::rarer(clause, clause_of_words(expression))
}

/// That a value has a byte that breaks words up, or what each match without any has.
fn clause_of_words(expression: &Hir) -> Option<Clause> {
    let quoted = Clause::of_class(QUOTING);
    match unquoted(expression) {
        Some(words) => Matches::of(&words).into_clause()?.or(quoted),
        None => Some(quoted),
    }
}

/// The share of values, about, that have a byte that breaks words up: no clause that has those is rarer.
const QUOTED_RATE: f64 = 0.07;

/// In lower case, which stands for both.
type Words = BTreeSet<Vec<u8>>;

/// What is known of what an expression matches.
#[derive(Clone, Debug)]
struct Matches {
    /// Each match begins with one of these.
    prefixes: Words,
    /// Each match ends with one of these.
    suffixes: Words,
    /// Whether each match is one of `prefixes`, which are `suffixes` then.
    is_exact: bool,
    /// What holds of each match besides.
    clause: Option<Clause>,
}

impl Matches {
    fn of(expression: &Hir) -> Self {
        match expression.kind() {
            HirKind::Empty | HirKind::Look(_) => Self::empty(),
            HirKind::Literal(literal) => Self::exact(Words::from([literal.0.to_ascii_lowercase()])),
            HirKind::Class(Class::Bytes(class)) => Self::of_class(class),
            // No expression of ours has characters.
            HirKind::Class(Class::Unicode(_)) => Self::anything(),
            HirKind::Repetition(repetition) => {
                let once = Self::of(&repetition.sub);
                once.repeated(repetition.min, repetition.max)
            }
            HirKind::Capture(capture) => Self::of(&capture.sub),
            HirKind::Concat(parts) => {
                let parts = parts.iter().map(Self::of);
                parts.reduce(Self::then).unwrap_or_else(Self::empty)
            }
            HirKind::Alternation(branches) => {
                let branches = branches.iter().map(Self::of);
                branches.reduce(Self::or).unwrap_or_else(Self::empty)
            }
        }
    }

    fn empty() -> Self {
        Self::exact(Words::from([Vec::new()]))
    }

    fn anything() -> Self {
        Self::inexact(None)
    }

    fn inexact(clause: Option<Clause>) -> Self {
        Self {
            is_exact: false,
            clause,
            ..Self::empty()
        }
    }

    fn exact(words: Words) -> Self {
        Self {
            suffixes: words.clone(),
            prefixes: words,
            is_exact: true,
            clause: None,
        }
    }

    fn of_class(class: &ClassBytes) -> Self {
        let ranges = class.ranges().iter();
        let members = ranges.map(|range| range.start()..=range.end());
        // A letter may be there in both cases, which are one word.
        if members.clone().map(Iterator::count).sum::<usize>() <= 2 * CLASS_WORDS_MAX {
            let members = members.clone().flatten();
            let words: Words = members
                .map(|byte| vec![byte.to_ascii_lowercase()])
                .collect();
            if words.len() <= CLASS_WORDS_MAX {
                return Self::exact(words);
            }
        }
        let bytes = members.fold(ByteSet::EMPTY, |bytes, range| {
            bytes.union(ByteSet::range(*range.start(), *range.end()))
        });
        Self::inexact(Some(Clause::of_class(bytes)))
    }

    /// This and, right behind it, `next`.
    fn then(self, next: Self) -> Self {
        let prefixes = self
            .is_exact
            .then(|| product(&self.prefixes, &next.prefixes));
        let suffixes = next
            .is_exact
            .then(|| product(&self.suffixes, &next.suffixes));
        let (prefixes, suffixes) = (prefixes.flatten(), suffixes.flatten());
        let is_exact = self.is_exact && next.is_exact && prefixes.is_some();
        let between = match is_exact {
            // In `prefixes`.
            true => None,
            false => product(&self.suffixes, &next.prefixes).and_then(Clause::of_words),
        };
        // What only becomes longer becomes rarer.
        let is_known = |other: &Words| is_exact && other.len() == 1;
        let apart = [
            (!is_known(&next.prefixes)).then(|| Clause::of_words(self.suffixes.iter().cloned())),
            (!is_known(&self.suffixes)).then(|| Clause::of_words(next.prefixes.iter().cloned())),
        ];
        let prefixes = prefixes.unwrap_or(self.prefixes);
        let suffixes = suffixes.unwrap_or(next.suffixes);
        let clauses = [between, self.clause, next.clause];
        let clauses = clauses.into_iter().chain(apart.map(Option::flatten));
        Self {
            prefixes,
            suffixes,
            is_exact,
            clause: clauses.reduce(Clause::rarer).flatten(),
        }
    }

    /// This or `other`.
    fn or(self, other: Self) -> Self {
        let prefixes = union(&self.prefixes, &other.prefixes);
        let suffixes = union(&self.suffixes, &other.suffixes);
        let is_exact = self.is_exact && other.is_exact && prefixes.is_some();
        let is_in_prefixes = is_exact && self.clause.is_none() && other.clause.is_none();
        let clause = match is_in_prefixes {
            true => None,
            false => {
                let either = self.into_clause().zip(other.into_clause());
                either.and_then(|(first, second)| first.or(second))
            }
        };
        let nothing = Self::empty().prefixes;
        Self {
            prefixes: prefixes.unwrap_or_else(|| nothing.clone()),
            suffixes: suffixes.unwrap_or(nothing),
            is_exact,
            clause,
        }
    }

    fn repeated(self, min: u32, max: Option<u32>) -> Self {
        match (min, max) {
            (_, Some(0)) => return Self::empty(),
            (0, Some(1)) => return self.or(Self::empty()),
            (0, _) => return Self::anything(),
            _ => {}
        }
        let copies = min.min(COPIES_MAX);
        let mut all = self.clone();
        for _ in 1..copies {
            all = all.then(self.clone());
        }
        all.is_exact &= max == Some(copies);
        all
    }

    /// The rarest of what is known.
    fn into_clause(self) -> Option<Clause> {
        let words = Clause::of_words(self.prefixes);
        let words = match self.is_exact {
            true => words,
            false => Clause::rarer(words, Clause::of_words(self.suffixes)),
        };
        Clause::rarer(self.clause, words)
    }
}

/// Each of `firsts` with each of `seconds` behind it; `None` where these are too many.
fn product(firsts: &Words, seconds: &Words) -> Option<Words> {
    let count = firsts.len() * seconds.len();
    let bytes = bytes(firsts) * seconds.len() + bytes(seconds) * firsts.len();
    if count > WORDS_MAX || bytes > WORD_BYTES_MAX {
        return None;
    }
    let joined = firsts.iter().flat_map(|first| {
        let seconds = seconds.iter();
        seconds.map(|second| [first.as_slice(), second.as_slice()].concat())
    });
    Some(joined.collect())
}

/// Those of both; `None` where these are too many.
fn union(first: &Words, second: &Words) -> Option<Words> {
    let is_small =
        first.len() + second.len() <= WORDS_MAX && bytes(first) + bytes(second) <= WORD_BYTES_MAX;
    is_small.then(|| first | second)
}

fn bytes(words: &Words) -> usize {
    words.iter().map(Vec::len).sum()
}
