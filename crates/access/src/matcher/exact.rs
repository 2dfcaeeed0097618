//! Whole values.

use std::collections::HashMap;

use super::Atom;

/// An index from a whole value to the atom of the text that equals it.
#[derive(Debug, Default)]
pub(crate) struct ExactIndex {
    atoms: HashMap<Box<[u8]>, Atom>,
    len_max: usize,
}

impl ExactIndex {
    pub(crate) fn new(texts: Vec<(Box<[u8]>, Atom)>) -> Self {
        Self {
            len_max: texts.iter().map(|(text, _)| text.len()).max().unwrap_or(0),
            atoms: texts.into_iter().collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.atoms.is_empty()
    }

    /// The longest text, in bytes.
    pub(crate) fn len_max(&self) -> usize {
        self.len_max
    }

    /// The atom of the text that is `value`.
    ///
    /// Hot path: runs per request, allocates nothing.
    pub(crate) fn find(&self, value: &[u8]) -> Option<Atom> {
        if value.len() > self.len_max {
            return None;
        }
        self.atoms.get(value).copied()
    }
}
