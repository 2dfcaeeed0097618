//! A transaction: a request, its answer, and what rules make of them.
//!
//! Sans-I/O: whoever drives it hands over bytes as they come, phase by phase, and does what the
//! [`Verdict`] says. A [`Worker`] belongs to one thread and lends memory; a [`Transaction`] may move to
//! another thread between phases.

mod arena;
mod collect;
mod counter;
mod credentials;
mod effects;
mod evaluate;
mod expand;
mod lookup;
mod matched;
mod records;
mod report;
mod sanitise;
mod spent;
mod state;
mod strings;
mod time_of_day;
mod tx_values;
mod worker;

use std::net::SocketAddr;

use palisade_body::Body;
use palisade_vocabulary::HiddenNames;

use crate::program::Settings;
use crate::syntax::{AllowScope, AuditMode, EngineMode, Phase};

use evaluate::Run;
use state::{Stage, State};

pub use counter::RuleCounter;
pub use report::{MatchReport, Matches};
pub use sanitise::Sanitised;
pub use worker::{Budget, Clock, Worker, WorkerOptions};

/// Who speaks to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection<'a> {
    /// The client, behind whatever proxies.
    pub client: SocketAddr,
    /// What it connected to.
    pub server: SocketAddr,
    /// The request's id (`UNIQUE_ID`).
    pub unique_id: &'a str,
}

/// The head of a request, as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHead<'a> {
    /// The whole request line, without its end.
    pub line: &'a [u8],
    /// `GET`
    pub method: &'a [u8],
    /// `/path?query`
    pub target: &'a [u8],
    /// `HTTP/1.1`
    pub protocol: &'a [u8],
    /// Names and values, in order.
    pub headers: &'a [(&'a [u8], &'a [u8])],
}

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHead<'a> {
    /// `HTTP/1.1`
    pub protocol: &'a [u8],
    /// Such as 200.
    pub status: u16,
    /// Such as `OK`.
    pub reason: &'a [u8],
    /// Names and values, in order.
    pub headers: &'a [(&'a [u8], &'a [u8])],
}

/// What is to be done after a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Pass,
    /// It ends here; [`Transaction::interruption`] says how.
    Interrupt,
}

/// How a rule ends a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// The rule's id; 0 where no rule did, but the body is longer than its limit
    /// (`SecRequestBodyLimitAction Reject`, and that of answers).
    pub rule: u64,
    /// The phase in which it was found.
    pub phase: Phase,
    /// What is done.
    pub action: InterruptionAction,
}

/// What ends a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterruptionAction {
    /// An error page of this status.
    Deny(u16),
    /// The connection is closed without an answer.
    Drop,
    /// The client is sent elsewhere.
    Redirect {
        /// Such as 302.
        status: u16,
        /// Where to.
        location: Vec<u8>,
    },
}

/// Whether rules saw everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All rules ran that were to.
    Complete,
    /// The budget was spent in this phase, and what was left of it didn't run.
    BudgetSpent(Phase),
}

/// One request and its answer.
#[derive(Debug)]
pub struct Transaction {
    state: Box<State>,
}

impl Transaction {
    /// Begins one; `worker` lends what earlier ones gave back.
    #[must_use]
    pub fn begin(worker: &mut Worker, connection: &Connection<'_>) -> Self {
        Self {
            state: worker.begin(connection),
        }
    }

    /// Phase 1. It comes first, and once: rules are compiled for what it leaves, so that no other phase
    /// runs before it.
    pub fn request_head(&mut self, worker: &mut Worker, head: &RequestHead<'_>) -> Verdict {
        let (program, scratch) = worker.body_scratch();
        collect::request_head(&mut self.state, head, program.settings(), scratch);
        self.run(worker, Phase::RequestHeaders)
    }

    /// How many bytes of a request's body are to be handed over; `None` where nobody looks at it.
    #[must_use]
    pub fn request_body_limit(&self) -> Option<u64> {
        let controls = &self.state.controls;
        let is_looked_at = controls.has_request_body_access && controls.engine != EngineMode::Off;
        is_looked_at.then_some(controls.request_body_limit)
    }

    /// Whether a body that is longer than the limit is refused, so that none of it need be read. To be asked
    /// after phase 1.
    #[must_use]
    pub fn refuses_long_request_body(&self, settings: &Settings) -> bool {
        self.state.controls.engine == EngineMode::On && !settings.request_body.is_partial_processed
    }

    /// Phase 2. `body` without content codings, and no longer than the limit: one that was cut there is
    /// [`Body::partial`], and is refused with 413 before rules see it, unless `SecRequestBodyLimitAction`
    /// says otherwise.
    pub fn request_body(&mut self, worker: &mut Worker, body: Body<'_>) -> Verdict {
        let (program, scratch) = worker.body_scratch();
        self.state.request.is_body_over_limit = body.is_partial;
        let is_partial_processed = program.settings().request_body.is_partial_processed;
        if body.is_partial && !is_partial_processed && self.refuse(Phase::RequestBody, 413) {
            return Verdict::Interrupt;
        }
        collect::request_body(&mut self.state, body, program.settings(), scratch);
        self.run(worker, Phase::RequestBody)
    }

    /// Says, before phase 2, why the body could not be read at all, such as for its content coding: rules
    /// see that it is broken (`REQBODY_ERROR`), and what is handed over of it.
    pub fn request_body_failed(&mut self, error: palisade_body::Error) {
        self.state.body_outcome.error.get_or_insert(error);
    }

    /// Refuses what no rule does; whether it is: a transaction that is only watched goes on, as in
    /// ModSecurity 2.
    fn refuse(&mut self, phase: Phase, status: u16) -> bool {
        let state = &mut *self.state;
        let interruption = Interruption {
            rule: 0,
            phase,
            action: InterruptionAction::Deny(status),
        };
        let (refusal, is_refused) = match state.controls.engine {
            EngineMode::On => (&mut state.interruption, true),
            EngineMode::DetectionOnly => (&mut state.would_be, false),
            EngineMode::Off => return false,
        };
        refusal.get_or_insert(interruption);
        is_refused
    }

    /// Phase 3.
    pub fn response_head(&mut self, worker: &mut Worker, head: &ResponseHead<'_>) -> Verdict {
        collect::response_head(&mut self.state, head);
        self.run(worker, Phase::ResponseHeaders)
    }

    /// How many bytes of the answer's body are to be handed over; `None` where nobody looks at it. To be
    /// asked after phase 3.
    #[must_use]
    pub fn response_body_limit(&self, settings: &Settings) -> Option<u64> {
        let controls = &self.state.controls;
        if !controls.has_response_body_access || controls.engine == EngineMode::Off {
            return None;
        }
        let is_listed = self.is_response_type_listed(settings);
        (is_listed || controls.forces_response_body).then_some(controls.response_body_limit)
    }

    fn is_response_type_listed(&self, settings: &Settings) -> bool {
        let content_type = lookup::response_header(&self.state, b"content-type");
        // Its name in `SecResponseBodyMimeType` where there is none.
        let content_type = content_type.map_or(&b"(null)"[..], |span| self.state.arena.get(span));
        let end = memchr::memchr(b';', content_type).unwrap_or(content_type.len());
        let media_type = content_type.get(..end).unwrap_or_default().trim_ascii();
        let mut listed = settings.response_body_mime_types.iter();
        listed.any(|one| one.eq_ignore_ascii_case(media_type))
    }

    /// Phase 4. `body` without content codings, and no longer than the limit; empty where nobody looks
    /// at it. One that was cut there is refused with 500 before rules see it, unless
    /// `SecResponseBodyLimitAction` says otherwise.
    pub fn response_body(&mut self, worker: &mut Worker, body: Body<'_>) -> Verdict {
        let is_partial_processed = worker.program.settings.response_body.is_partial_processed;
        if body.is_partial && !is_partial_processed && self.refuse(Phase::ResponseBody, 500) {
            return Verdict::Interrupt;
        }
        if !body.bytes.is_empty() {
            self.state.response.body = Some(self.state.arena.push(body.bytes));
        }
        self.state.response.is_body_over_limit = body.is_partial;
        self.run(worker, Phase::ResponseBody)
    }

    /// Phase 5, however the transaction has ended; then [`Transaction::matches`] has all of them, and no
    /// phase runs any more.
    pub fn log(&mut self, worker: &mut Worker) {
        self.log_without(worker, &HiddenNames::NONE);
    }

    /// As [`Transaction::log`]; what has one of these names is sanitised too.
    pub fn log_without(&mut self, worker: &mut Worker, hidden: &HiddenNames) {
        self.run(worker, Phase::Logging);
        if !hidden.is_empty() && !self.state.events.is_empty() {
            sanitise::keep_names(&mut self.state, hidden);
        }
        sanitise::hide(&mut self.state, worker.program());
    }

    /// Keeps what it changed of records of collections, and gives its memory back to `worker`.
    pub fn finish(self, worker: &mut Worker) {
        worker.finish(self.state);
    }

    fn run(&mut self, worker: &mut Worker, phase: Phase) -> Verdict {
        let stage = match (self.state.stage, phase) {
            (Stage::Begun, Phase::RequestHeaders) => Stage::Judged,
            (Stage::Judged, Phase::Logging) => Stage::Over,
            (Stage::Judged, phase) if phase != Phase::RequestHeaders => Stage::Judged,
            _ => return self.verdict(),
        };
        self.state.stage = stage;
        let is_skipped = match self.state.allowed {
            Some(AllowScope::Transaction) => phase != Phase::Logging,
            Some(AllowScope::Request) => phase == Phase::RequestBody,
            Some(AllowScope::Phase) | None => false,
        };
        if is_skipped {
            return Verdict::Pass;
        }
        // What was allowed was for phases before this one.
        self.state.allowed = None;
        if self.state.interruption.is_some() && phase != Phase::Logging {
            return Verdict::Interrupt;
        }
        Run::new(worker, &mut self.state, phase).phase();
        self.verdict()
    }

    fn verdict(&self) -> Verdict {
        match self.state.interruption {
            Some(_) => Verdict::Interrupt,
            None => Verdict::Pass,
        }
    }

    /// Whether the transaction goes to the audit log: `SecAuditEngine`, or what `ctl:auditEngine` made of
    /// it.
    #[must_use]
    pub fn audit_mode(&self) -> AuditMode {
        self.state.controls.audit
    }

    /// Which parts of it go there: `SecAuditLogParts`, or what `ctl:auditLogParts` made of it.
    #[must_use]
    pub fn audit_parts<'t>(&'t self, settings: &'t Settings) -> &'t [u8] {
        let changed = self.state.controls.audit_parts.as_deref();
        changed.unwrap_or(&settings.audit.parts)
    }

    /// Whether a rule has matched that is for the audit log (`auditlog`, `noauditlog`), which is one of
    /// two things that `RelevantOnly` asks.
    #[must_use]
    pub fn is_audit_relevant(&self) -> bool {
        self.state.is_audit_relevant
    }

    /// Whether the transaction goes to the audit log, once phase 5 is over: `SecAuditEngine` or
    /// `ctl:auditEngine`; where that is `RelevantOnly`, because a rule for the audit log has matched or for
    /// the `status` that the client got, whoever answered; it has none where nobody did. Nothing goes there
    /// where `SecRuleEngine` is Off.
    #[must_use]
    pub fn is_for_audit_log(&self, settings: &Settings, status: Option<u16>) -> bool {
        let is_status_relevant = || {
            let relevant = settings.audit.relevant_status.as_ref();
            relevant
                .zip(status)
                .is_some_and(|(relevant, status)| relevant.contains(status))
        };
        let is_logged = match self.audit_mode() {
            AuditMode::Off => false,
            AuditMode::On => true,
            AuditMode::RelevantOnly => self.is_audit_relevant() || is_status_relevant(),
        };
        is_logged && settings.engine != EngineMode::Off
    }

    /// How a rule ended it.
    #[must_use]
    pub fn interruption(&self) -> Option<&Interruption> {
        self.state.interruption.as_ref()
    }

    /// How a rule would have ended it, if rules were not only to detect.
    #[must_use]
    pub fn would_be_interruption(&self) -> Option<&Interruption> {
        self.state.would_be.as_ref()
    }

    /// Whether rules saw everything.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.state.outcome
    }
}
