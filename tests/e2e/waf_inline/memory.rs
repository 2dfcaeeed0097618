//! The memory that bodies take which are held.

use std::sync::{Mutex, mpsc};

use super::{EVIL, FORM, Gate, SetUp, post, wait_until_read};
use crate::harness::{Backend, wait_for};

#[test]
fn bodies_for_which_there_is_no_memory_get_503_and_the_others_pass() {
    let gate = Gate::set_up(
        Backend::start(),
        &SetUp {
            files: &[("rules.conf", EVIL)],
            waf: "rules: rules.conf, body_memory: 5MiB",
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
            waf: "rules: rules.conf, body_memory: 5MiB",
            ..SetUp::default()
        },
    );
    let body = post(FORM, "a".repeat(1_000_000));
    let holders = [(); 4].map(|()| {
        let mut holder = gate.palisade.connect();
        holder.send(&body[..body.len() - 1]);
        wait_until_read(&holder);
        holder
    });
    assert_eq!(gate.post(FORM, "b".repeat(700_000)).status, 503);
    assert_eq!(gate.post(FORM, "c".repeat(60_000)).status, 200);
    let [mut holder, others @ ..] = holders;
    drop(others);
    wait_for("memory that is given back", || {
        (gate.body_memory() < 2_000_000).then_some(())
    });
    assert_eq!(holder.send("a").answer().expect("an answer").status, 200);
}

#[test]
fn what_rules_make_of_a_body_takes_memory_until_its_request_is_over() {
    let (over, until_over) = mpsc::sync_channel::<()>(1);
    let until_over = Mutex::new(until_over);
    let backend = Backend::with(move |_, _| {
        let _ = until_over.lock().unwrap().recv();
        false
    });
    let gate = Gate::set_up(
        backend,
        &SetUp {
            files: &[("rules.conf", EVIL)],
            waf: "rules: rules.conf, body_memory: 64MiB",
            ..SetUp::default()
        },
    );
    let mut asked = gate.palisade.connect();
    asked.send(post(FORM, format!("a={}", "b".repeat(1_000_000))));
    // The body, and the value that rules have of it.
    wait_for("both to be accounted for", || {
        (gate.body_memory() >= 2_000_000).then_some(())
    });
    drop(asked);
    drop(over);
    wait_for("memory that is given back", || {
        (gate.body_memory() == 0).then_some(())
    });
}

impl Gate {
    /// The memory that bodies take, by the metrics.
    fn body_memory(&self) -> u64 {
        let metrics = self.palisade.metrics();
        let mut lines = metrics.lines();
        let bytes = lines.find_map(|line| line.strip_prefix("palisade_waf_body_memory_bytes "));
        bytes.expect("the metric").parse().expect("a number")
    }
}
