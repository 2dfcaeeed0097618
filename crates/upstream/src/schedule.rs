//! The order of turns of weighted servers, worked out once.
//!
//! Hot path: a turn is one atomic addition, allocates nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::settings::ServerSettings;

/// Whose turn it is: a cycle in which each server comes as often as its weight says, spread as
/// evenly as can be.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// Places of servers; never empty.
    cycle: Box<[u8]>,
    turns: AtomicU64,
    /// Those of the turns that were no new request's.
    extra: AtomicU64,
}

/// How far a schedule is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    turns: u64,
    extra: u64,
}

impl Schedule {
    /// The cycle of `servers`, at most 65,536 turns long (256 servers of weight 256). It goes on
    /// from `progress`.
    pub(crate) fn new(servers: &[ServerSettings], progress: Progress) -> Self {
        let weights: Vec<u16> = servers.iter().map(|server| server.weight.get()).collect();
        Self {
            cycle: smooth_cycle(&weights).into(),
            turns: AtomicU64::new(progress.turns),
            extra: AtomicU64::new(progress.extra),
        }
    }

    /// The place of the server whose turn it is, for another look of a request that had its turn.
    #[cold]
    pub(crate) fn another(&self) -> u8 {
        self.extra.fetch_add(1, Ordering::Relaxed);
        self.next()
    }

    /// The place of the server whose turn it is, for a new request.
    pub(crate) fn next(&self) -> u8 {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        let length = u64::try_from(self.cycle.len()).unwrap_or(u64::MAX);
        let turn = turn.checked_rem(length).unwrap_or(0);
        let turn = usize::try_from(turn).unwrap_or(0);
        self.cycle.get(turn).copied().unwrap_or(0)
    }

    /// How far it is.
    pub(crate) fn progress(&self) -> Progress {
        // In this order: extra turns are counted before they are taken.
        let turns = self.turns.load(Ordering::Relaxed);
        let extra = self.extra.load(Ordering::Relaxed);
        Progress { turns, extra }
    }

    /// How many requests there were.
    pub(crate) fn requests(&self) -> u64 {
        let Progress { turns, extra } = self.progress();
        turns.saturating_sub(extra)
    }
}

/// At each turn every server earns its weight; the richest takes the turn and pays the sum of all
/// weights. So `[5, 1, 1]` becomes `a a b a c a a`, never five of `a` in a row.
fn smooth_cycle(weights: &[u16]) -> Vec<u8> {
    let common = weights
        .iter()
        .copied()
        .fold(0, greatest_common_divisor)
        .max(1);
    let weights: Vec<i32> = weights.iter().map(|&w| i32::from(w / common)).collect();
    let total: i32 = weights.iter().sum();
    let mut wealth = vec![0_i32; weights.len()];
    let mut cycle = Vec::new();
    for _ in 0..total {
        let mut richest = (0_u8, i32::MIN);
        for (place, (has, earns)) in (0_u8..=u8::MAX).zip(wealth.iter_mut().zip(&weights)) {
            *has += earns;
            if *has > richest.1 {
                richest = (place, *has);
            }
        }
        if let Some(has) = wealth.get_mut(usize::from(richest.0)) {
            *has -= total;
        }
        cycle.push(richest.0);
    }
    cycle
}

fn greatest_common_divisor(a: u16, b: u16) -> u16 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(weights: &[u16], expected: &str) {
        let got: String = smooth_cycle(weights)
            .into_iter()
            .map(|place| char::from(b'a' + place))
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn turns_are_spread() {
        check(&[1], "a");
        check(&[7], "a");
        check(&[1, 1, 1], "abc");
        check(&[5, 1, 1], "aabacaa");
        check(&[2, 1], "aba");
        check(&[256, 128], "aba");
    }

    #[test]
    fn the_longest_cycle_is_bounded() {
        let mut weights = [256_u16; 256];
        weights[0] = 255;
        assert_eq!(smooth_cycle(&weights).len(), 65_535);
    }

    proptest! {
        #[test]
        fn each_server_has_exactly_its_share(weights in prop::collection::vec(1_u16..=256, 1..=24)) {
            let cycle = smooth_cycle(&weights);
            let common = weights.iter().copied().fold(0, greatest_common_divisor);
            for (place, weight) in weights.iter().enumerate() {
                let turns = cycle.iter().filter(|&&turn| usize::from(turn) == place).count();
                prop_assert_eq!(turns, usize::from(weight / common));
            }
        }

        #[test]
        fn no_server_falls_far_behind(weights in prop::collection::vec(1_u16..=20, 2..=6)) {
            let cycle = smooth_cycle(&weights);
            let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
            let mut turns = vec![0_f64; weights.len()];
            for (done, &place) in cycle.iter().enumerate() {
                turns[usize::from(place)] += 1.0;
                let done = f64::from(u32::try_from(done).unwrap()) + 1.0;
                for (had, &weight) in turns.iter().zip(&weights) {
                    let due = done * f64::from(weight) / total;
                    let behind = due - had;
                    prop_assert!(behind < weights.len() as f64, "{behind} turns behind");
                }
            }
        }
    }
}
