//! What compiling CRS costs: files read, rules parsed, expressions built, and what strings are looked at
//! for all rules at once.
//!
//! `compile_cost TIMES`: compiles the rules of `PALISADE_CRS` so many times, and prints the processor time.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for a terminal"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use palisade_seclang::{CompileOptions, Program, compile};
use palisade_testkit::process::processor_time;
use palisade_waf::RuleFolder;

/// Callgrind counts what happens in here.
#[inline(never)]
fn counted() -> Program {
    let crs = PathBuf::from(std::env::var_os("PALISADE_CRS").unwrap());
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let roots = [
        data.join("engine.conf"),
        crs.join("crs-setup.conf.example"),
        data.join("suite-paranoia-4.conf"),
        crs.join("rules/*.conf"),
    ];
    let roots: Vec<&str> = roots.iter().map(|root| root.to_str().unwrap()).collect();
    let compiled = compile(&roots, &RuleFolder::new("/"), CompileOptions::default());
    compiled.program.unwrap()
}

fn main() {
    let times = std::env::args().nth(1);
    let times: usize = times.and_then(|times| times.parse().ok()).unwrap_or(1);
    let mut all: Vec<Duration> = Vec::new();
    for _ in 0..times.max(1) {
        let before = processor_time(std::process::id()).unwrap();
        let program = counted();
        all.push(processor_time(std::process::id()).unwrap() - before);
        assert!(program.rule_count() > 600);
    }
    all.sort_unstable();
    let (least, median) = (all.first().unwrap(), all.get(all.len() / 2).unwrap());
    println!("{median:?} of processor time, least {least:?}");
}
