//! From a permit to the backend's answer at the client.

use std::time::{Duration, Instant};

use http::StatusCode;
use palisade_client_address::Endpoint;
use palisade_gate::Cause;
use palisade_hygiene::{Framing, RefusalReason};
use palisade_upstream::{AcquireError, Acquired, Attempt, InFlight, Need, ProxySource};
use pingora_core::ErrorType;
use pingora_core::protocols::http::v1::client::HttpSession;
use pingora_http::ResponseHeader;
use tokio::task::unconstrained;
use tokio::time::timeout;

use crate::body::{BodyFailure, BodyReader};
use crate::downstream::{Downstream, Gone};
use crate::observe::Ending;
use crate::outgoing::{self, OutgoingBody};
use crate::request::{Context, Permit, RECHECK_INTERVAL};
use crate::shared::Backend;
use crate::tunnel;

/// How much of a body is read before a backend is asked for. A body that fits is judged to its last
/// byte first: a malformed one never reaches a backend, and the request can be tried again.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// Forwards a request and passes the answer on.
pub(crate) async fn forward(
    _permit: Permit,
    context: &Context<'_>,
    upstream: &str,
    target: Option<&[u8]>,
    downstream: &mut Downstream<'_>,
) -> Ending {
    let Some(backend) = context.generation.backend(upstream) else {
        return context.error(503, downstream).await;
    };
    let mut forwarding = Forwarding {
        context,
        backend,
        target,
        begun: Instant::now(),
        answered_after: None,
        sent_whole: false,
    };
    let result = forwarding.run(downstream).await;
    let mut ending = match result {
        Ok(done) => Ending::forwarded(done),
        Err(Failure::ClientGone(sent)) => Ending::client_gone(sent),
        Err(Failure::Banned(sent, cause)) => {
            downstream.abort();
            Ending::banned(sent, cause)
        }
        Err(Failure::Body(reason)) => {
            let headers = downstream.headers();
            let pages = context.generation.pages();
            let answer = pages.error(reason.status(), context.begun.id, headers);
            Ending::body_refused(reason, context.answer(answer, downstream).await)
        }
        Err(Failure::Backend { status }) => {
            let answered = context.error(status, downstream).await;
            answered.by_failed_backend()
        }
        Err(Failure::AnswerBroken(sent)) => {
            downstream.abort();
            Ending::broken(sent)
        }
    };
    ending.set_upstream(backend.name(), forwarding.answered_after);
    ending
}

/// What the client got of a backend's answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) status: u16,
    pub(crate) bytes: u64,
    /// The answer's `WWW-Authenticate`: an agent takes it with a 401 for a failed login.
    pub(crate) www_authenticate: Option<http::HeaderValue>,
}

/// Why a request didn't get its answer.
enum Failure {
    /// The client went away with as much of the answer as that.
    ClientGone(Sent),
    /// A new decision ended a long answer, of which the client had some.
    Banned(Sent, Cause),
    /// The request's body breaks a rule.
    Body(RefusalReason),
    /// No server, or none that answered.
    Backend { status: u16 },
    /// The answer broke off when the client had some of it.
    AnswerBroken(Sent),
}

impl From<Gone> for Failure {
    fn from(Gone: Gone) -> Self {
        Self::ClientGone(Sent::default())
    }
}

impl From<BodyFailure> for Failure {
    fn from(failure: BodyFailure) -> Self {
        match failure {
            BodyFailure::Refused(reason) => Self::Body(reason),
            BodyFailure::Gone => Gone.into(),
        }
    }
}

struct Forwarding<'a> {
    context: &'a Context<'a>,
    backend: &'a Backend,
    target: Option<&'a [u8]>,
    begun: Instant,
    answered_after: Option<Duration>,
    /// Whether the backend has the request to its end: only then can the connection have another.
    sent_whole: bool,
}

/// The part of a request's body that was read before a backend was asked for.
#[derive(Default)]
struct ReadAhead {
    bytes: Vec<u8>,
    /// What reads the rest of the body, until it is sent.
    rest: Option<BodyReader>,
    /// Whether there was no rest: only such a body can be sent once more.
    is_whole: bool,
}

impl ReadAhead {
    fn whole_length(&self) -> Option<u64> {
        self.is_whole.then_some(self.bytes.len() as u64)
    }
}

impl Forwarding<'_> {
    async fn run(&mut self, downstream: &mut Downstream<'_>) -> Result<Sent, Failure> {
        let mut body = self.read_ahead(downstream).await?;
        let facts = self.context.facts;
        let source = ProxySource {
            source: Endpoint::from(&self.context.judged.client),
            destination: facts.local.into(),
        };
        let mut need = Need::new(source, facts.shared.clock.now());
        loop {
            let acquired = self.acquire(&need).await?;
            let Acquired {
                connection,
                reused,
                mut server,
            } = acquired;
            let mut session = HttpSession::new(connection);
            let timeouts = self.backend.pool().timeouts();
            session.read_timeout = Some(timeouts.read());
            session.write_timeout = Some(timeouts.write());
            let error = match self.ask(&mut session, &mut body, downstream).await {
                Ok(()) => {
                    self.note_answer(&mut server);
                    return self.pass_on(session, server, downstream).await;
                }
                Err(AskError::Client(failure)) => return Err(failure),
                Err(AskError::Backend(error)) => error,
            };
            // A server may close an idle connection just when it is used again (RFC 9112 section
            // 9.3.1). That says nothing about the server.
            let was_idle = reused && is_broken_connection(&error);
            if was_idle && self.may_try_again(&body) {
                self.backend.metrics().retried();
                need.reuse = false;
                continue;
            }
            // Nor does it when a server has not waited for a client that took its time to send.
            let is_servers_fault = !was_idle && (body.is_whole || self.sent_whole);
            if is_servers_fault && server.failed(facts.shared.clock.now()) {
                self.backend.metrics().ejected();
            }
            return Err(Failure::Backend {
                status: status_of(&error),
            });
        }
    }

    async fn read_ahead(&self, downstream: &mut Downstream<'_>) -> Result<ReadAhead, Failure> {
        let mut ahead = ReadAhead::default();
        let incoming = self.context.incoming;
        if incoming.framing == Framing::None {
            ahead.is_whole = true;
            return Ok(ahead);
        }
        let settings = &self.context.facts.listener.settings;
        let limits = &settings.limits;
        let site_max = self.context.judged.site.as_ref();
        let site_max = site_max.and_then(|site| site.settings.body_bytes_max);
        // A site can lower the listener's limit, not raise it.
        let bytes_max = site_max.map_or(limits.body_bytes, |max| max.min(limits.body_bytes));
        let bytes_max = bytes_max.as_u64();
        let reader = BodyReader::new(incoming.framing, bytes_max, &settings.deadlines, limits);
        let mut reader = reader.map_err(Failure::Body)?;
        if incoming.expects_continue {
            downstream.send_continue().await?;
        }
        while ahead.bytes.len() < READ_AHEAD_BYTES {
            match reader.next(downstream).await? {
                // However small the client's chunks were, the backend gets them in one write.
                Some(part) => ahead.bytes.extend_from_slice(&part),
                None => {
                    ahead.is_whole = true;
                    return Ok(ahead);
                }
            }
        }
        ahead.rest = Some(reader);
        Ok(ahead)
    }

    async fn acquire(&self, need: &Need) -> Result<Acquired, Failure> {
        let metrics = self.backend.metrics();
        let mut observer = |attempt: &Attempt<'_>| {
            if attempt.result.is_err() {
                metrics.connect_failed();
            }
            if attempt.ejected {
                metrics.ejected();
            }
        };
        let acquired = self.backend.pool().acquire(need, &mut observer).await;
        acquired.map_err(|error: AcquireError| Failure::Backend {
            status: if error.is_timeout() { 504 } else { 502 },
        })
    }

    /// Whether nothing is lost or done twice by sending the request once more.
    fn may_try_again(&self, body: &ReadAhead) -> bool {
        // RFC 9110 section 9.2.2.
        let is_idempotent = matches!(
            self.context.incoming.method,
            "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE"
        );
        is_idempotent && body.is_whole && !self.context.incoming.wants_websocket
    }

    /// Sends the request and waits for the head of the final answer.
    async fn ask(
        &mut self,
        session: &mut HttpSession,
        body: &mut ReadAhead,
        downstream: &mut Downstream<'_>,
    ) -> Result<(), AskError> {
        self.sent_whole = false;
        let framing = self.context.incoming.framing;
        let outgoing = OutgoingBody::new(framing, body.whole_length());
        let head = outgoing::request_head(self.context, downstream, self.target, outgoing)?;
        self.within_write_timeout(session.write_request_header(head))
            .await?;
        if !self.send_body(session, body, downstream).await? {
            return Ok(());
        }
        self.read_answer(session, downstream).await
    }

    /// Sends the body; whether the answer is still to be read. A server that has heard enough
    /// answers early and may close (RFC 9112 section 9.6): a write that fails is not the end.
    async fn send_body(
        &mut self,
        session: &mut HttpSession,
        body: &mut ReadAhead,
        downstream: &mut Downstream<'_>,
    ) -> Result<bool, AskError> {
        if !body.bytes.is_empty() && session.write_body(&body.bytes).await.is_err() {
            return Ok(true);
        }
        if let Some(mut rest) = body.rest.take() {
            body.bytes = Vec::new();
            match self.send_rest(session, &mut rest, downstream).await? {
                RestSent::Whole => {}
                RestSent::Answered => return Ok(false),
                RestSent::Broken => return Ok(true),
            }
        }
        // Pingora bounds each write but this.
        self.sent_whole = self
            .within_write_timeout(session.finish_body())
            .await
            .is_ok();
        Ok(true)
    }

    async fn send_rest(
        &self,
        session: &mut HttpSession,
        rest: &mut BodyReader,
        downstream: &mut Downstream<'_>,
    ) -> Result<RestSent, AskError> {
        // It is the client's turn: its own deadlines hold, not the server's.
        let read_timeout = session.read_timeout.take();
        let sent = loop {
            let part = tokio::select! {
                biased;
                answer = session.read_response() => {
                    answer?;
                    match self.is_final(session, downstream).await? {
                        true => break RestSent::Answered,
                        false => continue,
                    }
                }
                part = rest.next_joined(downstream) => part.map_err(Failure::from)?,
            };
            match part {
                None => break RestSent::Whole,
                Some(part) if session.write_body(&part).await.is_err() => break RestSent::Broken,
                Some(_) => {}
            }
        };
        session.read_timeout = read_timeout;
        Ok(sent)
    }

    async fn within_write_timeout<T>(
        &self,
        write: impl Future<Output = pingora_core::Result<T>>,
    ) -> pingora_core::Result<T> {
        let written = timeout(self.backend.pool().timeouts().write(), write).await;
        written.unwrap_or_else(|_| Err(pingora_core::Error::new(ErrorType::WriteTimedout)))
    }

    /// Reads up to the head of the final answer, and passes informational ones on.
    async fn read_answer(
        &self,
        session: &mut HttpSession,
        downstream: &mut Downstream<'_>,
    ) -> Result<(), AskError> {
        loop {
            self.read_one_answer(session, downstream).await?;
            if self.is_final(session, downstream).await? {
                return Ok(());
            }
        }
    }

    /// Whether the answer whose head was read is the final one; an informational one is passed on.
    async fn is_final(
        &self,
        session: &mut HttpSession,
        downstream: &mut Downstream<'_>,
    ) -> Result<bool, AskError> {
        let Some(head) = session.resp_header() else {
            return Err(AskError::bad_answer());
        };
        match head.status {
            StatusCode::SWITCHING_PROTOCOLS if session.was_upgraded() => Ok(true),
            StatusCode::SWITCHING_PROTOCOLS => Err(AskError::bad_answer()),
            // We met the expectation ourselves.
            StatusCode::CONTINUE => Ok(false),
            status if status.is_informational() => {
                let head = ResponseHeader::clone(head);
                let sent = downstream.send_informational(head).await;
                sent.map_err(Failure::from)?;
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    fn note_answer(&mut self, server: &mut InFlight) {
        server.answered();
        let duration = self.begun.elapsed();
        self.answered_after = Some(duration);
        self.backend.metrics().answered(duration);
    }

    async fn read_one_answer(
        &self,
        session: &mut HttpSession,
        downstream: &mut Downstream<'_>,
    ) -> Result<(), AskError> {
        if !downstream.body_done() {
            session.read_response().await?;
            return Ok(());
        }
        tokio::select! {
            biased;
            answer = session.read_response() => { answer?; Ok(()) }
            () = downstream.gone() => Err(AskError::Client(Gone.into())),
        }
    }

    /// Passes the answer on, from its head to its end.
    async fn pass_on(
        &self,
        mut session: HttpSession,
        server: InFlight,
        downstream: &mut Downstream<'_>,
    ) -> Result<Sent, Failure> {
        let Some(head) = session.resp_header() else {
            return Err(Failure::Backend { status: 502 });
        };
        let mut head = Box::new(head.clone());
        let mut sent = Sent {
            status: head.status.as_u16(),
            bytes: 0,
            www_authenticate: head.headers.get(http::header::WWW_AUTHENTICATE).cloned(),
        };
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            outgoing::upgrade_head(self.context, &mut head);
            downstream.send_head(head, false).await?;
            let end = tunnel::run(self.context, session, downstream).await;
            sent.bytes = end.bytes_to_client;
            return match end.banned_by {
                Some(cause) => Err(Failure::Banned(sent, cause)),
                None => Ok(sent),
            };
        }
        let has_body = outgoing::answer_head(self.context, &mut head);
        let ends = !has_body || session.is_body_done();
        self.context.end_if_draining(downstream);
        if downstream.send_head(head, ends).await.is_err() {
            return Err(Failure::ClientGone(sent));
        }
        if has_body {
            self.pass_body_on(&mut session, downstream, &mut sent)
                .await?;
        }
        let finished = downstream.finish().await;
        session.respect_keepalive();
        if self.sent_whole
            && let Some(stream) = session.reuse().await
        {
            server.keep(stream, self.context.facts.shared.clock.now());
        }
        match finished {
            Ok(()) => Ok(sent),
            Err(Gone) => Err(Failure::ClientGone(sent)),
        }
    }

    /// Passes the answer's body on, to its end or until the client is banned.
    async fn pass_body_on(
        &self,
        session: &mut HttpSession,
        downstream: &mut Downstream<'_>,
        sent: &mut Sent,
    ) -> Result<(), Failure> {
        let cause = tokio::select! {
            biased;
            passed = self.pass_body(session, downstream, sent) => return passed,
            // For a body that pauses; one that always has more looks at the time itself.
            cause = unconstrained(self.context.until_banned()) => cause,
        };
        Err(Failure::Banned(sent.clone(), cause))
    }

    async fn pass_body(
        &self,
        session: &mut HttpSession,
        downstream: &mut Downstream<'_>,
        sent: &mut Sent,
    ) -> Result<(), Failure> {
        let mut recheck_at = Instant::now() + RECHECK_INTERVAL;
        loop {
            let watches = downstream.body_done();
            let part = tokio::select! {
                biased;
                part = session.read_body_ref() => part,
                () = downstream.gone(), if watches => return Err(Failure::ClientGone(sent.clone())),
            };
            match part {
                Ok(Some(part)) => {
                    if downstream.send_body(part).await.is_err() {
                        return Err(Failure::ClientGone(sent.clone()));
                    }
                    sent.bytes += part.len() as u64;
                }
                Ok(None) => return Ok(()),
                Err(_) => return Err(Failure::AnswerBroken(sent.clone())),
            }
            let now = Instant::now();
            if now >= recheck_at {
                recheck_at = now + RECHECK_INTERVAL;
                if let Some(cause) = self.context.banned_by() {
                    return Err(Failure::Banned(sent.clone(), cause));
                }
            }
        }
    }
}

/// What became of the rest of a body.
enum RestSent {
    Whole,
    /// Not all of it: the final answer's head was read before.
    Answered,
    /// Not all of it: the server takes no more.
    Broken,
}

/// Why there is no answer to a request.
enum AskError {
    Client(Failure),
    Backend(Box<pingora_core::Error>),
}

impl AskError {
    /// What came is no answer to what was asked.
    fn bad_answer() -> Self {
        Self::Backend(pingora_core::Error::new(ErrorType::InvalidHTTPHeader))
    }
}

/// Whether the server closed the connection, or the network did.
fn is_broken_connection(error: &pingora_core::Error) -> bool {
    matches!(
        error.etype(),
        ErrorType::ConnectionClosed | ErrorType::ReadError | ErrorType::WriteError
    )
}

impl From<Failure> for AskError {
    fn from(failure: Failure) -> Self {
        Self::Client(failure)
    }
}

impl From<Box<pingora_core::Error>> for AskError {
    fn from(error: Box<pingora_core::Error>) -> Self {
        Self::Backend(error)
    }
}

/// 504 where time ran out, 502 where the server broke (RFC 9110 sections 15.6.3 and 15.6.5).
fn status_of(error: &pingora_core::Error) -> u16 {
    match error.etype() {
        ErrorType::ReadTimedout | ErrorType::WriteTimedout => 504,
        _ => 502,
    }
}
