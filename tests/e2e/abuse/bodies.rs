//! Bodies and answers that come or go slowly, or cost more than they carry.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use palisade_testkit::crowd::connect_from;

use super::Siege;
use crate::harness::{Backend, Http2Backend, Http2Client, Palisade, run, wait_for};

/// A connection from one of some addresses, 20 of each.
fn connect(siege: &Siege, at: u32) -> TcpStream {
    let from = u32::from(Ipv4Addr::new(127, 1, 0, 1)) + at / 20;
    connect_from(Ipv4Addr::from(from), siege.address()).unwrap()
}

/// Reads to the end of the connection; what came.
fn read_all(tcp: &mut TcpStream) -> String {
    let mut received = Vec::new();
    // A connection that is broken off has told what it had to tell.
    let _ = tcp.read_to_end(&mut received);
    String::from_utf8_lossy(&received).into_owned()
}

#[test]
fn slow_bodies_end_at_their_deadline() {
    // Without a least rate, which would end them too.
    let listener = ", deadlines: { body: 1s }, limits: { body_bytes_per_second: 0 }";
    let siege = Siege::begin(listener);
    let _held = siege.under("500 slow bodies", || {
        let held = send_to_each(&siege, 500, "x");
        wait_for("all of them to be refused", || {
            (siege.refusals("body_too_slow") >= 500.0).then_some(())
        });
        held
    });
}

/// Begins gRPC calls whose bodies stay away; each has to be refused. `protocol` is what the pool's
/// settings say.
#[track_caller]
fn check_calls(server: impl std::fmt::Display, protocol: &str, deadlines: &str) {
    let palisade = Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0, deadlines: {{ {deadlines} }} }}]
upstreams: {{ app: {{ servers: [\"{server}\"], protocol: {protocol} }} }}
sites: [{{ upstream: app }}]
"
    ));
    run(async {
        let client = Http2Client::connect(palisade.address()).await;
        let fields = [("content-type", "application/grpc")];
        let mut calls = Vec::new();
        for _ in 0..5 {
            let mut call = client.begin("POST", "/silent", &fields, false).await;
            call.send(b"x").await;
            calls.push(call);
        }
        for call in calls {
            assert_eq!(call.answer().await.unwrap().status.as_u16(), 408);
        }
    });
    let refused = "palisade_hygiene_refusals_total{reason=\"body_too_slow\"}";
    assert!(palisade.metric(refused) >= 5.0);
}

#[test]
fn a_call_that_no_backend_can_have_is_a_body_like_any_other() {
    // Without TLS `auto` is HTTP/1.
    check_calls(Backend::start(), "auto", "body: 1s");
}

#[test]
fn a_call_that_pauses_for_too_long_ends() {
    check_calls(Http2Backend::start(), "http2", "idle: 1s");
}

#[test]
fn bodies_that_stop_midway_are_not_kept() {
    let siege = Siege::begin(", deadlines: { body: 3s }");
    // 300 MB, which memory must not have.
    let _held = siege.under("500 bodies that stop after 600 KB", || {
        let held = send_to_each(&siege, 500, &"x".repeat(600_000));
        wait_for("all of them to be refused", || {
            (siege.refusals("body_too_slow") >= 500.0).then_some(())
        });
        held
    });
}

/// Begins a body of 1 MB on so many connections.
fn send_to_each(siege: &Siege, count: u32, beginning: &str) -> Vec<TcpStream> {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
    let connections = (0..count).map(|at| {
        let mut tcp = connect(siege, at);
        tcp.write_all(head.as_bytes()).unwrap();
        tcp.write_all(beginning.as_bytes()).unwrap();
        tcp
    });
    connections.collect()
}

#[test]
fn slow_bodies_lock_nobody_out() {
    let siege = Siege::begin(", limits: { connections: 600 }");
    let held = siege.under("1,000 slow bodies, above the least rate", || {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
        let begin = format!("{head}{}", "x".repeat(1_500));
        let mut held: Vec<_> = (0..1_000)
            .map(|at| {
                let mut tcp = connect(&siege, at);
                let _ = tcp.write_all(begin.as_bytes());
                tcp
            })
            .collect();
        for _ in 0..3 {
            for tcp in &mut held {
                let _ = tcp.write_all(&[b'x'; 300]);
            }
        }
        held
    });
    assert!(siege.metric("palisade_connections_evicted_total") >= 400.0);
    wait_for("those that were evicted to end", || {
        (siege.metric("palisade_connections_open") <= 601.0).then_some(())
    });
    drop(held);
    let seen = siege.backend.requests();
    assert!(!seen.iter().any(|request| request.line.starts_with("POST")));
}

#[test]
fn who_reads_nothing_of_an_answer_is_cut_off_and_counted() {
    // More than the kernel keeps for the two ends of a connection.
    let large = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n{}",
        "x".repeat(20_000_000)
    );
    let small = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let backend = Backend::with(move |request, tcp| {
        let is_large = request.line.contains("/large");
        let answer = if is_large { &*large } else { small };
        tcp.write_all(answer.as_bytes()).is_ok()
    });
    let siege = Siege::begin_before(backend, ", deadlines: { idle: 1s }");
    let _held = siege.under("40 clients that read nothing of 20 MB", || {
        let held: Vec<_> = (0..40)
            .map(|at| {
                let mut tcp = connect(&siege, at);
                tcp.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
                    .unwrap();
                tcp
            })
            .collect();
        wait_for("all of them to be cut off", || {
            (siege.metric("palisade_stalled_answers_total") >= 40.0).then_some(())
        });
        held
    });
}

#[test]
fn tiny_chunks_are_joined() {
    const BYTES: usize = 200_000;
    let siege = Siege::begin("");
    siege.under("4 bodies of 200,000 chunks of a byte", || {
        let body = format!("{}0\r\n\r\n", "1\r\nx\r\n".repeat(BYTES));
        for at in 0..4 {
            let mut tcp = connect(&siege, at);
            tcp.write_all(b"POST /chunks HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
            tcp.write_all(body.as_bytes()).unwrap();
            assert!(read_all(&mut tcp).starts_with("HTTP/1.1 200 "));
        }
    });
    let seen = siege.backend.requests();
    let posts = seen
        .iter()
        .filter(|request| request.line.contains("/chunks"));
    for post in posts {
        assert_eq!(post.body.len(), BYTES);
        // As many as there are reads of the socket: each brings thousands.
        assert!(post.chunks < BYTES / 100, "{} chunks", post.chunks);
    }
}

#[test]
fn chunk_extensions_have_a_bound() {
    let siege = Siege::begin("");
    siege.under("20 chunk extensions of 1 MB", || {
        let extension = format!("1;{}", "x".repeat(1_000_000));
        for at in 0..20 {
            let mut tcp = connect(&siege, at);
            tcp.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                .unwrap();
            // It may be refused before it is sent to its end.
            let _ = tcp.write_all(extension.as_bytes());
            let _ = read_all(&mut tcp);
        }
        wait_for("the counter", || {
            (siege.refusals("body_malformed") >= 20.0).then_some(())
        });
        // One that is whole, and within what anybody would read of it.
        let body = format!("1;{}\r\nx\r\n0\r\n\r\n", "x".repeat(2_000));
        let mut tcp = connect(&siege, 20);
        tcp.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            .unwrap();
        tcp.write_all(body.as_bytes()).unwrap();
        assert!(read_all(&mut tcp).starts_with("HTTP/1.1 400 "));
    });
}

#[test]
fn compressed_bodies_pass_as_they_are() {
    let backend = Backend::start();
    let siege = Siege::begin_before(backend, "");
    siege.under("100 gzip bombs of 10 KB", || {
        // What a deflate bomb looks like: a header, and the same bits again and again.
        let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xed, 0xc1];
        bomb.resize(10_000, 0);
        for at in 0..100 {
            let mut tcp = connect(&siege, at);
            let head = format!(
                "POST /bomb HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
                bomb.len()
            );
            tcp.write_all(head.as_bytes()).unwrap();
            tcp.write_all(&bomb).unwrap();
            assert!(read_all(&mut tcp).starts_with("HTTP/1.1 200 "));
        }
        let seen = siege.backend.requests();
        let bombs = seen.iter().filter(|request| request.line.contains("/bomb"));
        assert!(bombs.clone().count() == 100 && bombs.clone().all(|request| request.body == bomb));
    });
}

#[test]
fn pipelined_requests_are_answered_one_after_another() {
    let siege = Siege::begin("");
    siege.under("4 connections of 1,000 pipelined requests", || {
        let requests = format!(
            "{}GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(999)
        );
        for at in 0..4 {
            let mut tcp = connect(&siege, at);
            let mut sending = tcp.try_clone().unwrap();
            let requests = requests.clone();
            let sender = std::thread::spawn(move || sending.write_all(requests.as_bytes()));
            let answers = read_all(&mut tcp);
            sender.join().unwrap().unwrap();
            assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 1_000);
        }
    });
}

#[test]
fn pipelined_requests_whose_answers_nobody_reads_do_not_pile_up() {
    // 60 MB of answers to each connection, of which the kernel keeps a few for its two ends.
    let large = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n{}",
        "x".repeat(30_000)
    );
    let small = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let backend = Backend::with(move |request, tcp| {
        let is_large = request.line.contains("/large");
        let answer = if is_large { &*large } else { small };
        tcp.write_all(answer.as_bytes()).is_ok()
    });
    let siege = Siege::begin_before(backend, ", deadlines: { idle: 1s }");
    siege.under(
        "20 connections of 2,000 pipelined requests, no answer read",
        || {
            let requests = "GET /large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2_000);
            let held: Vec<_> = (0..20)
                .map(|at| {
                    let mut tcp = connect(&siege, at);
                    tcp.set_write_timeout(Some(Duration::from_millis(50)))
                        .unwrap();
                    let _ = tcp.write_all(requests.as_bytes());
                    tcp
                })
                .collect();
            wait_for("all of them to be cut off", || {
                (siege.metric("palisade_stalled_answers_total") >= 20.0).then_some(())
            });
            held
        },
    );
    let asked = siege.backend.requests();
    let asked = asked
        .iter()
        .filter(|request| request.line.contains("/large"));
    let asked = asked.count();
    assert!(asked < 20 * 2_000 / 4, "{asked} were forwarded");
}

#[test]
fn a_range_of_hundreds_is_the_backends_to_judge() {
    let siege = Siege::begin("");
    siege.under("100 requests for 1,000 ranges", || {
        let ranges = format!("Range: bytes=0-{}\r\n", ",5-".repeat(1_000));
        for at in 0..100 {
            let mut tcp = connect(&siege, at);
            let request =
                format!("GET /ranges HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{ranges}\r\n");
            tcp.write_all(request.as_bytes()).unwrap();
            assert!(read_all(&mut tcp).starts_with("HTTP/1.1 200 "));
        }
        let seen = siege.backend.requests();
        let asked = seen.iter().find(|request| request.line.contains("/ranges"));
        let range = asked.and_then(|request| request.header("range"));
        assert_eq!(range.map(str::len), Some("bytes=0-".len() + 3_000));
    });
}
