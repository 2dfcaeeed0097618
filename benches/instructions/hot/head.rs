//! What hygiene looks at: a request's head, over HTTP/1 and HTTP/2, its path, its host, and a body in chunks.

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group};
use http::header::{self, HeaderMap};
use http::request::Parts;
use palisade_benches::browser::HEAD;
use palisade_hygiene::h1::{ChunkCheck, HeadSearch, check_head};
use palisade_hygiene::h2::{check_parts, join_cookies};
use palisade_hygiene::path::canonicalise;
use palisade_hygiene::{HeadLimits, Host, PathPolicy, PathScratch};

use crate::TIMES;
use crate::codec::in_chunks;
use crate::http2_codec::request_in_crumbs;

library_benchmark_group!(
    name = hygiene,
    benchmarks = [
        find_head,
        check,
        check_http2,
        join_crumbs,
        check_chunks,
        path,
        host
    ]
);

#[library_benchmark]
#[bench::browser(HEAD.as_bytes())]
fn find_head(head: &[u8]) {
    let limits = HeadLimits::default();
    for _ in 0..TIMES {
        let found = HeadSearch::default().find(black_box(head), &limits);
        assert!(black_box(found).is_ok(), "a whole head");
    }
}

#[library_benchmark]
#[bench::browser(HEAD.as_bytes())]
fn check(head: &[u8]) {
    let limits = HeadLimits::default();
    for _ in 0..TIMES {
        let checked = check_head(black_box(head), &limits);
        assert!(black_box(checked).is_ok(), "a clean head");
    }
}

#[library_benchmark]
#[bench::browser(request_in_crumbs())]
fn check_http2(parts: Parts) -> Parts {
    let limits = HeadLimits::default();
    for _ in 0..TIMES {
        let checked = check_parts(black_box(&parts), true, &limits);
        assert!(black_box(checked).is_ok(), "a clean head");
    }
    parts
}

/// So many heads with their cookies in three fields, after one that was joined.
fn heads_in_crumbs() -> Vec<HeaderMap> {
    let mut warm = request_in_crumbs().headers;
    join_cookies(&mut warm);
    let joined = "session=8d3c5a41f09b7c2e; consent=yes; theme=dark";
    let cookie = warm.get(header::COOKIE).expect("cookies");
    assert_eq!(cookie, joined);
    let heads = (0..TIMES).map(|_| request_in_crumbs().headers);
    heads.collect()
}

#[library_benchmark]
#[bench::three(heads_in_crumbs())]
fn join_crumbs(mut heads: Vec<HeaderMap>) -> Vec<HeaderMap> {
    for headers in &mut heads {
        let fields = headers.len();
        join_cookies(black_box(&mut *headers));
        assert_eq!(headers.len(), fields - 2, "three cookies in one field");
    }
    heads
}

// 16 KiB in 16 chunks.
#[library_benchmark]
#[bench::in_one_read(in_chunks())]
fn check_chunks(sent: Vec<u8>) -> Vec<u8> {
    for _ in 0..TIMES {
        let is_over = ChunkCheck::default().feed(black_box(&sent));
        assert!(matches!(black_box(is_over), Ok(true)), "a whole body");
    }
    sent
}

fn warm_scratch(path: &'static str) -> (&'static str, PathScratch) {
    let mut scratch = PathScratch::default();
    let is_clean = canonicalise(path.as_bytes(), &PathPolicy::default(), &mut scratch).is_ok();
    assert!(is_clean, "a clean path");
    (path, scratch)
}

#[library_benchmark(setup = warm_scratch)]
#[bench::as_sent("/products/chairs/oak-folding-chair-1284.html")]
#[bench::escapes("/files/annual%20report/./2025.pdf")]
#[bench::parameters("/shop;jsessionid=1F2E/cart")]
fn path((path, mut scratch): (&'static str, PathScratch)) -> PathScratch {
    let policy = PathPolicy::default();
    for _ in 0..TIMES {
        let view = canonicalise(black_box(path.as_bytes()), &policy, &mut scratch);
        assert!(black_box(view).is_ok(), "a clean path");
    }
    scratch
}

#[library_benchmark]
#[bench::with_port(b"shop-07.example.com:8443")]
fn host(text: &[u8]) {
    for _ in 0..TIMES {
        assert!(black_box(Host::parse(black_box(text))).is_ok(), "a host");
    }
}
