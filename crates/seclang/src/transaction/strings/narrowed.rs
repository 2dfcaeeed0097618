//! Lists of forms, narrowed to the classes of strings.
//!
//! Strings of the same kind, such as words and numbers, have the same classes: which of a list's forms
//! differ is found out once for all of them. It depends on the rules alone, so that it is kept when
//! strings are forgotten.

use std::collections::HashMap;

use ahash::RandomState;

use crate::program::{Forms, FormsId, Side};

/// Narrowed lists, by the list and the classes that it tells strings apart by.
#[derive(Debug, Default)]
pub(super) struct Narrowed {
    lists: HashMap<(u64, u8), Forms, RandomState>,
    /// Of strings of which no form differs.
    none: Forms,
}

/// There are tens of kinds of strings; who makes up more gets no more memory.
const LISTS_MAX: usize = 256;

impl Narrowed {
    /// A list for strings of these classes.
    pub(super) fn get(&mut self, side: &Side, id: FormsId, classes: u64) -> &Forms {
        let Some(list) = side.forms.get(usize::from(id.0)) else {
            return &self.none;
        };
        if list.triggers & classes == 0 {
            return &self.none;
        }
        let key = (list.classes & classes, id.0);
        if self.lists.len() >= LISTS_MAX && !self.lists.contains_key(&key) {
            self.lists.clear();
        }
        let known = self.lists.entry(key);
        known.or_insert_with(|| list.narrowed(classes))
    }
}
