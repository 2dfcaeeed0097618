//! Harmless values told from injections.

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group};
use palisade_injection::{sqli, xss};

library_benchmark_group!(name = injection, benchmarks = [detect]);

/// Harmless values of 25 bytes, of all kinds.
const VALUES: [&str; 12] = [
    "kitchen_table_large_white",
    "kitchen-table-large-white",
    "en-US,en;q=0.9,de-DE;q=0.",
    "shop.example.com.products",
    "https://www.example.com/p",
    "/static/js/main.0ee71ac.j",
    "550e8400-e29b-41d4-a716-4",
    "Peter van der Berg, Essen",
    "GA1.2.742317892.171883416",
    "Mozilla/5.0 (X11; Linux x",
    "name=value&other=12345678",
    "O'Neil's house, 3rd floor",
];

type Detect = fn(&[u8]) -> bool;

fn is_sqli(value: &[u8]) -> bool {
    sqli::detect(value).is_some()
}

fn warm(detect: Detect) -> Detect {
    detect_each(detect);
    detect
}

fn detect_each(detect: Detect) {
    for value in VALUES {
        assert!(!black_box(detect(black_box(value.as_bytes()))), "{value}");
    }
}

#[library_benchmark(setup = warm)]
#[bench::sqli_in_12_values(is_sqli)]
#[bench::xss_in_12_values(xss::detect)]
fn detect(detect: Detect) {
    detect_each(detect);
}
