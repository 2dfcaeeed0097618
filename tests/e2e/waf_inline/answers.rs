//! What rules make of answers, before clients have any of them.

use std::io::Write as _;

use super::{Gate, chunked, gzip, ids};
use crate::harness::{Backend, Http2Client, run};

const LEAK: &str = "<p>ORA-00933: SQL command not properly ended</p>";
const RULES: &str = r#"SecRuleEngine On
SecResponseBodyAccess On
SecResponseBodyMimeType text/html
SecResponseBodyLimit 65536
SecResponseBodyLimitAction ProcessPartial
SecRule RESPONSE_HEADERS:X-Leak "@unconditionalMatch" "id:300,phase:3,deny,log,msg:'A leak in a header'"
SecRule RESPONSE_BODY "@contains ORA-00933" "id:200,phase:4,deny,log,msg:'A leak'"
"#;

/// An answer with these header lines.
fn answer(headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// A client gets the page of a refusal, and nothing of the answer.
#[track_caller]
fn check_refused(answer: Vec<u8>) {
    let gate = Gate::before(Backend::answering(answer), RULES);
    let got = gate.palisade.get("/");
    assert_eq!(got.status, 403, "{}", got.head);
    let text = format!("{}{}", got.head, got.text());
    assert!(!text.contains("ORA-") && !text.contains("X-Leak"), "{text}");
    assert_eq!(got.header("content-encoding"), None);
    let line = gate.wait_for_audit(|line| line["outcome"] == "refused");
    assert_eq!(
        (ids(&line).len(), &line["status"]),
        (1, &403.into()),
        "{line}"
    );
    // Nothing is left of it on the way to the backend.
    assert_eq!(gate.palisade.get("/").status, 403);
}

/// A client gets the answer as it is.
#[track_caller]
fn check_passes(answer: &[u8], body: &[u8]) {
    let gate = Gate::before(Backend::answering(answer), RULES);
    let got = gate.palisade.get("/");
    assert_eq!(got.status, 200, "{}", got.head);
    assert!(got.body == body, "{}", got.text());
}

#[test]
fn a_leak_is_replaced_by_a_page() {
    check_refused(answer("Content-Type: text/html\r\n", LEAK.as_bytes()));
}

#[test]
fn a_leak_in_chunks_is_replaced_by_a_page() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";
    check_refused([&head[..], &chunked(LEAK.as_bytes(), 3)].concat());
}

#[test]
fn a_leak_that_is_coded_is_replaced_by_a_page() {
    check_refused(answer(
        "Content-Type: text/html\r\nContent-Encoding: gzip\r\n",
        &gzip(LEAK.as_bytes()),
    ));
}

#[test]
fn a_leak_in_a_header_is_replaced_by_a_page() {
    check_refused(answer(
        "X-Leak: ORA-1\r\nContent-Type: image/png\r\n",
        b"png",
    ));
}

#[test]
fn a_leak_is_replaced_over_http2() {
    let leak = answer("Content-Type: text/html\r\n", LEAK.as_bytes());
    let gate = Gate::before(Backend::answering(leak), RULES);
    let got = run(async {
        let client = Http2Client::connect(gate.palisade.address()).await;
        client.get("/").await.unwrap()
    });
    assert_eq!(got.status, 403);
    assert!(!String::from_utf8_lossy(&got.body).contains("ORA-"));
}

#[test]
fn types_that_are_not_listed_pass_as_they_are() {
    for headers in ["Content-Type: application/octet-stream\r\n", ""] {
        check_passes(&answer(headers, LEAK.as_bytes()), LEAK.as_bytes());
    }
}

#[test]
fn what_is_benign_passes_as_it_is() {
    let body = b"<p>Thank you.</p>";
    check_passes(&answer("Content-Type: text/html\r\n", body), body);
    let coded = gzip(body);
    let headers = "Content-Type: text/html\r\nContent-Encoding: gzip\r\n";
    check_passes(&answer(headers, &coded), &coded);
}

#[test]
fn a_long_answer_arrives_whole_behind_what_rules_look_at() {
    let body = "<p>all is well</p>\n".repeat(100_000);
    let headers = "Content-Type: text/html\r\n";
    check_passes(&answer(headers, body.as_bytes()), body.as_bytes());
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunks = [&head[..], &chunked(body.as_bytes(), 50_000)].concat();
    check_passes(&chunks, body.as_bytes());
}

#[test]
fn an_answer_that_is_too_long_is_refused_where_that_is_wanted() {
    let body = "<p>all is well</p>\n".repeat(10_000);
    let long = answer("Content-Type: text/html\r\n", body.as_bytes());
    let rules = RULES.replace("ProcessPartial", "Reject");
    let gate = Gate::before(Backend::answering(long), &rules);
    let got = gate.palisade.get("/");
    assert!(
        got.status >= 400 && !got.text().contains("all is well"),
        "{}",
        got.head
    );
}

#[test]
fn answers_without_a_body_pass() {
    let html = "Content-Type: text/html\r\n";
    let gate = Gate::before(Backend::answering(answer(html, LEAK.as_bytes())), RULES);
    let mut client = gate.palisade.connect();
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.answer_to_head().expect("an answer").status, 200);
    }
    for status in [204, 304] {
        let nothing = format!("HTTP/1.1 {status} x\r\n{html}\r\n");
        let gate = Gate::before(Backend::answering(nothing), RULES);
        let mut client = gate.palisade.connect();
        for _ in 0..2 {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(client.answer().expect("an answer").status, status);
        }
    }
}

#[test]
fn an_answer_that_breaks_off_while_it_is_held_is_an_error() {
    let backend = Backend::with(|_, tcp| {
        let beginning =
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\n<p>";
        tcp.write_all(beginning.as_bytes()).unwrap();
        false
    });
    let gate = Gate::before(backend, RULES);
    let got = gate.palisade.get("/");
    assert_eq!(got.status, 502, "{}", got.head);
}

#[test]
fn trailers_come_behind_an_answer_that_was_held() {
    let held = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTrailer: X-Sum\r\n\
        Transfer-Encoding: chunked\r\n\r\n3\r\nall\r\n0\r\nX-Sum: 3\r\n\r\n";
    let unlisted = held.replace("text/html", "image/png");
    let trailers = [held, &unlisted].map(|answer| {
        let gate = Gate::before(Backend::answering(answer), RULES);
        run(async {
            let client = Http2Client::connect(gate.palisade.address()).await;
            let got = client.get("/").await.unwrap();
            assert_eq!(got.body, b"all");
            got.trailers
        })
    });
    assert_eq!(trailers[0], trailers[1]);
}

#[test]
fn a_connection_goes_on_after_an_answer_that_is_refused() {
    let backend = Backend::with(|request, tcp| {
        let body = match request.line.contains("leak") {
            true => LEAK,
            false => "<p>all is well</p>",
        };
        let answer = answer("Content-Type: text/html\r\n", body.as_bytes());
        tcp.write_all(&answer).is_ok()
    });
    let gate = Gate::before(backend, RULES);
    let mut client = gate.palisade.connect();
    for (target, status) in [("/", 200), ("/leak", 403), ("/", 200), ("/leak", 403)] {
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(
            client.answer().expect("an answer").status,
            status,
            "{target}"
        );
    }
}
