use std::collections::HashMap;

use palisade_vocabulary::Ip;
use proptest::prelude::*;

use super::*;

const FAILURES: u32 = 3;
const WITHIN: u64 = 600;
/// Shorter than the time in which failures add up, so that it shows whether a lock uses them up.
const LOCK_FOR: u64 = 300;

fn policy() -> LockoutPolicy {
    LockoutPolicy {
        failures: NonZeroU32::new(FAILURES).unwrap(),
        within: Duration::from_secs(WITHIN),
        lock_for: Duration::from_secs(LOCK_FOR),
    }
}

fn client(number: u32) -> LockoutKey {
    let address = std::net::Ipv4Addr::from_bits(number);
    LockoutKey {
        network: Network::of(Ip::new(address.into())),
        is_trial: false,
    }
}

fn at(seconds: u64) -> Tick {
    Tick::from_millis(seconds * 1_000)
}

fn begin(lockouts: &Arc<Lockouts>, key: LockoutKey, now: Tick) -> Result<Attempt, Locked> {
    lockouts.begin(&policy(), key, now)
}

/// A client that fails at each of `failures` is locked at `now` for so long still, if at all.
#[track_caller]
fn check(failures: &[u64], now: u64, expected: Option<u64>) {
    let lockouts = Arc::new(Lockouts::new());
    for second in failures {
        if let Ok(attempt) = begin(&lockouts, client(1), at(*second)) {
            attempt.fail(at(*second));
        }
    }
    let locked = lockouts.check(client(1), at(now)).err();
    let left = locked.map(|locked| locked.retry_after.as_secs());
    assert_eq!(left, expected, "{failures:?} at {now}");
}

#[test]
fn so_many_failures_within_the_time_lock_for_a_while() {
    check(&[0, 1], 1, None);
    check(&[0, 1, 2], 2, Some(LOCK_FOR));
    check(&[0, 1, 2], 2 + LOCK_FOR - 1, Some(1));
    check(&[0, 1, 2], 2 + LOCK_FOR, None);
    // What is tried while locked prolongs nothing.
    check(&[0, 1, 2, 3, 4, 5, 6], 2 + LOCK_FOR, None);
}

#[test]
fn failures_are_forgotten_after_the_time() {
    check(&[0, 1, WITHIN - 1], WITHIN, Some(LOCK_FOR - 1));
    check(&[0, 1, WITHIN], WITHIN, None);
    check(
        &[0, 1, WITHIN, WITHIN + 1, WITHIN + 2],
        WITHIN + 2,
        Some(LOCK_FOR),
    );
    // A lock has used up the failures of before.
    let after = 2 + LOCK_FOR;
    check(&[0, 1, 2, after, after + 1], after + 1, None);
}

#[test]
fn clients_are_counted_apart_and_trials_too() {
    let lockouts = Arc::new(Lockouts::new());
    let trial = LockoutKey {
        is_trial: true,
        ..client(1)
    };
    for _ in 0..FAILURES {
        begin(&lockouts, trial, at(0)).unwrap().fail(at(0));
    }
    assert!(lockouts.check(trial, at(0)).is_err());
    assert_eq!(lockouts.check(client(1), at(0)), Ok(()));
    assert_eq!(lockouts.check(client(2), at(0)), Ok(()));
}

#[test]
fn attempts_under_way_count_as_failures_until_they_succeed() {
    let lockouts = Arc::new(Lockouts::new());
    let under_way: Vec<Attempt> = (0..FAILURES)
        .map(|_| begin(&lockouts, client(1), at(0)).unwrap())
        .collect();
    let refused = begin(&lockouts, client(1), at(0)).unwrap_err();
    assert_eq!(refused.retry_after, BUSY_RETRY);
    // It isn't locked: nothing has failed.
    assert_eq!(lockouts.check(client(1), at(0)), Ok(()));
    under_way.into_iter().for_each(Attempt::succeed);
    begin(&lockouts, client(1), at(0)).unwrap().cancel();
    assert_eq!(lockouts.counts(at(0)), LockoutCounts::default());
}

#[test]
fn a_success_does_not_undo_failures() {
    let lockouts = Arc::new(Lockouts::new());
    for _ in 0..FAILURES - 1 {
        begin(&lockouts, client(1), at(0)).unwrap().fail(at(0));
        begin(&lockouts, client(1), at(0)).unwrap().succeed();
    }
    assert!(begin(&lockouts, client(1), at(0)).unwrap().fail(at(0)));
}

#[test]
fn an_attempt_that_is_dropped_has_failed() {
    let lockouts = Arc::new(Lockouts::new());
    for _ in 0..FAILURES {
        drop(begin(&lockouts, client(1), at(0)).unwrap());
    }
    assert!(lockouts.check(client(1), at(0)).is_err());
}

#[test]
fn a_new_policy_ends_no_lock() {
    let lockouts = Arc::new(Lockouts::new());
    for _ in 0..FAILURES {
        begin(&lockouts, client(1), at(0)).unwrap().fail(at(0));
    }
    let lenient = LockoutPolicy {
        failures: NonZeroU32::MAX,
        ..policy()
    };
    assert!(lockouts.begin(&lenient, client(1), at(1)).is_err());
}

/// Has `count` clients fail `failures` times each.
fn fill(lockouts: &Arc<Lockouts>, clients: std::ops::Range<u32>, failures: u32, now: Tick) {
    for number in clients {
        for _ in 0..failures {
            begin(lockouts, client(number), now).unwrap().fail(now);
        }
    }
}

#[test]
fn the_table_is_bounded() {
    let lockouts = Arc::new(Lockouts::with_room_for(160));
    fill(&lockouts, 0..10_000, 1, at(0));
    let counts = lockouts.counts(at(0));
    assert_eq!((counts.counted, counts.locked), (160, 0));
}

#[test]
fn who_is_locked_stays_so_however_many_others_fail() {
    let lockouts = Arc::new(Lockouts::with_room_for(160));
    fill(&lockouts, 0..20, FAILURES, at(0));
    fill(&lockouts, 1_000..20_000, FAILURES - 1, at(1));
    for number in 0..20 {
        assert!(lockouts.check(client(number), at(1)).is_err(), "{number}");
    }
}

#[test]
fn who_has_failed_more_is_remembered_longer() {
    let lockouts = Arc::new(Lockouts::with_room_for(160));
    fill(&lockouts, 0..20, FAILURES - 1, at(0));
    fill(&lockouts, 1_000..20_000, 1, at(1));
    for number in 0..20 {
        let locks = begin(&lockouts, client(number), at(2)).unwrap().fail(at(2));
        assert!(locks, "{number}");
    }
}

#[test]
fn where_all_are_locked_the_lock_goes_that_ends_soonest() {
    let lockouts = Arc::new(Lockouts::with_room_for(160));
    for number in 0..2_000_u32 {
        let now = Tick::from_millis(number.into());
        fill(&lockouts, number..number + 1, FAILURES, now);
    }
    let counts = lockouts.counts(at(2));
    assert_eq!((counts.counted, counts.locked), (160, 160));
    assert_eq!(counts.ended_early, 2_000 - 160);
    for number in 0..1_000 {
        assert_eq!(lockouts.check(client(number), at(2)), Ok(()), "{number}");
    }
    assert!(lockouts.check(client(1_999), at(2)).is_err());
}

/// What happens to one client, in seconds after what happened before.
#[derive(Clone, Copy, Debug)]
enum Event {
    Fails(u64),
    Succeeds(u64),
}

fn events() -> impl Strategy<Value = Vec<(u32, Event)>> {
    let event = prop_oneof![
        3 => (0_u64..400).prop_map(Event::Fails),
        1 => (0_u64..400).prop_map(Event::Succeeds),
    ];
    proptest::collection::vec((0_u32..3, event), 0..200)
}

/// The same, told in the plainest way.
#[derive(Default)]
struct Model {
    failures: Vec<u64>,
    locked_until: u64,
}

impl Model {
    fn is_locked(&self, now: u64) -> bool {
        now < self.locked_until
    }

    fn fail(&mut self, now: u64) {
        if self
            .failures
            .first()
            .is_some_and(|first| now >= first + WITHIN)
        {
            self.failures.clear();
        }
        self.failures.push(now);
        if self.failures.len() as u32 == FAILURES {
            self.failures.clear();
            self.locked_until = now + LOCK_FOR;
        }
    }
}

proptest! {
    #[test]
    fn as_the_model(events in events()) {
        let lockouts = Arc::new(Lockouts::new());
        let mut models: HashMap<u32, Model> = HashMap::new();
        let mut now = 0;
        for (number, event) in events {
            let (Event::Fails(after) | Event::Succeeds(after)) = event;
            now += after;
            let model = models.entry(number).or_default();
            let begun = begin(&lockouts, client(number), at(now));
            prop_assert_eq!(begun.is_err(), model.is_locked(now));
            let Ok(attempt) = begun else { continue };
            match event {
                Event::Fails(_) => {
                    model.fail(now);
                    prop_assert_eq!(attempt.fail(at(now)), model.is_locked(now));
                }
                Event::Succeeds(_) => attempt.succeed(),
            }
        }
    }
}
