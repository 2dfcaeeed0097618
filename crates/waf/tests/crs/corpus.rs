//! The benign requests.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use palisade_seclang::{
    CompileOptions, Connection, RequestHead, Transaction, Worker, WorkerOptions,
};
use serde_json::Value;

use crate::files::crs;
use crate::rules::program;

/// Rules that only add up and refuse.
const SCORING: [u64; 2] = [949_110, 980_170];

/// What libmodsecurity and Coraza find at paranoia 1 too: two false positives of CRS 4.28, each in five
/// requests.
#[test]
fn benign_requests_match_what_they_match_elsewhere() {
    let Some(crs) = crs("what benign requests match") else {
        return;
    };
    let Some(corpus) = std::env::var_os("PALISADE_CORPUS") else {
        say!("SKIPPED, since PALISADE_CORPUS names no folder with benign requests");
        return;
    };
    let program = program(&crs, &["paranoia-1.conf"], CompileOptions::default());
    let mut worker = Worker::new(program.clone(), WorkerOptions::new(crate::rules::clock));
    let corpus = fs::read(Path::new(&corpus).join("benign.json")).unwrap();
    let corpus: Vec<Value> = serde_json::from_slice(&corpus).unwrap();
    let mut hits: BTreeMap<u64, usize> = BTreeMap::new();
    for one in &corpus {
        for id in judge(&mut worker, one) {
            *hits.entry(id).or_default() += 1;
        }
    }
    hits.retain(|id, _| !SCORING.contains(id));
    assert_eq!(corpus.len(), 200);
    assert_eq!(hits, BTreeMap::from([(932_235, 5), (942_190, 5)]));
}

/// The rules that are logged for a request.
pub(crate) fn judge(worker: &mut Worker, one: &Value) -> Vec<u64> {
    let text = |name: &str| one.get(name).unwrap().as_str().unwrap().to_owned();
    let (method, target, protocol) = (text("method"), text("uri"), text("version"));
    let line = format!("{method} {target} {protocol}");
    let headers: Vec<(String, String)> =
        serde_json::from_value(one.get("headers").unwrap().clone()).unwrap();
    let headers: Vec<(&[u8], &[u8])> = headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    let head = RequestHead {
        line: line.as_bytes(),
        method: method.as_bytes(),
        target: target.as_bytes(),
        protocol: protocol.as_bytes(),
        headers: &headers,
    };
    let connection = Connection {
        client: "192.0.2.1:1234".parse().unwrap(),
        server: "192.0.2.2:80".parse().unwrap(),
        unique_id: "abc",
    };
    let mut transaction = Transaction::begin(worker, &connection);
    transaction.request_head(worker, &head);
    transaction.request_body(worker, palisade_body::Body::whole(text("body").as_bytes()));
    transaction.log(worker);
    let program = worker.program().clone();
    let ids = transaction
        .matches(&program)
        .map(|one| one.rule.id())
        .collect();
    transaction.finish(worker);
    ids
}
