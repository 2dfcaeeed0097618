//! A connection that speaks HTTP/2: many requests at a time.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::Request;
use palisade_hygiene::h2::{check_parts, join_cookies};
use palisade_hygiene::{HeadLimits, RefusalReason};
use palisade_telemetry::StreamRefusal;
use palisade_transport::Connection;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::connection::ConnectionFacts;
use crate::downstream::{Downstream, Http2};
use crate::http2_floods::Flood;
use crate::observe;
use crate::request::{self, Incoming};
use crate::respond::{PageForm, page};
use crate::slots::StreamSlot;
use crate::stream_resets::StreamResets;
use crate::waiting::Evicted;
use crate::watched::{Seen, Watched};

/// Requests of one connection at a time, those included whose stream the client has reset: so many
/// times the streams that there may be (RFC 9113 section 5.1.2).
const REQUESTS_PER_STREAM_MAX: usize = 2;

/// How much of a request's body a client may send before we have read any of it, for one request
/// and for all of a connection (RFC 9113 section 5.2).
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// How much of an answer h2 keeps for a client that doesn't take it.
const SEND_BUFFER_BYTES_MAX: usize = 32 * 1024;

/// How long a client has to hear why its connection ends.
const FAREWELL_TIME: Duration = Duration::from_secs(1);

/// What h2 lets a head have beyond our own limit, so that it is we who refuse and count it.
const HEAD_HEADROOM_BYTES: u32 = 16 * 1024;

/// Serves requests until the connection ends.
pub(crate) async fn serve(connection: Box<Connection>, facts: Arc<ConnectionFacts>) {
    let limits = &facts.listener.settings.limits;
    let head_bytes = u32::try_from(limits.head_bytes.as_u64()).unwrap_or(u32::MAX);
    let streams = limits.http2.streams;
    let seen = Seen::default();
    let handshake = h2::server::Builder::new()
        .max_concurrent_streams(streams)
        // Both count for as long as the connection lives, or all at once. We count by time.
        .max_pending_accept_reset_streams(usize::try_from(streams).unwrap_or(usize::MAX))
        .max_local_error_reset_streams(None)
        .max_header_list_size(head_bytes.saturating_add(HEAD_HEADROOM_BYTES))
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES_MAX)
        .handshake(Watched::new(connection, &limits.http2, seen.clone()));
    // In memory of its own, which goes when the handshake is over.
    let handshake = Box::pin(timeout(facts.listener.settings.deadlines.head, handshake));
    let mut connection = match facts.slot.wait(handshake).await {
        Ok(Ok(Ok(connection))) => connection,
        Ok(Ok(Err(error))) => return tell_broken(&facts, &error),
        Ok(Err(_)) => return,
        Err(Evicted) => return facts.shared.metrics.connections.evicted(),
    };
    let mut requests = JoinSet::new();
    serve_requests(&mut connection, &facts, &seen, &mut requests).await;
    tell_resets(&facts, &seen.resets);
    // They notice that the client is gone, and have to tell of it: the backend may know of them.
    drop(connection);
    while requests.join_next().await.is_some() {}
}

/// Serves requests until the client ends the connection, is idle for too long or the process drains.
async fn serve_requests(
    connection: &mut h2::server::Connection<Watched, Bytes>,
    facts: &Arc<ConnectionFacts>,
    seen: &Seen,
    requests: &mut JoinSet<()>,
) {
    let idle = facts.listener.settings.deadlines.idle;
    let mut draining = facts.draining.clone();
    let mut is_ending = false;
    let reason = loop {
        if facts.slot.is_leaving() {
            // One of its requests was made to end, and their connection is what somebody needs.
            facts.shared.metrics.connections.evicted();
            break Reason::NO_ERROR;
        }
        tokio::select! {
            biased;
            accepted = accept(connection, facts, seen) => match accepted {
                Ok(Some(Ok((request, mut respond)))) => {
                    if facts.slot.must_end() {
                        // It came just when its connection was given up: nothing was done.
                        respond.send_reset(Reason::REFUSED_STREAM);
                        facts.shared.metrics.connections.evicted();
                        break Reason::NO_ERROR;
                    }
                    seen.resets.accepted(respond.stream_id().into());
                    take_on(request, respond, facts, requests);
                }
                Ok(Some(Err(error))) => return tell_broken(facts, &error),
                Ok(None) => return,
                Err(flood) => {
                    observe::refused_connection(facts, flood.reason());
                    break Reason::ENHANCE_YOUR_CALM;
                }
            },
            _ = requests.join_next(), if !requests.is_empty() => {}
            _ = draining.wait_for(|draining| *draining), if !is_ending => {
                connection.graceful_shutdown();
                is_ending = true;
            }
            waited = facts.slot.wait(sleep(idle)), if requests.is_empty() => {
                if waited == Err(Evicted) {
                    facts.shared.metrics.connections.evicted();
                    break Reason::NO_ERROR;
                }
                if is_ending {
                    return;
                }
                connection.graceful_shutdown();
                is_ending = true;
            }
        }
    };
    say_farewell(connection, reason).await;
}

/// A request, and where its answer goes.
type Accepted = (Request<RecvStream>, SendResponse<Bytes>);

/// The next request. When there is none yet, what was reset without becoming one is told of.
///
/// # Errors
/// When the client floods the connection.
async fn accept(
    connection: &mut h2::server::Connection<Watched, Bytes>,
    facts: &ConnectionFacts,
    seen: &Seen,
) -> Result<Option<Result<Accepted, h2::Error>>, Flood> {
    let mut accepting = pin!(connection.accept());
    poll_fn(|cx| {
        let accepted = accepting.as_mut().poll(cx);
        if let Some(flood) = seen.flood() {
            return Poll::Ready(Err(flood));
        }
        if accepted.is_pending() {
            tell_resets(facts, &seen.resets);
        }
        accepted.map(Ok)
    })
    .await
}

/// Ends the connection at once, and says why (RFC 9113 section 6.8).
async fn say_farewell(connection: &mut h2::server::Connection<Watched, Bytes>, reason: Reason) {
    connection.abrupt_shutdown(reason);
    // Whoever doesn't want to hear it ends all the same.
    let _ = timeout(FAREWELL_TIME, poll_fn(|cx| connection.poll_closed(cx))).await;
}

fn tell_resets(facts: &ConnectionFacts, resets: &StreamResets) {
    for _ in 0..resets.take() {
        observe::refused_connection(facts, RefusalReason::Http2Malformed);
    }
}

/// Begins to serve a request, unless the connection or its address has too many that aren't over: a
/// stream that the client resets is over for HTTP/2 at once, but not for whoever is at it.
fn take_on(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    facts: &Arc<ConnectionFacts>,
    requests: &mut JoinSet<()>,
) {
    while requests.try_join_next().is_some() {}
    match stream_slot(facts, requests.len()) {
        Ok(slot) => {
            let facts = Arc::clone(facts);
            requests.spawn(async move {
                serve_stream(request, respond, facts).await;
                drop(slot);
            });
        }
        Err(refusal) => {
            facts.shared.metrics.connections.stream_refused(refusal);
            // RFC 9113 section 8.7: nothing was done, the client may try again.
            respond.send_reset(Reason::REFUSED_STREAM);
        }
    }
}

/// Room for one more request, on a connection that is at `requests`.
fn stream_slot(facts: &ConnectionFacts, requests: usize) -> Result<StreamSlot, StreamRefusal> {
    let limits = &facts.listener.settings.limits.http2;
    let streams = usize::try_from(limits.streams).unwrap_or(usize::MAX);
    if requests >= streams.saturating_mul(REQUESTS_PER_STREAM_MAX) {
        return Err(StreamRefusal::Connection);
    }
    let slot = facts.address.take_stream(limits.streams_per_address);
    slot.ok_or(StreamRefusal::Address)
}

/// Tells of a connection that ended because the client broke the rules of HTTP/2.
fn tell_broken(facts: &ConnectionFacts, error: &h2::Error) {
    let by_peer = error.is_remote() || error.is_io();
    match error.reason() {
        _ if by_peer => {}
        Some(Reason::NO_ERROR) => {}
        // h2's own bounds: CONTINUATION frames of a head, DATA frames that hardly carry any.
        Some(Reason::ENHANCE_YOUR_CALM) => {
            observe::refused_connection(facts, RefusalReason::Http2FrameFlood);
        }
        _ => observe::refused_connection(facts, RefusalReason::Http2Malformed),
    }
}

async fn serve_stream(
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
    facts: Arc<ConnectionFacts>,
) {
    let (mut parts, body) = request.into_parts();
    join_cookies(&mut parts.headers);
    let limits = &facts.listener.settings.limits;
    let limits = HeadLimits {
        head_bytes: limits.head_bytes.as_usize(),
        headers: limits.headers,
        target_bytes: limits.target_bytes.as_usize(),
    };
    let ended = body.is_end_stream();
    let mut downstream = Downstream::Http2(Box::new(Http2::new(&parts.headers, body, respond)));
    match check_parts(&parts, ended, &limits) {
        Ok(head) => {
            let incoming = Incoming::http2(&head, &parts);
            request::serve(&facts, &incoming, &mut downstream).await;
        }
        Err(refusal) => refuse(&facts, refusal.reason, &parts, &mut downstream).await,
    }
}

/// Answers a head that is not clean.
async fn refuse(
    facts: &ConnectionFacts,
    reason: RefusalReason,
    parts: &http::request::Parts,
    downstream: &mut Downstream<'_>,
) {
    let id = request::fresh_id();
    let target = parts
        .uri
        .path_and_query()
        .map_or("", |target| target.as_str());
    let line = format!("{} {target} HTTP/2.0", parts.method);
    observe::refused_head(facts, reason, id, line.as_bytes());
    let answer = page(reason.status(), id, PageForm::accepted(&parts.headers));
    let is_head = parts.method == http::Method::HEAD;
    // A client that is gone hears nothing, and there is nobody else to tell.
    let _ = request::send_answer(downstream, answer, is_head).await;
}
