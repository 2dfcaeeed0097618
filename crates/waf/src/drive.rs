//! Driving a transaction with messages that are there as a whole.

use palisade_body::Body;
use palisade_ftw::Request;
use palisade_seclang::{RequestHead, Transaction, Verdict, Worker};

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
