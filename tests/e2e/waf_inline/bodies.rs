//! Bodies that are too long, too slow, or broken off.

use super::{EVIL, FORM, Gate, SetUp, post, wait_until_read};
use crate::harness::{Backend, Http2Client, run, wait_for};

/// `EVIL`, with bodies of more than 1,000 bytes refused.
fn refusing_long_bodies() -> Gate {
    let limit = "SecRequestBodyLimit 1000\nSecRequestBodyLimitAction Reject\n";
    Gate::with(&format!("{EVIL}{limit}"))
}

/// A head that says how long its body is.
fn head(length: usize, more: &str) -> String {
    format!("POST /form HTTP/1.1\r\nHost: a\r\n{FORM}{more}Content-Length: {length}\r\n\r\n")
}

#[test]
fn a_body_that_says_it_is_too_long_is_refused_before_it_is_sent() {
    let gate = refusing_long_bodies();
    for more in ["", "Expect: 100-continue\r\n"] {
        let answer = gate.palisade.exchange(head(1001, more)).expect("an answer");
        assert_eq!(answer.status, 413, "{more:?}");
    }
    gate.backend_saw_nothing();
    let decision = gate
        .palisade
        .wait_for_decision(|line| line["status"] == 413);
    assert_eq!(
        (&decision["check"], &decision["waf"]["rule"]),
        (&"waf".into(), &0.into())
    );
}

#[test]
fn a_body_in_chunks_is_refused_once_it_is_too_long() {
    let gate = refusing_long_bodies();
    let mut client = gate.palisade.connect();
    client.send(format!(
        "POST /form HTTP/1.1\r\nHost: a\r\n{FORM}Transfer-Encoding: chunked\r\n\r\n"
    ));
    client.send(format!("3e8\r\n{}\r\n", "a".repeat(1000)));
    client.send("1\r\na\r\n");
    assert_eq!(client.answer().expect("an answer").status, 413);
    gate.backend_saw_nothing();
}

#[test]
fn a_body_over_http2_is_refused_once_it_is_too_long() {
    let gate = refusing_long_bodies();
    run(async {
        let client = Http2Client::connect(gate.palisade.address()).await;
        for fields in [&[][..], &[("content-length", "1001")]] {
            let mut exchange = client.begin("POST", "/form", fields, false).await;
            if fields.is_empty() {
                exchange.send(&[b'a'; 1001]).await;
            }
            assert_eq!(exchange.head().await.unwrap().status, 413, "{fields:?}");
        }
    });
    gate.backend_saw_nothing();
}

#[test]
fn a_body_as_long_as_the_limit_passes() {
    let gate = refusing_long_bodies();
    assert_eq!(gate.post(FORM, "a".repeat(1000)).status, 200);
}

#[test]
fn a_client_that_waits_for_100_is_told_to_go_on() {
    let gate = Gate::with(EVIL);
    let mut client = gate.palisade.connect();
    client.send(head(6, "Expect: 100-continue\r\n"));
    assert_eq!(client.answer().expect("an answer").status, 100);
    gate.backend_saw_nothing();
    client.send("q=good");
    assert_eq!(client.answer().expect("an answer").status, 200);
    assert_eq!(gate.backend.requests()[0].body, b"q=good");
}

#[test]
fn an_attack_in_a_head_is_refused_without_100() {
    let gate = Gate::with(&format!(
        "{EVIL}SecRule REQUEST_URI \"@contains evil\" \"id:101,phase:1,deny,log\"\n"
    ));
    let head = head(6, "Expect: 100-continue\r\n").replace("/form", "/evil");
    gate.refuses(head);
}

#[test]
fn a_client_that_stops_in_a_body_is_answered_when_its_time_is_over() {
    let gate = Gate::set_up(
        Backend::start(),
        &SetUp {
            files: &[("rules.conf", EVIL)],
            listener: ", deadlines: { body: 1s }",
            ..SetUp::default()
        },
    );
    let mut client = gate.palisade.connect();
    client.send(head(100, "")).send("q=go");
    assert_eq!(client.answer().expect("an answer").status, 408);
    gate.backend_saw_nothing();
}

#[test]
fn a_client_that_ends_in_a_body_gives_back_what_it_held() {
    let gate = Gate::set_up(
        Backend::start(),
        &SetUp {
            files: &[("rules.conf", EVIL)],
            waf: "rules: rules.conf, body_memory: 2MiB",
            ..SetUp::default()
        },
    );
    let mut client = gate.palisade.connect();
    client.send(head(900_000, "")).send("a".repeat(899_999));
    let large = post(FORM, "b".repeat(600_000));
    let ask = || gate.palisade.exchange(&large).expect("an answer").status;
    wait_until_read(&client);
    assert_eq!(ask(), 503);
    client.reset();
    wait_for("its memory to be free", || (ask() == 200).then_some(()));
    let seen = gate.backend.requests();
    assert!(seen.iter().all(|request| request.body.starts_with(b"b")));
}
