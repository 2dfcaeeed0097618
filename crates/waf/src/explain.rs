//! What rules make of one request, and of its answer: each match, and all that led to the verdict.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use palisade_body::Body;
use palisade_body::content_coding::CodingError;
use palisade_ftw::{Field, RawResponse, Request};
use palisade_hygiene::h1::check_head;
use palisade_hygiene::{HeadLimits, Refusal};
use palisade_seclang::{
    Connection, Interruption, Outcome, Program, ResponseHead, Rule, Transaction, Verdict, Worker,
    WorkerOptions,
};

use crate::codings::without_codings;
use crate::drive;

/// Variables of `TX` that hold OWASP CRS's scores, what they are held against, and at which levels of
/// paranoia; of CRS 4 and, where a name differs, of CRS 3.
const SCORES: [&str; 19] = [
    "blocking_paranoia_level",
    "detection_paranoia_level",
    "anomaly_score",
    "inbound_anomaly_score",
    "inbound_anomaly_score_pl1",
    "inbound_anomaly_score_pl2",
    "inbound_anomaly_score_pl3",
    "inbound_anomaly_score_pl4",
    "blocking_inbound_anomaly_score",
    "detection_inbound_anomaly_score",
    "inbound_anomaly_score_threshold",
    "outbound_anomaly_score",
    "outbound_anomaly_score_pl1",
    "outbound_anomaly_score_pl2",
    "outbound_anomaly_score_pl3",
    "outbound_anomaly_score_pl4",
    "blocking_outbound_anomaly_score",
    "detection_outbound_anomaly_score",
    "outbound_anomaly_score_threshold",
];

/// What is to be explained.
#[derive(Clone, Copy, Debug)]
pub struct Case<'c> {
    /// Who sends the request.
    pub client: SocketAddr,
    /// Where it is sent to.
    pub server: SocketAddr,
    /// The request.
    pub request: &'c Request<'c>,
    /// The answer, where there is one to be looked at, and its status.
    pub response: Option<(u16, &'c RawResponse<'c>)>,
}

/// What rules make of it.
#[derive(Clone, Debug)]
pub struct Explanation<'p> {
    /// Why Palisade refuses the request's head before any rule; rules saw it for the record.
    pub refusal: Option<Refusal>,
    /// Matches of rules that are logged or end the transaction, in order.
    pub matches: Vec<Matched<'p>>,
    /// How many more there were than are kept.
    pub matches_left_out: usize,
    /// Rules that matched and are not in `matches`, in the order of loading.
    pub unlogged: Vec<&'p Rule>,
    /// Scores, thresholds and paranoia levels that rules set, and their values.
    pub scores: Vec<(&'static str, Vec<u8>)>,
    /// What became of the request's body; `None` where phase 2 didn't run.
    pub request_body: Option<BodySight>,
    /// What became of the answer's; `None` where phase 4 didn't run.
    pub response_body: Option<BodySight>,
    /// Why arguments or the body couldn't be read to their end.
    pub body_error: Option<String>,
    /// How a rule ended it.
    pub interruption: Option<Interruption>,
    /// How a rule would have ended it, if rules were not only to detect.
    pub would_be: Option<Interruption>,
    /// Whether rules saw everything.
    pub outcome: Outcome,
    /// Bytes that operators looked at, of the budget's.
    pub bytes_spent: u64,
    /// Time that it took, of the budget's.
    pub elapsed: Duration,
}

/// A rule that matched a value.
#[derive(Clone, Debug)]
pub struct Matched<'p> {
    /// The rule.
    pub rule: &'p Rule,
    /// `msg`, macros expanded.
    pub message: Vec<u8>,
    /// `logdata`, macros expanded.
    pub data: Vec<u8>,
    /// The value's name, such as `ARGS:id`; empty for `SecAction`.
    pub name: Vec<u8>,
    /// The value in the form in which it matched.
    pub value: Vec<u8>,
    /// Whether it is for the log.
    pub is_logged: bool,
    /// Whether it ends a transaction, or would.
    pub is_disruptive: bool,
}

/// How much of a body rules saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodySight {
    /// Its bytes, once its content codings were removed.
    pub len: usize,
    /// The most that is looked at; `None` where nobody looks at it.
    pub limit: Option<u64>,
    /// Why its content codings couldn't be removed; rules saw it as it was sent.
    pub coding_error: Option<CodingError>,
}

impl BodySight {
    /// Whether rules saw only its beginning.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        let len = u64::try_from(self.len).unwrap_or(u64::MAX);
        self.limit.is_some_and(|limit| len > limit)
    }
}

/// Runs the rules of `program` on one request, and on its answer if there is one.
#[must_use]
pub fn explain<'p>(
    program: &'p Arc<Program>,
    options: WorkerOptions,
    case: &Case<'_>,
) -> Explanation<'p> {
    let (clock, budget) = (options.clock, options.budget);
    let began = clock();
    let mut worker = Worker::new(Arc::clone(program), options);
    let connection = Connection {
        client: case.client,
        server: case.server,
        unique_id: "explained",
    };
    let mut transaction = Transaction::begin(&mut worker, &connection);
    let (request_body, response_body) = run(&mut worker, &mut transaction, case);
    transaction.log(&mut worker);
    let elapsed = clock().saturating_sub(began);
    let matches = matches(program, &transaction);
    Explanation {
        refusal: check_head(case.request.head, &HeadLimits::default()).err(),
        unlogged: unlogged(program, &worker, &matches),
        matches,
        matches_left_out: transaction.matches_left_out(),
        scores: scores(program, &transaction),
        request_body,
        response_body,
        body_error: transaction.body_error().map(|error| error.to_string()),
        interruption: transaction.interruption().cloned(),
        would_be: transaction.would_be_interruption().cloned(),
        outcome: transaction.outcome(),
        bytes_spent: transaction.bytes_spent(budget),
        elapsed,
    }
}

/// The phases up to the one that ends it.
fn run(
    worker: &mut Worker,
    transaction: &mut Transaction,
    case: &Case<'_>,
) -> (Option<BodySight>, Option<BodySight>) {
    let request = case.request;
    if drive::request_head(worker, transaction, request) == Verdict::Interrupt {
        return (None, None);
    }
    let limit = transaction.request_body_limit();
    let (body, request_body) = decoded(&request.headers, &request.body, limit);
    if let Some(error) = request_body.coding_error.filter(|_| limit.is_some()) {
        transaction.request_body_failed(error.into());
    }
    let verdict = drive::request_body(worker, transaction, &body);
    let Some((status, response)) = case.response.filter(|_| verdict == Verdict::Pass) else {
        return (Some(request_body), None);
    };
    let headers: Vec<(&[u8], &[u8])> = response
        .headers
        .iter()
        .map(|field| (field.name, &*field.value))
        .collect();
    let head = ResponseHead {
        protocol: response.protocol,
        status,
        reason: response.reason,
        headers: &headers,
    };
    if drive::response_head(worker, transaction, &head) == Verdict::Interrupt {
        return (Some(request_body), None);
    }
    let limit = transaction.response_body_limit(worker.program().settings());
    let (body, response_body) = decoded(&response.headers, &response.body, limit);
    drive::response_body(worker, transaction, &body);
    (Some(request_body), Some(response_body))
}

/// A body without its content codings.
fn decoded(headers: &[Field<'_>], body: &[u8], limit: Option<u64>) -> (Vec<u8>, BodySight) {
    let codings: Vec<&[u8]> = headers
        .iter()
        .filter(|field| field.name.eq_ignore_ascii_case(b"content-encoding"))
        .map(|field| &*field.value)
        .collect();
    let decoded = without_codings(&codings.join(&b','), Body::whole(body), limit);
    let error = decoded.as_ref().err().copied();
    let out = decoded.map_or_else(|_| body.to_vec(), Cow::into_owned);
    let sight = BodySight {
        len: out.len(),
        limit,
        coding_error: error,
    };
    (out, sight)
}

fn matches<'p>(program: &'p Program, transaction: &Transaction) -> Vec<Matched<'p>> {
    let matches = transaction.matches(program).filter_map(|one| {
        let rule = program.rules().find(|rule| rule.id() == one.rule.id())?;
        Some(Matched {
            rule,
            message: one.message.to_vec(),
            data: one.data.to_vec(),
            name: one.name.to_vec(),
            value: one.value.to_vec(),
            is_logged: one.is_logged,
            is_disruptive: one.is_disruptive,
        })
    });
    matches.collect()
}

/// Rules that matched without being told of. The worker ran nothing else.
fn unlogged<'p>(program: &'p Program, worker: &Worker, matches: &[Matched<'p>]) -> Vec<&'p Rule> {
    let told = |rule: &Rule| matches.iter().any(|one| one.rule.id() == rule.id());
    let counted = program.rules().zip(worker.counters());
    counted
        .filter(|(rule, counter)| counter.hits > 0 && !told(rule))
        .map(|(rule, _)| rule)
        .collect()
}

fn scores(program: &Program, transaction: &Transaction) -> Vec<(&'static str, Vec<u8>)> {
    let names = SCORES.into_iter();
    names
        .filter_map(|name| Some((name, transaction.tx(program, name)?)))
        .collect()
}
