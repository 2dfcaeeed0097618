//! Rules before a suite's backend.

use std::sync::Arc;

use palisade_ftw::{Engine, Exchange, Logged, Observed, Response};
use palisade_hygiene::h1::check_head;
use palisade_hygiene::{HeadLimits, Refusal};
use palisade_seclang::{
    Connection, InterruptionAction, Program, ResponseHead, RuleCounter, Transaction, Verdict,
    Worker, WorkerOptions,
};

use crate::drive;
use crate::log_line::{LogContext, append_log_line};

/// Runs rules on the exchanges of a suite, in process. A head that Palisade would refuse before any rule is
/// judged for the record and gets no further, as in Palisade; HTTP/0.9 gets no answer at all.
#[derive(Debug)]
pub struct SuiteEngine {
    program: Arc<Program>,
    worker: Worker,
    exchanges: u64,
}

impl SuiteEngine {
    /// An engine for `program`.
    #[must_use]
    pub fn new(program: Arc<Program>, options: WorkerOptions) -> Self {
        Self {
            worker: Worker::new(Arc::clone(&program), options),
            program,
            exchanges: 0,
        }
    }

    /// What rules have cost so far, in the order of [`Program::rules`].
    #[must_use]
    pub fn counters(&self) -> &[RuleCounter] {
        self.worker.counters()
    }

    /// The request's phases, then the answer's; the answer that the client gets.
    fn answer(
        &mut self,
        transaction: &mut Transaction,
        exchange: &Exchange<'_>,
    ) -> Option<Response> {
        let request = exchange.request;
        let refusal_status = check_head(request.head, &HeadLimits::default())
            .err()
            .map(Refusal::status);
        let worker = &mut self.worker;
        let mut verdict = drive::request_head(worker, transaction, request);
        if verdict == Verdict::Pass {
            verdict = drive::request_body(worker, transaction, &request.body);
        }
        if verdict == Verdict::Interrupt {
            return refusal(transaction);
        }
        // Rules have seen it, for the record; the backend does not.
        if let Some(status) = refusal_status {
            return (request.protocol != b"").then(|| Response::empty(status));
        }
        let response = exchange.backend_response();
        match self.judge_response(transaction, &response) {
            Verdict::Pass => Some(response),
            Verdict::Interrupt => refusal(transaction),
        }
    }

    fn judge_response(&mut self, transaction: &mut Transaction, response: &Response) -> Verdict {
        let headers: Vec<(&[u8], &[u8])> = response
            .headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        let head = ResponseHead {
            protocol: b"HTTP/1.1",
            status: response.status,
            reason: b"",
            headers: &headers,
        };
        let worker = &mut self.worker;
        match drive::response_head(worker, transaction, &head) {
            Verdict::Pass => drive::response_body(worker, transaction, &response.body),
            Verdict::Interrupt => Verdict::Interrupt,
        }
    }

    fn logged(&self, transaction: &Transaction, exchange: &Exchange<'_>, id: &str) -> Vec<Logged> {
        let context = LogContext {
            client: exchange.client.ip(),
            hostname: exchange.request.header("host").unwrap_or_default(),
            uri: exchange.request.target,
            unique_id: id,
        };
        let matches = transaction.matches(&self.program);
        let logged = matches.filter(|one| one.is_logged).map(|one| {
            let mut line = Vec::new();
            append_log_line(&one, &context, &mut line);
            Logged {
                rule_id: Some(one.rule.id()),
                line: String::from_utf8_lossy(&line).into_owned(),
            }
        });
        let mut logged: Vec<Logged> = logged.collect();
        // What a body is refused for, ModSecurity logs of itself.
        logged.extend(transaction.body_error().map(|error| Logged {
            rule_id: None,
            line: format!("[client {}] ModSecurity: {error}", exchange.client.ip()),
        }));
        logged
    }
}

impl Engine for SuiteEngine {
    fn judge(&mut self, exchange: &Exchange<'_>) -> Observed {
        self.exchanges += 1;
        // It varies: CRS samples by it.
        let id = format!(
            "{:016x}",
            self.exchanges.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        );
        let connection = Connection {
            client: exchange.client,
            server: exchange.server,
            unique_id: &id,
        };
        let mut transaction = Transaction::begin(&mut self.worker, &connection);
        let response = self.answer(&mut transaction, exchange);
        transaction.log(&mut self.worker);
        let logged = self.logged(&transaction, exchange, &id);
        transaction.finish(&mut self.worker);
        Observed { response, logged }
    }
}

fn refusal(transaction: &Transaction) -> Option<Response> {
    match &transaction.interruption()?.action {
        InterruptionAction::Deny(status) => Some(Response::empty(*status)),
        InterruptionAction::Drop => None,
        InterruptionAction::Redirect { status, location } => {
            let mut response = Response::empty(*status);
            let location = String::from_utf8_lossy(location).into_owned();
            response.headers.push(("Location".to_owned(), location));
            Some(response)
        }
    }
}
