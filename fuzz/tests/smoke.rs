//! Each target over its corpus, its regressions, and mutations of both for some seconds.
//!
//! The mutations come in the same order in every run: a failure names its seed file, and prints its
//! input.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use palisade_fuzz::{Outcome, TARGETS, Target};
use palisade_testkit::alloc::{CountingAllocator, peak_bytes_of};

/// The variable that holds how many seconds each target gets.
const SECONDS: &str = "PALISADE_FUZZ_SECONDS";
const SECONDS_DEFAULT: u64 = 10;

/// The longest that one input may take, on a machine that does much else.
const TIME_MAX: Duration = Duration::from_secs(20);
/// The most memory that it may take.
const BYTES_MAX: usize = 64 << 20;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The longest input that is made.
const INPUT_BYTES_MAX: usize = 8 * 1024;

macro_rules! smoke_tests {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            smoke(stringify!($name));
        })*

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

smoke_tests!(
    admin chunks content_coding cookies credentials exclusion feeds form forwarded frames ftw_suite head head_http2 json lapi
    mmdb multipart operators path proxy_protocol rules saved seclang_rules settings sqli transaction
    transformations users xml xss
);

#[test]
fn every_target_is_everywhere() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, NAMES);
    assert_eq!(file_names(&folder("corpus")), NAMES);
    let files = NAMES.iter().map(|name| format!("{name}.rs"));
    assert_eq!(
        file_names(&folder("targets/fuzz_targets")),
        files.collect::<Vec<_>>()
    );
    for name in NAMES {
        let path = folder("targets/fuzz_targets").join(format!("{name}.rs"));
        assert_eq!(fs::read_to_string(path).unwrap(), fuzz_target(name));
    }
    let manifest = fs::read_to_string(folder("targets/Cargo.toml")).unwrap();
    let (_, bins) = manifest.split_once("\n[[bin]]\n").unwrap();
    let expected: Vec<String> = NAMES.iter().map(|name| bin(name)).collect();
    assert_eq!(bins.split("\n[[bin]]\n").collect::<Vec<_>>(), expected);
    let readme = fs::read_to_string(folder("README.md")).unwrap();
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `"));
    let told: Vec<&str> = rows
        .filter_map(|row| Some(row.split_once('`')?.0))
        .collect();
    assert_eq!(told, NAMES);
    let regressions = file_names(&folder("regressions"));
    assert!(
        regressions
            .iter()
            .all(|name| NAMES.contains(&name.as_str())),
        "{regressions:?}"
    );
}

/// What hands a target to libFuzzer.
fn fuzz_target(name: &str) -> String {
    format!(
        "#![no_main]\n\nlibfuzzer_sys::fuzz_target!(|data: &[u8]| {{\n    palisade_fuzz::{name}::check(data);\n}});\n"
    )
}

/// Its lines in the manifest of the package in `targets/`, which the workspace doesn't build.
fn bin(name: &str) -> String {
    format!(
        "name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\ntest = false\ndoc = false\nbench = false\n"
    )
}

/// Seeds named `good-*` are accepted, those named `bad-*` refused: so both sides of the parser are
/// where mutations start. What libFuzzer found, `found-*`, may be either.
fn smoke(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let seeds = seeds(&folder("corpus").join(name));
    for (file, seed) in &seeds {
        let expected = match file.split_once('-') {
            Some(("good", _)) => Some(Outcome::Accepted),
            Some(("bad", _)) => Some(Outcome::Refused),
            Some(("found", _)) => None,
            _ => panic!("corpus/{name}/{file}: a seed is called good-*, bad-* or found-*"),
        };
        let outcome = run(target, file, seed);
        assert!(
            expected.is_none_or(|expected| expected == outcome),
            "corpus/{name}/{file}: {outcome:?}"
        );
    }
    let regressions = seeds_if_any(&folder("regressions").join(name));
    for (file, input) in &regressions {
        run(target, file, input);
    }
    let all: Vec<_> = seeds.into_iter().chain(regressions).collect();
    let (begun, time) = (Instant::now(), time());
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    while begun.elapsed() < time {
        let (file, seed) = &all[random.below(all.len())];
        let input = mutate(seed, &all, &mut random);
        run(target, file, &input);
    }
}

fn time() -> Duration {
    let seconds = std::env::var(SECONDS).ok();
    Duration::from_secs(seconds.map_or(SECONDS_DEFAULT, |seconds| seconds.parse().unwrap()))
}

/// Runs the check; where it fails, or takes too long or too much, says on what.
fn run(target: &Target, file: &str, input: &[u8]) -> Outcome {
    let (check, name) = (target.check, target.name);
    let begun = Instant::now();
    let (outcome, bytes) = peak_bytes_of(|| catch_unwind(|| check(input)));
    let took = begun.elapsed();
    let is_bounded = took < TIME_MAX && bytes < BYTES_MAX;
    match outcome {
        Ok(outcome) if is_bounded => outcome,
        _ => panic!(
            "{name} fails on a mutation of {file}, after {took:?} and with {bytes} bytes:\n{}",
            input.escape_ascii()
        ),
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn file_names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort_unstable();
    names
}

fn seeds(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let seeds = seeds_if_any(folder);
    for side in ["good-", "bad-"] {
        assert!(
            seeds.iter().any(|(file, _)| file.starts_with(side)),
            "{}: no {side}*",
            folder.display()
        );
    }
    seeds
}

fn seeds_if_any(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| {
        let bytes = fs::read(folder.join(&name)).unwrap();
        (name, bytes)
    };
    file_names(folder).into_iter().map(read).collect()
}

/// One to eight edits of `seed`, pieces of other seeds among them.
fn mutate(seed: &[u8], others: &[(String, Vec<u8>)], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(8) {
        let at = random.below(bytes.len() + 1);
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.byte()),
            2 => {
                let (_, other) = &others[random.below(others.len())];
                let piece = random.piece(other).to_vec();
                bytes.splice(at..at, piece);
            }
            3 => {
                let piece = random.piece(&bytes).to_vec();
                bytes.splice(at..at, piece);
            }
            4 => {
                let end = (at + random.below(8)).min(bytes.len());
                bytes.drain(at..end);
            }
            5 => change(&mut bytes, at, |_| random.byte()),
            6 => change(&mut bytes, at, |byte| byte ^ (1 << random.below(8))),
            _ => change(&mut bytes, at, |_| {
                b"\0\xff\r\n/%.:;,\"\\[]{}09 "[random.below(19)]
            }),
        }
        bytes.truncate(INPUT_BYTES_MAX);
    }
    bytes
}

fn change(bytes: &mut [u8], at: usize, to: impl FnOnce(u8) -> u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = to(*byte);
    }
}

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`, which is above 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap() % end
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[2]
    }

    /// A part of `bytes`, most often a short one.
    fn piece<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let start = self.below(bytes.len() + 1);
        let rest = &bytes[start..];
        let most = if self.below(4) == 0 {
            rest.len()
        } else {
            rest.len().min(24)
        };
        &rest[..self.below(most + 1)]
    }
}
