//! The memory that bodies take which are held.

use super::{EVIL, FORM, Gate, SetUp, post, wait_until_read};
use crate::harness::{Backend, wait_for};

#[test]
fn bodies_for_which_there_is_no_memory_get_503_and_the_others_pass() {
    let gate = Gate::set_up(
        Backend::start(),
        &SetUp {
            files: &[("rules.conf", EVIL)],
            waf: "rules: rules.conf, body_memory: 1MiB",
            ..SetUp::default()
        },
    );
    let bodies: Vec<Vec<u8>> = (b'a'..b'i').map(|letter| vec![letter; 700_000]).collect();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asked = bodies.iter().map(|body| {
            let gate = &gate;
            scope.spawn(move || gate.post(FORM, body).status)
        });
        let asked: Vec<_> = asked.collect();
        asked.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let passed = statuses.iter().filter(|status| **status == 200).count();
    let refused = statuses.iter().filter(|status| **status == 503).count();
    assert_eq!(passed + refused, bodies.len(), "{statuses:?}");
    let seen = gate.backend.requests();
    assert_eq!(seen.len(), passed);
    assert!(seen.iter().all(|request| bodies.contains(&request.body)));
    // All of it is there again.
    let large = post(FORM, "z".repeat(1_000_000));
    wait_for("memory that is given back", || {
        (gate.palisade.exchange(&large)?.status == 200).then_some(())
    });
}

#[test]
fn small_bodies_need_no_memory_that_others_hold() {
    let gate = Gate::set_up(
        Backend::start(),
        &SetUp {
            files: &[("rules.conf", EVIL)],
            waf: "rules: rules.conf, body_memory: 1MiB",
            ..SetUp::default()
        },
    );
    let mut holder = gate.palisade.connect();
    let body = post(FORM, "a".repeat(1_000_000));
    holder.send(&body[..body.len() - 1]);
    wait_until_read(&holder);
    assert_eq!(gate.post(FORM, "b".repeat(700_000)).status, 503);
    assert_eq!(gate.post(FORM, "c".repeat(60_000)).status, 200);
    assert_eq!(holder.send("a").answer().expect("an answer").status, 200);
}
