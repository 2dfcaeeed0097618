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
//! All atomics are relaxed: each is advice on its own. Whether the server is out, until when and how
//! often it was ejected are one word, so that no two requests disagree on half of it; `tests/loom.rs`
//! runs it through every interleaving.
//!
//! Hot path: runs per request, allocates nothing.

use std::num::NonZeroU64;
use std::time::Duration;

use palisade_vocabulary::Tick;

use crate::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use crate::settings::Ejection;

/// What requests found out about a server.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Failures since the last answer.
    failures: AtomicU32,
    /// Answers that broke off since the last whole one: that another one began says nothing there.
    broken_answers: AtomicU32,
    /// 0 while the server is in, else an [`Absence`].
    out: AtomicU64,
}

/// That a server is out, in a word that is never 0: the tick in milliseconds up to which it is left
/// out, and in the lowest bits the ejections since the last answer, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Absence(NonZeroU64);

const EJECTIONS_BITS: u32 = 3;
const EJECTIONS_MAX: u64 = (1 << EJECTIONS_BITS) - 1;
const _: () = assert!(EJECTIONS_MAX > Ejection::DOUBLINGS_MAX as u64);

/// A time that is always over.
const DUE: Tick = Tick::from_millis(0);

impl Absence {
    fn new(until: Tick, ejections: u64) -> Self {
        let ejections = ejections.clamp(1, EJECTIONS_MAX);
        let word = until.as_millis() << EJECTIONS_BITS | ejections;
        Self(NonZeroU64::new(word).unwrap_or(NonZeroU64::MIN))
    }

    fn until(self) -> Tick {
        Tick::from_millis(self.0.get() >> EJECTIONS_BITS)
    }

    fn ejections(self) -> u64 {
        self.0.get() & EJECTIONS_MAX
    }
}

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
pub(crate) struct Due(Absence);

/// The right to try a server that is out, for one request at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trial(Absence);

impl Health {
    /// Whether the server should get requests at `now`.
    pub(crate) fn standing(&self, now: Tick) -> Standing {
        match self.absence() {
            None => Standing::In,
            Some(absence) if absence.until() > now => Standing::Out,
            Some(absence) => Standing::Due(Due(absence)),
        }
    }

    /// Claims the trial that is due. When its request tells nothing for a period, the next may try.
    pub(crate) fn claim(&self, due: Due, now: Tick, period: Duration) -> Option<Trial> {
        let trial = Absence::new(now + period, due.0.ejections());
        self.replace(Some(due.0), trial).then_some(Trial(trial))
    }

    /// A request was answered: but for answers that broke off, all that was held against the server is
    /// forgotten. Returns whether this brought it back.
    pub(crate) fn answered(&self) -> bool {
        // Reads first: a healthy server's line stays shared between the processors.
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
        self.out.load(Relaxed) != 0 && self.out.swap(0, Relaxed) != 0
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
        self.eject(failures, trial, now, ejection)
    }

    /// An answer broke off at `now`, or stalled, after it had begun. Returns whether this ejected the
    /// server.
    #[cold]
    pub(crate) fn broke_off(&self, now: Tick, ejection: Option<Ejection>) -> bool {
        let broken = self.broken_answers.fetch_add(1, Relaxed).saturating_add(1);
        self.eject(broken, None, now, ejection)
    }

    /// An answer came to its end.
    pub(crate) fn completed(&self) {
        if self.broken_answers.load(Relaxed) != 0 {
            self.broken_answers.store(0, Relaxed);
        }
    }

    fn eject(
        &self,
        failures: u32,
        trial: Option<Trial>,
        now: Tick,
        ejection: Option<Ejection>,
    ) -> bool {
        let Some(ejection) = ejection else {
            return false;
        };
        // A failure of what was in flight when the server was ejected changes nothing more:
        // one outage is one ejection, however many requests it hit.
        if trial.is_none() && failures < u32::from(ejection.consecutive_failures()) {
            return false;
        }
        match trial {
            None => self.replace(None, Absence::new(now + period(ejection, 0), 1)),
            Some(trial) => self.fail_trial(trial, now, ejection),
        }
    }

    /// A trial failed: the server is left out for longer, though another trial may have begun since, as
    /// where this one found silence for more than a period. Of trials after the same ejection one counts.
    fn fail_trial(&self, Trial(trial): Trial, now: Tick, ejection: Ejection) -> bool {
        let earlier = trial.ejections();
        let next = Absence::new(now + period(ejection, earlier), earlier + 1);
        while let Some(current) = self.absence() {
            if current.ejections() > earlier || current == next {
                return false;
            }
            if self.replace(Some(current), next) {
                return true;
            }
        }
        // It was answered meanwhile.
        false
    }

    /// The request on trial ended without telling anything: the next may try at once.
    #[cold]
    pub(crate) fn trial_told_nothing(&self, trial: Trial) {
        self.replace(Some(trial.0), Absence::new(DUE, trial.0.ejections()));
    }

    /// Failures since the last answer, and answers that broke off since the last whole one.
    pub(crate) fn consecutive_failures(&self) -> u32 {
        let failures = self.failures.load(Relaxed);
        failures.saturating_add(self.broken_answers.load(Relaxed))
    }

    /// How long from `now` the server is still left out.
    pub(crate) fn out_for(&self, now: Tick) -> Option<Duration> {
        self.absence().map(|absence| absence.until().since(now))
    }

    fn absence(&self) -> Option<Absence> {
        NonZeroU64::new(self.out.load(Relaxed)).map(Absence)
    }

    /// `from`: none where the server was in.
    fn replace(&self, from: Option<Absence>, to: Absence) -> bool {
        let from = from.map_or(0, |from| from.0.get());
        self.out
            .compare_exchange(from, to.0.get(), Relaxed, Relaxed)
            .is_ok()
    }
}

/// How long a server is left out after `earlier` ejections without an answer in between.
fn period(ejection: Ejection, earlier: u64) -> Duration {
    let doublings = earlier.min(Ejection::DOUBLINGS_MAX.into());
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
    fn a_trial_that_fails_after_another_has_begun_counts_once() {
        let health = Health::default();
        fail(&health, 3, 0);
        // Each finds a minute of silence.
        let trials = [trial(&health, 10), trial(&health, 20), trial(&health, 30)];
        let failed =
            |number: usize, second| health.failed(Some(trials[number]), at(second), ejection());
        assert!(failed(0, 70));
        assert_eq!(health.out_for(at(70)), Some(Duration::from_secs(20)));
        assert!(!failed(1, 80) && !failed(2, 90 - 1));
        assert_eq!(health.out_for(at(80)), Some(Duration::from_secs(10)));
        let late = trial(&health, 90);
        assert!(health.failed(Some(late), at(150), ejection()));
        assert_eq!(health.out_for(at(150)), Some(Duration::from_secs(40)));
        // An answer in between forgets it.
        let last = trial(&health, 190);
        health.answered();
        assert!(!health.failed(Some(last), at(200), ejection()));
        assert_eq!(health.standing(at(200)), Standing::In);
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
    fn an_answer_that_begins_forgets_none_that_broke_off() {
        let health = Health::default();
        let breaks = |second| {
            health.answered();
            health.broke_off(at(second), ejection())
        };
        assert_eq!([breaks(0), breaks(0), breaks(0)], [false, false, true]);
        assert_eq!(health.standing(at(9)), Standing::Out);
        assert_eq!(health.consecutive_failures(), 3);
        // It is as it was: the first that breaks off again is enough.
        assert!(breaks(10));
        assert!(health.answered());
        health.completed();
        assert_eq!(health.consecutive_failures(), 0);
        assert!(!breaks(20));
        assert_eq!(health.standing(at(20)), Standing::In);
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
