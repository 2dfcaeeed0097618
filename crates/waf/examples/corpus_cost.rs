//! What judging a benign request by CRS costs: phases 1, 2 and 5, all rules, actions and scoring.
//!
//! `corpus_cost PARANOIA PREFILTER CACHE PASSES`, such as `1 on off 1`: judges the 200 requests of
//! `PALISADE_CORPUS` by the rules of `PALISADE_CRS`, twice to warm up, and then so many times in
//! `counted`. `CACHE` is whether strings are kept from one transaction to the next: `off` keeps none.
//! In instructions, at any level: `valgrind --tool=callgrind --toggle-collect='*corpus_cost::counted*'` before it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for a terminal"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_body::Body;
use palisade_seclang::{
    CompileOptions, Connection, Program, RequestHead, RuleFiles, SourceError, Transaction, Worker,
    WorkerOptions, compile,
};
use palisade_waf::RuleFolder;
use serde_json::Value;

/// CRS's files, and one that says which paranoia level.
struct WithParanoia {
    folder: RuleFolder,
    level: String,
}

const LEVEL_FILE: &str = "paranoia";

impl RuleFiles for WithParanoia {
    fn matching(&self, pattern: &str, from: Option<&str>) -> Result<Vec<String>, SourceError> {
        match pattern {
            LEVEL_FILE => Ok(vec![LEVEL_FILE.to_owned()]),
            _ => self.folder.matching(pattern, from),
        }
    }

    fn read(&self, file: &str) -> Result<Vec<u8>, SourceError> {
        if file != LEVEL_FILE {
            return self.folder.read(file);
        }
        let level = &self.level;
        let rule = format!(
            "SecAction \"id:900000,phase:1,pass,nolog,setvar:tx.blocking_paranoia_level={level}\""
        );
        Ok(rule.into_bytes())
    }

    fn data(&self, name: &str, from: &str) -> Result<Vec<u8>, SourceError> {
        self.folder.data(name, from)
    }
}

fn folder(variable: &str) -> PathBuf {
    let value = std::env::var_os(variable);
    PathBuf::from(value.unwrap_or_else(|| variable.into()))
}

fn program(level: &str, prefilter: bool) -> Program {
    let crs = folder("PALISADE_CRS");
    let engine = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/engine.conf");
    let setup = crs.join("crs-setup.conf.example");
    let rules = crs.join("rules/*.conf");
    let roots = [
        engine.to_str().unwrap(),
        setup.to_str().unwrap(),
        LEVEL_FILE,
        rules.to_str().unwrap(),
    ];
    let files = WithParanoia {
        folder: RuleFolder::new("/"),
        level: level.to_owned(),
    };
    let compiled = compile(
        &roots,
        &files,
        CompileOptions {
            prefilter,
            ..CompileOptions::default()
        },
    );
    compiled.program.unwrap()
}

struct Request {
    method: String,
    target: String,
    protocol: String,
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

fn corpus() -> Vec<Request> {
    let text = fs::read(folder("PALISADE_CORPUS").join("benign.json")).unwrap();
    let corpus: Vec<Value> = serde_json::from_slice(&text).unwrap();
    let requests = corpus.into_iter().map(|one| {
        let text = |name: &str| one.get(name).unwrap().as_str().unwrap().to_owned();
        let (method, target, protocol) = (text("method"), text("uri"), text("version"));
        Request {
            line: format!("{method} {target} {protocol}"),
            headers: serde_json::from_value(one.get("headers").unwrap().clone()).unwrap(),
            body: text("body"),
            method,
            target,
            protocol,
        }
    });
    requests.collect()
}

/// A request whose parts are borrowed, as a proxy has it.
struct Borrowed<'a> {
    request: &'a Request,
    headers: Vec<(&'a [u8], &'a [u8])>,
}

fn judge(worker: &mut Worker, program: &Program, request: &Borrowed<'_>) -> usize {
    let (one, headers) = (request.request, &request.headers);
    let head = RequestHead {
        line: one.line.as_bytes(),
        method: one.method.as_bytes(),
        target: one.target.as_bytes(),
        protocol: one.protocol.as_bytes(),
        headers,
    };
    let connection = Connection {
        client: ([192, 0, 2, 1], 50_000).into(),
        server: ([192, 0, 2, 2], 443).into(),
        unique_id: "0123456789abcdef",
    };
    let mut transaction = Transaction::begin(worker, &connection);
    transaction.request_head(worker, &head);
    transaction.request_body(worker, Body::whole(one.body.as_bytes()));
    transaction.log(worker);
    let matches = transaction.matches(program).count();
    transaction.finish(worker);
    matches
}

#[inline(never)]
fn counted(worker: &mut Worker, program: &Program, corpus: &[Borrowed<'_>]) -> usize {
    corpus
        .iter()
        .map(|request| judge(worker, program, request))
        .sum()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [level, prefilter, cache, passes] = &arguments[..] else {
        println!(
            "corpus_cost: expected PARANOIA, PREFILTER (on or off), CACHE (on or off), PASSES"
        );
        return;
    };
    let before = Instant::now();
    let program = Arc::new(program(level, prefilter == "on"));
    println!("{} rules in {:?}", program.rule_count(), before.elapsed());
    let mut options = WorkerOptions::new(|| Duration::from_secs(1_800_000_000));
    if cache == "off" {
        options.strings_max = 0;
    }
    let corpus = corpus();
    let borrowed = |one| -> Borrowed<'_> {
        let one: &Request = one;
        let headers = one.headers.iter();
        let headers = headers.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        Borrowed {
            request: one,
            headers: headers.collect(),
        }
    };
    let corpus: Vec<Borrowed<'_>> = corpus.iter().map(borrowed).collect();
    let mut worker = Worker::new(Arc::clone(&program), options);
    for _ in 0..2 {
        for request in &corpus {
            judge(&mut worker, &program, request);
        }
    }
    let passes: u32 = passes.parse().unwrap();
    let before = Instant::now();
    let mut matches = 0;
    for _ in 0..passes {
        matches = counted(&mut worker, &program, &corpus);
    }
    let each = before.elapsed() / passes / u32::try_from(corpus.len()).unwrap();
    println!(
        "{matches} matches in {} requests, {each:?} each",
        corpus.len()
    );
}
