//! Lockouts: who failed too often is kept out for a while.

mod shard;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use palisade_vocabulary::Tick;
use parking_lot::Mutex;

use crate::Network;
use shard::Shard;

/// The most clients that are counted at a time.
///
/// # What eviction is worth to an attacker
///
/// Where a table is full, a client that is not locked makes room, the one with the fewest failures
/// first; one that is locked goes only where all of its shard are, and then the one whose lock ends
/// soonest. Which shard a client is in, nobody outside can know. To end a lock of its own before its
/// time, an attacker has to get about as many other networks locked as there is room for, each by
/// `failures` slow verifications: it would have had more guesses from these than from the one.
const CLIENTS_MAX: usize = 64 * 1024;

const SHARDS: usize = 16;

/// How long who has as many attempts under way as may fail is told to wait: one of them will be over.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// When a client is locked, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockoutPolicy {
    /// So many failures lock a client.
    pub failures: NonZeroU32,
    /// How long failures are added up, from the first of them on. Then counting begins anew.
    pub within: Duration,
    /// How long a lock holds. Failures of before it are forgotten when it begins.
    pub lock_for: Duration,
}

impl Default for LockoutPolicy {
    fn default() -> Self {
        Self {
            failures: NonZeroU32::MIN.saturating_add(4),
            within: Duration::from_secs(600),
            lock_for: Duration::from_secs(900),
        }
    }
}

/// Who is counted, and whether it is for more than the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LockoutKey {
    /// The client.
    pub network: Network,
    /// Counted apart: what a site in detect mode only records locks nobody out of another.
    pub is_trial: bool,
}

/// A client is locked, or has as many attempts under way as may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locked {
    /// How long it is to wait.
    pub retry_after: Duration,
}

/// How many clients are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockoutCounts {
    /// Those that are counted, locked ones too.
    pub counted: usize,
    /// Those that are locked.
    pub locked: usize,
    /// Locks that ended before their time since the process began, because there was no room.
    pub ended_early: u64,
}

/// The failures and locks of all clients: at most 65,536 of them. Survives reloads; what a new policy
/// says holds from the next attempt on, and a lock that began ends when it was to.
pub struct Lockouts {
    shards: [Mutex<Shard>; SHARDS],
    hasher: ahash::RandomState,
}

impl Lockouts {
    /// Nobody has failed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with_room_for(CLIENTS_MAX)
    }

    fn with_room_for(clients: usize) -> Self {
        let room = clients.div_ceil(SHARDS);
        Self {
            shards: std::array::from_fn(|_| Mutex::new(Shard::with_room_for(room))),
            hasher: ahash::RandomState::new(),
        }
    }

    /// Whether a client is locked. Hot path: allocates nothing.
    ///
    /// # Errors
    /// When it is.
    pub fn check(&self, key: LockoutKey, now: Tick) -> Result<(), Locked> {
        match self.shard(key).lock().locked_for(key, now) {
            Some(retry_after) => Err(Locked { retry_after }),
            None => Ok(()),
        }
    }

    /// Begins an attempt that may fail. Until it succeeds it counts as a failure, so that attempts
    /// made at the same time are no more than may fail one after the other.
    ///
    /// # Errors
    /// When the client is locked, or has as many attempts under way as may still fail.
    pub fn begin(
        self: &Arc<Self>,
        policy: &LockoutPolicy,
        key: LockoutKey,
        now: Tick,
    ) -> Result<Attempt, Locked> {
        self.shard(key).lock().begin(policy, key, now)?;
        Ok(Attempt {
            lockouts: Arc::clone(self),
            policy: *policy,
            key,
            begun: now,
            is_over: false,
        })
    }

    /// How many clients are known. Looks at every one.
    #[must_use]
    pub fn counts(&self, now: Tick) -> LockoutCounts {
        let mut counts = LockoutCounts::default();
        for shard in &self.shards {
            let shard = shard.lock();
            counts.counted += shard.len();
            counts.locked += shard.locked(now);
            counts.ended_early += shard.ended_early();
        }
        counts
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a remainder of the number of shards is the number of one"
    )]
    fn shard(&self, key: LockoutKey) -> &Mutex<Shard> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }
}

impl Default for Lockouts {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Lockouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lockouts").finish_non_exhaustive()
    }
}

/// An attempt under way. One that is dropped without a word has failed.
#[must_use = "an attempt that is dropped has failed"]
#[derive(Debug)]
pub struct Attempt {
    lockouts: Arc<Lockouts>,
    policy: LockoutPolicy,
    key: LockoutKey,
    begun: Tick,
    is_over: bool,
}

impl Attempt {
    /// It succeeded. What failed before still counts: else whoever has one good password could try
    /// others' for ever, with a success in between.
    pub fn succeed(mut self) {
        self.withdraw();
    }

    /// It was never made.
    pub fn cancel(mut self) {
        self.withdraw();
    }

    /// It failed; whether the client is locked from now on.
    pub fn fail(mut self, now: Tick) -> bool {
        self.count(now)
    }

    fn withdraw(&mut self) {
        self.is_over = true;
        self.lockouts.shard(self.key).lock().withdraw(self.key);
    }

    fn count(&mut self, now: Tick) -> bool {
        self.is_over = true;
        let mut shard = self.lockouts.shard(self.key).lock();
        shard.fail(&self.policy, self.key, now)
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.is_over {
            self.count(self.begun);
        }
    }
}

#[cfg(test)]
mod tests;
