//! Lists of forms, narrowed to the classes of strings.
//!
//! Strings of the same kind, such as words and numbers, have the same classes: which of a list's forms
//! differ is found out once for all of them. It depends on the rules alone, so that it is kept when
//! strings are forgotten.

use std::collections::HashMap;

use ahash::RandomState;

use crate::program::{Forms, FormsId, Side};

/// The classes that a list tells strings apart by, as far as a string has them; and the list.
type Key = (u64, u8);

/// Narrowed lists.
#[derive(Debug)]
pub(super) struct Narrowed {
    lists: Vec<Forms>,
    by_key: HashMap<Key, usize, RandomState>,
    /// Those that were asked for last, each at a place that its key gives.
    recent: [(Key, usize); PLACES],
    /// Of strings of which no form differs.
    none: Forms,
}

/// There are tens of kinds of strings; who makes up more gets no more memory.
const LISTS_MAX: usize = 256;
const PLACES_LOG: u32 = 5;
const PLACES: usize = 1 << PLACES_LOG;
/// That of no list.
const NO_KEY: Key = (0, u8::MAX);

impl Narrowed {
    pub(super) fn new() -> Self {
        Self {
            lists: Vec::new(),
            by_key: HashMap::default(),
            recent: [(NO_KEY, 0); PLACES],
            none: Forms::default(),
        }
    }

    /// A list for strings of these classes. Hot path.
    #[inline]
    pub(super) fn get(&mut self, side: &Side, id: FormsId, classes: u64) -> &Forms {
        let Some(list) = side.forms.get(usize::from(id.0)) else {
            return &self.none;
        };
        if list.triggers & classes == 0 {
            return &self.none;
        }
        let key = (list.classes & classes, id.0);
        // Fibonacci hashing.
        let hash = (key.0 ^ u64::from(id.0)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let place = usize::try_from(hash >> (u64::BITS - PLACES_LOG)).unwrap_or(0);
        let at = match self.recent.get(place) {
            Some((known, at)) if *known == key => *at,
            _ => self.look_up(list, key, classes, place),
        };
        self.lists.get(at).unwrap_or(&self.none)
    }

    /// Where a list is, which is narrowed if it hasn't been.
    #[inline(never)]
    fn look_up(&mut self, list: &Forms, key: Key, classes: u64, place: usize) -> usize {
        let known = self.by_key.get(&key).copied();
        let at = known.unwrap_or_else(|| {
            if self.lists.len() >= LISTS_MAX {
                self.lists.clear();
                self.by_key.clear();
                self.recent.fill((NO_KEY, 0));
            }
            self.lists.push(list.narrowed(classes));
            let at = self.lists.len() - 1;
            self.by_key.insert(key, at);
            at
        });
        if let Some(recent) = self.recent.get_mut(place) {
            *recent = (key, at);
        }
        at
    }
}
