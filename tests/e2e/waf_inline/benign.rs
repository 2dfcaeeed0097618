//! What rules let pass arrives whole and unchanged.

use std::hash::{DefaultHasher, Hasher};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};

use super::{EVIL, FORM, Gate, multipart, post, post_chunked};
use crate::harness::{Backend, Connection, Http2Client, Palisade, run};

const UPLOAD_BYTES: usize = 100 * 1024 * 1024;
const PIECE_BYTES: usize = 1024 * 1024;
/// What an upload may add to the memory of the process: what rules look at, a few times over.
const MEMORY_MIB_MAX: u64 = 64;

/// A form of some 200 KiB of words.
pub(super) fn form() -> Vec<u8> {
    let words = "the+quick+brown+fox+jumps+over+a+lazy+dog+".repeat(25);
    let fields: Vec<String> = (0..200)
        .map(|field| format!("field{field}={words}"))
        .collect();
    fields.join("&").into_bytes()
}

/// Bytes of nothing in particular, which differ from place to place.
fn filling(length: usize) -> Vec<u8> {
    let bytes = (0_u32..).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes());
    bytes.take(length).collect()
}

#[test]
fn a_form_of_200_kib_arrives_whole() {
    let gate = Gate::with(EVIL);
    let form = form();
    assert!(form.len() > 200 * 1024);
    assert_eq!(gate.post(FORM, &form).status, 200);
    assert!(gate.backend.requests()[0].body == form);
}

#[test]
fn a_body_in_chunks_arrives_whole() {
    let gate = Gate::with(EVIL);
    let form = form();
    let answer = gate.palisade.exchange(post_chunked(FORM, &form, 1000));
    assert_eq!(answer.unwrap().status, 200);
    assert!(gate.backend.requests()[0].body == form);
}

#[test]
fn a_body_in_chunks_that_is_longer_than_rules_look_at_arrives_whole() {
    let gate = Gate::with(EVIL);
    let (headers, body) = multipart("file", &filling(3_000_000), Some("a.bin"));
    let answer = gate.palisade.exchange(post_chunked(headers, &body, 70_000));
    assert_eq!(answer.unwrap().status, 200);
    assert!(gate.backend.requests()[0].body == body);
}

#[test]
fn a_body_over_http2_arrives_whole() {
    let gate = Gate::with(EVIL);
    let (_, body) = multipart("file", &filling(3_000_000), Some("a.bin"));
    run(async {
        let client = Http2Client::connect(gate.palisade.address()).await;
        for length in [0, 10, 200_000, body.len()] {
            let answer = client.post("/form", &body[..length]).await.unwrap();
            assert_eq!(answer.status, 200, "{length} bytes");
            let seen = gate.backend.requests();
            assert!(
                seen.last().unwrap().body == body[..length],
                "{length} bytes"
            );
        }
    });
}

#[test]
fn an_attack_over_http2_is_refused_before_the_backend_hears_of_it() {
    let gate = Gate::with(EVIL);
    run(async {
        let client = Http2Client::connect(gate.palisade.address()).await;
        let answer = client.get("/?q=evil").await.unwrap();
        assert_eq!(answer.status, 403);
        let fields = [("content-type", "application/x-www-form-urlencoded")];
        let mut exchange = client.begin("POST", "/", &fields, false).await;
        exchange.send(b"q=ev").await;
        exchange.send(b"il").await;
        exchange.end();
        assert_eq!(exchange.answer().await.unwrap().status, 403);
    });
    gate.backend_saw_nothing();
}

#[test]
fn an_upload_of_100_mib_arrives_whole_and_is_not_held() {
    let (backend, arrived) = hashing_backend();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.conf"), EVIL).unwrap();
    let palisade = Palisade::start_in(
        folder,
        &format!(
            "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
waf: {{ rules: rules.conf }}
"
        ),
    );
    upload(&palisade, &arrived);
}

/// Uploads 100 MiB as a form's file; what arrives is the same, and no more memory is taken than is bounded.
pub(super) fn upload(palisade: &Palisade, arrived: &Receiver<(usize, u64)>) {
    let before = most_memory_mib(palisade);
    let (headers, frame) = multipart("file", b"", Some("a.bin"));
    let split = frame.len() - b"\r\n--border--\r\n".len();
    let length = frame.len() + UPLOAD_BYTES;
    let head = post(headers, &frame[..split]);
    let head = String::from_utf8(head).unwrap();
    let head = head.replace(
        &format!("Content-Length: {split}\r\n"),
        &format!("Content-Length: {length}\r\n"),
    );
    let mut hasher = DefaultHasher::new();
    let mut connection = Connection::open(palisade.address());
    connection.send(head);
    hasher.write(&frame[..split]);
    let piece = filling(PIECE_BYTES);
    for _ in 0..UPLOAD_BYTES / PIECE_BYTES {
        connection.send(&piece);
        hasher.write(&piece);
    }
    connection.send(&frame[split..]);
    hasher.write(&frame[split..]);
    assert_eq!(connection.answer().unwrap().status, 200);
    assert_eq!(arrived.recv().unwrap(), (length, hasher.finish()));
    let grown = most_memory_mib(palisade) - before;
    assert!(grown < MEMORY_MIB_MAX, "{grown} MiB more");
}

fn most_memory_mib(palisade: &Palisade) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", palisade.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib: u64 = line
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    kib / 1024
}

/// A backend that keeps nothing of a body but its length and a hash, which it tells.
pub(super) fn hashing_backend() -> (SocketAddr, Receiver<(usize, u64)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = sync_channel(1);
    std::thread::spawn(move || {
        for mut tcp in listener.incoming().flatten() {
            if let Some(arrived) = hash_body(&mut tcp) {
                tell.send(arrived).unwrap();
                tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    .unwrap();
            }
        }
    });
    (address, told)
}

fn hash_body(tcp: &mut TcpStream) -> Option<(usize, u64)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        tcp.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1)?.lines().next()?;
    let length: usize = length.parse().unwrap();
    let (mut hasher, mut left) = (DefaultHasher::new(), length);
    let mut piece = vec![0; PIECE_BYTES];
    while left > 0 {
        let read = tcp.read(&mut piece).ok().filter(|read| *read > 0)?;
        hasher.write(&piece[..read]);
        left -= read;
    }
    Some((length, hasher.finish()))
}

#[test]
fn what_no_rule_matches_is_in_no_log() {
    let gate = Gate::before(Backend::start(), EVIL);
    assert_eq!(gate.post(FORM, "q=good").status, 200);
    gate.refuses_later();
}

impl Gate {
    /// A refusal behind all else, and the only line of both logs.
    #[track_caller]
    fn refuses_later(&self) {
        assert_eq!(self.palisade.get("/?q=evil").status, 403);
        self.wait_for_audit(|line| line["status"] == 403);
        let log = std::fs::read_to_string(self.folder().join("audit.jsonl")).unwrap();
        assert_eq!(log.lines().count(), 1, "{log}");
        self.palisade
            .wait_for_decision(|line| line["check"] == "waf");
        assert_eq!(self.palisade.decision_log().len(), 1);
    }
}
