//! Requests inspected by OWASP CRS, whose folder `PALISADE_CRS` names: as the suite `hot`.

#![expect(
    missing_docs,
    clippy::expect_used,
    clippy::exit,
    reason = "gungraun's macros make what has no documentation and exits; a benchmark that can't be set up has no figures"
)]

#[path = "../inspected.rs"]
mod inspected;
mod program;

use gungraun::{
    Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};

use inspected::{Benign, Inspected, Values};
use program::program;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn inspected(level: u8, request: fn() -> Benign, values: Values) -> Inspected {
    Inspected::new(program(level), request(), values)
}

#[library_benchmark(setup = inspected)]
#[bench::get_at_paranoia_1_new_values(1, Benign::get, Values::New)]
#[bench::get_at_paranoia_1_seen_values(1, Benign::get, Values::Seen)]
#[bench::get_at_paranoia_2_new_values(2, Benign::get, Values::New)]
#[bench::form_at_paranoia_1_new_values(1, Benign::form, Values::New)]
#[bench::json_of_389_new_values_at_paranoia_1(1, Benign::json, Values::New)]
fn inspect(mut inspected: Inspected) -> Inspected {
    inspected.judge();
    inspected
}

library_benchmark_group!(name = crs, benchmarks = [inspect]);

main!(
    config = LibraryBenchmarkConfig::default()
        .tool(Callgrind::with_args(["--cache-sim=no"]))
        .pass_through_env("PALISADE_CRS"),
    library_benchmark_groups = [crs]
);
