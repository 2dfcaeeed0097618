//! A second request that hides in a first: the backend sees exactly one.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use super::one_site;
use crate::harness::{Backend, Palisade, wait_for};

const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\nX-Smuggled: yes\r\n\r\n";

/// Sends `bytes`, and one request more that ends the connection, then requests on connections of
/// their own, which a backend that was fooled would take for something else. How many requests of
/// `bytes` the backend saw.
#[track_caller]
fn seen(name: &str, bytes: &str) -> usize {
    let backend = Backend::start();
    let palisade = Palisade::start(&one_site(&backend, ""));
    let mut connection = palisade.connect();
    connection
        .send(bytes)
        .send("GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let answers = String::from_utf8(connection.read_to_end()).unwrap();
    let answers = answers.matches("HTTP/1.1 ").count();
    let requests = backend.requests();
    for request in &requests {
        assert!(
            !request.line.contains("/hidden"),
            "{name}: {}",
            request.head
        );
        assert_eq!(
            request.header("x-smuggled"),
            None,
            "{name}: {}",
            request.head
        );
    }
    assert_eq!(
        answers,
        requests.len().max(1),
        "{name}: one answer for each request"
    );
    for target in ["/after/1", "/after/2"] {
        assert_eq!(palisade.get(target).status, 200, "{name}");
        assert_eq!(
            backend.requests().last().unwrap().line,
            format!("GET {target} HTTP/1.1"),
            "{name}"
        );
    }
    assert_eq!(backend.requests().len(), requests.len() + 2, "{name}");
    let last = requests
        .iter()
        .filter(|request| request.line.contains("/last"))
        .count();
    assert_eq!(
        last,
        usize::from(!requests.is_empty()),
        "{name}: the next request is read where it begins"
    );
    requests.len() - last
}

#[test]
fn a_request_in_a_body_stays_a_body() {
    let length = HIDDEN.len();
    for (name, head) in [
        ("by length", format!("Content-Length: {length}\r\n")),
        (
            "Connection names the length",
            format!("Connection: Content-Length\r\nContent-Length: {length}\r\n"),
        ),
        (
            "Connection names much",
            format!(
                "Connection: host, content-length, transfer-encoding, x-real-ip\r\nContent-Length: {length}\r\n"
            ),
        ),
        (
            "an underscore twin of the other framing",
            format!("Content-Length: {length}\r\nTransfer_Encoding: chunked\r\n"),
        ),
        (
            "an underscore twin of the length",
            format!("Content-Length: {length}\r\nContent_Length: 0\r\n"),
        ),
        (
            "an upgrade that has a body",
            format!("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: {length}\r\n"),
        ),
        (
            "h2c",
            format!(
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: {length}\r\n"
            ),
        ),
    ] {
        let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n{HIDDEN}");
        assert_eq!(seen(name, &bytes), 1, "{name}");
    }
    let chunked = format!("{length:x}\r\n{HIDDEN}\r\n0\r\n\r\n");
    for (name, head) in [
        ("chunked", ""),
        (
            "Connection names the framing",
            "Connection: Transfer-Encoding\r\n",
        ),
        ("GET with chunks", ""),
    ] {
        let method = if name.starts_with("GET") {
            "GET"
        } else {
            "POST"
        };
        let bytes = format!(
            "{method} / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n{head}\r\n{chunked}"
        );
        assert_eq!(seen(name, &bytes), 1, "{name}");
    }
}

/// Bodies whose end two servers find at different places: a name, header lines, the body.
#[rustfmt::skip] // One row a line.
fn bodies_in_doubt() -> Vec<(&'static str, String, String)> {
    let length = HIDDEN.len();
    let chunked = "Transfer-Encoding: chunked";
    let behind_the_end = format!("0\r\n\r\n{HIDDEN}");
    let as_chunk = format!("{length:x}\r\n{HIDDEN}\r\n0\r\n\r\n");
    vec![
        ("CL.TE", format!("Content-Length: {}\r\n{chunked}", length + 5), behind_the_end.clone()),
        ("TE.CL", format!("{chunked}\r\nContent-Length: 4"), as_chunk.clone()),
        ("TE.TE", format!("{chunked}\r\nTransfer-Encoding: cow"), behind_the_end.clone()),
        ("TE.TE, a space", "Transfer-Encoding : chunked".into(), behind_the_end.clone()),
        ("TE.TE, a tab", "Transfer-Encoding:\tchunked".into(), behind_the_end.clone()),
        ("TE.TE, folded", "Transfer-Encoding:\r\n chunked".into(), behind_the_end),
        ("TE.0", "Transfer-Encoding: identity".into(), HIDDEN.into()),
        ("CL.CL", format!("Content-Length: 0\r\nContent-Length: {length}"), HIDDEN.into()),
        ("CL list", format!("Content-Length: 0, {length}"), HIDDEN.into()),
        ("bare CR", format!("X: y\rContent-Length: {length}"), HIDDEN.into()),
        ("bare LF", format!("X: y\nContent-Length: {length}"), HIDDEN.into()),
        ("NUL", format!("Content-Length: {length}\0"), HIDDEN.into()),
        ("an extension that ends with LF", chunked.into(), format!("2;\nxx\r\n{as_chunk}")),
        ("a size that wraps", chunked.into(), format!("10000000000000000\r\n\r\n{HIDDEN}")),
        ("a last chunk without size", chunked.into(), format!("\r\n\r\n{HIDDEN}")),
        ("a request as a trailer", chunked.into(), format!("0\r\n{HIDDEN}")),
    ]
}

#[test]
fn a_body_in_doubt_is_refused_with_what_follows_it() {
    for (name, head, body) in bodies_in_doubt() {
        let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n{body}");
        assert_eq!(seen(name, &bytes), 0, "{name}");
    }
    let head = "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked";
    assert_eq!(
        seen(
            "TE on HTTP/1.0",
            &format!("{head}\r\n\r\n0\r\n\r\n{HIDDEN}")
        ),
        0
    );
}

#[test]
fn bytes_behind_an_upgrade_that_was_not_granted_are_not_forwarded_as_a_tunnel() {
    let backend = Backend::start();
    let palisade = Palisade::start(&format!(
        "{}
access:
  rules:
    - {{ id: secret, match: {{ path: /secret }}, action: block }}
",
        one_site(&backend, "")
    ));
    let mut connection = palisade.connect();
    connection.send("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\r\n");
    connection.send("GET /secret HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(connection.answer().unwrap().status, 200);
    // The second is a request like any other, or the connection ends; it never passes unjudged.
    let second = connection.answer().map(|answer| answer.status);
    assert!(matches!(second, None | Some(403)), "{second:?}");
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn a_pipelined_request_is_judged_like_any_other() {
    let backend = Backend::start();
    let palisade = Palisade::start(&format!(
        "{}
access:
  rules:
    - {{ id: secret, match: {{ path: /secret }}, action: block }}
",
        one_site(&backend, "")
    ));
    let mut connection = palisade.connect();
    connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /secret HTTP/1.1\r\nHost: a\r\n\r\nGET /open HTTP/1.1\r\nHost: a\r\n\r\n");
    let statuses: Vec<u16> = (0..3)
        .map(|_| connection.answer().unwrap().status)
        .collect();
    assert_eq!(statuses, [200, 403, 200]);
    let lines: Vec<String> = backend
        .requests()
        .into_iter()
        .map(|request| request.line)
        .collect();
    assert_eq!(lines, ["POST / HTTP/1.1", "GET /open HTTP/1.1"]);
}

/// A backend that answers each blank line at once, and so a request before its body has come. What
/// came on each connection is told when it has ended.
fn hasty_backend() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let ended = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&ended);
    std::thread::spawn(move || {
        for mut tcp in listener.incoming().flatten() {
            let told = Arc::clone(&told);
            std::thread::spawn(move || {
                let (mut came, mut answered) = (String::new(), 0);
                let mut piece = [0; 1024];
                while let Ok(count @ 1..) = tcp.read(&mut piece) {
                    came += &String::from_utf8_lossy(&piece[..count]);
                    while answered < came.matches("\r\n\r\n").count() {
                        let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
                        answered += 1;
                    }
                }
                told.lock().unwrap().push(came);
            });
        }
    });
    (address, ended)
}

#[test]
fn an_answer_that_comes_early_leaves_nothing_for_the_next_request() {
    let (backend, ended) = hasty_backend();
    let palisade = Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ early: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: early }}]
"
    ));
    // More than is read before the backend is asked, and the client waits with the rest.
    let length = 100_000 + HIDDEN.len();
    let mut connection = palisade.connect();
    connection.send(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
    ));
    connection.send("x".repeat(100_000));
    assert_eq!(connection.answer().unwrap().text(), "no");
    connection.send(HIDDEN);
    assert!(
        connection.is_closed(),
        "the rest of the body is not read as a request"
    );
    // On each of the threads, so that one of them would find the connection again.
    for _ in 0..10 {
        assert_eq!(palisade.get("/next").text(), "no");
    }
    drop(palisade);
    let came = wait_for("the end of the upload's connection", || {
        let ended = ended.lock().unwrap().clone();
        ended.into_iter().find(|came| came.starts_with("POST"))
    });
    assert!(
        !came.contains("/next"),
        "a connection in the middle of a body was used again"
    );
    assert!(!came.contains("/hidden"));
}
