//! `lockout`: who failed too often to say who it is, is kept out for a while.

use std::num::NonZeroU32;

use palisade_limits::LockoutPolicy;

use crate::reader::{Defaulted, DurationIn, Integer, Key, Table, TableInfo};

const DAY_SECONDS: u64 = 86_400;

pub(super) const LOCKOUT: Table<LockoutPolicy> = Table {
    info: &INFO,
    lower: |fields| {
        let (failures, within) = (fields.get(&FAILURES), fields.get(&WITHIN));
        let lock_for = fields.get(&LOCK_FOR);
        Some(LockoutPolicy {
            failures: NonZeroU32::new(failures?)?,
            within: within?,
            lock_for: lock_for?,
        })
    },
};

static INFO: TableInfo = TableInfo {
    name: "lockout",
    about: "Wrong passwords lock a client out: an IPv4 address, or the /64 of an IPv6 address. Until the lock ends, all that it asks for where a password is needed is answered with 429, the right password too. A request without credentials is no failure, and a success undoes none. What sites in detect mode count locks nobody out of others. An access rule with `skip: limits` skips it.",
    keys: &[&FAILURES, &WITHIN, &LOCK_FOR],
    later: &[],
};

static FAILURES: Key<Integer<u32>, Defaulted> = Key::new(
    "failures",
    Integer {
        min: 1,
        max: 10_000,
    },
    Defaulted("5"),
    "So many wrong passwords lock a client out. What is being verified counts as wrong until it is found right.",
);
static WITHIN: Key<DurationIn, Defaulted> = Key::new(
    "within",
    DurationIn::seconds(1, DAY_SECONDS),
    Defaulted("10m"),
    "How long they are added up, from the first on; then counting begins anew.",
);
static LOCK_FOR: Key<DurationIn, Defaulted> = Key::new(
    "lock_for",
    DurationIn::seconds(1, 30 * DAY_SECONDS),
    Defaulted("15m"),
    "How long a lock holds. A reload ends none.",
);
