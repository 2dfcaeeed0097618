//! What it costs to read 10,000 rules again while 1,000,000 decisions are in force.
//!
//! `cargo bench -p palisade-benches --bench reload`. The settings are files on disk that are read,
//! checked and compiled as a reload does, beside the ones in use, which are freed then.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program for a terminal"
)]

use std::hint::black_box;
use std::path::Path;

use palisade_benches::figures::{machine, median, processor_nanos_of_this_thread, quantile};
use palisade_benches::scene::Scene;
use palisade_benches::settings::{Rules, SETTINGS_FILE, SettingsFiles};
use palisade_config::Settings;
use palisade_config::files::Disk;
use palisade_gate::Snapshot;

/// The product's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RULES: Rules = Rules::Made(10_000);
const DECISIONS: usize = 1_000_000;
const ROUNDS: usize = 15;

fn main() {
    println!("{}", machine());
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    SettingsFiles::new(RULES, "127.0.0.1:8000", "127.0.0.1:9000")
        .write_into(folder.path())
        .expect("a folder that can be written");
    let settings = folder.path().join(SETTINGS_FILE);
    let mut scene = Scene::new(RULES, DECISIONS);
    println!("{} rules, {DECISIONS} decisions", scene.rule_count());
    let rounds: Vec<Round> = (0..ROUNDS)
        .map(|_| Round::run(&settings, &mut scene.snapshot))
        .collect();
    print_times("reading and checking", &rounds, |round| round.reading);
    print_times("compiling", &rounds, |round| round.compiling);
    print_times("freeing the old ones", &rounds, |round| round.freeing);
    print_times("all (at most 500)", &rounds, Round::total);
}

fn print_times(what: &str, rounds: &[Round], of: impl Fn(&Round) -> f64) {
    let mut times: Vec<f64> = rounds.iter().map(of).collect();
    println!(
        "{what}: {:.0} ms of processor time median, {:.0} least",
        median(&mut times),
        quantile(&mut times, 0.0),
    );
}

/// Milliseconds of processor time.
struct Round {
    reading: f64,
    compiling: f64,
    freeing: f64,
}

impl Round {
    fn run(path: &Path, in_use: &mut Snapshot) -> Self {
        let begun = processor_nanos_of_this_thread();
        let loaded = Settings::load(&Disk, &|_| None, path).expect("valid settings");
        let settings = loaded.settings;
        let read = processor_nanos_of_this_thread();
        let new = Snapshot::build(settings.gate.clone(), settings.geo.clone());
        let new = new.expect("rules that compile");
        let compiled = processor_nanos_of_this_thread();
        let old = std::mem::replace(in_use, new);
        drop((black_box(old), settings.gate));
        let freed = processor_nanos_of_this_thread();
        Self {
            reading: (read - begun) / 1e6,
            compiling: (compiled - read) / 1e6,
            freeing: (freed - compiled) / 1e6,
        }
    }

    fn total(&self) -> f64 {
        self.reading + self.compiling + self.freeing
    }
}
