//! Small random delays, so that many processes don't ask one server in step.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A generator of random numbers (SplitMix64, Steele et al. 2014). Good for delays, not for secrets.
#[derive(Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// One that differs from process to process.
    #[must_use]
    pub fn from_entropy() -> Self {
        Self::from_seed(RandomState::new().hash_one(0_u64))
    }

    /// The one of `seed`: the same delays each time.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// A duration from `low` to `high`, to the millisecond; `low` if `high` is below it.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let span = u64::try_from(high.saturating_sub(low).as_millis()).unwrap_or(u64::MAX);
        let offset = match span.checked_add(1) {
            Some(values) => self.next() % values,
            None => self.next(),
        };
        low.saturating_add(Duration::from_millis(offset))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_spread_over_the_whole_span() {
        let (low, high) = (Duration::from_secs(54), Duration::from_secs(66));
        let mut jitter = Jitter::from_seed(1);
        let delays: Vec<Duration> = (0..1_000).map(|_| jitter.between(low, high)).collect();
        assert!(delays.iter().all(|delay| (low..=high).contains(delay)));
        assert!(delays.iter().any(|delay| *delay < Duration::from_secs(55)));
        assert!(delays.iter().any(|delay| *delay > Duration::from_secs(65)));
    }

    #[test]
    fn an_empty_span_is_its_start() {
        let mut jitter = Jitter::from_seed(1);
        let five = Duration::from_secs(5);
        assert_eq!(jitter.between(five, five), five);
        assert_eq!(jitter.between(five, Duration::ZERO), five);
        assert!(jitter.between(Duration::ZERO, Duration::MAX) > Duration::ZERO);
    }
}
