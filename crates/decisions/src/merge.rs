//! The writer's side of the index: a document becomes a new version of it.

use std::sync::Arc;

use crate::document::{Document, Sweep, Withdrawal};
use crate::index::{Index, PAGES, Page, SLOTS_PER_PAGE, Slot};
use crate::key::Key;
use crate::record::Record;

/// What a document says of the keys of one index.
#[derive(Debug)]
pub(crate) struct Changes<K> {
    additions: Vec<Addition<K>>,
    withdrawals: Vec<Withdrawn<K>>,
}

#[derive(Clone, Copy, Debug)]
struct Addition<K> {
    slot: u16,
    key: K,
    record: Record,
}

impl<K> AsRef<Withdrawal> for Withdrawn<K> {
    fn as_ref(&self) -> &Withdrawal {
        &self.withdrawal
    }
}

#[derive(Clone, Copy, Debug)]
struct Withdrawn<K> {
    slot: u16,
    key: K,
    withdrawal: Withdrawal,
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
        self.additions.push(Addition {
            slot: key.home().slot,
            key,
            record,
        });
    }

    pub(crate) fn withdraw(&mut self, key: K, withdrawal: Withdrawal) {
        self.withdrawals.push(Withdrawn {
            slot: key.home().slot,
            key,
            withdrawal,
        });
    }

    /// In the order of the index. What is said of one key stays in the order of the document.
    fn sort(&mut self) {
        let additions = &mut self.additions;
        additions.sort_by_key(|addition| (addition.slot, addition.key));
        let withdrawals = &mut self.withdrawals;
        withdrawals.sort_by_key(|withdrawn| (withdrawn.slot, withdrawn.key));
    }
}

/// What is left of the changes, in order.
struct Cursor<'c, K> {
    additions: &'c [Addition<K>],
    withdrawals: &'c [Withdrawn<K>],
}

impl<'c, K: Key> Cursor<'c, K> {
    /// Takes what belongs to slots below `slot_end`.
    fn take_slots_below(&mut self, slot_end: usize) -> Self {
        let below = |slot: u16| usize::from(slot) < slot_end;
        Self {
            additions: take_while(&mut self.additions, |addition| below(addition.slot)),
            withdrawals: take_while(&mut self.withdrawals, |withdrawn| below(withdrawn.slot)),
        }
    }

    /// Takes what belongs to `key`, which is the first.
    fn take_key(&mut self, key: K) -> Self {
        Self {
            additions: take_while(&mut self.additions, |addition| addition.key == key),
            withdrawals: take_while(&mut self.withdrawals, |withdrawn| withdrawn.key == key),
        }
    }

    fn first_key(&self) -> Option<K> {
        let added = self.additions.first().map(|addition| addition.key);
        let withdrawn = self.withdrawals.first().map(|withdrawn| withdrawn.key);
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
    pub(crate) fn after(&self, mut changes: Changes<K>, document: &mut Document<'_>) -> Self {
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
        Self::new(pages.collect())
    }
}

/// Whether the document affects what it doesn't name.
fn is_swept<K>(page: &Page<K>, document: &Document<'_>) -> bool {
    match document.sweep {
        Sweep::Nothing => false,
        Sweep::Ended => page.first_expiry <= document.now,
        Sweep::Unnamed | Sweep::All => true,
    }
}

/// A page while it is made, slot by slot.
struct PageBuilder<K> {
    page: Page<K>,
    keys: Vec<K>,
    records: Vec<Record>,
}

impl<K: Key> PageBuilder<K> {
    fn merge(
        held: Option<&Page<K>>,
        number: usize,
        mut changes: Cursor<'_, K>,
        document: &mut Document<'_>,
    ) -> Option<Arc<Page<K>>> {
        let room = held.map_or(0, |page| page.keys.len()) + changes.additions.len();
        let mut builder = Self {
            page: Page::default(),
            keys: Vec::with_capacity(room),
            records: Vec::with_capacity(room),
        };
        let unswept = held.filter(|page| !is_swept(page, document));
        if let Some(page) = unswept {
            builder.page.first_expiry = page.first_expiry;
        }
        for slot in 0..SLOTS_PER_PAGE {
            let held_slot = held.map(|page| page.slot(slot)).unwrap_or_default();
            let slot_changes = changes.take_slots_below(number * SLOTS_PER_PAGE + slot + 1);
            builder.start(slot);
            if unswept.is_some() && slot_changes.is_empty() {
                builder.copy(slot, &held_slot);
            } else {
                builder.settle(slot, held_slot, slot_changes, document);
            }
        }
        builder.finish()
    }

    fn start(&mut self, slot: usize) {
        if let Some(head) = self.page.heads.get_mut(slot) {
            head.start = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        }
    }

    /// Takes a slot over as it is.
    fn copy(&mut self, slot: usize, held: &Slot<'_, K>) {
        self.mark(slot, held.filter, held.lengths);
        self.keys.extend_from_slice(held.keys);
        self.records.extend_from_slice(held.records);
    }

    /// Takes a slot over as the document leaves it.
    fn settle(
        &mut self,
        slot: usize,
        mut held: Slot<'_, K>,
        mut changes: Cursor<'_, K>,
        document: &mut Document<'_>,
    ) {
        loop {
            let keys = [held.keys.first().copied(), changes.first_key()];
            let Some(key) = keys.into_iter().flatten().min() else {
                return;
            };
            let run_len = take_while(&mut held.keys, |held| *held == key).len();
            let (run, rest) = held.records.split_at(run_len.min(held.records.len()));
            held.records = rest;
            let of_key = changes.take_key(key);
            for record in document.settle(run, of_key.withdrawals, of_key.additions) {
                self.push(slot, key, *record);
            }
        }
    }

    fn push(&mut self, slot: usize, key: K, record: Record) {
        self.mark(slot, key.home().cells, key.length_bit());
        self.page.first_expiry = self.page.first_expiry.min(record.expires());
        self.keys.push(key);
        self.records.push(record);
    }

    fn mark(&mut self, slot: usize, cells: u128, lengths: u128) {
        if let Some(filter) = self.page.filters.get_mut(slot) {
            *filter |= cells;
        }
        if let Some(head) = self.page.heads.get_mut(slot) {
            head.lengths |= lengths;
        }
        self.page.lengths_used |= lengths;
    }

    fn finish(self) -> Option<Arc<Page<K>>> {
        if self.keys.is_empty() {
            return None;
        }
        Some(Arc::new(Page {
            keys: self.keys.into_boxed_slice(),
            records: self.records.into_boxed_slice(),
            ..self.page
        }))
    }
}
