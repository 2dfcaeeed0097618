//! What rules cost.

use std::ops::AddAssign;
use std::time::Duration;

/// What a rule has cost a worker, and how often it matched.
///
/// Of its evaluations the first is timed, and each 64th after it: counted, not drawn, and for each rule
/// by itself, so that no rhythm of the rules hides one of them. The others read no clock. What a value is
/// searched for on behalf of all rules at once is no rule's cost.
///
/// Rules that were decided when they were loaded ([`Rule::is_folded`](crate::Rule::is_folded)) are not
/// looked at, and stay at 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCounter {
    /// How often a value was looked at for it.
    pub evaluations: u64,
    /// How often it matched, all links of its chain.
    pub hits: u64,
    /// How many evaluations were timed.
    pub samples: u64,
    /// What those took, in nanoseconds, and with them one reading of the clock each.
    pub sampled_nanos: u64,
}

impl RuleCounter {
    /// One evaluation in so many is timed; a power of two.
    pub const SAMPLED_ONE_IN: u64 = 64;

    /// Counts an evaluation; whether it is one to time.
    pub(super) fn evaluate(&mut self) -> bool {
        let is_sampled = self.evaluations.is_multiple_of(Self::SAMPLED_ONE_IN);
        self.evaluations += 1;
        is_sampled
    }

    /// Notes what an evaluation took.
    pub(super) fn sample(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.samples += 1;
        self.sampled_nanos = self.sampled_nanos.saturating_add(nanos);
    }

    /// What an evaluation takes, by those that were timed; `None` where none was.
    #[must_use]
    pub fn mean_cost(&self) -> Option<Duration> {
        let nanos = self.sampled_nanos.checked_div(self.samples)?;
        Some(Duration::from_nanos(nanos))
    }

    /// What all evaluations have taken, if those that weren't timed took as long as those that were.
    #[must_use]
    pub fn estimated_cost(&self) -> Duration {
        let nanos = u128::from(self.sampled_nanos) * u128::from(self.evaluations);
        let nanos = nanos.checked_div(u128::from(self.samples)).unwrap_or(0);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// What several workers have counted of one rule.
impl AddAssign for RuleCounter {
    fn add_assign(&mut self, other: Self) {
        self.evaluations += other.evaluations;
        self.hits += other.hits;
        self.samples += other.samples;
        self.sampled_nanos = self.sampled_nanos.saturating_add(other.sampled_nanos);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_evaluation_is_timed_and_each_64th_after_it() {
        let mut counter = RuleCounter::default();
        let timed: Vec<u64> = (0..200).filter(|_| counter.evaluate()).collect();
        assert_eq!(timed, [0, 64, 128, 192]);
        assert_eq!(counter.evaluations, 200);
    }

    #[test]
    fn costs_are_of_the_evaluations_that_were_timed() {
        #[track_caller]
        fn check(evaluations: u64, nanos: &[u64], mean: Option<u64>, estimated: u64) {
            let mut counter = RuleCounter {
                evaluations,
                ..RuleCounter::default()
            };
            for nanos in nanos {
                counter.sample(Duration::from_nanos(*nanos));
            }
            assert_eq!(counter.mean_cost(), mean.map(Duration::from_nanos));
            let estimated = Duration::from_nanos(estimated);
            assert_eq!(counter.estimated_cost(), estimated);
        }
        check(0, &[], None, 0);
        check(1, &[30], Some(30), 30);
        check(66, &[100, 301], Some(200), 13_233);
        check(u64::MAX, &[u64::MAX, 2], Some(u64::MAX / 2), u64::MAX);
    }

    #[test]
    fn counters_of_workers_add_up() {
        let mut sum = RuleCounter {
            evaluations: 65,
            hits: 1,
            samples: 2,
            sampled_nanos: u64::MAX - 1,
        };
        sum += RuleCounter {
            evaluations: 3,
            hits: 2,
            samples: 1,
            sampled_nanos: 5,
        };
        let expected = RuleCounter {
            evaluations: 68,
            hits: 3,
            samples: 3,
            sampled_nanos: u64::MAX,
        };
        assert_eq!(sum, expected);
    }
}
