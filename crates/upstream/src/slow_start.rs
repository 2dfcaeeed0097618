//! Slow start: the share of its weight that a server has while it comes back.
//!
//! The share grows evenly from nothing to the whole. Where servers take turns, a server that comes
//! back takes exactly that part of its turns: what a turn leaves over is carried to the next, and a
//! turn is taken when the carry overflows. No chance, no clock, no lock.
//!
//! Hot path: runs per request, allocates nothing.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use palisade_vocabulary::Tick;

use crate::settings::SlowStart;

/// Since when a server is back, and what its turns left over.
#[derive(Debug, Default)]
pub(crate) struct Ramp {
    /// The tick in milliseconds, at least 1; 0 while it has its whole share.
    back_at: AtomicU64,
    /// The part of a turn that is carried to the next, in 2^-32 turns.
    carry: AtomicU32,
}

/// A part of a weight, in 2^-32; less than the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share(u32);

impl Ramp {
    /// The server is back at `now`.
    #[cold]
    pub(crate) fn begin(&self, now: Tick) {
        self.back_at.store(now.as_millis().max(1), Relaxed);
    }

    /// The server's share at `now`; `None` is the whole.
    pub(crate) fn share(&self, now: Tick, slow_start: SlowStart) -> Option<Share> {
        let back_at = self.back_at.load(Relaxed);
        if back_at == 0 {
            return None;
        }
        let elapsed = now.since(Tick::from_millis(back_at)).as_millis();
        let part = (elapsed << 32).checked_div(slow_start.period().as_millis());
        let share = part.and_then(|part| u32::try_from(part).ok()).map(Share);
        if share.is_none() {
            // Over: the next look is one load. A server that has come back once more since is not
            // touched.
            let over = self.back_at.compare_exchange(back_at, 0, Relaxed, Relaxed);
            over.unwrap_or_default();
        }
        share
    }

    /// Whether the server takes a turn that is its own: of many turns, exactly `share`.
    pub(crate) fn takes_turn(&self, share: Share) -> bool {
        let carried = self.carry.fetch_add(share.0, Relaxed);
        carried.checked_add(share.0).is_none()
    }
}

impl Share {
    /// In 2^-16, at least one of them: a weight is never nothing, or no comparison would be sound.
    pub(crate) fn in_65536ths(self) -> u64 {
        u64::from(self.0 >> 16).max(1)
    }

    /// As a number in 0 to 1.
    pub(crate) fn as_f64(self) -> f64 {
        f64::from(self.0) / f64::from(2.0_f32.powi(32))
    }
}

/// The whole weight in the unit of [`Share::in_65536ths`].
pub(crate) const WHOLE: u64 = 1 << 16;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Tick {
        Tick::from_millis(millis)
    }

    fn slow(millis: u64) -> SlowStart {
        SlowStart::new(Duration::from_millis(millis)).unwrap()
    }

    fn taken(ramp: &Ramp, share: Share, turns: u32) -> u32 {
        (0..turns).map(|_| u32::from(ramp.takes_turn(share))).sum()
    }

    #[track_caller]
    fn check(elapsed: u64, period: u64, expected: Option<f64>) {
        let ramp = Ramp::default();
        ramp.begin(at(1000));
        let got = ramp.share(at(1000 + elapsed), slow(period));
        assert_eq!(got.map(Share::as_f64), expected);
    }

    #[test]
    fn the_share_grows_evenly() {
        check(0, 30_000, Some(0.0));
        check(7_500, 30_000, Some(0.25));
        check(15_000, 30_000, Some(0.5));
        check(30_000, 30_000, None);
        check(u64::MAX - 1000, 1, None);
        check(0, 1, Some(0.0));
    }

    #[test]
    fn a_server_that_never_left_has_its_whole_share() {
        assert_eq!(Ramp::default().share(at(5), slow(30_000)), None);
    }

    #[test]
    fn once_whole_it_stays_whole_until_it_comes_back_again() {
        let ramp = Ramp::default();
        ramp.begin(at(0));
        assert!(ramp.share(at(500), slow(1000)).is_some());
        assert_eq!(ramp.share(at(2000), slow(1000)), None);
        assert_eq!(ramp.share(at(500), slow(1000)), None, "it was forgotten");
        ramp.begin(at(3000));
        assert!(ramp.share(at(3500), slow(1000)).is_some());
    }

    #[test]
    fn threads_take_exactly_the_share_of_turns() {
        let ramp = Ramp::default();
        let share = Share(u32::MAX / 4 + 1);
        let total: u32 = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| taken(&ramp, share, 1000)))
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap())
                .sum()
        });
        assert_eq!(total, 1000);
    }

    proptest! {
        /// Whatever was carried: n turns take the floor or the ceiling of n times the share.
        #[test]
        fn turns_are_exact(carry: u32, share: u32, turns in 1_u32..2000) {
            let ramp = Ramp::default();
            ramp.carry.store(carry, Relaxed);
            let due = (u64::from(carry) + u64::from(share) * u64::from(turns)) >> 32;
            prop_assert_eq!(u64::from(taken(&ramp, Share(share), turns)), due);
        }

        #[test]
        fn the_share_never_shrinks(period in 1_u64..3_600_000, a in 0_u64..4_000_000, b in 0_u64..4_000_000) {
            let share = |elapsed| {
                let ramp = Ramp::default();
                ramp.begin(at(1));
                ramp.share(at(1 + elapsed), slow(period)).map_or(1.0, Share::as_f64)
            };
            let (early, late) = (a.min(b), a.max(b));
            prop_assert!(share(early) <= share(late));
        }
    }
}
