//! Whether requests should come here.

use std::sync::atomic::Ordering;
use std::time::Duration;

use palisade_gate::settings::DecisionsPolicy;
use palisade_vocabulary::{FailurePolicy, Mode};

use crate::context::AdminContext;

/// Why no requests should come here, one reason each; empty: let them come.
pub(crate) fn reasons(context: &AdminContext) -> Vec<String> {
    let shared = &context.shared;
    let lapi = context.lapi.load();
    let now = shared.clock.now();
    let age = lapi
        .as_deref()
        .map(|lapi| lapi.last_good_poll().map(|at| now.since(at)));
    let policy = shared.generation.load().snapshot.decisions;
    let is_leaving = context.leaving.load(Ordering::Relaxed) || *shared.draining.borrow();
    reasons_among(is_leaving, &policy, age)
}

/// `poll_age`: nothing without a LAPI, else how old its last good answer is, if there was one.
fn reasons_among(
    is_leaving: bool,
    policy: &DecisionsPolicy,
    poll_age: Option<Option<Duration>>,
) -> Vec<String> {
    let mut reasons = Vec::new();
    if is_leaving {
        reasons.push("draining: the process ends".to_owned());
    }
    if policy.on_failure == FailurePolicy::Closed && policy.mode == Mode::Block {
        match poll_age {
            None => {}
            Some(None) => reasons.push(
                "crowdsec: nothing was got from LAPI yet, and on_failure is closed".to_owned(),
            ),
            Some(Some(age)) if age > policy.stale_after => reasons.push(format!(
                "crowdsec: the last good answer of LAPI is {} s old, and on_failure is closed after {} s",
                age.as_secs(),
                policy.stale_after.as_secs()
            )),
            Some(Some(_)) => {}
        }
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNCED: Option<Option<Duration>> = Some(Some(Duration::from_secs(600)));
    const STALE: Option<Option<Duration>> = Some(Some(Duration::from_secs(601)));

    fn policy(on_failure: FailurePolicy, mode: Mode) -> DecisionsPolicy {
        DecisionsPolicy {
            mode,
            on_failure,
            stale_after: Duration::from_secs(600),
            ..DecisionsPolicy::default()
        }
    }

    #[track_caller]
    fn check(
        is_leaving: bool,
        policy: DecisionsPolicy,
        poll_age: Option<Option<Duration>>,
        expected: &[&str],
    ) {
        assert_eq!(reasons_among(is_leaving, &policy, poll_age), expected);
    }

    #[test]
    fn an_open_policy_waits_for_nobody() {
        let open = policy(FailurePolicy::Open, Mode::Block);
        for poll_age in [None, Some(None), SYNCED, STALE] {
            check(false, open, poll_age, &[]);
        }
    }

    #[test]
    fn a_closed_policy_waits_for_the_first_answer_and_fresh_ones() {
        let closed = policy(FailurePolicy::Closed, Mode::Block);
        check(false, closed, None, &[]);
        check(
            false,
            closed,
            Some(None),
            &["crowdsec: nothing was got from LAPI yet, and on_failure is closed"],
        );
        check(false, closed, SYNCED, &[]);
        check(
            false,
            closed,
            STALE,
            &[
                "crowdsec: the last good answer of LAPI is 601 s old, and on_failure is closed after 600 s",
            ],
        );
    }

    #[test]
    fn what_refuses_nobody_is_not_waited_for() {
        for mode in [Mode::Detect, Mode::Off] {
            check(false, policy(FailurePolicy::Closed, mode), STALE, &[]);
        }
    }

    #[test]
    fn a_draining_process_is_not_ready() {
        let closed = policy(FailurePolicy::Closed, Mode::Block);
        check(true, closed, SYNCED, &["draining: the process ends"]);
        assert_eq!(reasons_among(true, &closed, Some(None)).len(), 2);
    }
}
