//! What rules make of one request that goes through Palisade, and of its answer.
//!
//! Whoever drives it hands over heads and bodies as they come, and does what each [`Finding`] says. It may
//! move to another thread between phases.

use std::sync::Arc;

use palisade_body::Body;
use palisade_seclang::syntax::Phase;
use palisade_seclang::{
    Collections, Connection, Interruption, InterruptionAction, MatchReport, Outcome, RequestHead,
    ResponseHead, Transaction, Verdict, Worker,
};
use palisade_vocabulary::{FailurePolicy, HiddenNames};

use crate::codings::{beginning_without_codings, without_codings};
use crate::workers::{Panicked, with_worker};
use crate::{RuleSet, drive};

/// The status of a refusal for what the engine couldn't judge.
const FAILURE_STATUS: u16 = 403;

/// Variables in which OWASP CRS keeps its scores: of requests and of answers, of CRS 4 and CRS 3.
const INBOUND_SCORES: [&str; 2] = ["blocking_inbound_anomaly_score", "anomaly_score"];
const OUTBOUND_SCORES: [&str; 2] = ["blocking_outbound_anomaly_score", "outbound_anomaly_score"];

/// One request and its answer, as rules see them.
#[derive(Debug)]
pub struct Inspection {
    rules: Arc<RuleSet>,
    collections: Arc<Collections>,
    /// `None` once a panic has taken it.
    transaction: Option<Transaction>,
    failure: Option<InspectionFailure>,
    for_the_record: bool,
    kept_bodies: KeptBodies,
}

/// The most bytes of a body that are kept for a log.
pub const KEPT_BODY_BYTES_MAX: usize = 64 * 1024;

/// Beginnings of bodies, as rules saw them, for logs that want them.
#[derive(Debug, Default)]
struct KeptBodies {
    request: Option<Vec<u8>>,
    response: Option<Vec<u8>>,
}

/// That rules didn't see everything, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InspectionFailure {
    /// What happened.
    pub kind: FailureKind,
    /// In which phase.
    pub phase: Phase,
    /// The rule that was asked; `None` where values were searched for many rules at once.
    pub rule: Option<u64>,
}

/// What can keep rules from seeing everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The budget of bytes or of time was spent.
    BudgetSpent,
    /// The engine panicked: a defect.
    Panicked,
}

impl FailureKind {
    /// Its name in logs and metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::BudgetSpent => "budget_spent",
            Self::Panicked => "panicked",
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It goes on.
    Pass,
    /// It ends here.
    Refuse(InterruptionAction),
}

/// Why rules refuse a request or its answer, or would have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objection<'i> {
    /// A rule, or the limit of a body (rule 0).
    Rule(&'i Interruption),
    /// That it couldn't be judged to the end.
    Failure(InspectionFailure),
}

impl Inspection {
    /// Begins with the head: phase 1.
    #[must_use]
    pub fn begin(
        rules: &Arc<RuleSet>,
        collections: &Arc<Collections>,
        connection: &Connection<'_>,
        head: &RequestHead<'_>,
    ) -> (Self, Finding) {
        let mut inspection = Self {
            rules: Arc::clone(rules),
            collections: Arc::clone(collections),
            transaction: None,
            failure: None,
            for_the_record: false,
            kept_bodies: KeptBodies::default(),
        };
        let begun = with_worker(rules, collections, |worker| {
            let mut transaction = Transaction::begin(worker, connection);
            let verdict = transaction.request_head(worker, head);
            (transaction, verdict, worker.asked_rule())
        });
        let finding = match begun {
            Ok((transaction, verdict, asked)) => inspection.went_on(transaction, verdict, asked),
            Err(Panicked { rule }) => inspection.panicked(Phase::RequestHeaders, rule),
        };
        (inspection, finding)
    }

    /// It is looked at for the log only: another check has refused it already.
    pub fn set_for_the_record(&mut self) {
        self.for_the_record = true;
    }

    /// Whether it is.
    #[must_use]
    pub fn is_for_the_record(&self) -> bool {
        self.for_the_record
    }

    /// The rules that look at it.
    #[must_use]
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// Keeps the beginnings of bodies for a log, at most [`KEPT_BODY_BYTES_MAX`] of each.
    pub fn keep_bodies(&mut self, of_request: bool, of_response: bool) {
        self.kept_bodies = KeptBodies {
            request: of_request.then(Vec::new),
            response: of_response.then(Vec::new),
        };
    }

    /// The beginning of the request's body; empty where it isn't kept, or rules saw none.
    #[must_use]
    pub fn kept_request_body(&self) -> &[u8] {
        self.kept_bodies.request.as_deref().unwrap_or_default()
    }

    /// The beginning of the answer's body; empty where it isn't kept, or rules saw none.
    #[must_use]
    pub fn kept_response_body(&self) -> &[u8] {
        self.kept_bodies.response.as_deref().unwrap_or_default()
    }

    /// How much memory it takes until it is finished, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let kept = self.kept_request_body().len() + self.kept_response_body().len();
        let transaction = self.transaction.as_ref();
        kept + transaction.map_or(0, Transaction::memory_bytes)
    }

    /// How many bytes of the request's body rules look at; `None` where they look at none.
    #[must_use]
    pub fn request_body_limit(&self) -> Option<u64> {
        self.transaction.as_ref()?.request_body_limit()
    }

    /// Whether a body that is longer than the limit is refused, so that none of it need be read.
    #[must_use]
    pub fn refuses_long_bodies(&self) -> bool {
        let settings = self.rules.program().settings();
        let transaction = self.transaction.as_ref();
        let refuses = transaction.is_some_and(|it| it.refuses_long_request_body(settings));
        refuses && !self.rules.only_detects()
    }

    /// Phase 2, with the body as it was sent, or its beginning. `content_encoding`: the values of its fields,
    /// joined by commas.
    pub fn request_body(&mut self, content_encoding: &[u8], body: Body<'_>) -> Finding {
        let limit = self.request_body_limit();
        let mut kept = self.kept_bodies.request.take();
        let finding = self.phase(Phase::RequestBody, |worker, transaction| {
            let looked_at = match limit {
                Some(_) => body,
                None => Body::whole(b""),
            };
            match without_codings(content_encoding, looked_at, limit) {
                Ok(bytes) => {
                    let is_partial = looked_at.is_partial;
                    let bytes = bytes.as_ref();
                    keep(&mut kept, bytes);
                    transaction.request_body(worker, Body { bytes, is_partial })
                }
                Err(error) => {
                    keep(&mut kept, looked_at.bytes);
                    transaction.request_body_failed(error.into());
                    transaction.request_body(worker, looked_at)
                }
            }
        });
        self.kept_bodies.request = kept;
        finding
    }

    /// Phase 3.
    pub fn response_head(&mut self, head: &ResponseHead<'_>) -> Finding {
        self.phase(Phase::ResponseHeaders, |worker, transaction| {
            drive::response_head(worker, transaction, head)
        })
    }

    /// How many bytes of the answer's body rules look at; `None` where they look at none. To be asked after
    /// phase 3.
    #[must_use]
    pub fn response_body_limit(&self) -> Option<u64> {
        let settings = self.rules.program().settings();
        self.transaction.as_ref()?.response_body_limit(settings)
    }

    /// Phase 4, with the body as it was sent, or its beginning; what of its codings can't be undone is
    /// looked at as it is.
    pub fn response_body(&mut self, content_encoding: &[u8], body: Body<'_>) -> Finding {
        let limit = self.response_body_limit();
        let mut kept = self.kept_bodies.response.take();
        let finding = self.phase(Phase::ResponseBody, |worker, transaction| {
            let beginning = beginning_without_codings(content_encoding, body, limit);
            let (bytes, is_partial) = (beginning.0.as_ref(), beginning.1);
            keep(&mut kept, bytes);
            transaction.response_body(worker, Body { bytes, is_partial })
        });
        self.kept_bodies.response = kept;
        finding
    }

    /// Phase 5, however it has ended; what rules matched doesn't show values of `hidden` names after it.
    pub fn log(&mut self, hidden: &HiddenNames) {
        self.phase(Phase::Logging, |worker, transaction| {
            transaction.log_without(worker, hidden);
            Verdict::Pass
        });
    }

    /// Gives its memory back.
    pub fn finish(mut self) {
        if let Some(transaction) = self.transaction.take() {
            // Where that panics, memory is given up.
            let _ = with_worker(&self.rules, &self.collections, |worker| {
                transaction.finish(worker);
            });
        }
    }

    /// The transaction, for logs; `None` where a panic took it.
    #[must_use]
    pub fn transaction(&self) -> Option<&Transaction> {
        self.transaction.as_ref()
    }

    /// What rules have matched so far.
    pub fn matches(&self) -> impl Iterator<Item = MatchReport<'_>> {
        let program = self.rules.program();
        let transaction = self.transaction.iter();
        transaction.flat_map(|transaction| transaction.matches(program))
    }

    /// OWASP CRS's anomaly score of the answer in phases 3 and 4, else of the request; `None` where no rule
    /// keeps one.
    #[must_use]
    pub fn anomaly_score(&self, phase: Phase) -> Option<Vec<u8>> {
        let names = match phase {
            Phase::ResponseHeaders | Phase::ResponseBody => OUTBOUND_SCORES,
            _ => INBOUND_SCORES,
        };
        let transaction = self.transaction.as_ref()?;
        let program = self.rules.program();
        names
            .into_iter()
            .find_map(|name| transaction.tx(program, name))
    }

    /// Why it is refused; `None` where it isn't.
    #[must_use]
    pub fn refused_for(&self) -> Option<Objection<'_>> {
        if self.rules.only_detects() || self.for_the_record {
            return None;
        }
        let interruption = self
            .transaction
            .as_ref()
            .and_then(Transaction::interruption);
        let failure = self.failure.filter(|_| self.refuses_failures());
        let rule = interruption.map(Objection::Rule);
        rule.or_else(|| failure.map(Objection::Failure))
    }

    /// Why it would have been refused, if rules weren't only to detect.
    #[must_use]
    pub fn would_be_refused_for(&self) -> Option<Objection<'_>> {
        if !self.rules.only_detects() || self.for_the_record {
            return None;
        }
        let transaction = self.transaction.as_ref();
        let rule = transaction.and_then(|transaction| {
            let would_be = transaction.would_be_interruption();
            transaction.interruption().or(would_be)
        });
        let rule = rule.map(Objection::Rule);
        rule.or_else(|| self.failure.map(Objection::Failure))
    }

    /// Why rules didn't see everything.
    #[must_use]
    pub fn failure(&self) -> Option<InspectionFailure> {
        self.failure
    }

    fn phase(
        &mut self,
        phase: Phase,
        run: impl FnOnce(&mut Worker, &mut Transaction) -> Verdict,
    ) -> Finding {
        let Some(mut transaction) = self.transaction.take() else {
            return Finding::Pass;
        };
        let ran = with_worker(&self.rules, &self.collections, |worker| {
            let verdict = run(worker, &mut transaction);
            (transaction, verdict, worker.asked_rule())
        });
        match ran {
            Ok((transaction, verdict, asked)) => self.went_on(transaction, verdict, asked),
            Err(Panicked { rule }) => self.panicked(phase, rule),
        }
    }

    fn went_on(
        &mut self,
        transaction: Transaction,
        verdict: Verdict,
        asked: Option<u64>,
    ) -> Finding {
        let outcome = transaction.outcome();
        let interruption = transaction.interruption();
        let action = interruption.map(|interruption| interruption.action.clone());
        self.transaction = Some(transaction);
        let is_refused = verdict == Verdict::Interrupt && !self.rules.only_detects();
        if let Some(action) = action.filter(|_| is_refused) {
            return Finding::Refuse(action);
        }
        match outcome {
            Outcome::Complete => Finding::Pass,
            Outcome::BudgetSpent(phase) => self.failed(InspectionFailure {
                kind: FailureKind::BudgetSpent,
                phase,
                rule: asked,
            }),
        }
    }

    fn panicked(&mut self, phase: Phase, rule: Option<u64>) -> Finding {
        self.failed(InspectionFailure {
            kind: FailureKind::Panicked,
            phase,
            rule,
        })
    }

    fn failed(&mut self, failure: InspectionFailure) -> Finding {
        self.failure.get_or_insert(failure);
        match self.refuses_failures() {
            true => Finding::Refuse(InterruptionAction::Deny(FAILURE_STATUS)),
            false => Finding::Pass,
        }
    }

    fn refuses_failures(&self) -> bool {
        self.rules.on_failure() == FailurePolicy::Closed && !self.rules.only_detects()
    }
}

/// Keeps the beginning of a body, where it is to be kept.
fn keep(kept: &mut Option<Vec<u8>>, bytes: &[u8]) {
    if let Some(kept) = kept {
        let part = bytes.get(..KEPT_BODY_BYTES_MAX).unwrap_or(bytes);
        kept.clear();
        kept.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests;
