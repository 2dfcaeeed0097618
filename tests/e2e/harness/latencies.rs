//! How long answers took: counted in a fixed number of buckets, however many there were.

use std::fmt;
use std::time::Duration;

/// Buckets of each doubling: a quantile is at most an eighth too high.
const STEPS: u32 = 8;
/// Up to 2^32 microseconds, which is over an hour.
const BUCKETS: usize = 32 * STEPS as usize;

/// Durations, counted.
#[derive(Clone)]
pub(crate) struct Latencies {
    counts: Box<[u32; BUCKETS]>,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            counts: Box::new([0; BUCKETS]),
        }
    }
}

impl fmt::Debug for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, p99) = (self.quantile(0.5), self.quantile(0.99));
        write!(f, "p50 {p50:?}, p99 {p99:?}")
    }
}

impl Latencies {
    pub(crate) fn record(&mut self, took: Duration) {
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        self.counts[bucket(micros)] += 1;
    }

    /// What `share` of the durations were at most; none where there are none.
    pub(crate) fn quantile(&self, share: f64) -> Option<Duration> {
        let total: u32 = self.counts.iter().sum();
        let wanted = (f64::from(total) * share).max(1.0);
        let mut seen = 0.0;
        let reached = |count: &u32| {
            seen += f64::from(*count);
            seen >= wanted
        };
        let at = self.counts.iter().position(reached)?;
        Some(Duration::from_micros(end_of(at)))
    }
}

/// Below [`STEPS`] one for each microsecond, then [`STEPS`] for each doubling.
fn bucket(micros: u32) -> usize {
    let doublings = (micros / STEPS).checked_ilog2().map_or(0, |log| log + 1);
    let step = match doublings {
        0 => micros,
        _ => (micros >> (doublings - 1)) - STEPS,
    };
    (doublings * STEPS + step) as usize
}

/// The first microsecond behind a bucket.
fn end_of(bucket: usize) -> u64 {
    let (doublings, step) = (
        bucket as u64 / u64::from(STEPS),
        bucket as u64 % u64::from(STEPS),
    );
    match doublings {
        0 => step + 1,
        _ => (u64::from(STEPS) + step + 1) << (doublings - 1),
    }
}

#[test]
fn a_quantile_is_at_most_an_eighth_too_high() {
    for micros in [
        0,
        1,
        7,
        8,
        9,
        15,
        16,
        17,
        100,
        1000,
        4095,
        4096,
        1_000_000,
        u32::MAX,
    ] {
        let mut latencies = Latencies::default();
        latencies.record(Duration::from_micros(micros.into()));
        let quantile = latencies.quantile(0.99).unwrap();
        let (exact, got) = (u128::from(micros), quantile.as_micros());
        assert!(
            got > exact && got <= exact + exact / 8 + 1,
            "{micros}: {got}"
        );
    }
    let mut latencies = Latencies::default();
    assert_eq!(latencies.quantile(0.5), None);
    for millis in 1..=100 {
        latencies.record(Duration::from_millis(millis));
    }
    let millis = |share| latencies.quantile(share).unwrap().as_millis();
    assert!((50..=57).contains(&millis(0.5)) && (99..=112).contains(&millis(0.99)));
}
