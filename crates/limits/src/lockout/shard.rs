//! A part of the table of lockouts, behind one lock.

use std::time::Duration;

use hashbrown::HashMap;
use palisade_vocabulary::Tick;

use super::{BUSY_RETRY, Locked, LockoutKey, LockoutPolicy};

#[derive(Debug)]
pub(super) struct Shard {
    clients: HashMap<LockoutKey, Record, ahash::RandomState>,
    room: usize,
    ended_early: u64,
}

/// What is known of a client.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    /// Failures since `since`.
    failures: u32,
    /// Attempts that are not over.
    under_way: u32,
    /// When the first of the failures was.
    since: Tick,
    /// When failures are forgotten.
    until: Tick,
    /// When its lock ends; in the past where it has none.
    locked_until: Tick,
}

impl Record {
    fn is_locked(&self, now: Tick) -> bool {
        self.locked_until > now
    }

    /// Forgets failures that are too old to count.
    fn forget_old(&mut self, now: Tick) {
        if self.until <= now {
            self.failures = 0;
        }
    }

    /// Whether nothing of it bears on what comes.
    fn is_spent(&self, now: Tick) -> bool {
        !self.is_locked(now) && self.under_way == 0 && (self.failures == 0 || self.until <= now)
    }

    /// Who goes first where there is no room: see [`super::CLIENTS_MAX`].
    fn worth(&self, now: Tick) -> (Tick, u32, Tick) {
        let locked_until = match self.is_locked(now) {
            true => self.locked_until,
            false => Tick::default(),
        };
        let failures = self.failures.saturating_add(self.under_way);
        (locked_until, failures, self.since)
    }
}

impl Shard {
    pub(super) fn with_room_for(room: usize) -> Self {
        Self {
            clients: HashMap::default(),
            room: room.max(1),
            ended_early: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.clients.len()
    }

    pub(super) fn ended_early(&self) -> u64 {
        self.ended_early
    }

    pub(super) fn locked(&self, now: Tick) -> usize {
        let records = self.clients.values();
        records.filter(|record| record.is_locked(now)).count()
    }

    pub(super) fn locked_for(&self, key: LockoutKey, now: Tick) -> Option<Duration> {
        let record = self.clients.get(&key)?;
        record
            .is_locked(now)
            .then(|| record.locked_until.since(now))
    }

    pub(super) fn begin(
        &mut self,
        policy: &LockoutPolicy,
        key: LockoutKey,
        now: Tick,
    ) -> Result<(), Locked> {
        if let Some(retry_after) = self.locked_for(key, now) {
            return Err(Locked { retry_after });
        }
        let record = self.record(key, now);
        record.forget_old(now);
        if record.failures.saturating_add(record.under_way) >= policy.failures.get() {
            let retry_after = BUSY_RETRY;
            return Err(Locked { retry_after });
        }
        record.under_way += 1;
        Ok(())
    }

    /// An attempt is over, and counts for nothing.
    pub(super) fn withdraw(&mut self, key: LockoutKey) {
        let Some(record) = self.clients.get_mut(&key) else {
            return;
        };
        record.under_way = record.under_way.saturating_sub(1);
        if record.under_way == 0 && record.failures == 0 && record.locked_until == Tick::default() {
            self.clients.remove(&key);
        }
    }

    pub(super) fn fail(&mut self, policy: &LockoutPolicy, key: LockoutKey, now: Tick) -> bool {
        let record = self.record(key, now);
        record.under_way = record.under_way.saturating_sub(1);
        record.forget_old(now);
        if record.failures == 0 {
            record.since = now;
            record.until = now + policy.within;
        }
        record.failures = record.failures.saturating_add(1);
        let locks = record.failures >= policy.failures.get();
        if locks {
            record.failures = 0;
            record.locked_until = record.locked_until.max(now + policy.lock_for);
        }
        locks
    }

    fn record(&mut self, key: LockoutKey, now: Tick) -> &mut Record {
        if self.clients.len() >= self.room && !self.clients.contains_key(&key) {
            self.make_room(now);
        }
        self.clients.entry(key).or_default()
    }

    /// Forgets what is spent, or else one client.
    fn make_room(&mut self, now: Tick) {
        self.clients.retain(|_, record| !record.is_spent(now));
        if self.clients.len() < self.room {
            return;
        }
        let records = self.clients.iter();
        let Some((key, record)) = records.min_by_key(|(_, record)| record.worth(now)) else {
            return;
        };
        self.ended_early += u64::from(record.is_locked(now));
        let key = *key;
        self.clients.remove(&key);
    }
}
