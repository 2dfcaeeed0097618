//! Many rules: all of them are found, in little time and memory.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic, and tells what it found"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_body::Body;
use palisade_seclang::{
    CompileOptions, Connection, Program, RequestHead, RuleFiles, SourceError, Transaction, Worker,
    WorkerOptions, compile,
};
use palisade_testkit::alloc::{CountingAllocator, live_bytes};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const RULES: usize = 5_000;
/// What they may take.
const BYTES_MAX: usize = 64 << 20;

/// One file.
struct File(String);

impl RuleFiles for File {
    fn matching(&self, pattern: &str, _: Option<&str>) -> Result<Vec<String>, SourceError> {
        Ok(vec![pattern.to_owned()])
    }

    fn read(&self, _: &str) -> Result<Vec<u8>, SourceError> {
        Ok(self.0.clone().into_bytes())
    }

    fn data(&self, _: &str, _: &str) -> Result<Vec<u8>, SourceError> {
        Err(SourceError("there is no such file".to_owned()))
    }
}

/// A rule that matches `value(number)` and no other rule's value.
fn rule(number: usize) -> String {
    let id = number + 1;
    let actions = format!(
        "\"id:{id},phase:2,pass,tag:kind-{},setvar:tx.n=+1,t:none",
        number % 8
    );
    match number % 8 {
        0 => format!("SecRule ARGS \"@rx (?i)begin-{number}-\\w+ end\" {actions}\""),
        1 => format!(
            "SecRule ARGS|REQUEST_COOKIES \"@pm word-{number}- other-{number}-\" {actions},t:urlDecodeUni\""
        ),
        2 => format!("SecRule ARGS \"@contains part-{number}-\" {actions}\""),
        3 => format!("SecRule ARGS \"@streq whole-{number}\" {actions},t:lowercase\""),
        4 => format!("SecRule ARGS:a \"@beginsWith begin-{number}-\" {actions}\""),
        5 => format!(
            "SecRule ARGS_NAMES|ARGS \"@rx ^x{number}[a-z]$\" {actions},t:urlDecodeUni,t:htmlEntityDecode\""
        ),
        6 => format!(
            "SecRule ARGS \"@rx [{number}]y{{3}}\\.{number}\\.\" {actions},chain\"\n    SecRule MATCHED_VAR \"@endsWith .{number}.\""
        ),
        _ => format!("SecRule ARGS \"@within -{number}-within -other-{number}-\" {actions}\""),
    }
}

fn value(number: usize) -> String {
    match number % 8 {
        0 => format!("BEGIN-{number}-some%20END"),
        1 => format!("a word-{number}-"),
        2 => format!("a part-{number}-b"),
        3 => format!("Whole-{number}"),
        4 => format!("begin-{number}-"),
        5 => format!("x{number}z"),
        6 => format!("a{}yyy.{number}.", number % 10),
        _ => format!("-{number}-within"),
    }
}

fn program() -> Program {
    let rules: Vec<String> = (0..RULES).map(rule).collect();
    let text = format!(
        "SecRuleEngine On\nSecRequestBodyAccess On\n{}",
        rules.join("\n")
    );
    let compiled = compile(&["rules.conf"], &File(text), CompileOptions::default());
    assert_eq!(
        compiled.problems.counts(),
        (0, 0),
        "{:?}",
        compiled.problems.kept()
    );
    compiled.program.unwrap()
}

/// The rules that match, and how often one did.
fn judge(worker: &mut Worker, target: &str) -> (Vec<u64>, Option<Vec<u8>>) {
    let connection = Connection {
        client: ([192, 0, 2, 1], 50_000).into(),
        server: ([192, 0, 2, 2], 443).into(),
        unique_id: "0123456789abcdef",
    };
    let program = Arc::clone(worker.program());
    let mut transaction = Transaction::begin(worker, &connection);
    let line = format!("GET {target} HTTP/1.1");
    let head = RequestHead {
        line: line.as_bytes(),
        method: b"GET",
        target: target.as_bytes(),
        protocol: b"HTTP/1.1",
        headers: &[(b"Host", b"a.example")],
    };
    transaction.request_head(worker, &head);
    transaction.request_body(worker, Body::whole(b""));
    let ids = transaction
        .matches(&program)
        .map(|one| one.rule.id())
        .collect();
    let count = transaction.tx(&program, "n");
    transaction.finish(worker);
    (ids, count)
}

#[test]
fn each_of_5000_rules_is_found() {
    let (before, begun) = (live_bytes(), Instant::now());
    let program = program();
    let (bytes, took) = (live_bytes() - before, begun.elapsed());
    println!("{RULES} rules: {bytes} bytes, compiled in {took:?}");
    assert!(bytes < BYTES_MAX, "{bytes} bytes");
    assert_eq!(program.rule_count(), RULES);
    let options = WorkerOptions::new(|| Duration::from_secs(1_800_000_000));
    let mut worker = Worker::new(Arc::new(program), options);
    let mut check = |target: &str, expected: &[u64]| {
        let count = (!expected.is_empty()).then(|| expected.len().to_string().into_bytes());
        assert_eq!(
            judge(&mut worker, target),
            (expected.to_vec(), count),
            "{target}"
        );
    };
    check("/?a=nothing&b=begin-0&c=x1", &[]);
    let begun = Instant::now();
    for number in 0..RULES {
        let target = format!("/?a={}&b=nothing", value(number).replace(' ', "+"));
        check(&target, &[u64::try_from(number).unwrap() + 1]);
    }
    println!(
        "{:?} a request",
        begun.elapsed() / u32::try_from(RULES).unwrap()
    );
    let [one, two] = [value(801), value(4_999)];
    check(&format!("/?a={one}&b={two}&c={one}"), &[802, 802, 5_000]);
}
