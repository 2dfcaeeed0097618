//! Requests, as SecLang's rules judge them. Input: a request over HTTP/1, however malformed; its body is
//! also the answer's. Rules: `transaction.conf`, and OWASP CRS where it is at hand (`PALISADE_CRS`).

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use palisade_body::Body;
use palisade_ftw::Request;
use palisade_seclang::{
    Budget, CompileOptions, Compiled, Connection, Program, RequestHead, ResponseHead, RuleFiles,
    SourceError, Transaction, Worker, WorkerOptions, compile,
};
use palisade_waf::RuleFolder;

use crate::Outcome;

const RULES: &str = include_str!("transaction.conf");

/// What CRS needs beside it.
const CRS_SETTINGS: &str = "SecRuleEngine DetectionOnly\nSecRequestBodyAccess On\nSecResponseBodyAccess On\nSecAction \"id:900005,phase:1,pass,nolog,setvar:tx.blocking_paranoia_level=4,setvar:tx.crs_validate_utf8_encoding=1\"\n";

/// A rule file in memory, and others on the disk.
struct Beside(&'static str);

const OWN: &str = "own.conf";

impl RuleFiles for Beside {
    fn matching(&self, pattern: &str, from: Option<&str>) -> Result<Vec<String>, SourceError> {
        match pattern {
            OWN => Ok(vec![OWN.to_owned()]),
            _ => RuleFolder::new("/").matching(pattern, from),
        }
    }

    fn read(&self, file: &str) -> Result<Vec<u8>, SourceError> {
        match file {
            OWN => Ok(self.0.as_bytes().to_vec()),
            _ => RuleFolder::new("/").read(file),
        }
    }

    fn data(&self, name: &str, from: &str) -> Result<Vec<u8>, SourceError> {
        RuleFolder::new("/").data(name, from)
    }
}

/// All that comes of a transaction.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    matches: Vec<String>,
    is_refused: bool,
    end: String,
}

/// Rules and their worker.
pub(crate) struct Site {
    program: Arc<Program>,
    worker: Worker,
}

impl Site {
    pub(crate) fn new(program: Program) -> Self {
        let mut options = WorkerOptions::new(|| Duration::from_secs(1_800_000_000));
        // Ways of running rules differ in what they cost.
        options.budget.bytes = u64::MAX;
        let program = Arc::new(program);
        Self {
            worker: Worker::new(Arc::clone(&program), options),
            program,
        }
    }

    fn compiled(compiled: Compiled) -> Option<Self> {
        let problems = compiled.problems;
        assert!(!problems.has_errors(), "{:?}", problems.kept());
        compiled.program.map(Self::new)
    }

    pub(crate) fn judge(&mut self, request: &Sent<'_>) -> Judged {
        let mut transaction = self.begin();
        request.drive(&mut self.worker, &mut transaction);
        let matches = transaction.matches(&self.program).map(|one| {
            let (name, value) = (one.name.escape_ascii(), one.value.escape_ascii());
            let (message, data) = (one.message.escape_ascii(), one.data.escape_ascii());
            format!("{} {name}={value} {message} {data}", one.rule.id())
        });
        let judged = Judged {
            matches: matches.collect(),
            is_refused: transaction.interruption().is_some(),
            end: format!(
                "{:?} {:?}",
                transaction.interruption(),
                transaction.would_be_interruption()
            ),
        };
        transaction.finish(&mut self.worker);
        judged
    }

    fn begin(&mut self) -> Transaction {
        let connection = Connection {
            client: ([192, 0, 2, 1], 50_000).into(),
            server: ([192, 0, 2, 2], 443).into(),
            unique_id: "0123456789abcdef",
        };
        Transaction::begin(&mut self.worker, &connection)
    }

    /// What a transaction may cost is kept, whatever it is.
    fn check_budget(&mut self, request: &Sent<'_>) {
        let options = WorkerOptions {
            budget: Budget {
                bytes: 2_000,
                time: Duration::from_secs(10),
            },
            ..WorkerOptions::new(|| Duration::from_secs(1_800_000_000))
        };
        let mut worker = Worker::new(Arc::clone(&self.program), options);
        std::mem::swap(&mut worker, &mut self.worker);
        let mut transaction = self.begin();
        request.drive(&mut self.worker, &mut transaction);
        transaction.finish(&mut self.worker);
        std::mem::swap(&mut worker, &mut self.worker);
    }
}

/// A request, and what is handed over of its body.
pub(crate) struct Sent<'r> {
    request: Request<'r>,
    is_partial: bool,
}

/// Reads one.
pub(crate) fn request(bytes: &[u8]) -> Sent<'_> {
    let request = Request::read(bytes);
    Sent {
        is_partial: !request.is_whole,
        request,
    }
}

impl Sent<'_> {
    /// All phases, until one says that it is over, and the last.
    fn drive(&self, worker: &mut Worker, transaction: &mut Transaction) {
        let request = &self.request;
        let headers = request.headers.iter();
        let headers: Vec<(&[u8], &[u8])> =
            headers.map(|field| (field.name, &*field.value)).collect();
        let head = RequestHead {
            line: request.line,
            method: request.method,
            target: request.target,
            protocol: request.protocol,
            headers: &headers,
        };
        let body = Body {
            bytes: &request.body,
            is_partial: self.is_partial,
        };
        transaction.request_head(worker, &head);
        transaction.request_body(worker, body);
        let head = ResponseHead {
            protocol: b"HTTP/1.1",
            status: 200,
            reason: b"OK",
            headers: &headers,
        };
        transaction.response_head(worker, &head);
        transaction.response_body(worker, Body::whole(&request.body));
        transaction.log(worker);
    }
}

/// The same rules with what spares work, and without.
struct Sites {
    own: Option<(Site, Site)>,
    crs: Option<Site>,
}

impl Sites {
    fn new() -> Self {
        let [with, without] = [true, false].map(|is_sparing| {
            let options = CompileOptions {
                prefilter: is_sparing,
                fold: is_sparing,
                ..CompileOptions::default()
            };
            Site::compiled(compile(&[OWN], &Beside(RULES), options))
        });
        Self {
            own: with.zip(without),
            crs: Self::crs(),
        }
    }

    fn crs() -> Option<Site> {
        let folder = std::env::var_os("PALISADE_CRS")?;
        let setup = Path::new(&folder).join("crs-setup.conf.example");
        let rules = Path::new(&folder).join("rules/*.conf");
        let roots = [OWN, setup.to_str()?, rules.to_str()?];
        let files = Beside(CRS_SETTINGS);
        Site::compiled(compile(&roots, &files, CompileOptions::default()))
    }

    fn check(&mut self, sent: &Sent<'_>) -> bool {
        if let Some(crs) = &mut self.crs {
            let judged = crs.judge(sent);
            // Once with what is known of its strings.
            assert_eq!(crs.judge(sent), judged);
            crs.worker.forget_strings();
            assert_eq!(crs.judge(sent), judged);
        }
        let Some((with, without)) = &mut self.own else {
            return false;
        };
        let judged = with.judge(sent);
        without.worker.forget_strings();
        assert_eq!(judged, without.judge(sent));
        with.check_budget(sent);
        !judged.is_refused
    }
}

thread_local! {
    static SITES: RefCell<Sites> = RefCell::new(Sites::new());
}

/// Judged the same with everything that spares work and without, whole and cut. Accepted: what no rule of
/// `transaction.conf` refuses.
pub fn check(data: &[u8]) -> Outcome {
    SITES.with_borrow_mut(|sites| {
        let mut sent = request(data);
        let passes = sites.check(&sent);
        sent.is_partial = !sent.is_partial;
        sites.check(&sent);
        match passes {
            true => Outcome::Accepted,
            false => Outcome::Refused,
        }
    })
}
