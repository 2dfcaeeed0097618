//! What CRS takes: a program's memory, and a worker's once the largest requests are over.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic, and tells what it found"
)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use palisade_body::Body;
use palisade_seclang::syntax::Phase;
use palisade_seclang::{
    Budget, CompileOptions, Connection, Outcome, Program, RequestHead, ResponseHead, Transaction,
    Worker, WorkerOptions, compile,
};
use palisade_testkit::alloc::{CountingAllocator, live_bytes, peak_bytes_of};
use palisade_waf::RuleFolder;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Bytes are those of the whole process.
static ALONE: Mutex<()> = Mutex::new(());

/// What CRS at paranoia 4 may take.
const PROGRAM_BYTES_MAX: usize = 64 << 20;
/// What a worker may keep of the largest requests, beyond what it has after an ordinary one.
const KEPT_BYTES_MAX: usize = 16 << 20;
/// What a worker may take while it judges the largest requests, beyond what it has before.
const TAKEN_BYTES_MAX: usize = 192 << 20;
/// What it may take of the largest that ModSecurity's recommended settings let through.
const TAKEN_OF_RECOMMENDED_BYTES_MAX: usize = 96 << 20;
/// `SecRequestBodyLimit`, as recommended.
const BODY_BYTES: usize = 13_107_200;
/// `SecRequestBodyNoFilesLimit`, as recommended.
const NO_FILES_BYTES: usize = 131_072;
/// Every escape there is.
const TRICKY: &str = "%2541%26#x41;\\u0041\\x41\\101 A/**/../b\0\u{e9}";

fn crs(skipped: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("PALISADE_CRS").map(PathBuf::from);
    if folder.is_none() {
        let line =
            format!("SKIPPED, since PALISADE_CRS names no folder with OWASP CRS: {skipped}") + "\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    folder
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

fn options(budget: Budget) -> WorkerOptions {
    WorkerOptions {
        budget,
        ..WorkerOptions::new(|| Duration::from_secs(1_800_000_000))
    }
}

/// The default one, with time enough on a machine that is busy.
fn budget() -> Budget {
    Budget {
        time: Duration::from_secs(600),
        ..WorkerOptions::new(|| Duration::ZERO).budget
    }
}

struct Request {
    target: String,
    content_type: &'static str,
    body: Vec<u8>,
    answer: Vec<u8>,
}

const ANSWER: &[u8] = b"ORA-00936: missing expression";

impl Request {
    fn get(target: &str) -> Self {
        Self {
            target: target.to_owned(),
            content_type: "text/plain",
            body: Vec::new(),
            answer: ANSWER.to_vec(),
        }
    }

    fn post(content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            target: "/a".to_owned(),
            content_type,
            body: body.into(),
            answer: ANSWER.to_vec(),
        }
    }
}

/// What came of a request and its answer.
struct Judged {
    /// How far rules got.
    outcome: Outcome,
    /// How often they matched during the answer's phases.
    hits_of_answer: u64,
    /// Of the default budget, in bytes.
    spent: u64,
}

/// The phases of a request and its answer.
fn judge(worker: &mut Worker, request: &Request) -> Judged {
    let connection = Connection {
        client: ([192, 0, 2, 1], 50_000).into(),
        server: ([192, 0, 2, 2], 443).into(),
        unique_id: "0123456789abcdef",
    };
    let hits = |worker: &Worker| worker.counters().iter().map(|one| one.hits).sum::<u64>();
    let mut transaction = Transaction::begin(worker, &connection);
    let line = format!("POST {} HTTP/1.1", request.target);
    let length = request.body.len().to_string();
    let head = RequestHead {
        line: line.as_bytes(),
        method: b"POST",
        target: request.target.as_bytes(),
        protocol: b"HTTP/1.1",
        headers: &[
            (b"Host", b"shop.example.com"),
            (b"User-Agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:127.0)"),
            (b"Content-Type", request.content_type.as_bytes()),
            (b"Content-Length", length.as_bytes()),
        ],
    };
    transaction.request_head(worker, &head);
    transaction.request_body(worker, Body::whole(&request.body));
    let of_request = hits(worker);
    let head = ResponseHead {
        protocol: b"HTTP/1.1",
        status: 500,
        reason: b"",
        headers: &[(b"Content-Type", b"text/html")],
    };
    transaction.response_head(worker, &head);
    transaction.response_body(worker, Body::whole(&request.answer));
    transaction.log(worker);
    let judged = Judged {
        outcome: transaction.outcome(),
        hits_of_answer: hits(worker) - of_request,
        spent: transaction.bytes_spent(budget()),
    };
    transaction.finish(worker);
    judged
}

#[test]
fn crs_compiles_into_64_mib() {
    let Some(crs) = crs("what CRS takes") else {
        return;
    };
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (before, begun) = (live_bytes(), Instant::now());
    let (program, peak) = peak_bytes_of(|| program(&crs));
    let (bytes, took) = (live_bytes() - before, begun.elapsed());
    println!(
        "CRS, {} rules, paranoia 4: {bytes} bytes, {peak} at most while compiling, {took:?}",
        program.rule_count()
    );
    assert!(bytes < PROGRAM_BYTES_MAX, "{bytes} bytes");
}

/// The largest of each kind.
fn largest() -> impl Iterator<Item = (&'static str, Request)> {
    arguments().into_iter().chain(xml()).chain(json())
}

fn arguments() -> Vec<(&'static str, Request)> {
    const FORM: &str = "application/x-www-form-urlencoded";
    const MULTIPART: &str = "multipart/form-data; boundary=x";
    let each = |value: &str| -> String { (0..1_000).map(|n| format!("&a{n}={value}")).collect() };
    let text = b"select cat 'x' from /etc/hosts; <a href=b> \\".repeat(BODY_BYTES / 44);
    let before = b"--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b.txt\"\r\n\r\n";
    let file = [&before[..], &text, b"\r\n--x--\r\n"].concat();
    let value = [&b"a="[..], &text].concat();
    vec![
        ("1,000 arguments", Request::get(&format!("/?{}", each("b")))),
        (
            "1,000 arguments with much to decode",
            Request::post(FORM, each(TRICKY)),
        ),
        ("a form of one value", Request::post(FORM, value)),
        (
            "a form of one value with much to decode",
            Request::post(
                FORM,
                format!("a={}", TRICKY.repeat(BODY_BYTES / TRICKY.len())),
            ),
        ),
        (
            "a form of many arguments",
            Request::post(FORM, "a=b&".repeat(BODY_BYTES / 4)),
        ),
        ("a file", Request::post(MULTIPART, file)),
        ("text", Request::post("text/plain", text)),
    ]
}

fn xml() -> Vec<(&'static str, Request)> {
    let element = |n: usize| {
        let attributes = (0..100).map(|m| format!(" a{m}=\"{n}.{m}%2541\\u0041&amp;#65; /**/X\""));
        format!("<b{}/>", attributes.collect::<String>())
    };
    let attributes: String = (0..100).map(element).collect();
    let text = "<b>text &amp; more</b>\n".repeat((16 << 20) / 22);
    let post = |body: String| Request::post("text/xml", body);
    vec![
        ("XML of 16 MiB", post(format!("<a>{text}</a>"))),
        (
            "XML with 10,000 attributes",
            post(format!("<a>{attributes}</a>")),
        ),
        ("XML that nests", post("<a>".repeat(1 << 20))),
    ]
}

fn json() -> Vec<(&'static str, Request)> {
    let (names, ends) = ("{\"a\":".repeat(500), "}".repeat(500));
    let long = format!("{{\"{}\":{names}1{ends}}}", "n".repeat(2_000));
    let values = format!("[{}1]", "\"<script>\",".repeat(999));
    let post = |body: String| Request::post("application/json", body);
    vec![
        ("JSON that nests", post("[".repeat(1 << 20))),
        ("JSON with long names", post(long)),
        ("JSON of 1,000 values", post(values)),
    ]
}

#[test]
fn a_worker_gives_the_memory_of_large_requests_back() {
    let Some(crs) = crs("what workers keep of large requests") else {
        return;
    };
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let program = program(&crs);
    let mut worker = Worker::new(program, options(budget()));
    judge(&mut worker, &Request::get("/?a=b"));
    let before = live_bytes();
    for (name, request) in largest() {
        let bodies = live_bytes();
        let begun = Instant::now();
        let (judged, peak) = peak_bytes_of(|| judge(&mut worker, &request));
        let (took, after) = (begun.elapsed(), live_bytes());
        println!(
            "{name}: {:?} in {took:?}, {} spent, {peak} bytes at most, keeps {}",
            judged.outcome,
            judged.spent,
            after as i64 - bodies as i64
        );
        assert!(peak < TAKEN_BYTES_MAX, "{name}: {peak} bytes");
    }
    let kept = live_bytes().saturating_sub(before);
    println!("kept in the end: {kept} bytes");
    assert!(kept < KEPT_BYTES_MAX, "{kept} bytes");
}

/// The largest that the recommended settings let through, with an answer of the largest size.
fn recommended() -> Vec<(&'static str, Request)> {
    const FORM: &str = "application/x-www-form-urlencoded";
    let fill = |text: &str, len: usize| text.repeat(len / text.len());
    let value = fill(TRICKY, NO_FILES_BYTES - 2);
    let attack = fill(
        "1' union select x from /etc/hosts; <a href=javascript:b> ",
        NO_FILES_BYTES - 2,
    );
    let each = (0..999).map(|n| format!("&a{n}={TRICKY}{n}{TRICKY}"));
    let mut each = each.collect::<String>().into_bytes();
    each.truncate(NO_FILES_BYTES);
    let part = |name: &str, content: &str| {
        format!("--x\r\nContent-Disposition: form-data; {name}\r\n\r\n{content}\r\n")
    };
    let head = 1_000;
    let files = part(
        "name=\"f\"; filename=\"b.txt\"",
        &fill(TRICKY, BODY_BYTES - NO_FILES_BYTES),
    );
    let field = part("name=\"a\"", &fill(TRICKY, NO_FILES_BYTES - head));
    let mut all = vec![
        (
            "a value with much to decode",
            Request::post(FORM, format!("a={value}")),
        ),
        (
            "a value with attacks",
            Request::post(FORM, format!("a={attack}")),
        ),
        ("999 values", Request::post(FORM, each)),
        (
            "a value and a file",
            Request::post(
                "multipart/form-data; boundary=x",
                format!("{field}{files}--x--\r\n"),
            ),
        ),
        (
            "text",
            Request::post("text/plain", fill(TRICKY, BODY_BYTES)),
        ),
    ];
    for (_, request) in &mut all {
        request.answer = fill("<p>ORA-0093 root:x:0:0 &lt;?php</p> ", 1 << 20).into_bytes();
    }
    all
}

#[test]
fn what_the_recommended_settings_let_through_is_judged_whole() {
    let Some(crs) = crs("the default budget") else {
        return;
    };
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let program = program(&crs);
    for (name, request) in recommended() {
        let mut worker = Worker::new(Arc::clone(&program), options(budget()));
        let (judged, peak) = peak_bytes_of(|| judge(&mut worker, &request));
        println!("{name}: {} spent, {peak} bytes at most", judged.spent);
        assert_eq!(judged.outcome, Outcome::Complete, "{name}");
        assert!(
            peak < TAKEN_OF_RECOMMENDED_BYTES_MAX,
            "{name}: {peak} bytes"
        );
    }
}

#[test]
fn a_spent_budget_is_told_and_ends_all_phases() {
    let Some(crs) = crs("budgets") else {
        return;
    };
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let program = program(&crs);
    let check = |bytes, expected| {
        let mut worker = Worker::new(Arc::clone(&program), options(Budget { bytes, ..budget() }));
        let body = format!("a={}", "select 1 ".repeat(2_000));
        let request = Request::post("application/x-www-form-urlencoded", body);
        let judged = judge(&mut worker, &request);
        assert_eq!(judged.outcome, expected);
        let is_complete = expected == Outcome::Complete;
        assert_eq!(judged.hits_of_answer > 0, is_complete);
    };
    check(budget().bytes, Outcome::Complete);
    check(50_000, Outcome::BudgetSpent(Phase::RequestBody));
    check(100, Outcome::BudgetSpent(Phase::RequestHeaders));
}
