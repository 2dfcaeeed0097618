//! A benign request is judged by CRS with at most one allocation a phase, once memory has grown.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use palisade_body::Body;
use palisade_seclang::{
    CompileOptions, Connection, RequestHead, ResponseHead, Transaction, Worker, WorkerOptions,
    compile,
};
use palisade_testkit::alloc::{CountingAllocator, allocations, allocations_of};
use palisade_waf::RuleFolder;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const HEADERS: [(&[u8], &[u8]); 9] = [
    (b"Host", b"shop.example.com"),
    (
        b"User-Agent",
        b"Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    ),
    (
        b"Accept",
        b"text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
    ),
    (b"Accept-Language", b"en-GB,en;q=0.5"),
    (b"Accept-Encoding", b"gzip, deflate, br"),
    (
        b"Cookie",
        b"session=4f2a9c7de1; theme=dark; _ga=GA1.1.82731.99",
    ),
    (b"Content-Type", b"application/x-www-form-urlencoded"),
    (b"Content-Length", b"57"),
    (b"Referer", b"https://shop.example.com/products?page=2"),
];
const BODY: &[u8] = b"name=Anna+Mayer&city=K%C3%B6ln&comment=Quick+delivery%21xx";

fn worker(crs: &Path) -> Worker {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let roots = [
        data.join("engine.conf"),
        crs.join("crs-setup.conf.example"),
        data.join("blocking.conf"),
        crs.join("rules/*.conf"),
    ];
    let roots: Vec<&str> = roots.iter().map(|root| root.to_str().unwrap()).collect();
    let compiled = compile(&roots, &RuleFolder::new("/"), CompileOptions::default());
    let options = WorkerOptions::new(|| Duration::from_secs(1_800_000_000));
    Worker::new(Arc::new(compiled.program.unwrap()), options)
}

/// How often each of the five phases allocates, and what is around them.
fn judge(worker: &mut Worker) -> [u64; 6] {
    let before = allocations();
    let connection = Connection {
        client: ([192, 0, 2, 1], 50_000).into(),
        server: ([192, 0, 2, 2], 443).into(),
        unique_id: "0123456789abcdef",
    };
    let mut transaction = Transaction::begin(worker, &connection);
    let head = RequestHead {
        line: b"POST /account/address?step=2 HTTP/1.1",
        method: b"POST",
        target: b"/account/address?step=2",
        protocol: b"HTTP/1.1",
        headers: &HEADERS,
    };
    let response = ResponseHead {
        protocol: b"HTTP/1.1",
        status: 200,
        reason: b"OK",
        headers: &[(b"Content-Type", b"text/html")],
    };
    let body = Body::whole(b"<html><body>Thank you, Anna.</body></html>");
    let phases = [
        allocations_of(|| {
            transaction.request_head(worker, &head);
        }),
        allocations_of(|| {
            transaction.request_body(worker, Body::whole(BODY));
        }),
        allocations_of(|| {
            transaction.response_head(worker, &response);
        }),
        allocations_of(|| {
            transaction.response_body(worker, body);
        }),
        allocations_of(|| transaction.log(worker)),
    ];
    assert!(transaction.interruption().is_none());
    transaction.finish(worker);
    let [one, two, three, four, five] = phases;
    let around = allocations() - before - phases.iter().sum::<u64>();
    [one, two, three, four, five, around]
}

#[test]
fn a_benign_request_is_judged_with_at_most_one_allocation_a_phase() {
    let Some(crs) = std::env::var_os("PALISADE_CRS").map(PathBuf::from) else {
        let line =
            "SKIPPED, since PALISADE_CRS names no folder with OWASP CRS: allocations of CRS\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    };
    let mut worker = worker(&crs);
    for keeps_strings in [true, false] {
        for _ in 0..3 {
            judge(&mut worker);
        }
        if !keeps_strings {
            worker.forget_strings();
        }
        let counts = judge(&mut worker);
        println!(
            "strings kept: {keeps_strings}; allocations by phase, and around them: {counts:?}"
        );
        assert!(counts.iter().all(|count| *count <= 1), "{counts:?}");
    }
}
