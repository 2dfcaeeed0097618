//! Attacks, wherever in a request they are.

use super::{EVIL, FORM, Gate, SetUp, gzip, ids, multipart, post, post_chunked};
use crate::harness::Backend;

#[test]
fn an_attack_in_a_query_is_refused_before_the_backend_hears_of_it() {
    let gate = Gate::with(EVIL);
    gate.refuses("GET /?q=an+evil HTTP/1.1\r\nHost: a\r\n\r\n");
    let line = gate.wait_for_audit(|line| line["status"] == 403);
    assert_eq!(
        (&line["outcome"], ids(&line)),
        (&"refused".into(), vec![100])
    );
    let decision = gate
        .palisade
        .wait_for_decision(|line| line["check"] == "waf");
    assert_eq!(decision["mode"], "refused");
    assert_eq!(decision["waf"]["message"], "Evil in ARGS:q");
}

#[test]
fn an_attack_in_a_form_is_refused_before_the_backend_hears_of_it() {
    Gate::with(EVIL).refuses(post(FORM, "q=an+evil"));
}

#[test]
fn an_attack_in_json_is_refused_before_the_backend_hears_of_it() {
    let json = "Content-Type: application/json\r\n";
    Gate::with(EVIL).refuses(post(json, r#"{"q": ["an \u0065vil"]}"#));
}

#[test]
fn an_attack_in_a_multipart_form_is_refused_before_the_backend_hears_of_it() {
    let (headers, body) = multipart("q", b"an evil", None);
    Gate::with(EVIL).refuses(post(headers, body));
}

#[test]
fn an_attack_in_chunks_is_refused_before_the_backend_hears_of_it() {
    Gate::with(EVIL).refuses(post_chunked(FORM, "q=an+evil", 1));
}

#[test]
fn an_attack_far_into_a_body_is_refused_before_the_backend_hears_of_it() {
    let body = format!("a={}&q=evil", "b".repeat(900_000));
    Gate::with(EVIL).refuses(post(FORM, body));
}

#[test]
fn an_attack_in_a_body_that_is_coded_is_refused_before_the_backend_hears_of_it() {
    let headers = format!("{FORM}Content-Encoding: gzip\r\n");
    Gate::with(EVIL).refuses(post(&headers, gzip(b"q=an+evil")));
}

#[test]
fn a_coded_body_that_is_benign_arrives_as_it_was_sent() {
    let gate = Gate::with(EVIL);
    let body = gzip(b"q=good");
    let answer = gate.post(&format!("{FORM}Content-Encoding: gzip\r\n"), &body);
    assert_eq!(answer.status, 200);
    let seen = &gate.backend.requests()[0];
    assert_eq!(seen.header("content-encoding"), Some("gzip"));
    assert!(seen.body == body);
}

#[test]
fn rules_are_told_of_a_coding_that_can_not_be_undone() {
    let gate = Gate::with(EVIL);
    for (coding, body) in [("gzip", "q=good"), ("lzma", "q=good")] {
        let answer = gate.post(&format!("{FORM}Content-Encoding: {coding}\r\n"), body);
        assert_eq!(answer.status, 400, "{coding}");
    }
    gate.backend_saw_nothing();
    let line = gate.wait_for_audit(|line| !line["body_error"].is_null());
    assert_eq!(ids(&line), [2], "{line}");
}

#[test]
fn where_rules_only_detect_an_attack_passes_and_is_in_both_logs() {
    let gate = Gate::set_up(
        Backend::start(),
        &SetUp {
            files: &[("rules.conf", EVIL)],
            waf: "rules: rules.conf, mode: detect",
            ..SetUp::default()
        },
    );
    let answer = gate.post(FORM, "q=an+evil");
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert_eq!(gate.backend.requests()[0].body, b"q=an+evil");
    let line = gate.wait_for_audit(|line| line["outcome"] == "would_refuse");
    assert_eq!(ids(&line), [100]);
    let decision = gate
        .palisade
        .wait_for_decision(|line| line["check"] == "waf");
    assert_eq!(decision["mode"], "would_refuse", "{decision}");
    let waf = &decision["waf"];
    assert_eq!(
        (&waf["rule"], &waf["score"]),
        (&100.into(), &"5".into()),
        "{waf}"
    );
    assert_eq!(waf["rules"], serde_json::json!([100]));
}

#[test]
fn a_coded_body_that_is_longer_than_rules_look_at_arrives_as_it_was_sent() {
    let gate = Gate::with(EVIL);
    let headers = format!("{FORM}Content-Encoding: gzip\r\n");
    let good = gzip(format!("q={}", "good".repeat(1_000_000)).as_bytes());
    assert_eq!(gate.post(&headers, &good).status, 200);
    assert!(gate.backend.requests()[0].body == good);
    let evil = gzip(format!("q=evil&a={}", "good".repeat(1_000_000)).as_bytes());
    assert_eq!(gate.post(&headers, evil).status, 403);
}

#[test]
fn a_connection_goes_on_after_a_refusal() {
    let gate = Gate::with(EVIL);
    let mut client = gate.palisade.connect();
    for (request, status) in [
        (post(FORM, "q=evil"), 403),
        (post_chunked(FORM, "q=evil", 2), 403),
        (post(FORM, "q=good"), 200),
        (b"GET /?q=evil HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), 403),
        (post_chunked(FORM, "q=good", 2), 200),
    ] {
        let answer = client.send(request).answer().expect("an answer");
        assert_eq!(answer.status, status);
    }
    assert_eq!(gate.backend.requests().len(), 2);
}

#[test]
fn a_websocket_is_inspected_at_its_head() {
    let switching =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi";
    let gate = Gate::before(Backend::answering(switching), EVIL);
    let upgrade = |target: &str| {
        format!(
            "GET {target} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
    };
    gate.refuses(upgrade("/?q=evil"));
    let mut client = gate.palisade.connect();
    assert_eq!(
        client.send(upgrade("/?q=good")).answer().unwrap().status,
        101
    );
    assert_eq!(client.read_exactly(2), b"hi");
}

#[test]
fn rules_see_a_head_that_hygiene_refuses_for_the_record() {
    let gate = Gate::with(EVIL);
    for (name, head) in [
        (
            "a bad name",
            "GET /?q=evil HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n",
        ),
        (
            "another version",
            "GET /?q=evil HTTP/1.7\r\nHost: b\r\n\r\n",
        ),
        ("no host", "GET /?q=evil HTTP/1.1\r\n\r\n"),
    ] {
        let mut client = gate.palisade.connect();
        let port = client.local_address().port();
        let answer = client.send(head).answer().expect("an answer");
        assert!(
            answer.status == 400 || answer.status == 505,
            "{name}: {}",
            answer.status
        );
        let line = gate.wait_for_audit(|line| line["client_port"] == port);
        assert_eq!(line["outcome"], "for_the_record", "{name}: {line}");
        assert_eq!(ids(&line), [100], "{name}: {line}");
    }
    gate.backend_saw_nothing();
}
