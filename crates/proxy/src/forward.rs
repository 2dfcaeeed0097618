//! From a permit to the backend's answer at the client.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use palisade_client_address::Endpoint;
use palisade_gate::Cause;
use palisade_hygiene::{Framing, RefusalReason};
use palisade_upstream::{AcquireError, Acquired, Attempt, InFlight, Need, ProxySource};
use pingora_core::ErrorType;
use pingora_core::protocols::http::v1::client::HttpSession;
use pingora_http::ResponseHeader;
use tokio::task::unconstrained;

use crate::body::{BodyFailure, BodyReader};
use crate::downstream::{Downstream, Gone};
use crate::observe::Ending;
use crate::outgoing::{self, OutgoingBody};
use crate::request::{Context, Permit};
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
        Err(Failure::ClientGone) => Ending::client_gone(),
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
    ClientGone,
    /// A new decision ended a long answer, of which the client had some.
    Banned(Sent, Cause),
    /// The request's body breaks a rule.
    Body(RefusalReason),
    /// No server, or none that answered.
    Backend {
        status: u16,
    },
    /// The answer broke off when the client had some of it.
    AnswerBroken(Sent),
}

impl From<Gone> for Failure {
    fn from(Gone: Gone) -> Self {
        Self::ClientGone
    }
}

impl From<BodyFailure> for Failure {
    fn from(failure: BodyFailure) -> Self {
        match failure {
            BodyFailure::Refused(reason) => Self::Body(reason),
            BodyFailure::Gone => Self::ClientGone,
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
struct ReadAhead {
    parts: Vec<Bytes>,
    /// The rest of the body, if there is more.
    rest: Option<BodyReader>,
}

impl ReadAhead {
    fn whole_length(&self) -> Option<u64> {
        let bytes = || self.parts.iter().map(|part| part.len() as u64).sum();
        self.rest.is_none().then(bytes)
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
            let reused = acquired.reused;
            let Acquired {
                connection,
                mut server,
                ..
            } = acquired;
            let mut session = HttpSession::new(connection);
            let timeouts = self.backend.pool().timeouts();
            session.read_timeout = Some(timeouts.read());
            session.write_timeout = Some(timeouts.write());
            match self.ask(&mut session, &mut body, downstream).await {
                Ok(()) => {
                    server.answered();
                    return self.pass_on(session, server, downstream).await;
                }
                Err(AskError::Client(failure)) => return Err(failure),
                Err(AskError::Backend(_)) if reused && self.may_try_again(&body) => {
                    // The server closed an idle connection just when it was used again
                    // (RFC 9112 section 9.3.1).
                    self.backend.metrics().retried();
                    need.reuse = false;
                }
                Err(AskError::Backend(error)) => {
                    // A connection that was idle says nothing about the server.
                    if !reused && server.failed(facts.shared.clock.now()) {
                        self.backend.metrics().ejected();
                    }
                    return Err(Failure::Backend {
                        status: status_of(&error),
                    });
                }
            }
        }
    }

    async fn read_ahead(&self, downstream: &mut Downstream<'_>) -> Result<ReadAhead, Failure> {
        let mut ahead = ReadAhead {
            parts: Vec::new(),
            rest: None,
        };
        let incoming = self.context.incoming;
        if incoming.framing == Framing::None {
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
        let mut bytes = 0;
        while bytes < READ_AHEAD_BYTES {
            match reader.next(downstream).await? {
                Some(part) => {
                    bytes += part.len();
                    ahead.parts.push(part);
                }
                None => return Ok(ahead),
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
        is_idempotent && body.rest.is_none() && !self.context.incoming.wants_websocket
    }

    /// Sends the request and waits for the head of the final answer.
    async fn ask(
        &mut self,
        session: &mut HttpSession,
        body: &mut ReadAhead,
        downstream: &mut Downstream<'_>,
    ) -> Result<(), AskError> {
        let framing = self.context.incoming.framing;
        let outgoing = OutgoingBody::new(framing, body.whole_length());
        let head = outgoing::request_head(self.context, downstream, self.target, outgoing)?;
        session.write_request_header(head).await?;
        for part in &body.parts {
            if session.write_body(part).await.is_err() {
                // A server that has heard enough answers and closes (RFC 9112 section 9.6).
                return self.read_answer(session, downstream, false).await;
            }
        }
        if let Some(mut rest) = body.rest.take() {
            body.parts.clear();
            match self.send_rest(session, &mut rest, downstream).await? {
                BodySent::Whole => {}
                BodySent::AnsweredEarly => {
                    return self.read_answer(session, downstream, true).await;
                }
            }
        }
        session.finish_body().await?;
        self.sent_whole = true;
        self.read_answer(session, downstream, false).await
    }

    async fn send_rest(
        &self,
        session: &mut HttpSession,
        rest: &mut BodyReader,
        downstream: &mut Downstream<'_>,
    ) -> Result<BodySent, AskError> {
        loop {
            let part = tokio::select! {
                biased;
                part = rest.next(downstream) => part.map_err(Failure::from)?,
                answer = session.read_response() => {
                    answer?;
                    return Ok(BodySent::AnsweredEarly);
                }
            };
            let Some(part) = part else {
                return Ok(BodySent::Whole);
            };
            if session.write_body(&part).await.is_err() {
                // A server that has heard enough answers and closes (RFC 9112 section 9.6).
                session.read_response().await?;
                return Ok(BodySent::AnsweredEarly);
            }
        }
    }

    /// Reads up to the head of the final answer, and passes informational ones on.
    async fn read_answer(
        &mut self,
        session: &mut HttpSession,
        downstream: &mut Downstream<'_>,
        mut have_one: bool,
    ) -> Result<(), AskError> {
        loop {
            if !have_one {
                self.read_one_answer(session, downstream).await?;
            }
            have_one = false;
            let Some(head) = session.resp_header() else {
                return Err(AskError::bad_answer());
            };
            match head.status {
                StatusCode::SWITCHING_PROTOCOLS if !session.was_upgraded() => {
                    return Err(AskError::bad_answer());
                }
                StatusCode::SWITCHING_PROTOCOLS => {}
                // We met the expectation ourselves.
                StatusCode::CONTINUE => continue,
                status if status.is_informational() => {
                    let head = ResponseHeader::clone(head);
                    downstream
                        .send_informational(head)
                        .await
                        .map_err(Failure::from)?;
                    continue;
                }
                _ => {}
            }
            let duration = self.begun.elapsed();
            self.answered_after = Some(duration);
            self.backend.metrics().answered(duration);
            return Ok(());
        }
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
            () = downstream.gone() => Err(AskError::Client(Failure::ClientGone)),
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
        downstream.send_head(head, ends).await?;
        if has_body {
            self.pass_body_on(&mut session, downstream, &mut sent)
                .await?;
        }
        downstream.finish().await?;
        session.respect_keepalive();
        if self.sent_whole
            && let Some(stream) = session.reuse().await
        {
            server.keep(stream, self.context.facts.shared.clock.now());
        }
        Ok(sent)
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
            passed = pass_body(session, downstream, sent) => return passed,
            // A body that always has more uses the task's budget up, and would keep a constrained
            // timer from ever having its turn.
            cause = unconstrained(self.context.until_banned()) => cause,
        };
        Err(Failure::Banned(sent.clone(), cause))
    }
}

async fn pass_body(
    session: &mut HttpSession,
    downstream: &mut Downstream<'_>,
    sent: &mut Sent,
) -> Result<(), Failure> {
    loop {
        let watches = downstream.body_done();
        let part = tokio::select! {
            biased;
            part = session.read_body_ref() => part,
            () = downstream.gone(), if watches => return Err(Failure::ClientGone),
        };
        match part {
            Ok(Some(part)) => {
                sent.bytes += part.len() as u64;
                downstream.send_body(part).await?;
            }
            Ok(None) => return Ok(()),
            Err(_) => return Err(Failure::AnswerBroken(sent.clone())),
        }
    }
}

enum BodySent {
    Whole,
    AnsweredEarly,
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
