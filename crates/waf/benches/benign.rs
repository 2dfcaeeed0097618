//! What a benign request and a short answer cost, inspected by OWASP CRS at paranoia 1:
//! `PALISADE_CRS=... cargo bench -p palisade-waf`. `make instructions` counts the same in instructions.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that can't be set up has no figures"
)]

#[path = "../../../benches/instructions/inspected.rs"]
mod inspected;
#[path = "../../../benches/instructions/crs/program.rs"]
mod program;

use divan::Bencher;
use inspected::{Benign, Inspected, Values};
use program::program;

#[expect(clippy::print_stderr, reason = "figures that are missing are said")]
fn main() {
    if std::env::var_os("PALISADE_CRS").is_none() {
        eprintln!("nothing measured: PALISADE_CRS names no folder of OWASP CRS");
        return;
    }
    divan::main();
}

fn bench_judge(bencher: Bencher<'_, '_>, request: Benign, values: Values) {
    let mut inspected = Inspected::new(program(1), request, values);
    bencher.bench_local(|| inspected.judge());
}

#[divan::bench]
fn get_new_values(bencher: Bencher<'_, '_>) {
    bench_judge(bencher, Benign::get(), Values::New);
}

#[divan::bench]
fn get_seen_values(bencher: Bencher<'_, '_>) {
    bench_judge(bencher, Benign::get(), Values::Seen);
}

#[divan::bench]
fn form_new_values(bencher: Bencher<'_, '_>) {
    bench_judge(bencher, Benign::form(), Values::New);
}

#[divan::bench]
fn json_of_389_new_values(bencher: Bencher<'_, '_>) {
    bench_judge(bencher, Benign::json(), Values::New);
}
