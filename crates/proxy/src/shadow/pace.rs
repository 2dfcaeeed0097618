//! How much of one processor's time may be spent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use palisade_waf::Share;

/// How far ahead of its share spending may be: what a second allows.
const AHEAD: Duration = Duration::from_secs(1);

/// Until when what was spent is the share of the time that there was (the generic cell rate algorithm, ITU-T
/// I.371). Written by one thread, read by all.
#[derive(Debug, Default)]
pub(super) struct Pace {
    paid_until_nanos: AtomicU64,
}

impl Pace {
    /// Whether something may be spent at this time.
    pub(super) fn has_room(&self, now: Duration) -> bool {
        self.paid_until_nanos.load(Ordering::Relaxed) <= nanos(now + AHEAD)
    }

    /// Notes that so much was spent until `now`, of a budget of that share.
    pub(super) fn spend(&self, now: Duration, spent: Duration, budget: Share) {
        let paid_until = self.paid_until_nanos.load(Ordering::Relaxed);
        let cost = budget.whole_of(nanos(spent));
        let paid_until = paid_until.max(nanos(now)).saturating_add(cost);
        self.paid_until_nanos.store(paid_until, Ordering::Relaxed);
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_spent_than_the_share_and_a_second_of_it_ahead() {
        let pace = Pace::default();
        let tenth = Share::from_millionths(100_000).unwrap();
        let mut spent = Duration::ZERO;
        // Whoever always has something to do, for 20 seconds.
        for millis in 0..20_000 {
            let now = Duration::from_millis(millis);
            if pace.has_room(now) {
                pace.spend(now, Duration::from_millis(7), tenth);
                spent += Duration::from_millis(7);
            }
        }
        assert!((2_000..2_200).contains(&spent.as_millis()), "{spent:?}");
    }

    #[test]
    fn what_is_not_spent_is_not_saved() {
        let pace = Pace::default();
        let percent = Share::from_millionths(10_000).unwrap();
        let later = Duration::from_secs(3_600);
        pace.spend(later, Duration::from_millis(11), percent);
        assert!(!pace.has_room(later));
        assert!(pace.has_room(later + Duration::from_millis(100)));
        pace.spend(later, Duration::from_secs(u64::MAX), percent);
        assert!(!pace.has_room(later * 1_000));
    }

    #[test]
    fn all_of_a_processor_is_never_spent_by_one_thread() {
        let pace = Pace::default();
        let mut now = Duration::ZERO;
        for _ in 0..100 {
            assert!(pace.has_room(now));
            now += Duration::from_secs(10);
            pace.spend(
                now - Duration::from_secs(10),
                Duration::from_secs(10),
                Share::ALL,
            );
        }
    }
}
