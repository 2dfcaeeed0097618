//! HTTP/2: frames that keep a server busy and ask for nothing, windows that never open, tables that
//! swell. Every frame is written by hand.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use palisade_testkit::crowd::connect_from;

use super::Siege;
use crate::harness::{Backend, wait_for};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// RFC 9113 section 7.
const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

/// `GET http://a/`, and `POST` (RFC 7541, the static table).
const GET: &[u8] = b"\x82\x86\x84\x41\x01a";
const POST: &[u8] = b"\x83\x86\x84\x41\x01a";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length.to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// HEADERS that are a whole request.
fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, 5, stream, GET)
}

/// A client that sends whatever it likes.
struct Attacker(TcpStream);

impl Attacker {
    fn at(siege: &Siege, number: u32) -> Self {
        Self::with_settings(siege, number, &[])
    }

    fn with_settings(siege: &Siege, number: u32, settings: &[u8]) -> Self {
        let from = u32::from(Ipv4Addr::new(127, 1, 0, 1)) + number;
        Self::from(Ipv4Addr::from(from), siege, settings)
    }

    fn from(address: Ipv4Addr, siege: &Siege, settings: &[u8]) -> Self {
        let tcp = connect_from(address, siege.address()).unwrap();
        tcp.set_write_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        // Less than an idle connection has: what ends later has not ended because of a flood.
        tcp.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut attacker = Self(tcp);
        attacker.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        attacker.send(&frame(SETTINGS, 0, 0, settings));
        attacker
    }

    /// Sends, as far as anybody takes it.
    fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// The next frame: its kind, its stream and its payload; none where the connection ends.
    fn next(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        match self.0.read_exact(&mut head) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("nothing more came"),
            Err(_) => return None,
            Ok(()) => {}
        }
        let [l0, l1, l2, kind, _, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
        self.0.read_exact(&mut payload).ok()?;
        Some((kind, u32::from_be_bytes(stream), payload))
    }

    /// Waits until so many streams were refused, as having not been begun (RFC 9113 section 8.7).
    fn wait_for_refused(&mut self, count: usize) {
        let mut refused = 0;
        while refused < count {
            let (kind, _, payload) = self.next().expect("it goes on");
            let is_refusal = kind == RST_STREAM && payload == REFUSED_STREAM.to_be_bytes();
            refused += usize::from(is_refusal);
        }
    }

    /// Reads to the end; the code of the GOAWAY that came, if one did.
    fn goaway(&mut self) -> Option<u32> {
        let mut received = Vec::new();
        match self.0.read_to_end(&mut received) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("it goes on"),
            // A reset, when the server leaves bytes of ours unread.
            _ => {}
        }
        let (mut rest, mut code) = (received.as_slice(), None);
        while let [l0, l1, l2, kind, _, _, _, _, _, tail @ ..] = rest {
            let length = u32::from_be_bytes([0, *l0, *l1, *l2]) as usize;
            let Some(payload) = tail.get(..length) else {
                break;
            };
            if *kind == GOAWAY {
                code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
            }
            rest = &tail[length..];
        }
        code
    }
}

/// Floods ten connections with these bytes, sent `times` times; each has to end, calmed down, and be
/// counted for `reason`.
#[track_caller]
fn check_flood(name: &str, reason: &str, first: &[u8], bytes: &[u8], times: usize) {
    let siege = Siege::begin("");
    siege.under(name, || {
        let codes: Vec<_> = (0..10)
            .map(|number| {
                let mut attacker = Attacker::at(&siege, number);
                attacker.send(first);
                for _ in 0..times {
                    if !attacker.send(bytes) {
                        break;
                    }
                }
                attacker.goaway()
            })
            .collect();
        // A reset may overtake a farewell.
        let is_calmed = |code: &Option<u32>| code.is_none_or(|code| code == ENHANCE_YOUR_CALM);
        assert!(codes.iter().all(is_calmed), "{name}: {codes:?}");
        wait_for("the counter", || {
            (siege.refusals(reason) >= 10.0).then_some(())
        });
    });
}

#[test]
fn rapid_reset() {
    // A stream's number can't come twice, so each time is a stretch of its own.
    let siege = Siege::begin("");
    siege.under("rapid reset: 10 times 5,000 requests", || {
        for number in 0..10 {
            let mut attacker = Attacker::at(&siege, number);
            let resets = (0..5_000_u32).flat_map(|at| {
                let stream = 2 * at + 1;
                [get(stream), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
            });
            let resets: Vec<u8> = resets.collect();
            resets.chunks(4096).all(|piece| attacker.send(piece));
            let code = attacker.goaway();
            assert!(
                code.is_none_or(|code| code == ENHANCE_YOUR_CALM),
                "{code:?}"
            );
        }
        wait_for("the counter", || {
            let counted = siege.refusals("http2_reset_flood") + siege.refusals("http2_frame_flood");
            (counted >= 10.0).then_some(())
        });
    });
    let asked = siege.backend.requests();
    let of_attackers = asked
        .iter()
        .filter(|request| request.header("host") == Some("a"));
    assert!(of_attackers.count() < 10 * 400, "most were never forwarded");
}

#[test]
fn resets_are_counted_however_slowly_they_come() {
    // So few at a time, and in all, that no other bound is near.
    let (backend, _release) = holding_backend();
    let siege = Siege::begin_before(backend, ", limits: { http2: { resets_per_second: 1 } }");
    let mut attacker = Attacker::at(&siege, 0);
    for at in 0..60_u32 {
        let stream = 2 * at + 1;
        let is_open = attacker.send(&get(stream));
        if !is_open || siege.refusals("http2_reset_flood") > 0.5 {
            break;
        }
        attacker.send(&frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
    }
    let code = attacker.goaway();
    assert!(
        code.is_none_or(|code| code == ENHANCE_YOUR_CALM),
        "{code:?}"
    );
    wait_for("the counter", || {
        (siege.refusals("http2_reset_flood") > 0.5).then_some(())
    });
    assert!(siege.refusals("http2_frame_flood") < 0.5);
}

#[test]
fn resets_that_the_server_is_made_to_send() {
    // A field that HTTP/2 doesn't know is an error of the stream (RFC 9113 section 8.2.2).
    let malformed = [GET, b"\x00\x0aconnection\x05close"].concat();
    let siege = Siege::begin("");
    siege.under("made to reset: 5 times 1,000 requests", || {
        for number in 0..5 {
            let mut attacker = Attacker::at(&siege, number);
            let heads = (0..1_000_u32).map(|at| frame(HEADERS, 5, 2 * at + 1, &malformed));
            let bytes = heads.collect::<Vec<_>>().concat();
            bytes.chunks(4096).all(|piece| attacker.send(piece));
            let code = attacker.goaway();
            assert!(
                code.is_none_or(|code| code == ENHANCE_YOUR_CALM),
                "{code:?}"
            );
        }
        wait_for("the counter", || {
            (siege.refusals("http2_reset_flood") >= 5.0).then_some(())
        });
    });
}

#[test]
fn who_resets_and_takes_as_much_goes_on() {
    let siege = Siege::begin(", limits: { http2: { resets_per_second: 1 } }");
    let mut honest = Attacker::at(&siege, 0);
    for at in 0..200_u32 {
        let stream = 4 * at + 1;
        let cancelled = frame(RST_STREAM, 0, stream + 2, &[0, 0, 0, 8]);
        honest.send(&[get(stream), get(stream + 2), cancelled].concat());
        // One answer at least is read before the next two are asked for.
        let mut received = [0; 4096];
        assert!(honest.0.read(&mut received).unwrap() > 0);
    }
    assert!(siege.refusals("http2_reset_flood") < 0.5);
}

#[test]
fn pings() {
    let pings = frame(PING, 0, 0, &[7; 8]).repeat(1_000);
    check_flood(
        "10 times 20,000 PINGs",
        "http2_frame_flood",
        &[],
        &pings,
        20,
    );
}

#[test]
fn settings() {
    let settings = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]).repeat(1_000);
    check_flood(
        "10 times 20,000 SETTINGS",
        "http2_frame_flood",
        &[],
        &settings,
        20,
    );
}

#[test]
fn priorities() {
    let priorities = frame(PRIORITY, 0, 3, &[0, 0, 0, 1, 16]).repeat(1_000);
    check_flood(
        "10 times 20,000 PRIORITYs",
        "http2_frame_flood",
        &[],
        &priorities,
        20,
    );
}

#[test]
fn unknown_frames() {
    let unknown = frame(0xfa, 0, 3, b"").repeat(1_000);
    check_flood(
        "10 times 20,000 unknown frames",
        "http2_frame_flood",
        &[],
        &unknown,
        20,
    );
}

#[test]
fn empty_data() {
    let head = frame(HEADERS, 4, 1, POST);
    let empty = frame(DATA, 0, 1, b"").repeat(1_000);
    check_flood(
        "10 times 20,000 empty DATA",
        "http2_frame_flood",
        &head,
        &empty,
        20,
    );
}

#[test]
fn window_updates() {
    let tiny = frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]).repeat(1_000);
    check_flood(
        "10 times 20,000 WINDOW_UPDATEs of a byte",
        "http2_frame_flood",
        &[],
        &tiny,
        20,
    );
}

#[test]
fn continuations() {
    let head = frame(HEADERS, 0, 1, GET);
    let more = frame(CONTINUATION, 0, 1, b"").repeat(1_000);
    check_flood(
        "10 times 20,000 CONTINUATIONs",
        "http2_frame_flood",
        &head,
        &more,
        20,
    );
}

/// A field of 4,000 bytes goes into the table, and then costs a byte each time (RFC 7541 section 6.1).
fn swelling(fields: usize) -> Vec<u8> {
    let mut value = vec![0x40, 1, b'x', 0x7f, 0xa1, 0x1e];
    value.extend([b'y'; 4_000]);
    [GET, &value, &vec![0xbe; fields - 1]].concat()
}

#[test]
fn field_blocks_that_swell() {
    let siege = Siege::begin("");
    // Over what a head may have in bytes, by little and by much, and in fields.
    for fields in [9, 90, 12_000] {
        let block = swelling(fields);
        let name = format!("HPACK bombs: 20 times {fields} fields of 4,000 bytes");
        siege.under(&name, || {
            for number in 0..20 {
                let mut attacker = Attacker::at(&siege, number);
                let (first, more) = block.split_at(block.len().min(16_000));
                attacker.send(&frame(HEADERS, 1, 1, first));
                attacker.send(&frame(CONTINUATION, 4, 1, more));
                // Refused, or reset, or the connection ends; and no more is made of it.
                while attacker.next().is_some_and(|(_, stream, _)| stream != 1) {}
            }
        });
    }
    assert!(siege.refusals("head_too_large") >= 20.0);
    let asked = siege.backend.requests();
    assert!(
        asked
            .iter()
            .all(|request| request.header("host") != Some("a"))
    );
}

#[test]
fn tables_that_a_client_wants_huge_stay_small() {
    let siege = Siege::begin("");
    siege.under("100 connections with tables of 4 GiB", || {
        let held: Vec<_> = (0..100)
            .map(|number| {
                let huge = [0, 1, 0xff, 0xff, 0xff, 0xff];
                let mut attacker = Attacker::with_settings(&siege, number, &huge);
                for at in 0..20 {
                    attacker.send(&get(2 * at + 1));
                }
                attacker
            })
            .collect();
        siege.wait_for_answers(2_000);
        held
    });
}

/// Answers the innocent, and nobody else before it is released: when the sender goes.
fn holding_backend() -> (Backend, SyncSender<()>) {
    let (release, held) = sync_channel::<()>(0);
    let held = Mutex::new(held);
    let backend = Backend::with(move |request, tcp| {
        if request.header("host") == Some("a") {
            let _ = held.lock().unwrap().recv();
        }
        tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .is_ok()
    });
    (backend, release)
}

#[test]
fn streams_beyond_those_that_there_may_be_are_refused() {
    let (backend, release) = holding_backend();
    let siege = Siege::begin_before(backend, ", limits: { http2: { streams: 10 } }");
    let of_attackers = || {
        let asked = siege.backend.requests();
        let of_attackers = asked
            .iter()
            .filter(|request| request.header("host") == Some("a"));
        of_attackers.count()
    };
    siege.under("10 times 100 requests at a time, of 10", || {
        let mut attackers: Vec<_> = (0..10).map(|number| Attacker::at(&siege, number)).collect();
        for attacker in &mut attackers {
            let all: Vec<u8> = (0..100).flat_map(|at| get(2 * at + 1)).collect();
            attacker.send(&all);
        }
        for attacker in &mut attackers {
            attacker.wait_for_refused(90);
        }
        wait_for("the others at the backend", || {
            (of_attackers() >= 100).then_some(())
        });
        assert_eq!(of_attackers(), 100);
        assert!(siege.refusals("http2_reset_flood") < 0.5, "so far");

        // Whoever goes on makes the server reset, which is as good as to reset.
        for attacker in &mut attackers {
            let more: Vec<u8> = (100..300).flat_map(|at| get(2 * at + 1)).collect();
            attacker.send(&more);
            let code = attacker.goaway();
            assert!(
                code.is_none_or(|code| code == ENHANCE_YOUR_CALM),
                "{code:?}"
            );
        }
        wait_for("the counter", || {
            (siege.refusals("http2_reset_flood") >= 10.0).then_some(())
        });
    });
    assert_eq!(of_attackers(), 100);
    drop(release);
}

/// A backend with a large page, and a small one for the innocent.
fn large_backend() -> Backend {
    let large = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n{}",
        "x".repeat(2_000_000)
    );
    Backend::with(move |request, tcp| {
        let is_large = request.header("host") == Some("a");
        let small = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        tcp.write_all(if is_large {
            large.as_bytes()
        } else {
            small.as_bytes()
        })
        .is_ok()
    })
}

/// Asks for 50 large answers on each of ten connections, whose streams have windows of `window` bytes
/// that never open; the answers have to be given up.
#[track_caller]
fn check_windows(name: &str, window: u32) {
    let siege = Siege::begin_before(large_backend(), ", deadlines: { idle: 1s }");
    let _held = siege.under(name, || {
        let held: Vec<_> = (0..10)
            .map(|number| {
                let mut attacker = Attacker::with_settings(&siege, number, &initial_window(window));
                let all: Vec<u8> = (0..50).flat_map(|at| get(2 * at + 1)).collect();
                attacker.send(&all);
                attacker
            })
            .collect();
        wait_for("all answers to be given up", || {
            (siege.metric("palisade_stalled_answers_total") >= 500.0).then_some(())
        });
        held
    });
}

/// SETTINGS_INITIAL_WINDOW_SIZE.
fn initial_window(bytes: u32) -> Vec<u8> {
    [&[0, 4][..], &bytes.to_be_bytes()].concat()
}

/// One address asks for 100 large answers on each of 200 connections and takes none of them, which is
/// all that it may by default.
#[track_caller]
fn check_all_of_an_address(name: &str, window: u32) {
    const REFUSED: &str = "palisade_streams_refused_total{slots=\"address\"}";
    let siege = Siege::begin_before(large_backend(), "");
    let _held = siege.under(name, || {
        let requests: Vec<u8> = (0..100).flat_map(|at| get(2 * at + 1)).collect();
        let held: Vec<_> = (0..200)
            .map(|_| {
                let address = Ipv4Addr::new(127, 1, 0, 1);
                let mut attacker = Attacker::from(address, &siege, &initial_window(window));
                attacker.send(&requests);
                attacker
            })
            .collect();
        wait_for("the counter", || {
            (siege.metric(REFUSED) >= 19_000.0).then_some(())
        });
        held
    });
    assert!(siege.metric("palisade_requests_evicted_total") < 0.5);
}

#[test]
fn an_address_that_asks_for_all_it_may_into_closed_windows() {
    check_all_of_an_address("20,000 answers of 2 MB into windows of nothing", 0);
}

#[test]
fn an_address_that_asks_for_all_it_may_into_a_closed_connection() {
    // Windows are wide open, and nothing is read.
    check_all_of_an_address("20,000 answers of 2 MB that nobody reads", 0x7fff_ffff);
}

#[test]
fn many_addresses_that_ask_for_much_end_one_another() {
    let listener = ", limits: { waiting_requests: 200 }";
    let siege = Siege::begin_before(large_backend(), listener);
    let _held = siege.under("2,000 answers of 2 MB, of which 200 may wait", || {
        let requests: Vec<u8> = (0..100).flat_map(|at| get(2 * at + 1)).collect();
        let held: Vec<_> = (0..20)
            .map(|number| {
                let mut attacker = Attacker::with_settings(&siege, number, &initial_window(0));
                attacker.send(&requests);
                attacker
            })
            .collect();
        // Of 2,000 connections to a backend that is busy many come to no answer that waits; without the
        // limit nothing is ended at all.
        wait_for("the counter", || {
            let evicted = siege.metric("palisade_requests_evicted_total");
            (evicted >= 500.0).then_some(())
        });
        held
    });
    assert!(siege.metric("palisade_requests_evicted_total") <= 1_801.0);
}

#[test]
fn bodies_that_never_end_hold_so_much_and_no_more() {
    let siege = Siege::begin(", limits: { waiting_requests: 200 }");
    let _held = siege.under("1,000 bodies of 60 KB, of which 200 may wait", || {
        let data = frame(DATA, 0, 1, &[b'x'; 15_000]).repeat(4);
        let body = [frame(HEADERS, 4, 1, POST), data].concat();
        let held: Vec<_> = (0..1_000)
            .map(|number| {
                let mut attacker = Attacker::at(&siege, number / 10);
                attacker.send(&body);
                attacker
            })
            .collect();
        wait_for("the counter", || {
            let evicted = siege.metric("palisade_requests_evicted_total");
            (evicted >= 700.0).then_some(())
        });
        held
    });
    let asked = siege.backend.requests();
    assert!(!asked.iter().any(|request| request.line.starts_with("POST")));
}

#[test]
fn windows_that_open_by_a_byte_at_a_time() {
    let siege = Siege::begin_before(large_backend(), ", deadlines: { idle: 2s }");
    siege.under("20 answers of 2 MB, a byte every 100 ms", || {
        let mut attacker = Attacker::with_settings(&siege, 0, &initial_window(1));
        let requests: Vec<u8> = (0..20).flat_map(|at| get(2 * at + 1)).collect();
        attacker.send(&requests);
        let byte = |at: u32| frame(WINDOW_UPDATE, 0, 2 * at + 1, &[0, 0, 0, 1]);
        let bytes: Vec<u8> = (0..20).flat_map(byte).collect();
        wait_for("all answers to be given up", || {
            // That it isn't silence that ends them is the point.
            std::thread::sleep(Duration::from_millis(100));
            attacker.send(&bytes);
            (siege.metric("palisade_stalled_answers_total") >= 20.0).then_some(())
        });
    });
}

#[test]
fn slow_bodies_lock_nobody_out() {
    let siege = Siege::begin(", limits: { connections: 600 }");
    let held = siege.under("1,000 connections of two slow bodies", || {
        let body = |stream| {
            let data = frame(DATA, 0, stream, &[b'x'; 1_500]);
            [frame(HEADERS, 4, stream, POST), data].concat()
        };
        let bodies = [body(1), body(3)].concat();
        let held: Vec<_> = (0..1_000)
            .map(|number| {
                let mut attacker = Attacker::at(&siege, number / 10);
                attacker.send(&bodies);
                attacker
            })
            .collect();
        held
    });
    assert!(siege.metric("palisade_connections_evicted_total") >= 400.0);
    wait_for("those that were evicted to end", || {
        (siege.metric("palisade_connections_open") <= 601.0).then_some(())
    });
    drop(held);
}

#[test]
fn windows_that_are_closed() {
    check_windows("500 answers of 2 MB into windows of nothing", 0);
}

#[test]
fn windows_that_are_tiny() {
    check_windows("500 answers of 2 MB into windows of a byte", 1);
}
