//! The reader's side of the table: keys of one kind, and the decisions on each.

use std::sync::Arc;

use palisade_vocabulary::Tick;

use crate::key::{AddressKey, Home, Key};
use crate::record::Record;

pub(crate) const PAGES: usize = 256;
pub(crate) const SLOTS_PER_PAGE: usize = 256;

/// An immutable map from keys to runs of decisions.
///
/// 65,536 slots in 256 pages. A page is shared by all versions of the index in which it is the
/// same, so that a small change copies few pages. The usual look-up, a miss, ends at the filter of
/// its slot: two words, and all filters of a family are 1 MiB, which stay in the cache however many
/// decisions there are.
#[derive(Clone, Debug)]
pub(crate) struct Index<K> {
    pages: Vec<Option<Arc<Page<K>>>>,
    /// Prefix lengths in use, one bit each.
    lengths: u128,
    is_empty: bool,
}

/// A 256th of an index: the decisions of each slot, sorted by key, one slot after the other.
#[derive(Debug)]
pub(crate) struct Page<K> {
    /// By slot: the cells in which there is something.
    pub(crate) filters: [u128; SLOTS_PER_PAGE],
    /// By slot: the rest, which is read where the filter lets through.
    pub(crate) heads: [SlotHead; SLOTS_PER_PAGE],
    pub(crate) keys: Box<[K]>,
    pub(crate) records: Box<[Record]>,
    /// Prefix lengths in use in any slot, one bit each.
    pub(crate) lengths_used: u128,
    /// None of its decisions ends before this.
    pub(crate) first_expiry: Tick,
}

/// Where a slot is in its page, and what is in it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SlotHead {
    /// Prefix lengths in use, one bit each.
    pub(crate) lengths: u128,
    /// Where it starts in `keys` and `records`; where the next one starts it ends.
    pub(crate) start: u32,
}

/// The decisions of one slot.
#[derive(Debug)]
pub(crate) struct Slot<'a, K> {
    pub(crate) keys: &'a [K],
    pub(crate) records: &'a [Record],
    pub(crate) lengths: u128,
    pub(crate) filter: u128,
}

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self {
            pages: Vec::from_iter((0..PAGES).map(|_| None)),
            lengths: 0,
            is_empty: true,
        }
    }
}

impl<K: Key> Index<K> {
    pub(crate) fn new(pages: Vec<Option<Arc<Page<K>>>>) -> Self {
        let used = pages.iter().flatten().map(|page| page.lengths_used);
        Self {
            lengths: used.fold(0, |lengths, of_page| lengths | of_page),
            is_empty: pages.iter().all(Option::is_none),
            pages,
        }
    }

    /// Whether there is no decision. Hot path: runs per request, allocates nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_empty
    }

    pub(crate) fn pages(&self) -> &[Option<Arc<Page<K>>>] {
        &self.pages
    }

    /// The decisions on `key`. Hot path: runs per request, allocates nothing.
    pub(crate) fn find(&self, key: K) -> &[Record] {
        self.slot_if_held(key.home())
            .map_or(&[], |slot| slot.find(key))
    }

    /// The slot, unless its filter says that nothing is there.
    fn slot_if_held(&self, home: Home) -> Option<Slot<'_, K>> {
        let page = self.pages.get(usize::from(home.slot >> 8))?.as_deref()?;
        let number = usize::from(home.slot & 0xff);
        (page.filters.get(number)? & home.cells == home.cells).then(|| page.slot(number))
    }

    /// All decisions with their keys, in no order that means anything.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, Record)> {
        let pages = self.pages.iter().flatten();
        pages.flat_map(|page| page.keys.iter().copied().zip(page.records.iter().copied()))
    }

    /// How many bytes of heap it takes.
    pub(crate) fn heap_bytes(&self) -> usize {
        let of_page = |page: &Arc<Page<K>>| {
            size_of::<Page<K>>() + size_of_val(&*page.keys) + size_of_val(&*page.records)
        };
        size_of_val(&*self.pages) + self.pages.iter().flatten().map(of_page).sum::<usize>()
    }
}

impl<K: AddressKey> Index<K> {
    /// Calls `each` with the decisions on `address` and on every range around it. Hot path: runs
    /// per request, allocates nothing.
    pub(crate) fn for_each_around(&self, address: K, mut each: impl FnMut(K, &[Record])) {
        if let Some(slot) = self.slot_if_held(address.home()) {
            each(address, slot.find(address));
        }
        for (depth, level) in K::LEVELS.iter().enumerate() {
            if self.lengths & level.lengths == 0 {
                continue;
            }
            let group = if depth == 0 {
                address
            } else {
                address.widened(level.group_bits)
            };
            let Some(slot) = self.slot_if_held(group.home()) else {
                continue;
            };
            for prefix_len in lengths_in(slot.lengths & level.lengths) {
                let range = address.widened(prefix_len);
                each(range, slot.find(range));
            }
        }
    }
}

fn lengths_in(mut lengths: u128) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let longest = u128::BITS.checked_sub(lengths.leading_zeros() + 1)?;
        lengths &= !(1 << longest);
        u8::try_from(longest).ok()
    })
}

impl<K> Default for Page<K> {
    fn default() -> Self {
        Self {
            filters: [0; SLOTS_PER_PAGE],
            heads: [SlotHead::default(); SLOTS_PER_PAGE],
            keys: Box::default(),
            records: Box::default(),
            lengths_used: 0,
            first_expiry: Tick::from_millis(u64::MAX),
        }
    }
}

impl<K> Default for Slot<'_, K> {
    fn default() -> Self {
        Self {
            keys: &[],
            records: &[],
            lengths: 0,
            filter: 0,
        }
    }
}

impl<K: Key> Page<K> {
    /// The slot of that number in the page.
    pub(crate) fn slot(&self, number: usize) -> Slot<'_, K> {
        let head = self.heads.get(number).copied().unwrap_or_default();
        let next = self.heads.get(number + 1);
        let end = next.map_or(self.keys.len(), |next| next.start as usize);
        let range = head.start as usize..end;
        Slot {
            keys: self.keys.get(range.clone()).unwrap_or_default(),
            records: self.records.get(range).unwrap_or_default(),
            lengths: head.lengths,
            filter: self.filters.get(number).copied().unwrap_or_default(),
        }
    }
}

impl<'a, K: Key> Slot<'a, K> {
    fn find(&self, key: K) -> &'a [Record] {
        let start = self.keys.partition_point(|held| *held < key);
        let run = self.keys.get(start..).unwrap_or_default();
        let len = run.iter().take_while(|held| **held == key).count();
        self.records.get(start..start + len).unwrap_or_default()
    }
}
