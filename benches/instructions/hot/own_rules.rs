//! Requests inspected by the rules that are shipped.

use gungraun::{library_benchmark, library_benchmark_group};
use palisade_seclang::{CompileOptions, compile};
use palisade_waf::RuleFolder;

use crate::inspected::{Benign, Inspected, Values};

library_benchmark_group!(name = waf, benchmarks = [own_rules]);

const RECOMMENDED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../rules/seclang/recommended.conf"
);
const OWN: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../rules/seclang/palisade.conf"
);

fn inspected(request: fn() -> Benign, values: Values) -> Inspected {
    let options = CompileOptions::default();
    let compiled = compile(&[RECOMMENDED, OWN], &RuleFolder::new("/"), options);
    let program = compiled.program.expect("the shipped rules");
    Inspected::new(program, request(), values)
}

#[library_benchmark(setup = inspected)]
#[bench::get_new_values(Benign::get, Values::New)]
#[bench::get_seen_values(Benign::get, Values::Seen)]
#[bench::form_new_values(Benign::form, Values::New)]
#[bench::json_of_389_new_values(Benign::json, Values::New)]
fn own_rules(mut inspected: Inspected) -> Inspected {
    inspected.judge();
    inspected
}
