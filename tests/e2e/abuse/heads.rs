//! Heads that are large, or have too much in them.

use std::io::{Read, Write};
use std::net::Ipv4Addr;

use palisade_testkit::crowd::connect_from;

use super::Siege;

/// Sends these bytes on connections of their own; each must be refused.
fn bomb(siege: &Siege, count: usize, bytes: &str) {
    for _ in 0..count {
        let mut tcp = connect_from(Ipv4Addr::new(127, 1, 0, 1), siege.address()).unwrap();
        // It may be refused before it is sent to its end.
        let _ = tcp.write_all(bytes.as_bytes());
        let mut answer = Vec::new();
        let _ = tcp.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        // A client that sends on and on may lose the answer to the reset that follows it.
        let is_lost = answer.is_empty();
        assert!(is_lost || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[test]
fn many_fields_are_refused() {
    let siege = Siege::begin("");
    siege.under("200 heads of 3,000 fields", || {
        let head = format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "a:b\r\n".repeat(3_000)
        );
        bomb(&siege, 200, &head);
    });
    assert!(siege.refusals("too_many_headers") >= 200.0);
}

#[test]
fn long_fields_are_refused() {
    let siege = Siege::begin("");
    siege.under("100 heads with a field of 1 MB", || {
        let head = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
            "x".repeat(1_000_000)
        );
        bomb(&siege, 100, &head);
    });
    assert!(siege.refusals("head_too_large") >= 100.0);
}

#[test]
fn the_largest_heads_that_pass_cost_no_more_than_their_bytes() {
    let siege = Siege::begin("");
    siege.under("2,000 heads of 31 KiB in 90 fields, at a time", || {
        let field = format!("X-Field: {}\r\n", "x".repeat(330));
        let head = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{}",
            field.repeat(90)
        );
        let connections = (0..2_000).map(|at| {
            let from = u32::from(Ipv4Addr::new(127, 1, 0, 1)) + at / 100;
            let mut tcp = connect_from(Ipv4Addr::from(from), siege.address()).unwrap();
            tcp.write_all(head.as_bytes()).unwrap();
            tcp
        });
        // All but the last line of each, before any of them ends.
        let mut held: Vec<_> = connections.collect();
        for tcp in &mut held {
            tcp.write_all(b"\r\n").unwrap();
            let mut answer = String::new();
            tcp.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
    });
}
