//! Sets of kinds, and which kinds may follow which.

use super::kind::Kind;

/// How many kinds there are.
const KINDS: usize = Kind::Evil as usize + 1;

/// A set of kinds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kinds(u64);

impl Kinds {
    pub(super) const ALL: Self = Self(u64::MAX);

    /// Every kind of operator but a logical one.
    pub(super) const OPERATORS: Self = Self::of(&[
        Kind::Operator,
        Kind::Sign,
        Kind::Unary,
        Kind::Arithmetic,
        Kind::Cast,
        Kind::Like,
    ]);

    /// Operators that may stand before one operand alone.
    pub(super) const UNARY: Self = Self::of(&[Kind::Sign, Kind::Unary]);

    pub(super) const FUNCTIONS: Self = Self::of(&[Kind::Function, Kind::If]);

    pub(super) const KEYWORDS: Self = Self::of(&[Kind::Keyword, Kind::In]);

    pub(super) const fn of(kinds: &[Kind]) -> Self {
        let mut set = 0;
        let mut rest = kinds;
        while let [kind, others @ ..] = rest {
            set |= 1 << *kind as u8;
            rest = others;
        }
        Self(set)
    }

    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, kind: Kind) -> Self {
        Self(self.0 & !(1 << kind as u8))
    }

    pub(super) const fn has(self, kind: Kind) -> bool {
        self.has_number(kind as usize)
    }

    const fn has_number(self, number: usize) -> bool {
        self.0 >> number & 1 != 0
    }
}

/// Which kinds may follow which: rules of pairs in one table.
#[derive(Debug)]
pub(super) struct Followers([Kinds; KINDS]);

impl Followers {
    /// Of each pair of sets: every kind of the second may follow every kind of the first.
    #[expect(
        clippy::indexing_slicing,
        reason = "when compiled, where an index out of bounds is an error of the compiler"
    )]
    pub(super) const fn of(rules: &[(Kinds, Kinds)]) -> Self {
        let mut followers = [Kinds::of(&[]); KINDS];
        let mut rest = rules;
        while let [(first, second), others @ ..] = rest {
            let mut number = 0;
            while number < KINDS {
                if first.has_number(number) {
                    followers[number] = followers[number].or(*second);
                }
                number += 1;
            }
            rest = others;
        }
        Self(followers)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "when compiled, where an index out of bounds is an error of the compiler"
    )]
    const fn or(&self, other: &Self) -> Self {
        let mut followers = self.0;
        let mut number = 0;
        while number < KINDS {
            followers[number] = followers[number].or(other.0[number]);
            number += 1;
        }
        Self(followers)
    }

    pub(super) fn allow(&self, first: Kind, second: Kind) -> bool {
        let followers = self.0.get(first as usize);
        followers.is_some_and(|followers| followers.has(second))
    }
}

/// Which kinds may follow two others: rules of triples in one table.
#[derive(Debug)]
pub(super) struct Triples([Followers; KINDS]);

impl Triples {
    /// Of each three sets: every kind of the third may follow every two of the others.
    #[expect(
        clippy::indexing_slicing,
        reason = "when compiled, where an index out of bounds is an error of the compiler"
    )]
    pub(super) const fn of(rules: &[(Kinds, Kinds, Kinds)]) -> Self {
        let mut triples = [const { Followers::of(&[]) }; KINDS];
        let mut rest = rules;
        while let [(first, second, third), others @ ..] = rest {
            let mut number = 0;
            while number < KINDS {
                if first.has_number(number) {
                    let more = Followers::of(&[(*second, *third)]);
                    triples[number] = triples[number].or(&more);
                }
                number += 1;
            }
            rest = others;
        }
        Self(triples)
    }

    pub(super) fn allow(&self, first: Kind, second: Kind, third: Kind) -> bool {
        let triples = self.0.get(first as usize);
        triples.is_some_and(|followers| followers.allow(second, third))
    }
}
