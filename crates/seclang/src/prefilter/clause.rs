//! What is known to be in a value: one of some literals, or a byte of a class.

use memchr::memmem;

use super::frequency;
use super::requirement::Requirement;
use crate::ByteSet;

/// The most literals of an expression's clause.
const LITERALS_MAX: usize = 2048;
/// The most literals among which those are looked for that have another in them, which takes time
/// that is quadratic in their number.
const COMPARED_MAX: usize = 512;
/// What a literal costs, as a share of values: of two clauses of nearly the same use, the shorter is
/// the better one.
const LITERAL_COST: f64 = 1e-4;

/// That a value has one of some literals or a byte of a class.
#[derive(Clone, Debug)]
pub(super) struct Clause {
    /// In lower case, which stands for both; each of two bytes or more.
    literals: Vec<Vec<u8>>,
    class: ByteSet,
    /// The sum of the literals' rates and costs.
    literals_rate: f64,
}

impl Clause {
    pub(super) const fn of_class(class: ByteSet) -> Self {
        Self {
            literals: Vec::new(),
            class,
            literals_rate: 0.0,
        }
    }

    /// That a value has one of `words`, which are in lower case; `None` where one is empty, which every
    /// value has.
    pub(super) fn of_words(words: impl IntoIterator<Item = Vec<u8>>) -> Option<Self> {
        let mut clause = Self::of_class(ByteSet::EMPTY);
        for word in words {
            match word.as_slice() {
                [] => return None,
                [byte] => clause.class = clause.class.union(either_case(*byte)),
                _ => {
                    clause.literals_rate += frequency::of_literal(&word) + LITERAL_COST;
                    clause.literals.push(word);
                }
            }
        }
        Some(clause)
    }

    /// In what share of harmless values it is likely to hold, with what its literals cost.
    pub(super) fn rate(&self) -> f64 {
        frequency::of_class(&self.class) + self.literals_rate
    }

    /// That this one or `other` holds; `None` where these are too many literals.
    pub(super) fn or(mut self, other: Self) -> Option<Self> {
        self.class = self.class.union(other.class);
        self.literals_rate += other.literals_rate;
        self.literals.extend(other.literals);
        (self.literals.len() <= LITERALS_MAX).then_some(self)
    }

    /// Whichever holds less often, where both are known to hold.
    pub(super) fn rarer(first: Option<Self>, second: Option<Self>) -> Option<Self> {
        match (first, second) {
            (Some(first), Some(second)) if second.rate() < first.rate() => Some(second),
            (Some(first), _) => Some(first),
            (None, second) => second,
        }
    }

    pub(super) fn into_requirement(self) -> Requirement {
        let Self {
            mut literals,
            class,
            ..
        } = self;
        literals.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
        literals.dedup();
        literals.retain(|literal| !has_byte_of(literal, class));
        if literals.len() <= COMPARED_MAX {
            literals = without_longer(literals);
        }
        Requirement {
            literals: literals.into_iter().map(Into::into).collect(),
            class,
        }
    }
}

/// Whether a byte of `literal` is in `class` in whichever case.
fn has_byte_of(literal: &[u8], class: ByteSet) -> bool {
    let is_of_class = |byte: &u8| {
        class.contains(byte.to_ascii_lowercase()) && class.contains(byte.to_ascii_uppercase())
    };
    literal.iter().any(is_of_class)
}

/// Without those that have a shorter one in them. They come shortest first.
fn without_longer(literals: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut kept: Vec<Vec<u8>> = Vec::with_capacity(literals.len());
    for literal in literals {
        let has = |shorter: &Vec<u8>| memmem::find(&literal, shorter).is_some();
        if !kept.iter().any(has) {
            kept.push(literal);
        }
    }
    kept
}

const fn either_case(byte: u8) -> ByteSet {
    ByteSet::EMPTY
        .with(byte.to_ascii_lowercase())
        .with(byte.to_ascii_uppercase())
}
