//! A connection that speaks HTTP/1: one request after another.
//!
//! The head is read here, whole and under one deadline, and judged as it was sent. Only a clean head, of which
//! another parser thinks the same, becomes a request.

use std::io;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use palisade_hygiene::h1::{HeadSearch, check_head};
use palisade_hygiene::{HeadLimits, RefusalReason};
use palisade_transport::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::connection::ConnectionFacts;
use crate::downstream::{Downstream, Http1, second_opinion};
use crate::observe;
use crate::request::{self, Incoming};
use crate::respond::{PageForm, page};
use crate::shared::Shared;
use crate::waiting::Evicted;

/// A head is read in pieces of this size; most fit one.
const READ_BYTES: usize = 4096;

/// What a prior-knowledge client of HTTP/2 sends first, as far as it looks like a head
/// (RFC 9113 section 3.4).
const HTTP2_PREFACE_HEAD: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// After an answer that ends the connection, unread bytes are taken in for so long, and so many of
/// them: closing over them at once would reset the connection and lose the answer.
const LINGER_TIME: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 256 * 1024;

/// Serves requests until the connection ends. One that turns out to speak HTTP/2 is given back, with
/// nothing read from it.
pub(crate) async fn serve(
    connection: Box<Connection>,
    facts: ConnectionFacts,
) -> Option<(Box<Connection>, ConnectionFacts)> {
    let limits = head_limits(&facts);
    let mut next = Some((connection, BytesMut::new()));
    let mut is_first = true;
    let mut idle_end = pin!(until_idle_ends(
        facts.draining.clone(),
        Arc::clone(&facts.shared)
    ));
    while let Some((mut connection, mut buffered)) = next.take() {
        let idle_end = (!is_first).then_some(idle_end.as_mut());
        let range = match read_head(&mut connection, &mut buffered, &facts, &limits, idle_end).await
        {
            HeadRead::Head(range) => range,
            HeadRead::Closed => return None,
            HeadRead::Evicted => {
                facts.shared.metrics.connections.evicted();
                return None;
            }
            HeadRead::Refused(reason) => {
                refuse_head(connection, &facts, reason, &buffered).await;
                return None;
            }
        };
        if is_first && buffered.get(range.clone()) == Some(HTTP2_PREFACE_HEAD) && speaks_h2c(&facts)
        {
            connection.unread(buffered).ok()?;
            return Some((connection, facts));
        }
        is_first = false;
        // An empty line before the head is nobody's business.
        buffered.advance(range.start);
        let is_large = buffered.capacity() > READ_BYTES;
        // The head as it was sent.
        let head = buffered.split_to(range.len()).freeze();
        let clean = match check_head(&head, &limits) {
            Ok(clean) => clean,
            Err(refusal) => {
                refuse_head(connection, &facts, refusal.reason, &head).await;
                return None;
            }
        };
        let Some(headers) = second_opinion(&head, &clean) else {
            let reason = RefusalReason::SecondParser;
            refuse_head(connection, &facts, reason, &head).await;
            return None;
        };
        let incoming = Incoming::http1(&clean, &head);
        let session = Http1::new(connection, buffered, &clean, headers);
        let mut downstream = Downstream::Http1(Box::new(session));
        request::serve(&facts, &incoming, &mut downstream).await;
        if facts.slot.is_leaving() {
            // It was given up while its body was waited for.
            facts.shared.metrics.connections.evicted();
            return None;
        }
        let Downstream::Http1(session) = downstream else {
            return None;
        };
        next = session.end(is_large).await;
    }
    None
}

fn head_limits(facts: &ConnectionFacts) -> HeadLimits {
    let limits = &facts.listener.settings.limits;
    HeadLimits {
        head_bytes: limits.head_bytes.as_usize(),
        headers: limits.headers,
        target_bytes: limits.target_bytes.as_usize(),
    }
}

fn speaks_h2c(facts: &ConnectionFacts) -> bool {
    facts.listener.settings.http2 && facts.tls.is_none()
}

enum HeadRead {
    /// A complete head, at this place of the buffer.
    Head(Range<usize>),
    /// Nothing came.
    Closed,
    /// Another connection needed the slot.
    Evicted,
    Refused(RefusalReason),
}

/// Reads until the head is complete: first byte within the idle deadline, the rest within the
/// head's. Of another than the first request the first byte has to come before `idle_end`.
async fn read_head(
    connection: &mut Connection,
    buffered: &mut BytesMut,
    facts: &ConnectionFacts,
    limits: &HeadLimits,
    idle_end: Option<impl Future<Output = ()>>,
) -> HeadRead {
    if buffered.is_empty() {
        let first = read_first(connection, buffered, facts, idle_end);
        match facts.slot.wait(first).await {
            Ok(true) => {}
            Ok(false) => return HeadRead::Closed,
            Err(Evicted) => return HeadRead::Evicted,
        }
    }
    let deadline = Instant::now() + facts.listener.settings.deadlines.head;
    let rest = read_rest(connection, buffered, limits, deadline);
    let rest = facts.slot.wait(rest).await;
    rest.unwrap_or(HeadRead::Evicted)
}

/// Reads the first bytes of a head; whether there are any.
async fn read_first(
    connection: &mut Connection,
    buffered: &mut BytesMut,
    facts: &ConnectionFacts,
    idle_end: Option<impl Future<Output = ()>>,
) -> bool {
    let deadlines = &facts.listener.settings.deadlines;
    buffered.reserve(READ_BYTES);
    let Some(idle_end) = idle_end else {
        let first = connection.read_within(buffered, Some(deadlines.head));
        return matches!(first.await, Ok(1..));
    };
    tokio::select! {
        biased;
        first = connection.read_within(buffered, Some(deadlines.idle)) => matches!(first, Ok(1..)),
        () = idle_end => false,
    }
}

async fn read_rest(
    connection: &mut Connection,
    buffered: &mut BytesMut,
    limits: &HeadLimits,
    deadline: Instant,
) -> HeadRead {
    let mut search = HeadSearch::default();
    loop {
        match search.find(buffered, limits) {
            Ok(Some(range)) => return HeadRead::Head(range),
            Ok(None) => {}
            Err(refusal) => return HeadRead::Refused(refusal.reason),
        }
        if buffered.capacity() == buffered.len() {
            buffered.reserve(READ_BYTES);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        match connection.read_within(buffered, Some(left)).await {
            Ok(1..) => {}
            Err(error) if is_deadline(&error) => {
                return HeadRead::Refused(RefusalReason::HeadDeadline);
            }
            // Some clients end with an empty line what they sent before.
            _ if buffered.iter().all(|byte| matches!(byte, b'\r' | b'\n')) => {
                return HeadRead::Closed;
            }
            _ => return HeadRead::Refused(RefusalReason::HeadIncomplete),
        }
    }
}

/// Whether `read_within` gave up, and not the system.
fn is_deadline(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none()
}

/// Waits until connections are to end and whoever is about to use an idle one had time to.
async fn until_idle_ends(mut draining: watch::Receiver<bool>, shared: Arc<Shared>) {
    // An error means that whoever could tell is gone.
    let _ = draining.wait_for(|draining| *draining).await;
    let grace = shared.shutdown.load().idle_grace();
    sleep(grace).await;
}

/// Answers a head that no session ever sees, and ends the connection.
async fn refuse_head(
    mut connection: Box<Connection>,
    facts: &ConnectionFacts,
    reason: RefusalReason,
    received: &[u8],
) {
    let id = request::fresh_id();
    observe::refused_head(facts, reason, id, received);
    let answer = page(reason.status(), id, PageForm::Text);
    let mut wire = Vec::with_capacity(512);
    answer.head.write_http1(&mut wire);
    wire.extend_from_slice(b"Connection: close\r\n");
    if reason.status() == 405 {
        // RFC 9110 section 15.5.6: a 405 names what is allowed.
        wire.extend_from_slice(b"Allow: ");
        wire.extend_from_slice(palisade_hygiene::ALLOWED_METHODS.as_bytes());
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"\r\n");
    if !received.starts_with(b"HEAD ") {
        wire.extend_from_slice(&answer.body);
    }
    let idle = facts.listener.settings.deadlines.idle;
    if let Ok(Ok(())) = timeout(idle, connection.write_all(&wire)).await {
        end(connection).await;
    }
}

/// Ends a connection so that the other end gets all that was written.
pub(crate) async fn end(mut connection: Box<Connection>) {
    let drain = async {
        connection.shutdown().await?;
        let mut taken = 0;
        let mut sink = vec![0_u8; READ_BYTES];
        while taken < LINGER_BYTES_MAX {
            match connection.read(&mut sink).await? {
                0 => break,
                count => taken += count,
            }
        }
        std::io::Result::Ok(())
    };
    // Whoever takes longer has had its chance.
    let _ = timeout(LINGER_TIME, drain).await;
}
