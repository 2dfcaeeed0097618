//! Harmless values told from injections.

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group};
use palisade_injection::{sqli, xss};
use palisade_testkit::values::SHORT;

library_benchmark_group!(name = injection, benchmarks = [detect]);

type Detect = fn(&[u8]) -> bool;

fn is_sqli(value: &[u8]) -> bool {
    sqli::detect(value).is_some()
}

fn warm(detect: Detect) -> Detect {
    detect_each(detect);
    detect
}

fn detect_each(detect: Detect) {
    for value in SHORT {
        assert!(!black_box(detect(black_box(value.as_bytes()))), "{value}");
    }
}

#[library_benchmark(setup = warm)]
#[bench::sqli_in_12_values(is_sqli)]
#[bench::xss_in_12_values(xss::detect)]
fn detect(detect: Detect) {
    detect_each(detect);
}
