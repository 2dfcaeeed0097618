//! What is told of a request that SecLang rules have looked at.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use palisade_seclang::syntax::Phase;
use palisade_seclang::{MatchReport, Transaction};
use palisade_telemetry::{
    AuditContent, AuditEvent, AuditFormat, AuditMessage, AuditOutcome, Cause, DecisionEvent,
    DecisionMode, Field, RequestLine, Subject, Telemetry, WafCause,
};
use palisade_vocabulary::{ClientAddr, Ip, RequestId};
use palisade_waf::{Hiding, Inspection, LogContext, Objection, append_log_line};

use crate::clock::wall_time;

/// What there is to tell beside what rules say.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) telemetry: &'a Telemetry,
    pub(super) id: RequestId,
    pub(super) client: &'a ClientAddr,
    pub(super) peer: Ip,
    pub(super) status: u16,
    pub(super) subject: Subject<'a>,
    pub(super) duration: Duration,
    pub(super) checks_duration: Duration,
    pub(super) server: SocketAddr,
}

/// What was sent, where the log has it.
#[derive(Default)]
struct Sent<'a> {
    request_headers: Vec<Field<'a>>,
    request_body: Cow<'a, [u8]>,
    response_headers: Vec<Field<'a>>,
    response_body: Cow<'a, [u8]>,
}

impl<'a> Sent<'a> {
    fn of(inspection: &'a Inspection, hiding: &Hiding<'_>, format: AuditFormat) -> Self {
        let (AuditFormat::ModSecurity(parts), Some(transaction)) =
            (format, inspection.transaction())
        else {
            return Self::default();
        };
        let request = transaction.request_headers();
        let content_type = request.filter(|(name, _)| name.eq_ignore_ascii_case(b"content-type"));
        let content_type = content_type.map(|(_, value)| value).last();
        let body = inspection.kept_request_body();
        let request = transaction
            .request_headers()
            .filter(|_| parts.request_headers);
        let request = request.map(|(name, value)| (name, hiding.request_header(name, value)));
        let response = transaction
            .response_headers()
            .filter(|_| parts.response_headers);
        let response = response.map(|(name, value)| (name, hiding.response_header(name, value)));
        Self {
            request_headers: request.collect(),
            request_body: hiding.request_body(content_type.unwrap_or_default(), body),
            response_headers: response.collect(),
            response_body: hiding.response_body(inspection.kept_response_body()),
        }
    }

    fn content(&'a self, server: SocketAddr, inspection: &'a Inspection) -> AuditContent<'a> {
        let rules = inspection.rules();
        AuditContent {
            server,
            request_headers: &self.request_headers,
            request_body: &self.request_body,
            response_headers: &self.response_headers,
            response_body: &self.response_body,
            only_detects: rules.only_detects(),
            components: &rules.program().settings().component_signatures,
        }
    }
}

impl Told<'_> {
    /// Tells what rules say, once phase 5 is over.
    pub(super) fn tell(&self, inspection: &Inspection) {
        let refused = inspection.refused_for();
        let would_be = inspection.would_be_refused_for();
        if let Some(objection) = &refused {
            self.tell_decision(inspection, DecisionMode::Refused, objection);
        } else if let Some(objection) = &would_be {
            self.tell_decision(inspection, DecisionMode::WouldRefuse, objection);
        } else if let Some(failure) = inspection.failure() {
            let objection = Objection::Failure(failure);
            self.tell_decision(inspection, DecisionMode::Logged, &objection);
        }
        let outcome = match () {
            () if inspection.is_for_the_record() => AuditOutcome::ForTheRecord,
            () if refused.is_some() => AuditOutcome::Refused,
            () if would_be.is_some() => AuditOutcome::WouldRefuse,
            () => AuditOutcome::Passed,
        };
        self.tell_audit(inspection, outcome);
    }

    fn tell_decision(
        &self,
        inspection: &Inspection,
        mode: DecisionMode,
        objection: &Objection<'_>,
    ) {
        let mut rules: Vec<u64> = Vec::new();
        for one in inspection.matches() {
            let id = one.rule.id();
            if !rules.contains(&id) {
                rules.push(id);
            }
        }
        let (rule, phase, failure) = match objection {
            Objection::Rule(interruption) => (interruption.rule, interruption.phase, None),
            Objection::Failure(failure) => {
                let rule = failure.rule.unwrap_or(0);
                (rule, failure.phase, Some(failure.kind.label()))
            }
        };
        let ended = inspection.matches().find(|one| one.rule.id() == rule);
        let score = inspection.anomaly_score(phase).unwrap_or_default();
        let cause = Cause::Waf(WafCause {
            rule,
            message: ended.map_or(&[][..], |one| one.message),
            phase: phase.number(),
            score: &score,
            rules: &rules,
            failure,
        });
        self.telemetry.observe_decision(&DecisionEvent {
            time: wall_time(),
            mode,
            cause,
            client: self.client,
            peer: self.peer,
            subject: self.subject,
            checks_duration: self.checks_duration,
        });
    }

    fn tell_audit(&self, inspection: &Inspection, outcome: AuditOutcome) {
        let Some(settings) = self.telemetry.audit_settings() else {
            return;
        };
        let logged: Vec<MatchReport<'_>> =
            inspection.matches().filter(|one| one.is_logged).collect();
        if logged.is_empty() {
            return;
        }
        let lines: Vec<Vec<u8>> = match settings.format {
            AuditFormat::Json | AuditFormat::ModSecurity(_) => Vec::new(),
            AuditFormat::ErrorLog => logged.iter().map(|one| self.error_log_line(one)).collect(),
        };
        let messages = logged.iter().enumerate().map(|(at, one)| {
            let line = lines.get(at).map_or(&[][..], Vec::as_slice);
            message(one, line)
        });
        let messages: Vec<AuditMessage<'_>> = messages.collect();
        let transaction = inspection.transaction();
        let hiding = Hiding::of(transaction, &settings.hidden);
        let sent = Sent::of(inspection, &hiding, settings.format);
        let body_error = transaction.and_then(Transaction::body_error);
        let body_error = body_error.map(|error| error.to_string());
        let score = inspection.anomaly_score(Phase::RequestBody);
        let score = score.unwrap_or_default();
        let (host, site, request) = self.parts();
        let shown;
        let request = match request {
            RequestLine::Parsed {
                method,
                target,
                version,
            } => {
                shown = hiding.target(target);
                RequestLine::Parsed {
                    method,
                    target: &shown,
                    version,
                }
            }
            RequestLine::Malformed(bytes) => {
                shown = hiding.target(bytes);
                RequestLine::Malformed(&shown)
            }
        };
        self.telemetry.observe_audit(&AuditEvent {
            time: wall_time(),
            request_id: self.id,
            client: self.client,
            host: host.as_bytes(),
            site,
            request,
            status: self.status,
            outcome,
            messages: &messages,
            messages_left_out: transaction.map_or(0, Transaction::matches_left_out),
            body_error: body_error.as_deref().unwrap_or_default(),
            score: &score,
            duration: self.duration,
            content: sent.content(self.server, inspection),
        });
    }

    /// The request's host, the name of its site, and what it asked for.
    fn parts(&self) -> (&str, &str, RequestLine<'_>) {
        match self.subject {
            Subject::Request {
                host,
                site,
                request,
                ..
            } => (host, site, request),
            Subject::Connection => ("", "", RequestLine::Malformed(b"")),
        }
    }

    fn error_log_line(&self, one: &MatchReport<'_>) -> Vec<u8> {
        let (host, _, request) = self.parts();
        let target = match request {
            RequestLine::Parsed { target, .. } => target,
            RequestLine::Malformed(_) => b"",
        };
        let context = LogContext {
            client: self.client.ip.as_std(),
            hostname: host.as_bytes(),
            uri: target
                .split(|byte| *byte == b'?')
                .next()
                .unwrap_or_default(),
            unique_id: self.id.as_str(),
        };
        let mut line = Vec::new();
        append_log_line(one, &context, &mut line);
        line
    }
}

fn message<'a>(one: &MatchReport<'a>, error_log_line: &'a [u8]) -> AuditMessage<'a> {
    let place = one.rule.place();
    AuditMessage {
        id: one.rule.id(),
        phase: one.rule.phase().number(),
        message: one.message,
        data: one.data,
        name: one.name,
        value: one.value,
        severity: one.rule.severity(),
        tags: one.rule.tags().collect(),
        version: one.rule.version().unwrap_or_default(),
        revision: one.rule.revision().unwrap_or_default(),
        maturity: one.rule.maturity().unwrap_or(0),
        accuracy: one.rule.accuracy().unwrap_or(0),
        asks: one
            .rule
            .asks()
            .map(|asks| (&*asks.operator, &*asks.argument)),
        place: (&place.file, place.line),
        has_interrupted: one.has_interrupted,
        error_log_line,
    }
}
