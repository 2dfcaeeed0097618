//! HTTP/1 read and written, as the proxy does it: heads and the framing of bodies.

use std::hint::black_box;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use gungraun::{library_benchmark, library_benchmark_group};
use http::HeaderMap;
use palisade_benches::browser::{BrowserRequest, HEAD};
use palisade_benches::scene::Scene;
use palisade_benches::settings::{Rules, SettingsFiles};
use palisade_hygiene::HeadLimits;
use palisade_hygiene::h1::{HeadSearch, check_head};
use palisade_proxy::codec::{AnswerHead, Body, RequestWriter, second_opinion};
use palisade_proxy::judge::Scratch;
use palisade_proxy::settings::ShutdownSettings;
use palisade_proxy::{Clock, Generation, RulesState, Shared, Verifications};
use palisade_upstream::Upstreams;
use palisade_vocabulary::ClientAddr;
use tokio::sync::watch;

use crate::TIMES;
use crate::events::{WITHOUT_LOGS, open};

library_benchmark_group!(
    name = http1,
    benchmarks = [
        second_parser,
        read_request,
        write_request,
        read_answer,
        write_answer,
        read_body
    ]
);

/// The head of a page from nginx: ten fields.
const ANSWER: &str = "\
HTTP/1.1 200 OK\r\n\
Server: nginx/1.28.0\r\n\
Date: Mon, 30 Nov 2026 12:00:00 GMT\r\n\
Content-Type: text/html; charset=utf-8\r\n\
Content-Length: 16384\r\n\
Last-Modified: Thu, 26 Nov 2026 09:14:31 GMT\r\n\
Connection: keep-alive\r\n\
Vary: Accept-Encoding\r\n\
ETag: \"6926c7f7-4000\"\r\n\
Cache-Control: public, max-age=600\r\n\
Accept-Ranges: bytes\r\n\
\r\n";

/// The bytes of a body.
const BODY_BYTES: usize = 16 * 1024;

/// The bytes of each of its chunks.
const CHUNK_BYTES: usize = 1024;

fn second_parser_once(sent: &Bytes) {
    let head = check_head(sent, &HeadLimits::default()).expect("a clean head");
    assert!(second_opinion(sent, &head).is_some(), "the same head");
}

/// The browser's head, once it was read.
fn request_head() -> Bytes {
    let sent = Bytes::copy_from_slice(HEAD.as_bytes());
    second_parser_once(&sent);
    sent
}

// What reading a head takes beside hygiene.
#[library_benchmark]
#[bench::browser(request_head())]
fn second_parser(sent: Bytes) -> Bytes {
    let head = check_head(&sent, &HeadLimits::default()).expect("a clean head");
    for _ in 0..TIMES {
        let fields = second_opinion(black_box(&sent), black_box(&head));
        assert!(black_box(fields).is_some(), "the same head");
    }
    drop(head);
    sent
}

// All of what `http1::serve` does with a head that came in one piece.
#[library_benchmark]
#[bench::browser(request_head())]
fn read_request(sent: Bytes) -> Bytes {
    let limits = HeadLimits::default();
    for _ in 0..TIMES {
        let found = HeadSearch::default().find(black_box(&sent), &limits);
        assert!(matches!(black_box(found), Ok(Some(_))), "a whole head");
        second_parser_once(&sent);
    }
    sent
}

/// The browser's request, judged by the shipped rules and on its way to a backend.
struct Outgoing {
    request: BrowserRequest,
    writer: RequestWriter,
}

impl Outgoing {
    fn new() -> Self {
        let request = BrowserRequest::new();
        let writer = request_writer(&request, request.headers.clone());
        let outgoing = Self { request, writer };
        let wire = outgoing.write();
        let forwarded = wire.windows(13).any(|part| part == b"\r\nx-real-ip: ");
        assert!(forwarded, "a head that says who the client is");
        outgoing
    }

    fn write(&self) -> Vec<u8> {
        let wire = self
            .writer
            .write(black_box(&self.request.head), HEAD.as_bytes());
        wire.expect("a head")
    }
}

/// For `request`, judged by the shipped rules, that came with these `headers`.
pub(crate) fn request_writer(request: &BrowserRequest, headers: HeaderMap) -> RequestWriter {
    let scene = Scene::new(Rules::Shipped, 0);
    let judged = scene.judge(request, &mut Scratch::default());
    let files = SettingsFiles::new(Rules::Shipped, "127.0.0.1:8000", "127.0.0.1:9000");
    let listener = files.load().listeners.into_iter().next();
    let client = ClientAddr::peer("10.0.0.5".parse().expect("an address"), 40_000);
    let listener = listener.expect("a listener");
    let writer = RequestWriter::new(listener, shared(scene), client, headers, judged);
    writer.expect("a connection")
}

fn shared(scene: Scene) -> Arc<Shared> {
    let telemetry = Arc::new(open(&WITHOUT_LOGS));
    let metrics = Arc::clone(telemetry.metrics());
    let generation = Generation::new(
        1,
        scene.snapshot,
        palisade_proxy::Rules::default(),
        Upstreams::default(),
        telemetry,
    );
    let (_, draining) = watch::channel(false);
    Arc::new(Shared {
        generation: Arc::new(generation.expect("metrics")).into(),
        state: Arc::new(scene.state),
        rules: RulesState::default(),
        verifications: Verifications::default(),
        metrics,
        clock: Clock::start(),
        draining,
        shutdown: Arc::new(ShutdownSettings::default()).into(),
    })
}

#[library_benchmark]
#[bench::browser(Outgoing::new())]
fn write_request(outgoing: Outgoing) -> Outgoing {
    for _ in 0..TIMES {
        black_box(outgoing.write());
    }
    outgoing
}

/// So many answers as were received, each by itself.
fn answers() -> Vec<BytesMut> {
    let mut warm = BytesMut::from(ANSWER.as_bytes());
    read_once(&mut warm);
    vec![ANSWER; TIMES]
        .iter()
        .map(|answer| BytesMut::from(answer.as_bytes()))
        .collect()
}

fn read_once(received: &mut BytesMut) -> AnswerHead {
    let mut head = AnswerHead::take(black_box(received)).expect("a whole head");
    let (body, keeps_connection) = head.body().expect("a head that is clear");
    black_box(body);
    assert!(keeps_connection, "nothing closes it");
    head
}

#[library_benchmark]
#[bench::nginx(answers())]
fn read_answer(mut answers: Vec<BytesMut>) -> Vec<BytesMut> {
    for received in &mut answers {
        black_box(read_once(received));
    }
    answers
}

/// The head of nginx's answer.
pub(crate) fn answer_head() -> AnswerHead {
    read_once(&mut BytesMut::from(ANSWER.as_bytes()))
}

/// The head of an answer, and memory that has grown.
fn answer() -> (AnswerHead, Vec<u8>) {
    let head = answer_head();
    let mut wire = Vec::new();
    head.write(&mut wire);
    wire.extend_from_slice(b"\r\n");
    assert_eq!(wire, ANSWER.as_bytes());
    (head, wire)
}

#[library_benchmark]
#[bench::nginx(answer())]
fn write_answer((head, mut wire): (AnswerHead, Vec<u8>)) -> (AnswerHead, Vec<u8>) {
    for _ in 0..TIMES {
        wire.clear();
        black_box(&head).write(&mut wire);
        black_box(&wire);
    }
    (head, wire)
}

fn body(framing: fn() -> Body, sent: fn() -> Vec<u8>) -> (fn() -> Body, Vec<u8>) {
    let sent = sent();
    assert_eq!(framing().read(&sent), Some(BODY_BYTES));
    (framing, sent)
}

fn of_length() -> Body {
    Body::of_length(BODY_BYTES as u64)
}

fn plain() -> Vec<u8> {
    vec![b'a'; BODY_BYTES]
}

/// [`BODY_BYTES`] in chunks of [`CHUNK_BYTES`].
pub(crate) fn in_chunks() -> Vec<u8> {
    let chunk = [b'a'; CHUNK_BYTES];
    let mut sent = Vec::new();
    for _ in 0..BODY_BYTES / CHUNK_BYTES {
        sent.extend_from_slice(format!("{CHUNK_BYTES:x}\r\n").as_bytes());
        sent.extend_from_slice(&chunk);
        sent.extend_from_slice(b"\r\n");
    }
    sent.extend_from_slice(b"0\r\n\r\n");
    sent
}

// 16 KiB, in one piece or in 16 chunks, all of it received.
#[library_benchmark(setup = body)]
#[bench::length(of_length, plain)]
#[bench::chunked(Body::chunked, in_chunks)]
fn read_body((framing, sent): (fn() -> Body, Vec<u8>)) -> Vec<u8> {
    for _ in 0..TIMES {
        let bytes = framing().read(black_box(&sent));
        assert!(black_box(bytes).is_some(), "a whole body");
    }
    sent
}
