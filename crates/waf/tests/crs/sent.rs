//! Requests as they were sent, with what was answered.

use std::fs;
use std::path::Path;

use palisade_ftw::{Engine, Exchange, Observed, Overrides, Response, run_test};
use serde_json::Value;

use crate::suite::tests;

/// Names and values, in order.
pub(crate) type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// A request, and the answer to it.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) name: String,
    pub(crate) line: Vec<u8>,
    pub(crate) method: Vec<u8>,
    pub(crate) target: Vec<u8>,
    pub(crate) protocol: Vec<u8>,
    pub(crate) headers: Fields,
    pub(crate) body: Vec<u8>,
    pub(crate) status: u16,
    pub(crate) answer_headers: Fields,
    pub(crate) answer: Vec<u8>,
}

/// Lets everything pass, and keeps it.
#[derive(Default)]
struct Collector {
    name: String,
    sent: Vec<Sent>,
}

impl Engine for Collector {
    fn judge(&mut self, exchange: &Exchange<'_>) -> Observed {
        let request = exchange.request;
        let response = exchange.backend_response();
        let headers = request.headers.iter();
        self.sent.push(Sent {
            name: self.name.clone(),
            line: request.line.to_vec(),
            method: request.method.to_vec(),
            target: request.target.to_vec(),
            protocol: request.protocol.to_vec(),
            headers: headers
                .map(|field| (field.name.to_vec(), field.value.to_vec()))
                .collect(),
            body: request.body.to_vec(),
            status: response.status,
            answer_headers: bytes(&response.headers),
            answer: response.body.clone(),
        });
        Observed {
            response: Some(response),
            logged: Vec::new(),
        }
    }
}

fn bytes(fields: &[(String, String)]) -> Fields {
    let fields = fields.iter();
    fields
        .map(|(name, value)| (name.clone().into_bytes(), value.clone().into_bytes()))
        .collect()
}

/// What CRS's own tests send; each is at least one request.
pub(crate) fn of_tests(crs: &Path) -> (usize, Vec<Sent>) {
    let mut collector = Collector::default();
    let tests = tests(crs);
    for test in &tests {
        collector.name = test.id.to_string();
        run_test(&mut collector, test, &Overrides::default());
    }
    (tests.len(), collector.sent)
}

/// The benign requests, where they are at hand: a folder named by `PALISADE_CORPUS`.
pub(crate) fn of_corpus() -> Option<Vec<Sent>> {
    let Some(folder) = std::env::var_os("PALISADE_CORPUS") else {
        say!("SKIPPED, since PALISADE_CORPUS names no folder with benign.json: benign requests");
        return None;
    };
    let text = fs::read(Path::new(&folder).join("benign.json")).unwrap();
    let corpus: Vec<Value> = serde_json::from_slice(&text).unwrap();
    let page = Response {
        status: 200,
        headers: vec![("Content-Type".to_owned(), "text/html".to_owned())],
        body: b"<html><body>Thank you.</body></html>".to_vec(),
    };
    let requests = corpus.into_iter().enumerate().map(|(number, one)| {
        let text = |name: &str| one.get(name).unwrap().as_str().unwrap().to_owned();
        let (method, target, protocol) = (text("method"), text("uri"), text("version"));
        let headers: Vec<(String, String)> =
            serde_json::from_value(one.get("headers").unwrap().clone()).unwrap();
        Sent {
            name: format!("benign request {number}"),
            line: format!("{method} {target} {protocol}").into_bytes(),
            method: method.into_bytes(),
            target: target.into_bytes(),
            protocol: protocol.into_bytes(),
            headers: bytes(&headers),
            body: text("body").into_bytes(),
            status: page.status,
            answer_headers: bytes(&page.headers),
            answer: page.body.clone(),
        }
    });
    Some(requests.collect())
}
