//! What every value has that an operator matches.

use super::clause::Clause;
use super::expression;
use crate::{Argument, ByteSet, Matcher, Operator, Phrases, Rx, Text, TextTest};

/// The share of values beyond which a requirement spares nothing.
const RATE_MAX: f64 = 0.9;

/// What a SQL injection has at least one of: all that `palisade_injection::sqli` doesn't call plain.
const SQLI: ByteSet = ByteSet::range(b'0', b'9')
    .union(ByteSet::range(b'A', b'Z'))
    .union(ByteSet::range(b'a', b'z'))
    .union(ByteSet::range(0x80, 0x9f))
    .union(ByteSet::range(0xa1, 0xff))
    .with(b'_')
    .complement();

/// Of numbers and dots alone no SQL injection is made.
const NUMBERS: ByteSet = ByteSet::range(b'0', b'9').with(b'.');

/// Scripts run from tags and comments, for which there is a `<`, and from attributes' values, for which
/// there is a `=`.
const XSS: ByteSet = ByteSet::of(b"<=");

/// Holds of a value that has one of the literals, ASCII letters in either case, or a byte of the class.
/// A requirement of neither holds of none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// In lower case, each of two bytes or more.
    pub(crate) literals: Vec<Box<[u8]>>,
    pub(crate) class: ByteSet,
}

impl Requirement {
    /// What every value has that `operator` matches, not negated; `None` where that is nothing, or
    /// where nearly every value has it.
    pub(crate) fn of(operator: &Operator) -> Option<Self> {
        let clause = match operator {
            Operator::Match(matcher) => of_matcher(matcher)?,
            Operator::DetectSqli => Clause::of_class(SQLI),
            Operator::DetectXss => Clause::of_class(XSS),
            Operator::GeoLookup => return None,
        };
        let is_selective = clause.rate() < RATE_MAX;
        is_selective.then(|| clause.into_requirement())
    }

    /// Bytes of which every value has one, besides what is required, that `operator` matches; `None` where
    /// that is nothing. Of no operator that requires literals.
    pub(crate) fn besides(operator: &Operator) -> Option<ByteSet> {
        match operator {
            Operator::DetectSqli => Some(NUMBERS.complement()),
            _ => None,
        }
    }

    /// The length of the shortest value that it holds of.
    pub(crate) fn len_min(&self) -> usize {
        match self.class.is_empty() {
            true => self.literals.iter().map(|literal| literal.len()).min(),
            false => Some(1),
        }
        .unwrap_or(usize::MAX)
    }

    /// Whether it holds of `value`; slow, one literal after the other.
    #[cfg(test)]
    pub(super) fn holds(&self, value: &[u8]) -> bool {
        let has = |literal: &[u8]| {
            let mut parts = value.windows(literal.len());
            parts.any(|part| part.eq_ignore_ascii_case(literal))
        };
        self.class.find_in(value).is_some() || self.literals.iter().any(|literal| has(literal))
    }
}

fn of_matcher(matcher: &Matcher) -> Option<Clause> {
    match matcher {
        Matcher::Always | Matcher::Comparison(_) => None,
        Matcher::Never => Some(Clause::of_class(ByteSet::EMPTY)),
        Matcher::Rx(rx) | Matcher::RxGlobal(rx) => of_rx(rx),
        Matcher::Number(search) => of_rx(search.form()),
        Matcher::Phrases(phrases) => of_phrases(phrases),
        Matcher::Text(text) => of_text(text),
        // An address has dots or colons.
        Matcher::Address(_) => Some(Clause::of_class(ByteSet::of(b".:"))),
        Matcher::Bytes(refused) => Some(Clause::of_class(*refused)),
        Matcher::UrlEncoding => Some(Clause::of_class(ByteSet::of(b"%"))),
        Matcher::Utf8Encoding => Some(Clause::of_class(ByteSet::range(0x80, 0xff))),
    }
}

fn of_rx(rx: &Rx) -> Option<Clause> {
    expression::clause(&rx.hir()?)
}

fn of_phrases(phrases: &Phrases) -> Option<Clause> {
    Clause::of_words(phrases.iter().map(<[u8]>::to_ascii_lowercase))
}

fn of_text(text: &Text) -> Option<Clause> {
    let Argument::Fixed(argument) = text.argument() else {
        return None;
    };
    match text.test() {
        // An empty value is within every argument.
        TextTest::Within => None,
        TextTest::BeginsWith
        | TextTest::Contains
        | TextTest::ContainsWord
        | TextTest::EndsWith
        | TextTest::StrEq => Clause::of_words([argument.to_ascii_lowercase()]),
    }
}
