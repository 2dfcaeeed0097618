//! A server's health under every interleaving of requests, as loom (<https://docs.rs/loom>) finds them.
//!
//! Compiles the crate's own file against loom's atomics. Loom runs no test harness: `main` runs the
//! models, one after the other.

use std::time::Duration;

use loom::sync::Arc;
use loom::thread;
use palisade_vocabulary::Tick;

#[path = "../src/health.rs"]
#[expect(
    dead_code,
    reason = "this needs not all of it, and its unit tests run elsewhere"
)]
mod health;

/// What the file calls the crate's atomics.
mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}

/// What the file calls the crate's settings.
mod settings {
    pub(crate) use palisade_upstream::Ejection;
}

use health::{Health, Standing, Trial};
use settings::Ejection;

const PERIOD: Duration = Duration::from_secs(10);

fn main() {
    loom::model(one_of_many_claims_wins);
    loom::model(one_outage_is_one_ejection);
    loom::model(an_answer_forgets_every_ejection);
    loom::model(a_late_word_frees_no_other_trial);
}

fn at(second: u64) -> Tick {
    Tick::from_millis(second * 1000)
}

/// The first failure ejects.
fn ejection() -> Option<Ejection> {
    Ejection::new(1, PERIOD).ok()
}

/// A server that failed at second 0.
fn ejected() -> Arc<Health> {
    let health = Arc::new(Health::default());
    assert!(health.failed(None, at(0), ejection()));
    health
}

/// The trial, if it is due at this second and nobody else got it.
fn claim(health: &Health, second: u64) -> Option<Trial> {
    match health.standing(at(second)) {
        Standing::Due(due) => health.claim(due, at(second), PERIOD),
        _ => None,
    }
}

/// What both threads come to, whatever comes first.
fn race<A: 'static, B>(
    health: &Arc<Health>,
    one: impl FnOnce(&Health) -> A + 'static,
    other: impl FnOnce(&Health) -> B,
) -> (A, B) {
    let shared = Arc::clone(health);
    let one = thread::spawn(move || one(&shared));
    let other = other(health);
    match one.join() {
        Ok(one) => (one, other),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn one_of_many_claims_wins() {
    let health = ejected();
    let (one, other) = race(
        &health,
        |health| claim(health, 10),
        |health| claim(health, 10),
    );
    assert!(one.is_some() != other.is_some(), "{one:?} {other:?}");
    assert_eq!(health.standing(at(10)), Standing::Out);
}

fn one_outage_is_one_ejection() {
    let health = Arc::new(Health::default());
    let fail = |health: &Health| health.failed(None, at(0), ejection());
    let (one, other) = race(&health, fail, fail);
    assert!(one != other, "{one} {other}");
    assert_eq!(health.out_for(at(0)), Some(PERIOD));
}

/// However an answer meets a failure, the next answer leaves nothing of either.
fn an_answer_forgets_every_ejection() {
    let health = ejected();
    let trial = claim(&health, 10);
    assert!(trial.is_some());
    race(
        &health,
        move |health| health.failed(trial, at(11), ejection()),
        |health| health.answered(),
    );
    health.answered();
    assert_eq!(health.standing(at(12)), Standing::In);
    assert!(health.failed(None, at(100), ejection()));
    assert_eq!(health.out_for(at(100)), Some(PERIOD), "not the doubled one");
}

fn a_late_word_frees_no_other_trial() {
    let health = ejected();
    let late = claim(&health, 10);
    let (_, second) = race(
        &health,
        move |health| late.map(|late| health.trial_told_nothing(late)),
        |health| claim(health, 20),
    );
    if second.is_some() {
        assert_eq!(health.standing(at(20)), Standing::Out, "one at a time");
    }
}
