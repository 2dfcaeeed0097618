//! HTTP/2 as the proxy has it beside h2: the frames that go over a connection, and heads as h2 is given them.

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group};
use http::header::{self, HeaderMap, HeaderValue};
use http::request::{Parts, Request};
use http::{Version, uri};
use palisade_benches::browser::BrowserRequest;
use palisade_hygiene::HeadLimits;
use palisade_hygiene::h2::{check_parts, join_cookies};
use palisade_proxy::codec::{AnswerHead, RequestWriter};
use palisade_proxy::frames::{DATA, Frame, Frames, HEADERS};

use crate::TIMES;
use crate::codec::{answer_head, request_writer};

library_benchmark_group!(
    name = http2,
    benchmarks = [find_frames, write_request, write_answer]
);

/// Set on the frame that ends a message.
const END_STREAM: u8 = 1;

/// Set on HEADERS that hold a whole head.
const END_HEADERS: u8 = 4;

const WINDOW_UPDATE: u8 = 8;

/// The bytes of a browser's head, compressed, when it comes for the first time.
const HEAD_BYTES: usize = 400;

/// The bytes of the largest frames (RFC 9113 section 4.2).
const DATA_BYTES: usize = 16 * 1024;

/// The browser's request as it comes over HTTP/2: what `h2` made of it, with each cookie in a field of its own.
pub(crate) fn request_in_crumbs() -> Parts {
    let mut headers = BrowserRequest::new().headers;
    let host = headers.remove(header::HOST).expect("a host");
    headers.remove(header::CONNECTION);
    let cookies = headers.remove(header::COOKIE).expect("cookies");
    for crumb in cookies.to_str().expect("text").split("; ") {
        headers.append(header::COOKIE, header_value(crumb));
    }
    let uri = uri::Builder::new()
        .scheme("https")
        .authority(host.as_bytes())
        .path_and_query("/products/chairs/oak-folding-chair-1284.html?color=green&page=2")
        .build();
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.uri = uri.expect("a URI");
    parts.version = Version::HTTP_2;
    parts.headers = headers;
    parts
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("a value")
}

fn frame(kind: u8, flags: u8, stream: u8, payload_bytes: usize) -> Vec<u8> {
    let length = u32::try_from(payload_bytes).expect("a frame's length");
    let [_, l0, l1, l2] = length.to_be_bytes();
    let mut frame = vec![l0, l1, l2, kind, flags, 0, 0, 0, stream];
    frame.resize(frame.len() + payload_bytes, 0xaa);
    frame
}

/// A request without a body, and the window that the client opens for the answer.
fn request() -> Vec<u8> {
    let mut read = frame(HEADERS, END_HEADERS | END_STREAM, 1, HEAD_BYTES);
    read.extend(frame(WINDOW_UPDATE, 0, 1, 4));
    read
}

/// An answer of 32 KiB.
fn answer() -> Vec<u8> {
    let mut written = frame(HEADERS, END_HEADERS, 1, HEAD_BYTES);
    written.extend(frame(DATA, 0, 1, DATA_BYTES));
    written.extend(frame(DATA, END_STREAM, 1, DATA_BYTES));
    written
}

fn exchange(bytes: fn() -> Vec<u8>) -> Vec<u8> {
    bytes()
}

// Each in one read or write.
#[library_benchmark(setup = exchange)]
#[bench::request(request)]
#[bench::answer(answer)]
fn find_frames(bytes: Vec<u8>) -> Vec<u8> {
    let (mut frames, mut ended) = (Frames::default(), 0);
    let mut told = |frame: Frame| ended += usize::from(black_box(frame).ends_message());
    for _ in 0..TIMES {
        frames.read(black_box(&bytes), &mut told);
    }
    assert_eq!(ended, TIMES, "the end of each message");
    bytes
}

/// The browser's request, judged by the shipped rules and on its way to a backend.
struct Outgoing {
    parts: Parts,
    writer: RequestWriter,
}

impl Outgoing {
    fn new() -> Self {
        let mut parts = request_in_crumbs();
        join_cookies(&mut parts.headers);
        let writer = request_writer(&BrowserRequest::new(), parts.headers.clone());
        let outgoing = Self { parts, writer };
        outgoing.write_each(1);
        outgoing
    }

    fn write_each(&self, times: usize) {
        let checked = check_parts(&self.parts, true, &HeadLimits::default());
        let head = checked.expect("a clean head");
        for _ in 0..times {
            let request = self.writer.write_http2(black_box(&head), &self.parts);
            let request = black_box(request).expect("a head");
            assert!(says_who_the_client_is(request.headers()));
        }
    }
}

fn says_who_the_client_is(headers: &HeaderMap) -> bool {
    headers.contains_key("x-real-ip")
}

// What h2 makes of it is not among it.
#[library_benchmark]
#[bench::browser(Outgoing::new())]
fn write_request(outgoing: Outgoing) -> Outgoing {
    outgoing.write_each(TIMES);
    outgoing
}

fn warm_answer() -> AnswerHead {
    let head = answer_head();
    let response = head.write_http2();
    let headers = response.headers();
    assert!(headers.contains_key(header::ETAG) && !headers.contains_key(header::CONNECTION));
    head
}

// As `write_request`.
#[library_benchmark]
#[bench::nginx(warm_answer())]
fn write_answer(head: AnswerHead) -> AnswerHead {
    for _ in 0..TIMES {
        black_box(black_box(&head).write_http2());
    }
    head
}
