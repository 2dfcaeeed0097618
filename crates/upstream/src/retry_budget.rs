//! How many requests of a pool may be sent a second time.
//!
//! A bucket that requests fill and retries empty. Requests are counted anyway, as turns, so that the
//! bucket costs nothing until a retry asks for it: it is one number, the count of requests at which
//! it will be full again (the generic cell rate algorithm, with requests for time).

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::settings::RetryBudget;

/// Parts that a request is counted in, so that whole numbers are exact enough for each percentage.
const PARTS: u64 = 10_000;

/// The bucket; it begins full.
#[derive(Debug, Default)]
pub(crate) struct RetryBucket {
    /// The count of requests, in parts, at which the bucket is full.
    full_at: AtomicU64,
}

impl RetryBucket {
    /// Takes one retry out, when the pool has had `requests` requests; whether there was one.
    #[cold]
    pub(crate) fn take(&self, requests: u64, budget: RetryBudget) -> bool {
        let now = requests.saturating_mul(PARTS);
        // Rounded up: never more than the percentage.
        let cost = (PARTS * 100).div_ceil(u64::from(budget.percent().max(1)));
        let depth = cost.saturating_mul(u64::from(budget.reserve()));
        let taken = self.full_at.fetch_update(Relaxed, Relaxed, |full_at| {
            let full_at = full_at.max(now).saturating_add(cost);
            (full_at - now <= depth).then_some(full_at)
        });
        taken.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn budget(percent: u8, reserve: u16) -> RetryBudget {
        RetryBudget::new(percent, reserve).unwrap()
    }

    /// How many of `tries` retries are let through.
    fn taken(bucket: &RetryBucket, requests: u64, tries: u32, budget: RetryBudget) -> u32 {
        (0..tries)
            .map(|_| u32::from(bucket.take(requests, budget)))
            .sum()
    }

    #[test]
    fn a_pool_starts_with_its_reserve() {
        assert_eq!(taken(&RetryBucket::default(), 0, 50, budget(20, 10)), 10);
        assert_eq!(taken(&RetryBucket::default(), 0, 50, budget(100, 1)), 1);
    }

    #[test]
    fn requests_earn_retries_up_to_the_reserve() {
        let (bucket, budget) = (RetryBucket::default(), budget(20, 10));
        assert_eq!(taken(&bucket, 100, 50, budget), 10);
        assert_eq!(taken(&bucket, 104, 50, budget), 0);
        assert_eq!(taken(&bucket, 105, 50, budget), 1);
        assert_eq!(taken(&bucket, 125, 50, budget), 4);
        assert_eq!(taken(&bucket, 1_000_000, 50, budget), 10);
    }

    #[test]
    fn a_storm_gets_a_fifth() {
        let (bucket, budget) = (RetryBucket::default(), budget(20, 10));
        let through: u32 = (1..=1000)
            .map(|requests| taken(&bucket, requests, 1, budget))
            .sum();
        // The first find the bucket full, and earn nothing.
        assert_eq!(through, 10 + 199);
    }

    #[test]
    fn threads_take_no_more_than_there_is() {
        let bucket = RetryBucket::default();
        let total: u32 = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| taken(&bucket, 7, 500, budget(20, 100))))
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap())
                .sum()
        });
        assert_eq!(total, 100);
    }

    proptest! {
        /// As a bucket that is filled at each request, rounding aside.
        #[test]
        fn is_a_bucket(
            percent in 1_u8..=100,
            reserve in 1_u16..=20,
            tries in prop::collection::vec(0_u32..3, 1..200),
        ) {
            let bucket = RetryBucket::default();
            let budget = budget(percent, reserve);
            let mut level = f64::from(reserve);
            for (requests, tries) in (1_u64..).zip(tries) {
                level = (level + f64::from(percent) / 100.0).min(f64::from(reserve));
                for _ in 0..tries {
                    let got = bucket.take(requests, budget);
                    // At the very edge rounding decides.
                    if (level - 1.0).abs() > 0.01 {
                        prop_assert_eq!(got, level > 1.0, "at a level of {}", level);
                    }
                    if got {
                        level -= 1.0;
                    }
                }
            }
        }
    }
}
