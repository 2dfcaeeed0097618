//! Rules, and requests that they are run on.

use std::sync::Arc;
use std::time::Duration;

use palisade_body::Body;
use palisade_seclang::syntax::Phase;
use palisade_seclang::{
    Clock, CompileOptions, Connection, InterruptionAction, Program, RequestHead, ResponseHead,
    Transaction, Verdict, Worker, WorkerOptions, compile,
};
use palisade_vocabulary::HiddenNames;

use crate::memory::{MAIN, Memory};

/// What rules of tests need not say.
const PREFACE: &str = "SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
";

/// Nothing spares any work.
pub(crate) const PLAIN: CompileOptions = CompileOptions {
    prefilter: false,
    fold: false,
    has_countries: false,
    engine: None,
};

/// A request, and the answer to it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: String,
    target: String,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    is_partial: bool,
    status: u16,
    answer_headers: Vec<(Vec<u8>, Vec<u8>)>,
    answer: Vec<u8>,
}

impl Request {
    pub(crate) fn get(target: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            is_partial: false,
            status: 200,
            answer_headers: Vec::new(),
            answer: Vec::new(),
        }
    }

    pub(crate) fn post(content_type: &str, body: impl AsRef<[u8]>) -> Self {
        let mut request = Self::get("/").header("Content-Type", content_type);
        request.method = "POST".to_owned();
        request.body = body.as_ref().to_vec();
        request
    }

    pub(crate) fn form(body: impl AsRef<[u8]>) -> Self {
        Self::post("application/x-www-form-urlencoded", body)
    }

    pub(crate) fn to(mut self, target: &str) -> Self {
        self.target = target.to_owned();
        self
    }

    pub(crate) fn cut(mut self) -> Self {
        self.is_partial = true;
        self
    }

    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let field = (name.into(), value.as_ref().to_vec());
        self.headers.push(field);
        self
    }

    pub(crate) fn answered(mut self, status: u16, content_type: &str, body: &str) -> Self {
        self.status = status;
        if !content_type.is_empty() {
            let field = (b"Content-Type".to_vec(), content_type.into());
            self.answer_headers.push(field);
        }
        self.answer = body.into();
        self
    }
}

/// Compiled rules.
pub(crate) struct Site {
    program: Arc<Program>,
    options: WorkerOptions,
}

/// A request that rules were run on.
pub(crate) struct Ran {
    program: Arc<Program>,
    transaction: Transaction,
}

fn program(files: &Memory, options: CompileOptions) -> Arc<Program> {
    let compiled = compile(&[MAIN], files, options);
    let problems = compiled.problems.kept();
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    match compiled.program {
        Some(program) => Arc::new(program),
        None => panic!("{}", problems.join("\n")),
    }
}

impl Site {
    pub(crate) fn new(rules: &str) -> Self {
        let files = Memory::new(&format!("{PREFACE}{rules}"));
        Self::of(&files, CompileOptions::default())
    }

    pub(crate) fn of(files: &Memory, options: CompileOptions) -> Self {
        let clock: Clock = || Duration::from_secs(1_709_247_909);
        Self {
            program: program(files, options),
            options: WorkerOptions::new(clock),
        }
    }

    /// The same rules under other conditions.
    pub(crate) fn with(mut self, options: WorkerOptions) -> Self {
        self.options = options;
        self
    }

    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    pub(crate) fn worker(&self) -> Worker {
        Worker::new(self.program.clone(), self.options.clone())
    }

    pub(crate) fn begin(&self, worker: &mut Worker) -> Transaction {
        let connection = Connection {
            client: "192.0.2.7:1234".parse().unwrap(),
            server: "192.0.2.80:443".parse().unwrap(),
            unique_id: "unique",
        };
        Transaction::begin(worker, &connection)
    }

    /// A transaction that is over.
    pub(crate) fn ran(&self, transaction: Transaction) -> Ran {
        Ran {
            program: self.program.clone(),
            transaction,
        }
    }

    /// All phases, as far as rules let them.
    pub(crate) fn run(&self, request: &Request) -> Ran {
        self.run_by(&mut self.worker(), request)
    }

    /// Each phase by the next of workers.
    pub(crate) fn run_by_each(&self, workers: &mut [Worker; 3], request: &Request) -> Ran {
        let [one, two, three] = workers;
        let mut transaction = self.begin(one);
        assert_eq!(head(one, &mut transaction, request), Verdict::Pass);
        let body = Body::whole(&request.body);
        assert_eq!(transaction.request_body(two, body), Verdict::Pass);
        transaction.log(three);
        self.ran(transaction)
    }

    /// Phases in any order, whatever rules say.
    pub(crate) fn run_phases(
        &self,
        worker: &mut Worker,
        request: &Request,
        phases: &[Phase],
    ) -> Ran {
        let mut transaction = self.begin(worker);
        for phase in phases {
            run_phase(*phase, &self.program, worker, &mut transaction, request);
        }
        self.ran(transaction)
    }

    /// All phases; what has a name that is hidden is sanitised.
    pub(crate) fn run_without(&self, request: &Request, hidden: &HiddenNames) -> Ran {
        let mut worker = self.worker();
        let mut transaction = self.begin(&mut worker);
        drive(&self.program, &mut worker, &mut transaction, request);
        transaction.log_without(&mut worker, hidden);
        self.ran(transaction)
    }

    pub(crate) fn run_by(&self, worker: &mut Worker, request: &Request) -> Ran {
        let mut transaction = self.begin(worker);
        drive(&self.program, worker, &mut transaction, request);
        transaction.log(worker);
        self.ran(transaction)
    }
}

fn borrowed(headers: &[(Vec<u8>, Vec<u8>)]) -> Vec<(&[u8], &[u8])> {
    headers
        .iter()
        .map(|(name, value)| (name.as_slice(), value.as_slice()))
        .collect()
}

pub(crate) fn head(worker: &mut Worker, transaction: &mut Transaction, of: &Request) -> Verdict {
    let line = format!("{} {} HTTP/1.1", of.method, of.target);
    let head = RequestHead {
        line: line.as_bytes(),
        method: of.method.as_bytes(),
        target: of.target.as_bytes(),
        protocol: b"HTTP/1.1",
        headers: &borrowed(&of.headers),
    };
    transaction.request_head(worker, &head)
}

fn drive(program: &Program, worker: &mut Worker, transaction: &mut Transaction, of: &Request) {
    if head(worker, transaction, of) == Verdict::Interrupt {
        return;
    }
    for phase in [
        Phase::RequestBody,
        Phase::ResponseHeaders,
        Phase::ResponseBody,
    ] {
        if run_phase(phase, program, worker, transaction, of) == Verdict::Interrupt {
            return;
        }
    }
}

pub(crate) fn run_phase(
    phase: Phase,
    program: &Program,
    worker: &mut Worker,
    transaction: &mut Transaction,
    of: &Request,
) -> Verdict {
    let cut = |bytes: &'_ [u8], limit: Option<u64>, is_partial: bool| {
        let limit = usize::try_from(limit.unwrap_or(0)).unwrap();
        let kept = bytes.get(..limit).unwrap_or(bytes).to_vec();
        let is_partial = is_partial || (limit > 0 && kept.len() < bytes.len());
        (kept, is_partial)
    };
    match phase {
        Phase::RequestHeaders => head(worker, transaction, of),
        Phase::RequestBody => {
            let limit = transaction.request_body_limit();
            let (bytes, is_partial) = cut(&of.body, limit, of.is_partial);
            let bytes = bytes.as_slice();
            transaction.request_body(worker, Body { bytes, is_partial })
        }
        Phase::ResponseHeaders => {
            let head = ResponseHead {
                protocol: b"HTTP/1.1",
                status: of.status,
                reason: b"OK",
                headers: &borrowed(&of.answer_headers),
            };
            transaction.response_head(worker, &head)
        }
        Phase::ResponseBody => {
            let limit = transaction.response_body_limit(program.settings());
            let (bytes, is_partial) = cut(&of.answer, limit, false);
            let bytes = bytes.as_slice();
            transaction.response_body(worker, Body { bytes, is_partial })
        }
        Phase::Logging => {
            transaction.log(worker);
            Verdict::Pass
        }
    }
}

impl Ran {
    pub(crate) fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    pub(crate) fn finish(self, worker: &mut Worker) {
        self.transaction.finish(worker);
    }

    /// Each match of a rule that is logged or disruptive: id, name and value of what matched.
    pub(crate) fn matches(&self) -> Vec<String> {
        let matches = self.transaction.matches(&self.program);
        let text = |one: palisade_seclang::MatchReport<'_>| {
            let name = one.name.escape_ascii();
            match one.name.is_empty() {
                true => one.rule.id().to_string(),
                false => format!("{} {name}={}", one.rule.id(), one.value.escape_ascii()),
            }
        };
        matches.map(text).collect()
    }

    pub(crate) fn ids(&self) -> Vec<u64> {
        let matches = self.transaction.matches(&self.program);
        matches.map(|one| one.rule.id()).collect()
    }

    /// `msg` and `logdata` of each match.
    pub(crate) fn messages(&self) -> Vec<String> {
        let matches = self.transaction.matches(&self.program);
        let text = |one: palisade_seclang::MatchReport<'_>| {
            let (message, data) = (one.message.escape_ascii(), one.data.escape_ascii());
            format!("{message}|{data}")
        };
        matches.map(text).collect()
    }

    pub(crate) fn tx(&self, name: &str) -> Option<String> {
        let value = self.transaction.tx(&self.program, name);
        value.map(|value| value.escape_ascii().to_string())
    }

    /// How it was ended, as `deny 403 by 1 in phase 2`; empty where it wasn't.
    pub(crate) fn end(&self) -> String {
        said(self.transaction.interruption())
    }

    /// How it would have been.
    pub(crate) fn would_be(&self) -> String {
        said(self.transaction.would_be_interruption())
    }
}

fn said(interruption: Option<&palisade_seclang::Interruption>) -> String {
    let Some(interruption) = interruption else {
        return String::new();
    };
    let action = match &interruption.action {
        InterruptionAction::Deny(status) => format!("deny {status}"),
        InterruptionAction::Drop => "drop".to_owned(),
        InterruptionAction::Redirect { status, location } => {
            format!("redirect {status} {}", location.escape_ascii())
        }
    };
    let (rule, phase) = (interruption.rule, interruption.phase.number());
    format!("{action} by {rule} in phase {phase}")
}

/// Runs rules on a request, with what spares work and without, which must make no difference.
#[track_caller]
pub(crate) fn run(rules: &str, request: &Request) -> Ran {
    run_files(&Memory::new(&format!("{PREFACE}{rules}")), request)
}

#[track_caller]
pub(crate) fn run_files(files: &Memory, request: &Request) -> Ran {
    let with = Site::of(files, CompileOptions::default()).run(request);
    let without = Site::of(files, PLAIN).run(request);
    assert_eq!(with.matches(), without.matches(), "what spares work");
    assert_eq!(with.end(), without.end(), "what spares work");
    with
}
