//! What was verified a moment ago: a page of fifty requests pays for one.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashSet;
use palisade_vocabulary::Tick;
use parking_lot::Mutex;
use ring::hmac;
use ring::rand::SystemRandom;

use crate::{Credentials, Users};

/// How long credentials are remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(300);

/// The most of them.
const REMEMBERED_MAX: usize = 16 * 1024;

const SHARDS: usize = 16;

/// Credentials that were verified in the last five minutes: at most 16,384 of them, the oldest give way.
/// Survives reloads.
///
/// Neither passwords nor anything that can be guessed at is kept: HMAC-SHA-256 of users file, name and
/// password, under a key that only this process has and that it makes anew each time it starts. The
/// file is part of it, so what was verified by a file that has changed is not found again.
pub struct VerifiedCredentials {
    /// `None` where the system gave no randomness: nothing is remembered then.
    key: Option<hmac::Key>,
    shards: [Mutex<Shard>; SHARDS],
}

type Tag = [u8; 32];

#[derive(Default)]
struct Shard {
    tags: HashSet<Tag, ahash::RandomState>,
    /// Oldest first, and so the first to be forgotten.
    until: VecDeque<(Tick, Tag)>,
}

impl VerifiedCredentials {
    /// Nothing was verified yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            key: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok(),
            shards: Default::default(),
        }
    }

    /// The user whose credentials these are, if that was verified a moment ago. Hot path: allocates
    /// nothing.
    #[must_use]
    pub fn recall(&self, users: &Users, credentials: &Credentials, now: Tick) -> Option<Arc<str>> {
        let tag = self.tag(users, credentials)?;
        let mut shard = self.shard(&tag)?.lock();
        shard.forget_old(now);
        let is_known = shard.tags.contains(&tag);
        drop(shard);
        users.name(credentials.user()).filter(|_| is_known).cloned()
    }

    /// Remembers that `credentials` are a user's.
    pub fn remember(&self, users: &Users, credentials: &Credentials, now: Tick) {
        let Some(tag) = self.tag(users, credentials) else {
            return;
        };
        let Some(shard) = self.shard(&tag) else {
            return;
        };
        let mut shard = shard.lock();
        shard.forget_old(now);
        if shard.tags.insert(tag) {
            shard.until.push_back((now + REMEMBERED_FOR, tag));
        }
        if shard.until.len() > REMEMBERED_MAX / SHARDS {
            shard.forget_oldest();
        }
    }

    fn tag(&self, users: &Users, credentials: &Credentials) -> Option<Tag> {
        let mut context = hmac::Context::with_key(self.key.as_ref()?);
        context.update(users.fingerprint());
        context.update(credentials.user().as_bytes());
        // No name has one.
        context.update(b":");
        context.update(credentials.password());
        context.sign().as_ref().try_into().ok()
    }

    fn shard(&self, tag: &Tag) -> Option<&Mutex<Shard>> {
        self.shards.get(usize::from(*tag.first()?) % SHARDS)
    }
}

impl Shard {
    fn forget_old(&mut self, now: Tick) {
        while self.until.front().is_some_and(|(until, _)| *until <= now) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, tag)) = self.until.pop_front() {
            self.tags.remove(&tag);
        }
    }
}

impl Default for VerifiedCredentials {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for VerifiedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedCredentials")
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &[u8] = b"alice:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n";

    fn credentials(user: &str, password: &str) -> Credentials {
        Credentials::new(user, password.as_bytes()).unwrap()
    }

    fn at(seconds: u64) -> Tick {
        Tick::from_millis(seconds * 1_000)
    }

    #[track_caller]
    fn check(users: &[u8], user: &str, password: &str, second: u64, expected: bool) {
        let verified = VerifiedCredentials::new();
        let (old, new) = (Users::parse(ALICE).unwrap(), Users::parse(users).unwrap());
        verified.remember(&old, &credentials("alice", "myPassword"), at(0));
        let known = verified.recall(&new, &credentials(user, password), at(second));
        assert_eq!(known.is_some(), expected, "{user} {password} {second}");
    }

    #[test]
    fn the_same_credentials_are_known_for_a_while() {
        check(ALICE, "alice", "myPassword", 0, true);
        check(ALICE, "alice", "myPassword", 299, true);
        check(ALICE, "alice", "myPassword", 300, false);
        check(ALICE, "alice", "myPassword2", 0, false);
        check(ALICE, "bob", "myPassword", 0, false);
    }

    #[test]
    fn a_changed_file_forgets_what_its_predecessor_verified() {
        check(
            &[ALICE, b"# changed\n"].concat(),
            "alice",
            "myPassword",
            0,
            false,
        );
    }

    #[test]
    fn remembering_again_prolongs_nothing() {
        let (verified, users) = (VerifiedCredentials::new(), Users::parse(ALICE).unwrap());
        let alice = credentials("alice", "myPassword");
        verified.remember(&users, &alice, at(0));
        verified.remember(&users, &alice, at(299));
        assert!(verified.recall(&users, &alice, at(300)).is_none());
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_go_first() {
        let (verified, users) = (VerifiedCredentials::new(), Users::parse(ALICE).unwrap());
        for number in 0..2 * REMEMBERED_MAX {
            let credentials = credentials("alice", &number.to_string());
            verified.remember(&users, &credentials, at(0));
            verified.remember(&users, &credentials, at(0));
        }
        let shards = || verified.shards.iter().map(|shard| shard.lock());
        assert_eq!(
            shards().map(|shard| shard.tags.len()).sum::<usize>(),
            REMEMBERED_MAX
        );
        assert!(shards().all(|shard| shard.until.len() == shard.tags.len()));
        let last = credentials("alice", &(2 * REMEMBERED_MAX - 1).to_string());
        assert!(verified.recall(&users, &last, at(0)).is_some());
        assert!(
            verified
                .recall(&users, &credentials("alice", "0"), at(0))
                .is_none()
        );
    }
}
