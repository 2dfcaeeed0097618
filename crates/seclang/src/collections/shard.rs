//! Records behind one lock.

use hashbrown::HashTable;

use super::CollectionLimits;
use super::record::Record;

/// With each record that is put, so many others are looked at: those that have expired go.
const SWEPT: usize = 8;

/// Some of all records.
#[derive(Debug)]
pub(super) struct Shard {
    limits: CollectionLimits,
    records: Vec<Record>,
    /// Indexes of `records`.
    by_id: HashTable<usize>,
    bytes: usize,
    /// Where sweeping goes on.
    cursor: usize,
    evictions: u64,
}

impl Shard {
    pub(super) fn new(limits: CollectionLimits) -> Self {
        Self {
            limits,
            records: Vec::new(),
            by_id: HashTable::new(),
            bytes: 0,
            cursor: 0,
            evictions: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn evictions(&self) -> u64 {
        self.evictions
    }

    pub(super) fn find(&self, hash: u64, id: &[u8]) -> Option<&Record> {
        let at = self.by_id.find(hash, |at| self.is_it(*at, id))?;
        self.records.get(*at)
    }

    fn is_it(&self, at: usize, id: &[u8]) -> bool {
        self.records.get(at).is_some_and(|record| *record.id == *id)
    }

    /// Takes a record out, to be put back.
    pub(super) fn take(&mut self, hash: u64, id: &[u8]) -> Option<Record> {
        let at = *self.by_id.find(hash, |at| self.is_it(*at, id))?;
        self.remove(at)
    }

    /// Puts a record that isn't there, and makes room for it.
    pub(super) fn put(&mut self, record: Record, now: u64) {
        self.sweep(now);
        let bytes = record.bytes();
        if bytes > self.limits.bytes || self.limits.records == 0 {
            return;
        }
        while self.records.len() >= self.limits.records || self.bytes + bytes > self.limits.bytes {
            if !self.evict() {
                return;
            }
        }
        let at = self.records.len();
        let records = &self.records;
        let hash_of = |at: &usize| records.get(*at).map_or(0, |record| record.hash);
        self.by_id.insert_unique(record.hash, at, hash_of);
        self.bytes += bytes;
        self.records.push(record);
    }

    /// Takes away those of the next few that have expired.
    fn sweep(&mut self, now: u64) {
        for _ in 0..SWEPT.min(self.records.len()) {
            let at = self.next();
            let record = self.records.get(at);
            // Another one is in its place then, which is looked at the next time.
            if record.is_some_and(|record| !record.is_live(now)) {
                self.remove(at);
                self.cursor = at;
            }
        }
    }

    /// Takes away the one of the next few that was written longest ago.
    fn evict(&mut self) -> bool {
        let mut oldest: Option<(u64, usize)> = None;
        for _ in 0..SWEPT.min(self.records.len()) {
            let at = self.next();
            let updated = self.records.get(at).map_or(u64::MAX, Record::updated);
            if oldest.is_none_or(|(earliest, _)| updated < earliest) {
                oldest = Some((updated, at));
            }
        }
        let evicted = oldest.and_then(|(_, at)| self.remove(at));
        self.evictions += u64::from(evicted.is_some());
        evicted.is_some()
    }

    fn next(&mut self) -> usize {
        let at = match self.cursor < self.records.len() {
            true => self.cursor,
            false => 0,
        };
        self.cursor = at + 1;
        at
    }

    fn remove(&mut self, at: usize) -> Option<Record> {
        let hash = self.records.get(at)?.hash;
        let entry = self.by_id.find_entry(hash, |known| *known == at).ok()?;
        entry.remove();
        let record = self.records.swap_remove(at);
        let last = self.records.len();
        // The last one is where it was.
        if let Some(moved) = self.records.get(at)
            && let Some(known) = self.by_id.find_mut(moved.hash, |known| *known == last)
        {
            *known = at;
        }
        self.bytes = self.bytes.saturating_sub(record.bytes());
        Some(record)
    }
}
