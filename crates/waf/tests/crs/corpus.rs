//! The benign requests.

use std::fs;
use std::path::Path;

use palisade_seclang::{
    CompileOptions, Connection, RequestHead, Transaction, Worker, WorkerOptions,
};
use serde_json::Value;

use crate::files::crs;
use crate::rules::program;

#[test]
fn benign() {
    let Some(crs) = crs("benign requests") else {
        return;
    };
    let program = program(&crs, &["suite-paranoia-4.conf"], CompileOptions::default());
    let mut worker = Worker::new(program.clone(), WorkerOptions::new(crate::rules::clock));
    let corpus = std::env::var_os("PALISADE_CORPUS").unwrap();
    let corpus: Value =
        serde_json::from_slice(&fs::read(Path::new(&corpus).join("benign.json")).unwrap()).unwrap();
    let mut hits = std::collections::BTreeMap::new();
    for one in corpus.as_array().unwrap() {
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
        let mut transaction = Transaction::begin(&mut worker, &connection);
        transaction.request_head(&mut worker, &head);
        let body = text("body");
        transaction.request_body(&mut worker, palisade_body::Body::whole(body.as_bytes()));
        transaction.log(&mut worker);
        for one in transaction.matches(&program) {
            *hits.entry(one.rule.id()).or_insert(0) += 1;
        }
        transaction.finish(&mut worker);
    }
    println!("{hits:?}");
}
