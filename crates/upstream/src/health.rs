//! Passive health: what requests found out about a server.
//!
//! ```text
//!          failures in a row            period over, one request
//!   in ────────────────────────▶ out ───────────────────────────▶ on trial
//!    ▲                            ▲  period doubles                 │   │
//!    │                            └─────────────── it failed ───────┘   │
//!    └──────────────────────────────────────────── it was answered ─────┘
//! ```
//!
//! All atomics are relaxed: each is advice on its own, and the worst that a race can do is one
//! request more or fewer to a server that is at the edge anyway.
//!
//! Hot path: runs per request, allocates nothing.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use palisade_vocabulary::Tick;

use crate::settings::Ejection;

/// What requests found out about a server.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Failures since the last answer.
    failures: AtomicU32,
    /// Ejections since the last answer.
    ejections: AtomicU32,
    /// The tick in milliseconds up to which the server is left out; 0 while it is in.
    out_until: AtomicU64,
}

/// `out_until` of a server that is due for a trial: a time that is always over.
const DUE: u64 = 1;

/// Whether a server should get requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It should.
    In,
    /// It shouldn't.
    Out,
    /// One request may find out: whoever claims it.
    Due(Due),
}

/// What a claim of a trial must name, so that one of many claims succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due(u64);

/// The right to try a server that is out, for one request at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trial(NonZeroU64);

impl Health {
    /// Whether the server should get requests at `now`.
    pub(crate) fn standing(&self, now: Tick) -> Standing {
        match self.out_until.load(Relaxed) {
            0 => Standing::In,
            until if until > now.as_millis() => Standing::Out,
            until => Standing::Due(Due(until)),
        }
    }

    /// Claims the trial that is due. When its request tells nothing for a period, the next may try.
    pub(crate) fn claim(&self, due: Due, now: Tick, period: Duration) -> Option<Trial> {
        let until = NonZeroU64::new((now + period).as_millis())?;
        self.replace(due.0, until.get()).then_some(Trial(until))
    }

    /// A request was answered: all that was held against the server is forgotten.
    pub(crate) fn answered(&self) {
        // Reads first: a healthy server's line stays shared between the processors.
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
        if self.out_until.load(Relaxed) != 0 {
            self.out_until.store(0, Relaxed);
            self.ejections.store(0, Relaxed);
        }
    }

    /// A request failed at `now`, perhaps one on trial. Returns whether this ejected the server.
    #[cold]
    pub(crate) fn failed(
        &self,
        trial: Option<Trial>,
        now: Tick,
        ejection: Option<Ejection>,
    ) -> bool {
        let failures = self.failures.fetch_add(1, Relaxed).saturating_add(1);
        let Some(ejection) = ejection else {
            return false;
        };
        // A failure of what was in flight when the server was ejected changes nothing more:
        // one outage is one ejection, however many requests it hit.
        let from = match trial {
            Some(trial) => trial.0.get(),
            None if failures >= u32::from(ejection.consecutive_failures()) => 0,
            None => return false,
        };
        let earlier = self.ejections.load(Relaxed);
        let until = (now + period(ejection, earlier)).as_millis().max(DUE);
        let ejected = self.replace(from, until);
        if ejected {
            self.ejections.store(earlier.saturating_add(1), Relaxed);
        }
        ejected
    }

    /// The request on trial ended without telling anything: the next may try at once.
    #[cold]
    pub(crate) fn trial_told_nothing(&self, trial: Trial) {
        self.replace(trial.0.get(), DUE);
    }

    /// Failures since the last answer.
    pub(crate) fn consecutive_failures(&self) -> u32 {
        self.failures.load(Relaxed)
    }

    /// How long from `now` the server is still left out.
    pub(crate) fn out_for(&self, now: Tick) -> Option<Duration> {
        match self.out_until.load(Relaxed) {
            0 => None,
            until => Some(Tick::from_millis(until).since(now)),
        }
    }

    fn replace(&self, from: u64, to: u64) -> bool {
        self.out_until
            .compare_exchange(from, to, Relaxed, Relaxed)
            .is_ok()
    }
}

/// How long a server is left out after `earlier` ejections without an answer in between.
fn period(ejection: Ejection, earlier: u32) -> Duration {
    let doublings = earlier.min(Ejection::DOUBLINGS_MAX);
    ejection.period().saturating_mul(1 << doublings)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(10);

    fn ejection() -> Option<Ejection> {
        Some(Ejection::new(3, PERIOD).unwrap())
    }

    fn at(seconds: u64) -> Tick {
        Tick::from_millis(seconds * 1000)
    }

    fn fail(health: &Health, times: u32, second: u64) -> bool {
        (0..times).fold(false, |_, _| health.failed(None, at(second), ejection()))
    }

    #[track_caller]
    fn trial(health: &Health, second: u64) -> Trial {
        let Standing::Due(due) = health.standing(at(second)) else {
            panic!("not due at {second} s: {:?}", health.standing(at(second)));
        };
        health.claim(due, at(second), PERIOD).unwrap()
    }

    #[test]
    fn failures_in_a_row_eject() {
        let health = Health::default();
        assert!(!fail(&health, 2, 0));
        health.answered();
        assert!(!fail(&health, 2, 0));
        assert_eq!(health.standing(at(0)), Standing::In);
        assert!(fail(&health, 1, 0));
        assert_eq!(health.standing(at(9)), Standing::Out);
        assert_eq!(health.out_for(at(4)), Some(Duration::from_secs(6)));
        assert_eq!(health.consecutive_failures(), 3);
    }

    #[test]
    fn one_request_at_a_time_is_the_trial() {
        let health = Health::default();
        fail(&health, 3, 0);
        let Standing::Due(due) = health.standing(at(10)) else {
            panic!("not due")
        };
        assert!(health.claim(due, at(10), PERIOD).is_some());
        assert!(health.claim(due, at(10), PERIOD).is_none());
        assert_eq!(health.standing(at(10)), Standing::Out);
        // It told nothing for a period.
        trial(&health, 20);
    }

    #[test]
    fn an_answer_forgets_everything() {
        let health = Health::default();
        fail(&health, 3, 0);
        trial(&health, 10);
        health.answered();
        assert_eq!(health.standing(at(10)), Standing::In);
        assert_eq!(health.out_for(at(10)), None);
        assert!(!fail(&health, 2, 10));
        assert!(fail(&health, 1, 10));
        assert_eq!(health.standing(at(19)), Standing::Out);
        assert!(
            matches!(health.standing(at(20)), Standing::Due(_)),
            "the first period again"
        );
    }

    #[test]
    fn the_period_doubles_up_to_32_times() {
        let health = Health::default();
        fail(&health, 3, 0);
        let mut second = 10;
        for periods in [2, 4, 8, 16, 32, 32, 32] {
            let trial = trial(&health, second);
            assert!(health.failed(Some(trial), at(second), ejection()));
            second += 10 * periods - 1;
            assert_eq!(
                health.standing(at(second)),
                Standing::Out,
                "{periods} periods"
            );
            second += 1;
        }
    }

    #[test]
    fn what_was_in_flight_ejects_once() {
        let health = Health::default();
        assert!(fail(&health, 3, 0));
        assert!(!fail(&health, 50, 1));
        assert_eq!(health.consecutive_failures(), 53);
        let trial = trial(&health, 10);
        assert!(!fail(&health, 50, 11), "nor while another is on trial");
        assert!(health.failed(Some(trial), at(12), ejection()));
        assert_eq!(health.out_for(at(12)), Some(Duration::from_secs(20)));
    }

    #[test]
    fn a_trial_that_tells_nothing_frees_the_next() {
        let health = Health::default();
        fail(&health, 3, 0);
        let first = trial(&health, 10);
        health.trial_told_nothing(first);
        let second = trial(&health, 10);
        // The first has no say any more, not even by failing late.
        health.trial_told_nothing(first);
        assert!(second == first || !health.failed(Some(first), at(11), ejection()));
    }

    #[test]
    fn without_ejection_failures_are_only_counted() {
        let health = Health::default();
        for _ in 0..1000 {
            assert!(!health.failed(None, at(0), None));
        }
        assert_eq!(health.standing(at(0)), Standing::In);
        assert_eq!(health.consecutive_failures(), 1000);
    }
}
