//! How much the second set judges, and what it may take.

use serde_json::Value;

use super::{ACTIVE, DEAR, EVALUATED, Gate, STRICTER, skipped};
use crate::harness::wait_for;

/// Sends 200 requests; how many of them the second set was to judge that judges this share.
fn sampled_of_200(sample: &str) -> u64 {
    let mut gate = Gate::with_shadow(ACTIVE, STRICTER, &format!("sample: {sample}, budget: 100%"));
    let mut connection = gate.palisade.connect();
    for _ in 0..200 {
        connection.send("GET /?q=odd HTTP/1.1\r\nHost: test.example\r\n\r\n");
        assert_eq!(connection.answer().expect("an answer").status, 200);
    }
    gate.stop();
    // What waited at the end is counted too.
    let log = gate.log();
    let lines = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let (summaries, told): (Vec<Value>, Vec<Value>) =
        lines.partition(|line: &Value| line["kind"] == "summary");
    let number = |value: &Value| value.as_u64().expect("a number");
    let evaluated: u64 = summaries.iter().map(|it| number(&it["evaluated"])).sum();
    assert_eq!(told.len() as u64, evaluated, "{log}");
    let skipped = summaries
        .iter()
        .map(|it| number(&it["skipped"]["stopping"]));
    evaluated + skipped.sum::<u64>()
}

#[test]
fn the_share_of_requests_that_is_asked_for_is_judged() {
    assert_eq!(sampled_of_200("0%"), 0);
    // Seven standard deviations around the middle.
    let half = sampled_of_200("50%");
    assert!((50..150).contains(&half), "{half}");
    assert_eq!(sampled_of_200("100%"), 200);
}

#[test]
fn what_is_beyond_the_budget_is_skipped_and_counted() {
    let gate = Gate::with_shadow(ACTIVE, DEAR, "sample: 100%, budget: 0.1%");
    let body = format!("a={}", "bcdefgh ".repeat(125_000));
    assert_eq!(gate.post(&body).status, 200);
    let line = gate.wait_for_line(|line| line["kind"] == "shadow_failed");
    assert_eq!(line["shadow"]["failure"], "budget_spent", "{line}");
    assert_eq!(line["active"]["outcome"], "passed");
    for number in [1.0, 2.0] {
        assert_eq!(gate.palisade.get("/?q=odd").status, 200);
        gate.wait_for_metric(&skipped("budget"), number);
    }
    assert_eq!(gate.palisade.metric(EVALUATED), 1.0);
}

#[test]
fn what_waits_is_bounded_and_clients_do_not_wait() {
    let gate = Gate::with_shadow(ACTIVE, DEAR, "sample: 100%, budget: 100%");
    let body = format!("a={}", "bcdefgh ".repeat(125_000));
    for _ in 0..12 {
        assert_eq!(gate.post(&body).status, 200);
    }
    let mut connection = gate.palisade.connect();
    for _ in 0..400 {
        connection.send("GET /?q=good HTTP/1.1\r\nHost: test.example\r\n\r\n");
        assert_eq!(connection.answer().expect("an answer").status, 200);
    }
    wait_for("the queue to be full", || {
        (gate.palisade.metric(&skipped("queue_full")) >= 100.0).then_some(())
    });
}

#[test]
fn what_is_held_is_bounded() {
    let gate = Gate::with_shadow(ACTIVE, DEAR, "sample: 100%, budget: 100%, memory: 1MiB");
    let body = format!("a={}", "b".repeat(1_100_000));
    assert_eq!(gate.post(&body).status, 200);
    gate.wait_for_metric(&skipped("memory_full"), 1.0);
    assert!(gate.backend.requests()[0].body == body.as_bytes());
    // What was held is given back.
    assert_eq!(gate.post("a=b").status, 200);
    gate.wait_for_metric(EVALUATED, 1.0);
    wait_for("nothing to be held", || {
        let held = gate.palisade.metric("palisade_waf_shadow_memory_bytes");
        (held == 0.0).then_some(())
    });
}
