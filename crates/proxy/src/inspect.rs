//! What SecLang rules make of a request: its head, then its body, before a backend is asked for; and of what
//! was refused before they had their turn, for the record.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue};
use palisade_body::Body;
use palisade_ftw::Request;
use palisade_gate::Cause;
use palisade_hygiene::Framing;
use palisade_seclang::{Connection, InterruptionAction, RequestHead};
use palisade_telemetry::{AuditFormat, AuditParts, Telemetry};
use palisade_vocabulary::{ClientAddr, RequestId};
use palisade_waf::{Finding, Inspection};
use smallvec::SmallVec;
use tokio::task::spawn_blocking;

use crate::body_memory::Held;
use crate::connection::ConnectionFacts;
use crate::forward;
use crate::judge::Ruling;
use crate::request::Context;
use crate::shadow::{self, Sample};

/// A longer body is judged on a thread beside: it takes longer than other requests of this one should wait.
const ON_THE_SPOT_BYTES: usize = 32 * 1024;

/// What rules make of so many bytes of a transaction is kept without asking for memory.
const UNASKED_BYTES: usize = 64 * 1024;

/// A request that rules look at, if any do.
pub(crate) type Inspected = Option<Box<UnderInspection>>;

/// A request that rules look at.
#[derive(Debug)]
pub(crate) struct UnderInspection {
    /// What those make of it that guard its site.
    pub(crate) inspection: Inspection,
    /// What is kept of it for others, if it is one that they are to judge.
    pub(crate) sample: Option<Box<Sample>>,
    /// The memory that it takes of what all bodies may that are held.
    held: Option<Held>,
}

impl UnderInspection {
    /// Accounts for what rules keep of bodies until the request is over; whether there was memory for it.
    fn hold(&mut self, context: &Context<'_>) -> bool {
        let bytes = self.inspection.memory_bytes();
        if bytes <= UNASKED_BYTES {
            return true;
        }
        let rules = &context.facts.shared.rules;
        let held = &mut self.held;
        let held = held.get_or_insert_with(|| rules.body_memory.hold_nothing());
        held.grow_to(bytes, context.generation.body_memory_max.as_u64())
    }
}

/// There is no memory for what rules made of a body.
pub(crate) struct OutOfMemory;

/// Names and values of header fields.
type Fields<'a> = SmallVec<[(&'a [u8], &'a [u8]); 32]>;

/// Phase 1 of a request that no check has refused; of one that hygiene has refused, both phases for the
/// record.
pub(crate) fn head(context: &Context<'_>, headers: &HeaderMap) -> (Inspected, Finding) {
    let judged = context.judged;
    let is_refused = context.refusal().is_some();
    let is_for_the_record = match &judged.ruling {
        Ruling::Forward { .. } if judged.goes_to_waf && !is_refused => false,
        Ruling::Refuse(refusal) if matches!(refusal.cause, Cause::Hygiene(_)) => true,
        _ => return (None, Finding::Pass),
    };
    let Some(site) = &judged.site else {
        return (None, Finding::Pass);
    };
    let Some(rules) = context.generation.rule_sets.of_site(site.number) else {
        return (None, Finding::Pass);
    };
    let connection = connection(context.facts, &judged.client, &context.begun.id);
    let collections = &context.facts.shared.rules.collections;
    let begin = |head: &RequestHead<'_>| Inspection::begin(rules, collections, &connection, head);
    let (mut inspection, finding) = with_head(context, headers, begin);
    if let Some(parts) = kept_parts(&context.generation.telemetry) {
        inspection.keep_bodies(parts.request_body, parts.response_body);
    }
    let sample = match is_for_the_record {
        true => {
            record(&mut inspection);
            None
        }
        false => shadow::sample(context, site.number),
    };
    let inspected = UnderInspection {
        inspection,
        sample,
        held: None,
    };
    (Some(Box::new(inspected)), finding)
}

/// What `with` makes of a request's head as it was sent.
pub(crate) fn with_head<T>(
    context: &Context<'_>,
    headers: &HeaderMap,
    with: impl FnOnce(&RequestHead<'_>) -> T,
) -> T {
    let incoming = context.incoming;
    let sent = incoming.head_as_sent;
    let line_of_http2;
    let (line, fields) = match sent.is_empty() {
        true => {
            line_of_http2 = http2_line(context);
            (&*line_of_http2, http2_fields(context, headers))
        }
        false => http1_parts(sent),
    };
    with(&RequestHead {
        line,
        method: incoming.method.as_bytes(),
        target: incoming.target_as_sent,
        protocol: incoming.version.as_str().as_bytes(),
        headers: &fields,
    })
}

/// What of bodies the audit log has.
fn kept_parts(telemetry: &Telemetry) -> Option<AuditParts> {
    match telemetry.audit_settings()?.format {
        AuditFormat::ModSecurity(parts) => Some(parts),
        AuditFormat::Json | AuditFormat::ErrorLog => None,
    }
}

pub(crate) fn connection<'a>(
    facts: &ConnectionFacts,
    client: &ClientAddr,
    id: &'a RequestId,
) -> Connection<'a> {
    Connection {
        client: SocketAddr::new(client.ip.as_std(), client.port.unwrap_or(0)),
        server: facts.local,
        unique_id: id.as_str(),
    }
}

/// The request line and the fields of a clean head (RFC 9112 section 5).
fn http1_parts(head: &[u8]) -> (&[u8], Fields<'_>) {
    let mut lines = head.split(|byte| *byte == b'\n');
    let without_end = |line: &'_ [u8]| line.len() - usize::from(line.ends_with(b"\r"));
    let line = lines.next().unwrap_or_default();
    let line = line.get(..without_end(line)).unwrap_or_default();
    let fields = lines.filter_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        let (name, value) = line.split_at_checked(colon)?;
        Some((name, value.get(1..)?.trim_ascii()))
    });
    (line, fields.collect())
}

/// What the request line would be over HTTP/1.
fn http2_line(context: &Context<'_>) -> Vec<u8> {
    let incoming = context.incoming;
    let parts = [
        incoming.method.as_bytes(),
        incoming.target_as_sent,
        incoming.version.as_str().as_bytes(),
    ];
    parts.join(&b' ')
}

/// The fields, with `:authority` as the host that it is.
fn http2_fields<'a>(context: &Context<'a>, headers: &'a HeaderMap) -> Fields<'a> {
    let host = context.incoming.host.as_ref();
    let host = host.filter(|_| !headers.contains_key(HOST));
    let host = host.map(|host| (&b"host"[..], host.as_sent.as_bytes()));
    let fields = headers
        .iter()
        .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
    host.into_iter().chain(fields).collect()
}

/// How many bytes of the body rules look at; `None` where they look at none.
pub(crate) fn looked_at(
    context: &Context<'_>,
    upstream: &str,
    inspected: &Inspected,
    headers: &HeaderMap,
) -> Option<u64> {
    let inspection = &inspected.as_ref()?.inspection;
    let backend = context.generation.backend(upstream);
    let is_conversation = inspection.rules().streams_grpc()
        && is_call(headers)
        && backend.is_some_and(|backend| forward::passes_body_as_it_comes(context, backend));
    inspection.request_body_limit().filter(|_| !is_conversation)
}

/// Whether a request is a gRPC call: both sides say something when they have something to say.
pub(crate) fn is_call(headers: &HeaderMap) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let content_type = headers.get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(GRPC))
}

/// Phase 2 of a request whose body is said to be longer than rules let pass, of which none need be read.
pub(crate) fn declared_length(context: &Context<'_>, inspected: &mut Inspected) -> Finding {
    let Some(UnderInspection { inspection, .. }) = inspected.as_deref_mut() else {
        return Finding::Pass;
    };
    let limit = inspection.request_body_limit();
    match (context.incoming.framing, limit) {
        (Framing::Length(length), Some(limit))
            if length > limit && inspection.refuses_long_bodies() =>
        {
            inspection.request_body(b"", Body::partial(b""))
        }
        _ => Finding::Pass,
    }
}

/// Phase 2, with what was read of the body.
pub(crate) async fn body(
    context: &Context<'_>,
    inspected: &mut Inspected,
    headers: &HeaderMap,
    bytes: &Bytes,
) -> Result<Finding, OutOfMemory> {
    let limit = inspected.as_ref();
    let limit = limit.and_then(|one| one.inspection.request_body_limit());
    let judge = |inspection: &mut Inspection, codings: &[u8], body: Body<'_>| {
        inspection.request_body(codings, body)
    };
    let codings = headers.get_all(CONTENT_ENCODING).iter();
    let codings = codings.map(HeaderValue::as_bytes).collect();
    let finding = judge_body(inspected, codings, bytes, limit, judge).await;
    hold(context, inspected, finding)
}

/// The values of `Content-Encoding`.
pub(crate) type Codings<'a> = SmallVec<[&'a [u8]; 2]>;

/// Phase 4, with what was read of an answer's body.
pub(crate) async fn answer_body(
    context: &Context<'_>,
    inspected: &mut Inspected,
    codings: Codings<'_>,
    bytes: &Bytes,
) -> Result<Finding, OutOfMemory> {
    let limit = inspected.as_ref();
    let limit = limit.and_then(|one| one.inspection.response_body_limit());
    let judge = |inspection: &mut Inspection, codings: &[u8], body: Body<'_>| {
        inspection.response_body(codings, body)
    };
    let finding = judge_body(inspected, codings, bytes, limit, judge).await;
    hold(context, inspected, finding)
}

/// Accounts for what rules made of a body. What they refuse is over anyway.
fn hold(
    context: &Context<'_>,
    inspected: &mut Inspected,
    finding: Finding,
) -> Result<Finding, OutOfMemory> {
    let is_there = match (&finding, inspected) {
        (Finding::Pass, Some(looking)) => looking.hold(context),
        _ => true,
    };
    if !is_there {
        let metrics = &context.facts.shared.metrics;
        metrics.rules.body_memory_was_full();
        return Err(OutOfMemory);
    }
    Ok(finding)
}

/// Judges a body of which rules look at `limit` bytes; a long one on a thread beside.
async fn judge_body(
    inspected: &mut Inspected,
    codings: Codings<'_>,
    bytes: &Bytes,
    limit: Option<u64>,
    judge: fn(&mut Inspection, &[u8], Body<'_>) -> Finding,
) -> Finding {
    let Some(mut one) = inspected.take() else {
        return Finding::Pass;
    };
    if bytes.len() <= ON_THE_SPOT_BYTES && codings.is_empty() {
        let finding = judge(&mut one.inspection, b"", cut(bytes, limit));
        *inspected = Some(one);
        return finding;
    }
    let (codings, bytes) = (codings.join(&b','), bytes.clone());
    let judged = spawn_blocking(move || {
        let finding = judge(&mut one.inspection, &codings, cut(&bytes, limit));
        (one, finding)
    });
    match judged.await {
        Ok((one, finding)) => {
            *inspected = Some(one);
            finding
        }
        // The process ends: it was not judged.
        Err(_) => Finding::Refuse(InterruptionAction::Deny(503)),
    }
}

/// As much of a body as rules look at.
fn cut(bytes: &[u8], limit: Option<u64>) -> Body<'_> {
    let limit = usize::try_from(limit.unwrap_or(0)).unwrap_or(usize::MAX);
    match bytes.get(..limit) {
        Some(part) if part.len() < bytes.len() => Body::partial(part),
        _ => Body::whole(bytes),
    }
}

/// Of a head that was refused before a request could be made of it, both phases for the record, if it can
/// be read at all. Which site it would have been for is not known: the rules are those of all sites.
pub(crate) fn for_the_record(
    facts: &ConnectionFacts,
    id: &RequestId,
    received: &[u8],
) -> Option<Inspection> {
    let generation = facts.shared.generation.load();
    let rules = generation.rule_sets.of_no_site()?;
    let request = Request::read(received);
    if request.protocol.is_empty() && request.headers.is_empty() && request.line.is_empty() {
        return None;
    }
    let fields = request.headers.iter();
    let fields: Fields<'_> = fields.map(|field| (field.name, &*field.value)).collect();
    let head = RequestHead {
        line: request.line,
        method: request.method,
        target: request.target,
        protocol: request.protocol,
        headers: &fields,
    };
    let connection = connection(facts, &facts.client, id);
    let collections = &facts.shared.rules.collections;
    let (mut inspection, _) = Inspection::begin(rules, collections, &connection, &head);
    record(&mut inspection);
    Some(inspection)
}

/// What rules find in a head that was refused: those of phase 2 too, which look at arguments.
fn record(inspection: &mut Inspection) {
    inspection.set_for_the_record();
    inspection.request_body(b"", Body::whole(b""));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_as_they_were_sent() {
        let (line, fields) = http1_parts(b"GET /?a=b HTTP/1.1\r\nHost: x\r\nX-A:  b:c \r\n\r\n");
        assert_eq!(line, b"GET /?a=b HTTP/1.1");
        assert_eq!(*fields, [(&b"Host"[..], &b"x"[..]), (b"X-A", b"b:c")]);
        let (line, fields) = http1_parts(b"GET / HTTP/1.1\nA:b\n\n");
        assert_eq!(
            (line, &*fields),
            (&b"GET / HTTP/1.1"[..], &[(&b"A"[..], &b"b"[..])][..])
        );
    }
}
