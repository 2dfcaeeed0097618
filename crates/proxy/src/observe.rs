//! What is told of a request when it is over. Observes, never influences.

mod rules;

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use palisade_gate::{Authentication, Cause as GateCause, OwnOrigin, Record, RecordKind, Refusal};
use palisade_hygiene::RefusalReason;
use palisade_telemetry::{
    AccessEvent, Cause, Check, DecisionEvent, DecisionMode, MatchedDecision, Outcome, RequestLine,
    Subject, Telemetry,
};
use palisade_vocabulary::{HiddenNames, RequestId};
use palisade_waf::Inspection;

use crate::authenticate::Verified;
use crate::clock::wall_time;
use crate::connection::ConnectionFacts;
use crate::forward::Sent;
use crate::inspect::{self, Inspected, UnderInspection};
use crate::request::Context;
use crate::shadow;

/// The most of an unparsable head that is logged.
const MALFORMED_BYTES_MAX: usize = 512;

/// How a request ended.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    outcome: Outcome,
    status: u16,
    bytes: u64,
    www_authenticate: Option<HeaderValue>,
    upstream: Option<std::sync::Arc<str>>,
    upstream_duration: Option<Duration>,
    /// The body broke a rule, after all checks had passed.
    body_reason: Option<RefusalReason>,
    /// What ended the answer, after all checks had passed.
    banned_by: Option<GateCause>,
}

impl Ending {
    fn new(outcome: Outcome, (status, bytes): (u16, u64)) -> Self {
        Self {
            outcome,
            status,
            bytes,
            www_authenticate: None,
            upstream: None,
            upstream_duration: None,
            body_reason: None,
            banned_by: None,
        }
    }

    pub(crate) fn refused(refusal: &Refusal, answered: (u16, u64)) -> Self {
        let check = match refusal.cause {
            GateCause::Hygiene(_) => Check::Hygiene,
            GateCause::Decision(_) | GateCause::DecisionsStale => Check::Decisions,
            GateCause::Rule { .. } => Check::Access,
            GateCause::Protected { .. } | GateCause::Credentials(_) => Check::Protected,
            GateCause::LockedOut { .. } => Check::Limits,
        };
        let field = refusal.field();
        let challenge = field.filter(|(name, _)| *name == header::WWW_AUTHENTICATE);
        Self {
            www_authenticate: challenge.map(|(_, value)| value),
            ..Self::new(Outcome::Refused(check), answered)
        }
    }

    pub(crate) fn body_refused(reason: RefusalReason, answered: (u16, u64)) -> Self {
        Self {
            body_reason: Some(reason),
            ..Self::new(Outcome::Refused(Check::Body), answered)
        }
    }

    pub(crate) fn refused_by_rules(answered: (u16, u64)) -> Self {
        Self::new(Outcome::Refused(Check::Waf), answered)
    }

    pub(crate) fn redirected(answered: (u16, u64)) -> Self {
        Self::new(Outcome::Redirected, answered)
    }

    pub(crate) fn answered(answered: (u16, u64)) -> Self {
        Self::new(Outcome::Answered, answered)
    }

    /// The answer was Palisade's own because no backend gave one.
    pub(crate) fn by_failed_backend(self) -> Self {
        Self {
            outcome: Outcome::UpstreamFailed,
            ..self
        }
    }

    pub(crate) fn forwarded(sent: Sent) -> Self {
        Self {
            www_authenticate: sent.www_authenticate,
            ..Self::new(Outcome::Forwarded, (sent.status, sent.bytes))
        }
    }

    pub(crate) fn broken(sent: Sent) -> Self {
        Self::new(Outcome::UpstreamFailed, (sent.status, sent.bytes))
    }

    /// A decision that came later ended the answer.
    pub(crate) fn banned(sent: Sent, cause: GateCause) -> Self {
        Self {
            banned_by: Some(cause),
            ..Self::new(
                Outcome::Refused(Check::Decisions),
                (sent.status, sent.bytes),
            )
        }
    }

    /// The client went away. What it had of the answer by then it knows, and so does the log.
    pub(crate) fn client_gone(sent: Sent) -> Self {
        Self {
            outcome: Outcome::ClientAborted,
            ..Self::forwarded(sent)
        }
    }

    /// The process ended before the request did, or others needed what it held. What the client had of
    /// the answer by then it knows.
    pub(crate) fn cut_off(sent: (u16, u64)) -> Self {
        Self::new(Outcome::CutOff, sent)
    }

    pub(crate) fn set_upstream(&mut self, name: &std::sync::Arc<str>, duration: Option<Duration>) {
        self.upstream = Some(std::sync::Arc::clone(name));
        self.upstream_duration = duration;
    }
}

/// Tells of a request that was judged.
pub(crate) fn finished(
    context: &Context<'_>,
    headers: &HeaderMap,
    ending: &Ending,
    inspected: Inspected,
    checks_duration: Duration,
) {
    let request = RequestLine::Parsed {
        method: context.incoming.method,
        target: context.incoming.target_as_sent,
        version: context.incoming.version,
    };
    let field = |name| headers.get(name).map_or(&[][..], HeaderValue::as_bytes);
    let host = context.incoming.host.as_ref().map_or("", |host| host.name);
    let site = context.judged.site.as_ref();
    let site = site.map_or("", |site| &*site.settings.name);
    let subject = Subject::Request {
        id: context.begun.id,
        host,
        site,
        request,
        user_agent: field(header::USER_AGENT),
        status: (ending.status > 0).then_some(ending.status),
    };
    context.generation.telemetry.observe_request(&AccessEvent {
        time: wall_time(),
        client: &context.judged.client,
        request,
        host,
        port: Some(context.facts.local.port()),
        status: ending.status,
        body_bytes: ending.bytes,
        referer: field(header::REFERER),
        user_agent: field(header::USER_AGENT),
        user: context.user().map_or("", |user| user),
        request_id: context.begun.id,
        duration: context.begun.at.elapsed(),
        upstream: ending.upstream.as_deref(),
        upstream_duration: ending.upstream_duration,
        www_authenticate: ending.www_authenticate.as_ref().map(HeaderValue::as_bytes),
        site,
        outcome: ending.outcome,
    });
    if let Some(inspected) = inspected {
        let UnderInspection {
            mut inspection,
            sample,
            ..
        } = *inspected;
        inspection.log(hidden(&context.generation.telemetry));
        tell_inspected(
            context,
            &inspection,
            subject,
            ending.status,
            checks_duration,
        );
        if let Some(sample) = sample {
            shadow::hand_over(context, headers, *sample, &inspection);
        }
        inspection.finish();
    }
    count_usage(context, ending);
    count_authentication(context);
    for record in &context.judged.records {
        tell_record(context, record, subject, checks_duration);
    }
    if let Some(Verified::WouldBeRefused(refusal)) = context.verified.get() {
        let record = Record {
            kind: RecordKind::WouldRefuse,
            status: refusal.status,
            cause: refusal.cause.clone(),
        };
        tell_record(context, &record, subject, checks_duration);
    }
    tell_refusal(context, ending, subject, checks_duration);
}

/// Tells why a request was refused, or its answer ended.
fn tell_refusal(
    context: &Context<'_>,
    ending: &Ending,
    subject: Subject<'_>,
    checks_duration: Duration,
) {
    if let Some(refusal) = context.refusal() {
        tell_cause(
            context,
            DecisionMode::Refused,
            &refusal.cause,
            subject,
            checks_duration,
        );
    }
    if let Some(cause) = &ending.banned_by {
        tell_cause(
            context,
            DecisionMode::Refused,
            cause,
            subject,
            checks_duration,
        );
    }
    if let Some(reason) = ending.body_reason {
        let cause = Cause::Body {
            reason: reason.as_str(),
        };
        tell(
            context,
            DecisionMode::Refused,
            cause,
            subject,
            checks_duration,
        );
    }
}

/// Tells what rules say, once phase 5 is over.
fn tell_inspected(
    context: &Context<'_>,
    inspection: &Inspection,
    subject: Subject<'_>,
    status: u16,
    checks_duration: Duration,
) {
    let metrics = &context.facts.shared.metrics.rules;
    metrics.inspected();
    if let Some(failure) = inspection.failure() {
        metrics.failed(failure.kind.label(), failure.rule);
    }
    let told = rules::Told {
        telemetry: &context.generation.telemetry,
        id: context.begun.id,
        client: &context.judged.client,
        peer: context.facts.peer,
        server: context.facts.local,
        status,
        subject,
        duration: context.begun.at.elapsed(),
        checks_duration,
    };
    told.tell(inspection);
}

/// What the audit log is not to show.
fn hidden(telemetry: &Telemetry) -> &HiddenNames {
    static NOTHING: HiddenNames = HiddenNames::NONE;
    let settings = telemetry.audit_settings();
    settings.map_or(&NOTHING, |settings| &settings.hidden)
}

/// Counts what CrowdSec wants to know. Hot path: runs per request, allocates nothing.
fn count_usage(context: &Context<'_>, ending: &Ending) {
    let usage = &context.facts.shared.state.usage;
    let client = context.judged.client.ip;
    usage.count_processed(client);
    if let Some(refusal) = context.refusal() {
        usage.count_dropped(client, &refusal.cause);
    } else if let Some(cause) = &ending.banned_by {
        usage.count_dropped(client, cause);
    } else if let Some(reason) = ending.body_reason {
        usage.count_dropped(client, &GateCause::Hygiene(reason));
    } else if ending.outcome == Outcome::Refused(Check::Waf) {
        usage.count_dropped_by(client, OwnOrigin::Waf);
    }
}

/// Counts what came of credentials.
fn count_authentication(context: &Context<'_>) {
    let basic = |result| context.facts.shared.metrics.authentication.basic(result);
    let fault = |cause: &GateCause| {
        if let GateCause::Credentials(refused) = cause {
            basic(refused.fault.as_str());
        }
    };
    for record in &context.judged.records {
        fault(&record.cause);
    }
    match (&context.judged.authentication, context.verified.get()) {
        (Authentication::User(_), _) => basic("remembered"),
        (_, Some(Verified::User(_))) => basic("verified"),
        (_, Some(Verified::WouldBeRefused(refusal))) => fault(&refusal.cause),
        _ => {}
    }
    if let Some(refusal) = context.refusal() {
        fault(&refusal.cause);
    }
}

fn tell_record(
    context: &Context<'_>,
    record: &Record,
    subject: Subject<'_>,
    checks_duration: Duration,
) {
    let mode = match record.kind {
        RecordKind::WouldRefuse => DecisionMode::WouldRefuse,
        RecordKind::Logged => DecisionMode::Logged,
    };
    let mut subject = subject;
    if let Subject::Request { status, .. } = &mut subject {
        *status = (record.kind == RecordKind::WouldRefuse).then_some(record.status);
    }
    tell_cause(context, mode, &record.cause, subject, checks_duration);
}

fn tell_cause(
    context: &Context<'_>,
    mode: DecisionMode,
    cause: &GateCause,
    subject: Subject<'_>,
    checks_duration: Duration,
) {
    let GateCause::Decision(found) = cause else {
        if let Some(cause) = cause_of(cause) {
            tell(context, mode, cause, subject, checks_duration);
        }
        return;
    };
    let now = context.facts.shared.clock.now();
    let scope = found.scope();
    let value = scope.to_string();
    let remedy = found.remedy();
    let cause = Cause::Decision(MatchedDecision {
        origin: found.origin_label(),
        scenario: found.scenario(),
        kind: remedy.as_str(),
        scope: scope.name(),
        value: &value,
        id: found.id().and_then(|id| i64::try_from(id.get()).ok()),
        expires_in: found.expires().since(now),
    });
    tell(context, mode, cause, subject, checks_duration);
}

/// A cause as logs have it; none for a decision, of which a part has to be written first.
fn cause_of(cause: &GateCause) -> Option<Cause<'_>> {
    Some(match cause {
        GateCause::Hygiene(reason) => Cause::Hygiene {
            reason: reason.as_str(),
        },
        GateCause::DecisionsStale => Cause::DecisionsStale,
        GateCause::Rule { id, reason } => Cause::Rule {
            id,
            reason: reason.as_deref().unwrap_or_default(),
        },
        GateCause::Protected { id, demand, .. } => Cause::Protected {
            id,
            reason: demand.as_str(),
            user: "",
            locks: false,
        },
        GateCause::Credentials(refused) => Cause::Protected {
            id: &refused.id,
            reason: refused.fault.as_str(),
            user: refused.user.as_deref().unwrap_or_default(),
            locks: refused.locks,
        },
        GateCause::LockedOut { retry_after, user } => Cause::LockedOut {
            retry_after: *retry_after,
            user: user.as_deref().unwrap_or_default(),
        },
        GateCause::Decision(_) => return None,
    })
}

fn tell(
    context: &Context<'_>,
    mode: DecisionMode,
    cause: Cause<'_>,
    subject: Subject<'_>,
    checks_duration: Duration,
) {
    context
        .generation
        .telemetry
        .observe_decision(&DecisionEvent {
            time: wall_time(),
            mode,
            cause,
            client: &context.judged.client,
            peer: context.facts.peer,
            subject,
            checks_duration,
        });
}

/// Tells of a head that was refused before a request could be made of it.
pub(crate) fn refused_head(
    facts: &ConnectionFacts,
    reason: RefusalReason,
    id: RequestId,
    received: &[u8],
) {
    let excerpt = received.get(..MALFORMED_BYTES_MAX).unwrap_or(received);
    let first_line = excerpt
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let request = RequestLine::Malformed(first_line.trim_ascii_end());
    let usage = &facts.shared.state.usage;
    usage.count_processed(facts.client.ip);
    usage.count_dropped(facts.client.ip, &GateCause::Hygiene(reason));
    let telemetry = &facts.shared.generation.load().telemetry;
    if let Some(mut inspection) = inspect::for_the_record(facts, &id, received) {
        inspection.log(hidden(telemetry));
        for_the_record(facts, telemetry, reason, id, request, &inspection);
        inspection.finish();
    }
    let time = wall_time();
    telemetry.observe_request(&AccessEvent {
        time,
        client: &facts.client,
        request,
        host: "",
        port: Some(facts.local.port()),
        status: reason.status(),
        body_bytes: 0,
        referer: &[],
        user_agent: &[],
        user: "",
        request_id: id,
        duration: Duration::ZERO,
        upstream: None,
        upstream_duration: None,
        www_authenticate: None,
        site: "",
        outcome: Outcome::Refused(Check::Hygiene),
    });
    telemetry.observe_decision(&DecisionEvent {
        time,
        mode: DecisionMode::Refused,
        cause: Cause::Hygiene {
            reason: reason.as_str(),
        },
        client: &facts.client,
        peer: facts.peer,
        subject: Subject::Request {
            id,
            host: "",
            site: "",
            request,
            user_agent: &[],
            status: Some(reason.status()),
        },
        checks_duration: Duration::ZERO,
    });
}

/// Tells what rules say of a head that was refused before any of them.
fn for_the_record(
    facts: &ConnectionFacts,
    telemetry: &Telemetry,
    reason: RefusalReason,
    id: RequestId,
    request: RequestLine<'_>,
    inspection: &Inspection,
) {
    let told = rules::Told {
        telemetry,
        id,
        client: &facts.client,
        peer: facts.peer,
        server: facts.local,
        status: reason.status(),
        subject: Subject::Request {
            id,
            host: "",
            site: "",
            request,
            user_agent: &[],
            status: Some(reason.status()),
        },
        duration: Duration::ZERO,
        checks_duration: Duration::ZERO,
    };
    told.tell(inspection);
}

/// Tells of what was refused when there was not even a head to show.
pub(crate) fn refused_connection(facts: &ConnectionFacts, reason: RefusalReason) {
    let telemetry = &facts.shared.generation.load().telemetry;
    telemetry.observe_decision(&DecisionEvent {
        time: wall_time(),
        mode: DecisionMode::Refused,
        cause: Cause::Hygiene {
            reason: reason.as_str(),
        },
        client: &facts.client,
        peer: facts.peer,
        subject: Subject::Connection,
        checks_duration: Duration::ZERO,
    });
}
