//! The rules that Palisade ships for where CRS isn't installed.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use palisade_seclang::syntax::EngineMode;
use palisade_seclang::{CompileOptions, Program, Worker, WorkerOptions, compile};
use palisade_waf::RuleFolder;
use serde_json::{Value, json};

use crate::corpus::judge;

fn program() -> Arc<Program> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/seclang");
    let files = RuleFolder::new(folder);
    let roots = ["recommended.conf", "palisade.conf"];
    let compiled = compile(&roots, &files, CompileOptions::default());
    assert_eq!(
        compiled.problems.counts(),
        (0, 0),
        "{:?}",
        compiled.problems
    );
    Arc::new(compiled.program.unwrap())
}

/// The rules that match a request with this value as its argument.
fn matches(worker: &mut Worker, value: &str) -> Vec<u64> {
    let escaped: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let request = json!({
        "method": "GET",
        "uri": format!("/?q={escaped}"),
        "version": "HTTP/1.1",
        "headers": [["Host", "example.com"]],
        "body": "",
    });
    judge(worker, &request)
}

#[test]
fn attacks_are_found_and_what_looks_like_them_is_not() {
    let program = program();
    assert_eq!(program.settings().engine, EngineMode::On);
    let mut worker = Worker::new(program, WorkerOptions::new(crate::rules::clock));
    let mut check = |value: &str, expected: &[u64]| {
        assert_eq!(matches(&mut worker, value), expected, "{value:?}");
    };
    check("1' or 1=1-- ", &[98_000_001]);
    check("O'Reilly and sons, 1 or 2 = many", &[]);
    check("<script>alert(1)</script>", &[98_000_002]);
    check("see a < b and c > d", &[]);
    check("../../etc/passwd", &[98_000_010]);
    check("images/../etc/x", &[]);
    check("../images/a.png", &[]);
    check("/etc/passwd", &[98_000_011]);
    check("how /etc/passwd works", &[]);
    check("x; cat /etc/hosts", &[98_000_020]);
    check("$(id)", &[98_000_020]);
    check("milk; cat food, and bash", &[]);
    check("() { :; }; echo", &[98_000_021]);
    check("${jndi:ldap://x/a}", &[98_000_030]);
    check("${${lower:j}ndi:ldap://x/a}", &[98_000_030]);
    check("${price:1}", &[]);
    check("php://filter/resource=a", &[98_000_031]);
    check("https://example.com/php://", &[]);
    check("<?php system(1);", &[98_000_032]);
    check("a\r\nSet-Cookie: a=b", &[98_000_040]);
    check("first line\nsecond: line", &[]);
}

#[test]
fn benign_requests_match_none() {
    let Some(corpus) = std::env::var_os("PALISADE_CORPUS") else {
        say!("SKIPPED, since PALISADE_CORPUS names no folder with benign requests: shipped rules");
        return;
    };
    let corpus = fs::read(Path::new(&corpus).join("benign.json")).unwrap();
    let corpus: Vec<Value> = serde_json::from_slice(&corpus).unwrap();
    let mut worker = Worker::new(program(), WorkerOptions::new(crate::rules::clock));
    let refused: Vec<_> = corpus
        .iter()
        .filter_map(|one| {
            let ids = judge(&mut worker, one);
            (!ids.is_empty()).then(|| (ids, one.get("uri").unwrap().to_string()))
        })
        .collect();
    assert_eq!((corpus.len(), refused), (200, Vec::new()));
}
