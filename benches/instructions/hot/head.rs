//! A request's head: found, checked, its path made canonical, its host read.

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group};
use palisade_benches::browser::HEAD;
use palisade_hygiene::h1::{HeadSearch, check_head};
use palisade_hygiene::path::canonicalise;
use palisade_hygiene::{HeadLimits, Host, PathPolicy, PathScratch};

use crate::TIMES;

library_benchmark_group!(name = hygiene, benchmarks = [find_head, check, path, host]);

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
