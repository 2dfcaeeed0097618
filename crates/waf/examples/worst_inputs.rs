//! The longest that CRS at paranoia 4 takes over a request that is made for it: 128 KiB that nearly match,
//! made from each of its expressions, as an argument, as headers (32 KiB) and as an answer's body.
//!
//! `worst_inputs [BYTES [ID]]`: prints the slowest of all inputs, of the expressions of all rules or of one,
//! and the memory of the process once all were judged.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for a terminal"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_body::Body;
use palisade_seclang::syntax::{self, Action, Directive, Problems};
use palisade_seclang::{
    CompileOptions, Connection, Matcher, Operator, Outcome, Program, RequestHead, ResponseHead,
    SourceError, Sources, Transaction, Worker, WorkerOptions, compile,
};
use palisade_testkit::process::peak_resident_bytes;
use palisade_waf::RuleFolder;
use regex_syntax::hir::{Class, Hir, HirKind};

const BYTES: usize = 128 * 1024;
const HEADER_BYTES: usize = 32 * 1024;
/// What takes longer is tried again, as other work may have been in between.
const SURE: Duration = Duration::from_millis(15);
const TRIES: usize = 5;
const TOLD: usize = 20;

struct NoFiles;

impl Sources for NoFiles {
    fn read(&self, _: &str) -> Result<Vec<u8>, SourceError> {
        Err(SourceError("not asked for here".to_owned()))
    }
}

/// What an input was made from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Input {
    rule: u64,
    made: String,
    /// What is there once, and what again and again behind it.
    once: Vec<u8>,
    repeated: Vec<u8>,
}

impl Input {
    fn bytes(&self, len: usize) -> Vec<u8> {
        let rest = self.repeated.iter().cycle();
        let mut bytes: Vec<u8> = self.once.iter().chain(rest).take(len).copied().collect();
        // It nearly matches where the end is looked at.
        bytes.push(b'\x07');
        bytes
    }
}

/// The expressions of CRS, with their rules.
fn expressions(crs: &Path) -> Vec<(u64, Hir)> {
    let mut all = Vec::new();
    let mut files: Vec<PathBuf> = fs::read_dir(crs.join("rules"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "conf"))
        .collect();
    files.sort_unstable();
    for path in files {
        let text = fs::read(&path).unwrap();
        let mut id = 0;
        for directive in syntax::parse(
            &text,
            &path.to_str().unwrap().into(),
            &mut Problems::default(),
        ) {
            let Directive::Rule(rule) = directive.value else {
                continue;
            };
            let mut ids = rule
                .actions
                .iter()
                .filter_map(|action| match &action.value {
                    Action::Id(id) => Some(*id),
                    _ => None,
                });
            id = ids.next_back().unwrap_or(id);
            let condition = rule
                .condition
                .filter(|condition| condition.operator == b"rx");
            let Some(condition) = condition else { continue };
            if let Ok(Operator::Match(Matcher::Rx(rx))) =
                Operator::parse(b"rx", &condition.argument, &NoFiles)
            {
                all.push((id, rx.hir().unwrap()));
            }
        }
    }
    all
}

/// Something that an expression matches; `choice` says which of its branches.
fn sample(expression: &Hir, choice: usize, out: &mut Vec<u8>) {
    match expression.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(Class::Unicode(_)) => {}
        HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
        HirKind::Class(Class::Bytes(class)) => {
            let members = class.ranges().iter();
            let members: Vec<u8> = members
                .flat_map(|range| range.start()..=range.end())
                .collect();
            let shown: Vec<u8> = members
                .iter()
                .copied()
                .filter(u8::is_ascii_graphic)
                .collect();
            let from = if shown.is_empty() { &members } else { &shown };
            out.extend(from.get((choice * 7) % from.len().max(1)));
        }
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(2);
            for _ in 0..repetition
                .min
                .max(u32::try_from(choice % 2).unwrap())
                .min(most)
            {
                sample(&repetition.sub, choice, out);
            }
        }
        HirKind::Capture(capture) => sample(&capture.sub, choice, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| sample(part, choice, out)),
        HirKind::Alternation(branches) => {
            sample(branches.get(choice % branches.len()).unwrap(), choice, out);
        }
    }
}

/// What nearly matches an expression, in several ways.
fn near_misses(rule: u64, expression: &Hir) -> Vec<Input> {
    let mut all = Vec::new();
    for choice in 0..4 {
        let mut whole = Vec::new();
        sample(expression, choice, &mut whole);
        let (last, cut) = whole
            .split_last()
            .map_or((b'a', &[][..]), |(last, cut)| (*last, cut));
        let half = whole.get(..whole.len() / 2).unwrap_or_default();
        let mut add = |made: &str, once: &[u8], repeated: &[&[u8]]| {
            let repeated = repeated.concat();
            if !repeated.is_empty() {
                all.push(Input {
                    rule,
                    made: format!("branch {choice}, {made}"),
                    once: once.to_vec(),
                    repeated,
                });
            }
        };
        add("without its end, again and again", b"", &[cut]);
        add("with spaces", b"", &[cut, b" "]);
        add("with quotes", b"", &[cut, b"'\""]);
        add("as assignments", b"", &[b"a=", cut, b";"]);
        add("half, then its last byte", half, &[&[last]]);
        add("half, then spaces", half, &[b" "]);
        add("its beginning, then letters", cut, &[b"ab"]);
    }
    all
}

fn general() -> Vec<Input> {
    let parts: [&[u8]; 16] = [
        b" ",
        b"\t\n",
        b"'",
        b"\"'`",
        b"a=",
        b"/../",
        b"%2541",
        b"<",
        b"&#x41;",
        b"\\",
        b"((",
        b"${",
        b"a ",
        b"1 or ",
        b"%2541&#x41;\\u0041\\x41/**/ \0\xc3\xa9A^\"",
        b"QUJD\\u0041%u0041&lt;/./ \t",
    ];
    let parts = parts.into_iter();
    parts
        .map(|part| Input {
            rule: 0,
            made: part.escape_ascii().to_string(),
            once: Vec::new(),
            repeated: part.to_vec(),
        })
        .collect()
}

fn program(crs: &Path) -> Arc<Program> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let roots = [
        data.join("engine.conf"),
        crs.join("crs-setup.conf.example"),
        data.join("suite-paranoia-4.conf"),
        crs.join("rules/*.conf"),
    ];
    let roots: Vec<&str> = roots.iter().map(|root| root.to_str().unwrap()).collect();
    let compiled = compile(&roots, &RuleFolder::new("/"), CompileOptions::default());
    Arc::new(compiled.program.unwrap())
}

/// Where an input goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Argument,
    Headers,
    Answer,
}

/// How long all phases take.
fn judge(worker: &mut Worker, place: Place, value: &[u8]) -> Duration {
    let (argument, header, answer): (&[u8], &[u8], &[u8]) = match place {
        Place::Argument => (value, b"", b""),
        Place::Headers => (b"", value, b""),
        Place::Answer => (b"", b"", value),
    };
    let before = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
    let body = [&before[..], argument, b"\r\n--x--\r\n"].concat();
    let cookie = [b"a=", header].concat();
    let head = RequestHead {
        line: b"POST /a HTTP/1.1",
        method: b"POST",
        target: b"/a",
        protocol: b"HTTP/1.1",
        headers: &[
            (b"Host", b"shop.example.com"),
            (b"User-Agent", header),
            (b"Cookie", &cookie),
            (b"Content-Type", b"multipart/form-data; boundary=x"),
        ],
    };
    let connection = Connection {
        client: ([192, 0, 2, 1], 50_000).into(),
        server: ([192, 0, 2, 2], 443).into(),
        unique_id: "0123456789abcdef",
    };
    worker.forget_strings();
    let begun = Instant::now();
    let mut transaction = Transaction::begin(worker, &connection);
    transaction.request_head(worker, &head);
    transaction.request_body(worker, Body::whole(&body));
    let head = ResponseHead {
        protocol: b"HTTP/1.1",
        status: 200,
        reason: b"OK",
        headers: &[(b"Content-Type", b"text/html")],
    };
    transaction.response_head(worker, &head);
    transaction.response_body(worker, Body::whole(answer));
    transaction.log(worker);
    let took = begun.elapsed();
    assert_eq!(transaction.outcome(), Outcome::Complete);
    transaction.finish(worker);
    took
}

fn main() {
    let crs = PathBuf::from(std::env::var_os("PALISADE_CRS").unwrap());
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let bytes = arguments
        .first()
        .map_or(BYTES, |bytes| bytes.parse().unwrap());
    let only: Option<u64> = arguments.get(1).map(|id| id.parse().unwrap());
    let mut inputs: BTreeSet<Input> = general().into_iter().collect();
    for (rule, expression) in expressions(&crs) {
        inputs.extend(near_misses(rule, &expression));
    }
    inputs.retain(|input| only.is_none_or(|only| only == input.rule));
    let mut worker = Worker::new(
        program(&crs),
        WorkerOptions::new(|| Duration::from_secs(1_800_000_000)),
    );
    let mut times = Vec::new();
    for input in &inputs {
        for place in [Place::Argument, Place::Headers, Place::Answer] {
            let len = if place == Place::Headers {
                HEADER_BYTES
            } else {
                bytes
            };
            let value = input.bytes(len);
            let first = judge(&mut worker, place, &value);
            let tries = if first > SURE { TRIES } else { 0 };
            let again = (0..tries).map(|_| judge(&mut worker, place, &value));
            let least = again.min().unwrap_or(first).min(first);
            times.push((least, first, place, input));
        }
    }
    times.sort_by(|one, other| other.cmp(one));
    println!("{} inputs", times.len());
    for (least, first, place, input) in times.iter().take(TOLD) {
        let Input {
            rule,
            made,
            once,
            repeated,
        } = input;
        let (once, repeated) = (
            once.get(..40).unwrap_or(once),
            repeated.get(..40).unwrap_or(repeated),
        );
        println!(
            "{least:?} (first {first:?}) {place:?}, {rule}, {made}: {} {}",
            once.escape_ascii(),
            repeated.escape_ascii()
        );
    }
    let median = times.get(times.len() / 2).unwrap().0;
    let first = times.iter().map(|(_, first, ..)| first).max().unwrap();
    println!("median {median:?}; the longest first time {first:?}");
    let resident = peak_resident_bytes(std::process::id()).unwrap();
    println!("{} MiB of memory at most", resident >> 20);
}
