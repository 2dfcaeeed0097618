//! The writer's side of the index: a document becomes a new version of it.

use std::sync::Arc;

use palisade_vocabulary::Tick;

use crate::document::{Document, Sweep, Withdrawal};
use crate::index::{Index, PAGES, Page, SLOTS_PER_PAGE};
use crate::key::Key;
use crate::record::Record;

/// What a document says of the keys of one index.
#[derive(Debug)]
pub(crate) struct Changes<K> {
    additions: Vec<Addition<K>>,
    withdrawals: Vec<(K, Withdrawal)>,
}

#[derive(Clone, Copy, Debug)]
struct Addition<K> {
    key: K,
    record: Record,
}

impl<K> AsRef<Record> for Addition<K> {
    fn as_ref(&self) -> &Record {
        &self.record
    }
}

impl<K: Key> Default for Changes<K> {
    fn default() -> Self {
        Self {
            additions: Vec::new(),
            withdrawals: Vec::new(),
        }
    }
}

impl<K: Key> Changes<K> {
    pub(crate) fn add(&mut self, key: K, record: Record) {
        self.additions.push(Addition { key, record });
    }

    pub(crate) fn withdraw(&mut self, key: K, withdrawal: Withdrawal) {
        self.withdrawals.push((key, withdrawal));
    }

    /// In the order of the index. What is said of one key stays in the order of the document.
    fn sort(&mut self) {
        self.additions
            .sort_by_key(|addition| (addition.key.home().slot, addition.key));
        self.withdrawals
            .sort_by_key(|(key, _)| (key.home().slot, *key));
    }
}

/// What is left of the changes, in order.
struct Cursor<'c, K> {
    additions: &'c [Addition<K>],
    withdrawals: &'c [(K, Withdrawal)],
}

impl<'c, K: Key> Cursor<'c, K> {
    /// Takes what belongs to slots below `slot_end`.
    fn take_slots_below(&mut self, slot_end: usize) -> Self {
        let below = |key: K| usize::from(key.home().slot) < slot_end;
        Self {
            additions: take_while(&mut self.additions, |addition| below(addition.key)),
            withdrawals: take_while(&mut self.withdrawals, |(key, _)| below(*key)),
        }
    }

    /// Takes what belongs to `key`, which is the first.
    fn take_key(&mut self, key: K) -> Self {
        Self {
            additions: take_while(&mut self.additions, |addition| addition.key == key),
            withdrawals: take_while(&mut self.withdrawals, |(other, _)| *other == key),
        }
    }

    fn first_key(&self) -> Option<K> {
        let added = self.additions.first().map(|addition| addition.key);
        let withdrawn = self.withdrawals.first().map(|(key, _)| *key);
        [added, withdrawn].into_iter().flatten().min()
    }

    fn is_empty(&self) -> bool {
        self.additions.is_empty() && self.withdrawals.is_empty()
    }
}

/// The items up to the first that doesn't hold, cut off the front of `items`.
fn take_while<'c, T>(items: &mut &'c [T], holds: impl Fn(&T) -> bool) -> &'c [T] {
    let (taken, rest) = items.split_at(items.iter().take_while(|item| holds(item)).count());
    *items = rest;
    taken
}

impl<K: Key> Index<K> {
    /// The index after `document`, of whose content `changes` is what concerns this index. Pages
    /// that it doesn't touch are shared with this index.
    pub(crate) fn after(
        &self,
        mut changes: Changes<K>,
        wide_mask: u128,
        document: &mut Document<'_>,
    ) -> Self {
        changes.sort();
        let mut cursor = Cursor {
            additions: &changes.additions,
            withdrawals: &changes.withdrawals,
        };
        let pages = (0..PAGES).zip(self.pages()).map(|(number, page)| {
            let page_cursor = cursor.take_slots_below((number + 1) * SLOTS_PER_PAGE);
            match page {
                None if page_cursor.is_empty() => None,
                Some(page) if page_cursor.is_empty() && !is_swept(page, document) => {
                    Some(Arc::clone(page))
                }
                _ => PageBuilder::merge(page.as_deref(), number, page_cursor, document),
            }
        });
        Self::new(pages.collect(), wide_mask)
    }
}

fn is_swept<K>(page: &Page<K>, document: &Document<'_>) -> bool {
    match document.sweep {
        Sweep::Nothing => false,
        Sweep::Ended => page.first_expiry <= document.now,
        Sweep::Unnamed | Sweep::All => true,
    }
}

/// A page while it is made, slot by slot.
struct PageBuilder<K> {
    filters: [u64; SLOTS_PER_PAGE],
    starts: [u32; SLOTS_PER_PAGE],
    keys: Vec<K>,
    records: Vec<Record>,
    lengths: u128,
    first_expiry: Tick,
}

impl<K: Key> PageBuilder<K> {
    fn merge(
        page: Option<&Page<K>>,
        number: usize,
        mut changes: Cursor<'_, K>,
        document: &mut Document<'_>,
    ) -> Option<Arc<Page<K>>> {
        let room = page.map_or(0, |page| page.keys.len()) + changes.additions.len();
        let mut builder = Self {
            filters: [0; SLOTS_PER_PAGE],
            starts: [0; SLOTS_PER_PAGE],
            keys: Vec::with_capacity(room),
            records: Vec::with_capacity(room),
            lengths: 0,
            first_expiry: Tick::from_millis(u64::MAX),
        };
        for slot in 0..SLOTS_PER_PAGE {
            if let Some(start) = builder.starts.get_mut(slot) {
                *start = u32::try_from(builder.keys.len()).unwrap_or(u32::MAX);
            }
            let (keys, records) = page.map_or((&[][..], &[][..]), |page| {
                let held = page.slot(slot);
                (held.keys, held.records)
            });
            let slot_changes = changes.take_slots_below(number * SLOTS_PER_PAGE + slot + 1);
            builder.merge_slot(slot, keys, records, slot_changes, document);
        }
        builder.finish()
    }

    fn merge_slot(
        &mut self,
        slot: usize,
        mut keys: &[K],
        mut records: &[Record],
        mut changes: Cursor<'_, K>,
        document: &mut Document<'_>,
    ) {
        while let Some(key) = [keys.first().copied(), changes.first_key()]
            .into_iter()
            .flatten()
            .min()
        {
            let run_len = take_while(&mut keys, |held| *held == key).len();
            let (run, rest) = records.split_at(run_len.min(records.len()));
            records = rest;
            let Cursor {
                additions,
                withdrawals,
            } = changes.take_key(key);
            let withdrawals = withdrawals.iter().map(|(_, withdrawal)| *withdrawal);
            for record in document.settle(run, withdrawals, additions) {
                self.push(slot, key, *record);
            }
        }
    }

    fn push(&mut self, slot: usize, key: K, record: Record) {
        if let Some(filter) = self.filters.get_mut(slot) {
            *filter |= key.home().cells;
        }
        self.lengths |= key.length_bit();
        self.first_expiry = self.first_expiry.min(record.expires());
        self.keys.push(key);
        self.records.push(record);
    }

    fn finish(self) -> Option<Arc<Page<K>>> {
        if self.keys.is_empty() {
            return None;
        }
        Some(Arc::new(Page {
            filters: self.filters,
            starts: self.starts,
            keys: self.keys.into_boxed_slice(),
            records: self.records.into_boxed_slice(),
            lengths: self.lengths,
            first_expiry: self.first_expiry,
        }))
    }
}
