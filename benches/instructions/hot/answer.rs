//! What LAPI answers, read.

use gungraun::{library_benchmark, library_benchmark_group};
use palisade_benches::decisions::{decisions, lapi_document};
use palisade_benches::scene::NOW;
use palisade_crowdsec::parse_answer;

library_benchmark_group!(name = crowdsec, benchmarks = [parse]);

fn document(count: usize) -> (usize, String) {
    (count, lapi_document(&decisions(count, NOW)))
}

#[library_benchmark(setup = document)]
#[bench::of_5000_decisions(5_000)]
fn parse((count, document): (usize, String)) -> String {
    let answer = parse_answer(document.as_bytes(), NOW).expect("an answer");
    assert_eq!(answer.delta.added.len(), count);
    document
}
