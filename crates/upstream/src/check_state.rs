//! Active health: what checks found out about a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use palisade_vocabulary::Tick;
use parking_lot::Mutex;

use crate::settings::CheckThresholds;

/// What checks found out about a server. Only its one check at a time writes.
#[derive(Debug, Default)]
pub(crate) struct CheckState {
    is_down: AtomicBool,
    failures: AtomicU64,
    tally: Mutex<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    /// Whether there was any result yet.
    begun: bool,
    /// Results in a row that speak against the standing.
    against: u16,
    last_failure: Option<CheckFailure>,
}

/// A check that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckFailure {
    /// When.
    pub at: Tick,
    /// Why.
    pub reason: Arc<str>,
}

/// What a result changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The server is out from now on.
    Down,
    /// The server is back.
    Up,
}

impl CheckState {
    /// Whether checks have taken the server out. Hot path.
    pub(crate) fn is_down(&self) -> bool {
        self.is_down.load(Relaxed)
    }

    /// How many checks failed.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    /// The last check that failed, also if later ones did not.
    pub(crate) fn last_failure(&self) -> Option<CheckFailure> {
        self.tally.lock().last_failure.clone()
    }

    /// Notes the result of a check; what it changed. The first of all decides by itself: nothing is
    /// known yet that would speak against it.
    pub(crate) fn note(
        &self,
        result: Result<(), CheckFailure>,
        thresholds: CheckThresholds,
    ) -> Option<Change> {
        let mut tally = self.tally.lock();
        let is_good = result.is_ok();
        if let Err(failure) = result {
            self.failures.fetch_add(1, Relaxed);
            tally.last_failure = Some(failure);
        }
        let is_first = !std::mem::replace(&mut tally.begun, true);
        let was_good = !self.is_down();
        if is_good == was_good {
            tally.against = 0;
            return None;
        }
        tally.against = tally.against.saturating_add(1);
        let needed = if is_good {
            thresholds.healthy_after()
        } else {
            thresholds.unhealthy_after()
        };
        if !is_first && tally.against < needed {
            return None;
        }
        tally.against = 0;
        self.is_down.store(!is_good, Relaxed);
        Some(if is_good { Change::Up } else { Change::Down })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Result<(), CheckFailure> {
        Err(CheckFailure {
            at: Tick::from_millis(1),
            reason: "status 500".into(),
        })
    }

    /// `+` is a good check, `-` a bad one; the standing after each, `U` or `D`.
    #[track_caller]
    fn check(results: &str, healthy_after: u16, unhealthy_after: u16, expected: &str) {
        let thresholds = CheckThresholds::new(healthy_after, unhealthy_after).unwrap();
        let state = CheckState::default();
        let mut was_down = false;
        let standings = results.chars().map(|result| {
            let result = if result == '+' { Ok(()) } else { failed() };
            let change = state.note(result, thresholds);
            let expected = match (was_down, state.is_down()) {
                (false, true) => Some(Change::Down),
                (true, false) => Some(Change::Up),
                _ => None,
            };
            assert_eq!(change, expected);
            was_down = state.is_down();
            if was_down { 'D' } else { 'U' }
        });
        assert_eq!(standings.collect::<String>(), expected);
    }

    #[test]
    fn results_in_a_row_change_the_standing() {
        check("+--+---", 2, 3, "UUUUUUD");
        check("+---+-++", 2, 3, "UUUDDDDU");
        check("+-+", 1, 1, "UDU");
    }

    #[test]
    fn the_first_result_decides_by_itself() {
        check("-++", 2, 3, "DDU");
        check("+--", 2, 3, "UUU");
    }

    #[test]
    fn the_last_failure_is_remembered() {
        let state = CheckState::default();
        state.note(failed(), CheckThresholds::default());
        state.note(Ok(()), CheckThresholds::default());
        assert_eq!(&*state.last_failure().unwrap().reason, "status 500");
        assert_eq!(state.failures(), 1);
    }
}
