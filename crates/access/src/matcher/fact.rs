//! Countries and autonomous systems: facts about an address that may be unknown.

use palisade_vocabulary::Known;

use super::Atom;

/// An index from facts to atoms, with one atom for "unknown".
#[derive(Debug)]
pub(crate) struct FactIndex<T> {
    /// Sorted by fact; `None` is "unknown".
    atoms: Box<[(Option<T>, Atom)]>,
}

impl<T: Copy + Ord> FactIndex<T> {
    pub(crate) fn new(facts: impl IntoIterator<Item = (Option<T>, Atom)>) -> Self {
        let mut atoms: Vec<_> = facts.into_iter().collect();
        atoms.sort_unstable_by_key(|(fact, _)| *fact);
        Self {
            atoms: atoms.into(),
        }
    }

    /// The atom of `fact`, if a condition asks for it.
    ///
    /// Hot path: runs per request, allocates nothing.
    pub(crate) fn find(&self, fact: Known<T>) -> Option<Atom> {
        let fact = fact.value();
        let at = self
            .atoms
            .binary_search_by_key(&fact, |(fact, _)| *fact)
            .ok()?;
        self.atoms.get(at).map(|(_, atom)| *atom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_and_unknown() {
        let index = FactIndex::new([(Some(20), 0), (None, 1), (Some(10), 2)]);
        assert_eq!(index.find(Known::Is(10)), Some(2));
        assert_eq!(index.find(Known::Is(20)), Some(0));
        assert_eq!(index.find(Known::Is(15)), None);
        assert_eq!(index.find(Known::Unlisted), Some(1));
        assert_eq!(index.find(Known::Unavailable), Some(1));
        assert_eq!(FactIndex::<u8>::new([]).find(Known::Unlisted), None);
    }
}
