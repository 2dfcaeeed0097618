//! Single bytes that tell that a requirement may hold.

use super::frequency;
use super::requirement::Requirement;
use crate::ByteSet;

impl Requirement {
    /// Bytes, letters in both cases, of which each value of which this holds has at least one: those of the
    /// class, and of each literal the one that is rarest in harmless values.
    pub(crate) fn witnesses(&self) -> ByteSet {
        self.witnesses_of(self.class, None)
    }

    /// The same of values that have something of it that has a byte of `seams`: where nothing else is to be
    /// found.
    pub(crate) fn witnesses_at(&self, seams: ByteSet) -> ByteSet {
        let class = match self.class.intersects(seams) {
            true => self.class,
            false => ByteSet::EMPTY,
        };
        self.witnesses_of(class, Some(seams))
    }

    fn witnesses_of(&self, class: ByteSet, seams: Option<ByteSet>) -> ByteSet {
        let class = class.in_either_case();
        let is_meant = |literal: &[u8]| seams.is_none_or(|seams| seams.find_in(literal).is_some());
        let mut literals = self.literals.iter().filter(|literal| is_meant(literal));
        let preferred = seams.unwrap_or_default().without(ByteSet::of(b" "));
        let all = literals.try_fold(class, |all, literal| with_one_of(all, literal, preferred));
        all.unwrap_or(ByteSet::ALL)
    }
}

/// With a byte of `literal`, unless there is one already: a `preferred` one if it has one, and no space, by
/// which values are taken apart and put together, if it has another. `None` where it has none.
fn with_one_of(witnesses: ByteSet, literal: &[u8], preferred: ByteSet) -> Option<ByteSet> {
    if literal.iter().any(|byte| witnesses.contains(*byte)) {
        return Some(witnesses);
    }
    let order = |byte: &u8| (!preferred.contains(*byte), *byte == b' ');
    let rarest = literal.iter().copied().min_by(|byte, other| {
        let order = order(byte).cmp(&order(other));
        order.then_with(|| rate(*byte).total_cmp(&rate(*other)))
    })?;
    Some(witnesses.with(rarest).in_either_case())
}

/// The share of values that have a byte, which is in lower case, in either case.
fn rate(byte: u8) -> f64 {
    match byte.to_ascii_uppercase() {
        upper if upper == byte => frequency::presence(byte),
        upper => frequency::presence(byte) + frequency::presence(upper),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn requirement(literals: &[&str], class: &[u8]) -> Requirement {
        Requirement {
            literals: literals.iter().map(|text| text.as_bytes().into()).collect(),
            class: ByteSet::of(class),
        }
    }

    #[test]
    fn of_each_literal_the_rarest_byte() {
        let witnesses = requirement(&["eval(", "a$", "(("], b"x").witnesses();
        assert_eq!(witnesses, ByteSet::of(b"xX($"));
        assert_eq!(requirement(&["ez"], b"").witnesses(), ByteSet::of(b"zZ"));
        assert!(requirement(&[], b"").witnesses().is_empty());
        assert_eq!(requirement(&["a", ""], b"").witnesses(), ByteSet::ALL);
    }

    proptest! {
        #[test]
        fn what_holds_has_a_witness(
            literals in prop::collection::vec("[ab(.]{1,4}", 0..5),
            class in "[c;]{0,1}",
            value in "[abABcC(.;]{0,8}",
        ) {
            let literals: Vec<&str> = literals.iter().map(String::as_str).collect();
            let requirement = requirement(&literals, class.as_bytes());
            let has_witness = requirement.witnesses().find_in(value.as_bytes()).is_some();
            prop_assert!(has_witness || !requirement.holds(value.as_bytes()));
        }
    }
}
