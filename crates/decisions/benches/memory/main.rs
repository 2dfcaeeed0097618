//! What the decision table holds in memory, in bytes for each of a million decisions, beside its own
//! estimate: `cargo bench -p palisade-decisions --bench memory`.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program for a terminal"
)]

#[path = "../table/mix.rs"]
mod mix;

use mix::{MIXES, Mix, NOW, Random, added, decisions};
use palisade_decisions::{DecisionTable, SourceId};
use palisade_testkit::alloc::{CountingAllocator, live_bytes};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() {
    // `cargo test --all-targets` runs benchmarks too, without this argument.
    if std::env::args().any(|argument| argument == "--bench") {
        MIXES.into_iter().for_each(print_memory);
    }
}

/// Of a table that is filled in one document: what remains when the document is gone.
fn print_memory(mix: Mix) {
    let before = live_bytes();
    let table = DecisionTable::new();
    let held = decisions(mix, 1, 1_000_000, &mut Random(11));
    table.apply(SourceId::CrowdSec, added(&held), NOW);
    drop(held);
    let each = |bytes: usize| bytes as f64 / table.len() as f64;
    let (held, estimate) = (each(live_bytes() - before), each(table.bytes_resident()));
    println!("{mix:?}: {held:.1} bytes a decision, by its own estimate {estimate:.1}");
}
