//! Persistent collections (`IP`, `GLOBAL`, `SESSION`, `USER`, `RESOURCE`), which outlive transactions.
//!
//! Kept in memory, and shared by all workers: `initcol` copies a record into its transaction, and what the
//! transaction changed is written back when it is over. Numbers that were added to are written back as
//! differences, so that of two transactions at once neither undoes the other's; anything else is as the
//! last to write has it.
//!
//! Bounded: so many records, each of so many variables and bytes, and so many bytes in all. Of records that
//! have expired some are swept away with each new one; where there is still no room, the one goes, of a
//! few, that was written longest ago.

mod record;
mod shard;

use ahash::RandomState;
use parking_lot::Mutex;

use record::Record;
pub(crate) use record::{Change, Edit, Head, VARIABLES_MAX, Value};
use shard::Shard;

/// Records are spread over so many locks.
const SHARDS: usize = 16;
/// A longer name of a record is kept for its transaction alone.
const ID_BYTES_MAX: usize = 1_024;

/// How much of everything there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectionLimits {
    /// Records, of all collections together: 100,000 by default.
    pub records: usize,
    /// Bytes of all of them, what keeping them takes included: 64 MiB by default.
    pub bytes: usize,
}

impl Default for CollectionLimits {
    fn default() -> Self {
        Self {
            records: 100_000,
            bytes: 64 << 20,
        }
    }
}

/// All records.
#[derive(Debug)]
pub struct Collections {
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
}

impl Collections {
    /// None yet. Limits are kept by each of 16 parts, and rounded up for that.
    #[must_use]
    pub fn new(limits: CollectionLimits) -> Self {
        let each = CollectionLimits {
            records: limits.records.div_ceil(SHARDS),
            bytes: limits.bytes.div_ceil(SHARDS),
        };
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::new(each)));
        Self {
            hasher: RandomState::new(),
            shards: shards.collect(),
        }
    }

    /// How many records there are, those that have expired and weren't swept away yet included.
    #[must_use]
    pub fn record_count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// The bytes that they take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().bytes()).sum()
    }

    /// How many records had to go for others before they expired.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.shards
            .iter()
            .map(|shard| shard.lock().evictions())
            .sum()
    }

    /// Tells what a record has that hasn't expired by `now`, in seconds since 1970; `None` where there is no
    /// such record.
    pub(crate) fn load(
        &self,
        id: &[u8],
        now: u64,
        mut tell: impl FnMut(&[u8], Value<'_>),
    ) -> Option<Head> {
        let (hash, shard) = self.shard(id)?;
        let shard = shard.lock();
        let record = shard.find(hash, id)?;
        record.tell(now, &mut tell)
    }

    /// Writes to a record, a new one where there is none, which expires `timeout` seconds from `now` on.
    pub(crate) fn write<'c>(
        &self,
        id: &[u8],
        now: u64,
        timeout: u64,
        changes: impl Iterator<Item = Change<'c>>,
    ) {
        let Some((hash, shard)) = self.shard(id) else {
            return;
        };
        let mut shard = shard.lock();
        let known = shard.take(hash, id).filter(|record| record.is_live(now));
        let mut record = known.unwrap_or_else(|| Record::new(hash, id, now));
        for change in changes {
            record.change(&change, now);
        }
        record.touch(now, timeout);
        shard.put(record, now);
    }

    fn shard(&self, id: &[u8]) -> Option<(u64, &Mutex<Shard>)> {
        if id.len() > ID_BYTES_MAX {
            return None;
        }
        let hash = self.hasher.hash_one(id);
        // The table within takes the upper and the lower bits.
        let shard = usize::try_from(hash >> 32).unwrap_or(0) % SHARDS;
        Some((hash, self.shards.get(shard)?))
    }
}

impl Default for Collections {
    fn default() -> Self {
        Self::new(CollectionLimits::default())
    }
}

#[cfg(test)]
mod tests;
