//! What judging 10 KiB of JSON with 389 values by CRS costs, all phases.
//!
//! `json_cost PARANOIA CACHE TIMES`, such as `1 off 1`, at paranoia 1 or 4: twice to warm up, and then so many times
//! in `counted`. `CACHE` is whether strings are kept from one transaction to the next: `off` keeps none. In
//! instructions: `valgrind --tool=callgrind --toggle-collect='*json_cost::counted*'` before it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for a terminal"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_body::Body;
use palisade_seclang::{
    CompileOptions, Connection, RequestHead, ResponseHead, Transaction, Worker, WorkerOptions,
    compile,
};
use palisade_testkit::orders;
use palisade_waf::RuleFolder;

fn worker(level: &str, keeps_strings: bool) -> Worker {
    let crs = PathBuf::from(std::env::var_os("PALISADE_CRS").unwrap());
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let roots = [
        data.join("engine.conf"),
        crs.join("crs-setup.conf.example"),
        data.join(match level {
            "4" => "suite-paranoia-4.conf",
            _ => "blocking.conf",
        }),
        crs.join("rules/*.conf"),
    ];
    let roots: Vec<&str> = roots.iter().map(|root| root.to_str().unwrap()).collect();
    let compiled = compile(&roots, &RuleFolder::new("/"), CompileOptions::default());
    let mut options = WorkerOptions::new(|| Duration::from_secs(1_800_000_000));
    if !keeps_strings {
        options.strings_max = 0;
    }
    Worker::new(Arc::new(compiled.program.unwrap()), options)
}

#[inline(never)]
fn counted(worker: &mut Worker, body: &[u8]) -> usize {
    judge(worker, body)
}

fn judge(worker: &mut Worker, body: &[u8]) -> usize {
    let connection = Connection {
        client: ([192, 0, 2, 1], 50_000).into(),
        server: ([192, 0, 2, 2], 443).into(),
        unique_id: "0123456789abcdef",
    };
    let mut transaction = Transaction::begin(worker, &connection);
    let head = RequestHead {
        line: b"POST /api/orders HTTP/1.1",
        method: b"POST",
        target: b"/api/orders",
        protocol: b"HTTP/1.1",
        headers: &[
            (b"Host", b"shop.example.com"),
            (
                b"User-Agent",
                b"Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
            ),
            (b"Accept", b"application/json"),
            (b"Content-Type", b"application/json"),
            (b"Cookie", b"session=4f2a9c7de1"),
        ],
    };
    transaction.request_head(worker, &head);
    transaction.request_body(worker, Body::whole(body));
    let head = ResponseHead {
        protocol: b"HTTP/1.1",
        status: 200,
        reason: b"OK",
        headers: &[(b"Content-Type", b"application/json")],
    };
    transaction.response_head(worker, &head);
    transaction.response_body(worker, Body::whole(b"{\"ok\":true}"));
    transaction.log(worker);
    let program = Arc::clone(worker.program());
    let matches = transaction.matches(&program).count();
    transaction.finish(worker);
    matches
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [level, cache, times] = &arguments[..] else {
        println!("json_cost: expected PARANOIA (1 or 4), CACHE (on or off), TIMES");
        return;
    };
    let (mut worker, body) = (worker(level, cache == "on"), orders::json());
    for _ in 0..2 {
        judge(&mut worker, body.as_bytes());
    }
    let times: u32 = times.parse().unwrap();
    let (begun, mut matches) = (Instant::now(), 0);
    for _ in 0..times {
        matches = counted(&mut worker, body.as_bytes());
    }
    let each = begun.elapsed() / times.max(1);
    println!("{} bytes, {matches} matches, {each:?} each", body.len());
}
