//! How many connections there may be, how long their parts may take, how large they may be.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::harness::{Backend, Connection, Http2, Palisade, wait_for};

const GET: &str = "GET / HTTP/1.1\r\nHost: test.example\r\n\r\n";

fn gate(backend: &Backend, listener: &str, site: &str) -> Palisade {
    Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0, {listener} }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app{site} }}]
"
    ))
}

/// Whether a connection of `client` gets an answer; it is kept open.
fn served(palisade: &Palisade, client: &str) -> Option<Connection> {
    let mut connection = Connection::open_from(client, palisade.address());
    connection.send(GET).answer().map(|answer| {
        assert_eq!(answer.status, 200);
        connection
    })
}

fn refused(palisade: &Palisade, slots: &str) -> f64 {
    palisade.metric(&format!(
        "palisade_connections_refused_total{{slots=\"{slots}\"}}"
    ))
}

#[test]
fn an_address_has_so_many_connections() {
    let backend = Backend::start();
    let palisade = gate(&backend, "limits: { connections_per_address: 3 }", "");
    let mut held: Vec<Connection> = (0..3)
        .map(|_| served(&palisade, "127.0.0.1").expect("a slot"))
        .collect();
    assert!(served(&palisade, "127.0.0.1").is_none());
    assert!(served(&palisade, "127.0.0.1").is_none());
    assert!(
        served(&palisade, "127.0.0.2").is_some(),
        "another address has its own"
    );
    wait_for("the counter", || {
        (refused(&palisade, "address") >= 2.0).then_some(())
    });
    held.pop();
    wait_for("a slot that was given back", || {
        served(&palisade, "127.0.0.1")
    });
    for connection in &mut held {
        assert_eq!(
            connection.send(GET).answer().unwrap().status,
            200,
            "those that have one keep it"
        );
    }
    assert!((refused(&palisade, "total")).abs() < f64::EPSILON);
}

#[test]
fn a_proxy_source_is_the_address_that_counts() {
    let backend = Backend::start();
    let palisade = gate(
        &backend,
        "proxy_protocol: { mode: required, from: [127.0.0.1] }, limits: { connections_per_address: 2 }",
        "",
    );
    let served = |client: &str| {
        let mut connection = palisade.connect_from(client);
        connection.send(GET).answer().map(|_| connection)
    };
    let one: Vec<_> = (0..2)
        .map(|_| served("192.0.2.1").expect("a slot"))
        .collect();
    let _mapped = served("2001:db8::1").expect("a slot");
    assert!(served("192.0.2.1").is_none());
    assert!(served("::ffff:192.0.2.1").is_none(), "the same address");
    assert!(served("192.0.2.2").is_some());
    drop(one);
    wait_for("slots that were given back", || served("192.0.2.1"));
}

#[test]
fn addresses_of_one_ipv6_network_count_together() {
    let backend = Backend::start();
    let palisade = gate(
        &backend,
        "proxy_protocol: { mode: required, from: [127.0.0.1] }, limits: { connections_per_address: 2 }",
        "",
    );
    let served = |client: &str| {
        let mut connection = palisade.connect_from(client);
        connection.send(GET).answer().map(|_| connection)
    };
    let _one = served("2001:db8:1:2::1").expect("a slot");
    let _other = served("2001:db8:1:2:3:4:5:6").expect("a slot");
    assert!(served("2001:db8:1:2::7").is_none());
    assert!(served("2001:db8:1:3::7").is_some(), "another network");
}

#[test]
fn there_are_so_many_connections_in_total() {
    let released = Arc::new(AtomicBool::new(false));
    let release = Arc::clone(&released);
    let backend = Backend::with(move |request, tcp| {
        while request.line.contains("/slow") && !released.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(5));
        }
        tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .is_ok()
    });
    let palisade = gate(&backend, "limits: { connections: 4 }", "");
    let mut held: Vec<Connection> = (1..=4)
        .map(|client| served(&palisade, &format!("127.0.0.{client}")).expect("a slot"))
        .collect();
    // One more gets the place of the one that has waited longest for its client. Which of them began
    // to wait first is up to the threads that serve them.
    held.push(served(&palisade, "127.0.0.5").expect("another's slot"));
    assert!((palisade.metric("palisade_connections_evicted_total") - 1.0).abs() < f64::EPSILON);
    held.retain_mut(|connection| {
        let answer = connection.send(GET).answer();
        answer.is_some_and(|answer| answer.status == 200)
    });
    assert_eq!(held.len(), 4, "the others keep theirs");
    // Where none waits, nobody does: all are being served.
    for connection in &mut held {
        connection.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    backend.wait_for_requests(13);
    assert!(served(&palisade, "127.0.0.6").is_none());
    wait_for("the counter", || {
        (refused(&palisade, "total") >= 1.0).then_some(())
    });
    let open = palisade.metric("palisade_connections_open");
    assert!((open - 4.0).abs() < f64::EPSILON, "{open}");
    release.store(true, Ordering::Relaxed);
    for connection in &mut held {
        assert_eq!(connection.answer().unwrap().status, 200);
    }
    // Each end of a connection gives its slot back: closed by us, refused, broken off.
    drop(held);
    for bytes in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET",
    ] {
        for _ in 0..3 {
            let mut connection = palisade.connect();
            connection.send(bytes);
            if bytes.ends_with("\r\n\r\n") {
                connection.read_to_end();
            }
        }
    }
    wait_for("all connections to end", || {
        (palisade.metric("palisade_connections_open") < 0.5).then_some(())
    });
    let _all: Vec<Connection> = (1..=4)
        .map(|_| wait_for("a slot", || served(&palisade, "127.0.0.1")))
        .collect();
}

/// Sends these bytes one by one, until told to stop.
fn drip(palisade: &Palisade, first: &str, then: &'static [u8]) -> (Connection, Dripping) {
    let mut connection = palisade.connect();
    connection.send(first);
    let mut sender = connection.try_clone();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = std::thread::spawn(move || {
        for byte in then.iter().cycle() {
            if stopped.load(Ordering::Relaxed) {
                return;
            }
            sender.send([*byte]);
            sleep(Duration::from_millis(20));
        }
    });
    (connection, Dripping(stop, Some(thread)))
}

/// Stops when dropped.
struct Dripping(Arc<AtomicBool>, Option<std::thread::JoinHandle<()>>);

impl Drop for Dripping {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        let _ = self.1.take().unwrap().join();
    }
}

#[test]
fn the_deadline_of_a_head_is_for_all_of_it() {
    let backend = Backend::start();
    let palisade = gate(&backend, "deadlines: { head: 400ms }", "");
    for first in ["GET / HT", "GET / HTTP/1.1\r\nHost: a\r\nX: "] {
        let (mut connection, _dripping) = drip(&palisade, first, b"x");
        assert_eq!(connection.answer().unwrap().status, 408);
        assert!(connection.is_closed());
    }
    let (mut silent, mut nothing) = (palisade.connect(), palisade.connect());
    assert_eq!(
        silent.send("GET / HTTP/1.1\r\n").answer().unwrap().status,
        408
    );
    assert!(nothing.is_closed(), "who sends nothing is told nothing");
    // The head of a second request has its own, from its first byte.
    let mut second = palisade.connect();
    assert_eq!(second.send(GET).answer().unwrap().status, 200);
    assert_eq!(
        second.send("GET / HTTP/1.1\r\n").answer().unwrap().status,
        408
    );
    palisade.wait_for_decision(|line| line["reason"] == "head_deadline");
    let counted = palisade.metric("palisade_hygiene_refusals_total{reason=\"head_deadline\"}");
    assert!((counted - 4.0).abs() < f64::EPSILON, "{counted}");
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn an_idle_connection_ends() {
    let backend = Backend::start();
    let palisade = gate(&backend, "deadlines: { idle: 1s, head: 30s }", "");
    let mut http1 = served(&palisade, "127.0.0.1").unwrap();
    let mut http2 = Http2::over(palisade.connect());
    let head = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/"),
    ];
    assert_eq!(http2.head(1, &head, true).outcome(1).status(), Some(200));
    assert!(http1.is_closed());
    assert_eq!(http2.outcome(3), crate::harness::Outcome::Closed);
    wait_for("all connections to end", || {
        (palisade.metric("palisade_connections_open") < 0.5).then_some(())
    });
}

#[test]
fn the_deadline_of_a_body_is_for_all_of_it() {
    let backend = Backend::start();
    let palisade = gate(
        &backend,
        "deadlines: { body: 1s }, limits: { body_bytes_per_second: 0 }",
        "",
    );
    let length = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n";
    let dripping: Vec<_> = [length, chunked]
        .map(|head| drip(&palisade, head, b"x"))
        .into();
    for (mut connection, _dripping) in dripping {
        assert_eq!(connection.answer().unwrap().status, 408);
        assert!(connection.is_closed());
    }
    let mut http2 = Http2::over(palisade.connect());
    let head = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/"),
    ];
    assert_eq!(
        http2
            .head(1, &head, false)
            .data(1, "x", false)
            .outcome(1)
            .status(),
        Some(408)
    );
    palisade.wait_for_decision(|line| line["reason"] == "body_too_slow" && line["check"] == "body");
    assert_eq!(backend.connections(), 0);
}

#[test]
fn a_body_has_a_least_rate() {
    let backend = Backend::start();
    let palisade = gate(&backend, "limits: { body_bytes_per_second: 1000 }", "");
    // Fifty bytes a second, after a grace of five seconds.
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
    let begun = Instant::now();
    let (mut connection, _dripping) = drip(&palisade, head, b"x");
    assert_eq!(connection.answer().unwrap().status, 408);
    assert!(begun.elapsed() > Duration::from_secs(4), "there is a grace");
    assert_eq!(backend.connections(), 0);
}

/// A gate that takes 200 KiB, with a site that takes less and one that would take more.
fn gate_for_bodies(backend: &Backend) -> Palisade {
    Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0, limits: {{ body_bytes: 200KiB }} }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites:
  - {{ upstream: app }}
  - {{ upstream: app, hosts: [small.example], body_bytes: 1KiB }}
  - {{ upstream: app, hosts: [large.example], body_bytes: 1MiB }}
"
    ))
}

#[test]
fn bodies_have_their_limits() {
    const KIB: usize = 1024;
    let backend = Backend::start();
    let palisade = gate_for_bodies(&backend);
    let length = |host: &str, bytes: usize| {
        let head = format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {bytes}\r\n\r\n");
        let mut connection = palisade.connect();
        connection
            .send(head)
            .send("x".repeat(bytes))
            .answer()
            .unwrap()
            .status
    };
    let chunked = |host: &str, bytes: usize| {
        let head = format!("POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n");
        let mut connection = palisade.connect();
        connection.send(head);
        for piece in "x".repeat(bytes).as_bytes().chunks(1000) {
            connection
                .send(format!("{:x}\r\n", piece.len()))
                .send(piece)
                .send("\r\n");
        }
        connection.send("0\r\n\r\n").answer().unwrap().status
    };
    for (host, max) in [
        ("a", 200 * KIB),
        ("small.example", KIB),
        ("large.example", 200 * KIB),
    ] {
        assert_eq!(length(host, max), 200, "{host}");
        assert_eq!(length(host, max + 1), 413, "{host}");
        assert_eq!(chunked(host, max), 200, "{host}");
        let seen = backend.requests().len();
        // A long one is on its way to the backend when it turns out to be too long: it is broken
        // off, and so never a request.
        assert_eq!(chunked(host, max + 1), 413, "{host}");
        assert_eq!(backend.requests().len(), seen, "{host}");
    }
    palisade.wait_for_decision(|line| line["reason"] == "body_too_large" && line["status"] == 413);
}

#[test]
fn a_body_too_large_is_refused_as_soon_as_that_is_known() {
    let backend = Backend::start();
    let palisade = gate_for_bodies(&backend);
    let mut connection = palisade.connect();
    let head =
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 999999\r\n\r\n";
    assert_eq!(
        connection.send(head).answer().unwrap().status,
        413,
        "instead of 100"
    );
    assert!(connection.is_closed());
    // HTTP/2, declared and not.
    let mut http2 = Http2::over(palisade.connect());
    let post = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "small.example"),
        (":path", "/"),
    ];
    let declared = [&post[..], &[("content-length", "1025")]].concat();
    assert_eq!(
        http2.head(1, &declared, false).outcome(1).status(),
        Some(413)
    );
    http2.head(3, &post, false);
    http2
        .data(3, "x".repeat(600), false)
        .data(3, "x".repeat(600), false);
    assert_eq!(http2.outcome(3).status(), Some(413));
    assert_eq!(backend.connections(), 0);
}

#[test]
fn head_limits_are_settable() {
    let backend = Backend::start();
    let palisade = gate(
        &backend,
        "limits: { head_bytes: 2KiB, headers: 10, target_bytes: 256B }",
        "",
    );
    let status = |bytes: String| palisade.exchange(bytes).unwrap().status;
    let target =
        |bytes: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(bytes - 1));
    assert_eq!(status(target(256)), 200);
    assert_eq!(status(target(257)), 414);
    let fields = |count: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X: y\r\n".repeat(count - 1)
        )
    };
    assert_eq!(status(fields(10)), 200);
    assert_eq!(status(fields(11)), 431);
    let head = |bytes: usize| {
        let rest = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
            "y".repeat(bytes - rest)
        )
    };
    assert_eq!(status(head(2048)), 200);
    assert_eq!(status(head(2049)), 431);
}

#[test]
fn a_client_that_reads_nothing_is_cut_off() {
    // An answer that never ends.
    let backend = Backend::with(|_, tcp| {
        let piece = [b'x'; 64 * 1024];
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
        let mut sent = tcp.write_all(head);
        while sent.is_ok() {
            sent = tcp.write_all(&piece);
        }
        false
    });
    let palisade = gate(&backend, "deadlines: { idle: 1s }", "");
    let mut http1 = palisade.connect();
    http1.send(GET);
    // HTTP/2's own window stops the answer (RFC 9113 section 5.2).
    let mut http2 = Http2::over(palisade.connect());
    let head = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/"),
    ];
    http2.head(1, &head, true);
    wait_for("both answers to begin", || {
        (backend.connections() == 2).then_some(())
    });
    wait_for("the slow readers to be cut off", || {
        (palisade.metric("palisade_connections_open") < 0.5).then_some(())
    });
    let aborted =
        palisade.metric("palisade_requests_total{outcome=\"client_aborted\",status=\"2xx\"}");
    assert!((aborted - 2.0).abs() < f64::EPSILON, "{aborted}");
    assert!(
        !http1.read_to_end().ends_with(b"0\r\n\r\n"),
        "the answer has no end"
    );
}

#[test]
fn a_client_that_waits_for_its_answer_is_not_cut_off() {
    // Longer than it may let the answer wait, though it reads a byte a time.
    let backend = Backend::with(|_, tcp| {
        let mut sent = tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        for _ in 0..5 {
            sleep(Duration::from_millis(500));
            sent = sent.and_then(|()| tcp.write_all(b"x"));
        }
        sent.is_ok()
    });
    let palisade = gate(&backend, "deadlines: { idle: 1s }", "");
    let mut connection = palisade.connect();
    assert_eq!(connection.send(GET).answer().unwrap().body, b"xxxxx");
    assert!(palisade.metric("palisade_stalled_answers_total") < 0.5);
}

#[test]
fn a_client_that_reads_slowly_is_not_cut_off() {
    let backend = Backend::answering(
        [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n"[..],
            &vec![b'x'; 8_000_000],
        ]
        .concat(),
    );
    let palisade = gate(&backend, "deadlines: { idle: 1s }", "");
    let mut connection = palisade.connect();
    connection.send(GET);
    // Slower than the deadline in all, never so at a stretch.
    let mut read = 0;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1500) {
        read += connection.read_exactly(400_000).len();
        sleep(Duration::from_millis(100));
    }
    read += connection.read_exactly(8_000_100 - read).len();
    assert!(read >= 8_000_000, "{read}");
}
