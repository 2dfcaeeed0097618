//! What harmless values cost: `cargo bench -p palisade-injection`. `make instructions` counts those of 25
//! bytes in instructions, which are the same on a busy machine.
//!
//! `PALISADE_CORPUS` is a folder with `benign.json`, a list of requests. Without it there are only the
//! values that are listed in testkit, which is said.

mod corpus;

use std::path::Path;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use palisade_injection::{sqli, xss};
use palisade_testkit::values::SHORT;

fn main() {
    divan::main();
}

fn is_sqli(value: &[u8]) -> bool {
    sqli::detect(value).is_some()
}

#[divan::bench(args = SHORT, sample_size = 1000)]
fn sqli_in_25_bytes(value: &str) -> bool {
    is_sqli(black_box(value.as_bytes()))
}

#[divan::bench(args = SHORT, sample_size = 1000)]
fn xss_in_25_bytes(value: &str) -> bool {
    xss::detect(black_box(value.as_bytes()))
}

#[divan::bench(sample_size = 200)]
fn sqli_in_12_values_of_25_bytes(bencher: Bencher<'_, '_>) {
    bench_each(bencher, is_sqli, &SHORT.map(str::as_bytes));
}

#[divan::bench(sample_size = 200)]
fn xss_in_12_values_of_25_bytes(bencher: Bencher<'_, '_>) {
    bench_each(bencher, xss::detect, &SHORT.map(str::as_bytes));
}

#[divan::bench]
fn sqli_in_corpus(bencher: Bencher<'_, '_>) {
    bench_each(bencher, is_sqli, &corpus_or_say());
}

#[divan::bench]
fn xss_in_corpus(bencher: Bencher<'_, '_>) {
    bench_each(bencher, xss::detect, &corpus_or_say());
}

/// The table's items are values.
fn bench_each<V: AsRef<[u8]> + Sync>(
    bencher: Bencher<'_, '_>,
    detect: fn(&[u8]) -> bool,
    values: &[V],
) {
    if values.is_empty() {
        return;
    }
    bencher.counter(ItemsCount::new(values.len())).bench(|| {
        for value in values {
            black_box(detect(black_box(value.as_ref())));
        }
    });
}

#[expect(clippy::print_stderr, reason = "a figure that is missing is said")]
fn corpus_or_say() -> Vec<Vec<u8>> {
    let folder = std::env::var_os("PALISADE_CORPUS");
    if folder.is_none() {
        eprintln!("not measured: PALISADE_CORPUS names no folder with benign.json");
    }
    folder.map_or_else(Vec::new, |folder| corpus::values(Path::new(&folder)))
}
