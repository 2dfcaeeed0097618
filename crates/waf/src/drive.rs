//! Driving a transaction with messages that are there as a whole.

use palisade_body::Body;
use palisade_ftw::Request;
use palisade_seclang::{RequestHead, ResponseHead, Transaction, Verdict, Worker};

use crate::codings::can_undo;

/// Phase 1.
pub(crate) fn request_head(
    worker: &mut Worker,
    transaction: &mut Transaction,
    request: &Request<'_>,
) -> Verdict {
    let headers: Vec<(&[u8], &[u8])> = request
        .headers
        .iter()
        .map(|field| (field.name, &*field.value))
        .collect();
    let head = RequestHead {
        line: request.line,
        method: request.method,
        target: request.target,
        protocol: request.protocol,
        headers: &headers,
    };
    transaction.request_head(worker, &head)
}

/// Phase 2, with as much of the body as is looked at.
pub(crate) fn request_body(
    worker: &mut Worker,
    transaction: &mut Transaction,
    body: &[u8],
) -> Verdict {
    let limit = transaction.request_body_limit();
    transaction.request_body(worker, limited(body, limit))
}

/// Phase 3. Rules don't see content codings that are undone before they look at the body: OWASP CRS looks for no
/// leak in an answer that says it is compressed.
pub(crate) fn response_head(
    worker: &mut Worker,
    transaction: &mut Transaction,
    head: &ResponseHead<'_>,
) -> Verdict {
    let is_shown = |(name, _): &&(&[u8], &[u8])| !name.eq_ignore_ascii_case(b"content-encoding");
    let codings = head.headers.iter().filter(|field| !is_shown(field));
    let codings: Vec<&[u8]> = codings.map(|(_, value)| *value).collect();
    let looks_at_bodies = worker.program().settings().response_body.is_on;
    if !looks_at_bodies || codings.is_empty() || !can_undo(&codings.join(&b',')) {
        return transaction.response_head(worker, head);
    }
    let shown = head.headers.iter().filter(is_shown).copied();
    let headers: Vec<(&[u8], &[u8])> = shown.collect();
    let headers = &*headers;
    transaction.response_head(worker, &ResponseHead { headers, ..*head })
}

/// Phase 4, with as much of the body as is looked at.
pub(crate) fn response_body(
    worker: &mut Worker,
    transaction: &mut Transaction,
    body: &[u8],
) -> Verdict {
    let limit = transaction.response_body_limit(worker.program().settings());
    transaction.response_body(worker, limited(body, limit))
}

/// What of a body is looked at: nothing without a limit.
fn limited(body: &[u8], limit: Option<u64>) -> Body<'_> {
    let Some(limit) = limit else {
        return Body::whole(b"");
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    match body.get(..limit) {
        Some(part) if part.len() < body.len() => Body::partial(part),
        _ => Body::whole(body),
    }
}
