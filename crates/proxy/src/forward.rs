//! From a permit to the backend's answer at the client.
//!
//! `ask` sends the request, `answer` passes the answer on, `duplex` does both at once; here is who is
//! asked, and how it ends.

mod again;
mod answer;
mod ask;
mod duplex;
mod inspect_answer;
mod read_ahead;

use std::time::{Duration, Instant};

use h2::Reason;
use palisade_client_address::Endpoint;
use palisade_gate::Cause;
use palisade_hygiene::RefusalReason;
use palisade_seclang::InterruptionAction;
use palisade_upstream::{AcquireError, Acquired, Attempt, InFlight, Need, ProxySource};

use self::again::{Lost, Tries};
use self::ask::AskError;
use self::read_ahead::Reading;
pub(crate) use self::read_ahead::{ReadAhead, passes_body_as_it_comes};
use crate::body::BodyFailure;
use crate::downstream::{Downstream, Gone, WriteAnswer};
use crate::inspect::Inspected;
use crate::observe::Ending;
use crate::request::{Context, Permit};
use crate::shared::Backend;
use crate::upstream::{Upstream, UpstreamError};

/// Forwards a request and passes the answer on.
pub(crate) async fn forward(
    _permit: Permit,
    context: &Context<'_>,
    upstream: &str,
    target: Option<&[u8]>,
    body: ReadAhead,
    inspected: &mut Inspected,
    downstream: &mut Downstream<'_>,
) -> Ending {
    let Some(backend) = context.generation.backend(upstream) else {
        return context.error(503, downstream).await;
    };
    let mut forwarding = Forwarding {
        context,
        backend,
        target,
        inspected,
        begun: Instant::now(),
        answered_after: None,
        sent_whole: false,
        body_begun: false,
        has_answered: false,
    };
    let mut ending = match forwarding.run(body, downstream).await {
        Ok(done) => Ending::forwarded(done),
        Err(failure) => {
            if let Failure::AnswerBroken(_, error) = &failure {
                forwarding.count_reset(*error);
            }
            failure.end(context, downstream).await
        }
    };
    ending.set_upstream(backend.name(), forwarding.answered_after);
    ending
}

/// Reads a request's body, or its beginning, before a backend is asked for; `looked_at`: how many bytes of it
/// rules look at, if any do.
pub(crate) async fn read_ahead(
    context: &Context<'_>,
    upstream: &str,
    looked_at: Option<u64>,
    downstream: &mut Downstream<'_>,
) -> Result<ReadAhead, Box<Ending>> {
    let Some(backend) = context.generation.backend(upstream) else {
        return Err(Box::new(context.error(503, downstream).await));
    };
    let reading = Reading {
        context,
        backend,
        looked_at,
    };
    match reading.read(downstream).await {
        Ok(body) => Ok(body),
        Err(failure) => Err(Box::new(failure.end(context, downstream).await)),
    }
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
    /// Too many requests waited for their clients, or others needed the connection of this one.
    Evicted(Sent),
    /// A new decision ended a long answer, of which the client had some.
    Banned(Sent, Cause),
    /// The request's body breaks a rule.
    Body(RefusalReason),
    /// No server, or none that answered.
    Backend { status: u16 },
    /// No server for now: all are busy, or out.
    Unavailable,
    /// The answer broke off when the client had some of it.
    AnswerBroken(Sent, UpstreamError),
    /// The request's body broke a rule when the client had some of the answer.
    BodyTooLate(Sent, RefusalReason),
    /// SecLang rules refuse the answer, of which the client has nothing.
    RefusedByRules(InterruptionAction),
}

impl Failure {
    /// Answers what can be answered still.
    async fn end(self, context: &Context<'_>, downstream: &mut Downstream<'_>) -> Ending {
        match self {
            Self::ClientGone(sent) => Ending::client_gone(sent),
            Self::Evicted(sent) => {
                context.facts.shared.metrics.connections.request_evicted();
                downstream.abort(Reason::ENHANCE_YOUR_CALM);
                Ending::cut_off((sent.status, sent.bytes))
            }
            Self::Banned(sent, cause) => {
                downstream.abort(Reason::INTERNAL_ERROR);
                Ending::banned(sent, cause)
            }
            Self::Body(reason) => {
                let headers = downstream.headers();
                let pages = context.generation.pages();
                let answer = pages.error(reason.status(), context.begun.id, headers);
                Ending::body_refused(reason, context.answer(answer, downstream).await)
            }
            Self::Backend { status } => {
                let answered = context.error(status, downstream).await;
                answered.by_failed_backend()
            }
            Self::Unavailable => {
                let answered = context.unavailable(downstream).await;
                answered.by_failed_backend()
            }
            Self::AnswerBroken(sent, error) => {
                downstream.abort(error.reset_reason());
                Ending::broken(sent)
            }
            Self::BodyTooLate(sent, reason) => {
                downstream.abort(Reason::PROTOCOL_ERROR);
                Ending::body_refused(reason, (sent.status, sent.bytes))
            }
            Self::RefusedByRules(action) => context.refuse_by_rules(action, downstream).await,
        }
    }
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
    inspected: &'a mut Inspected,
    begun: Instant,
    answered_after: Option<Duration>,
    /// Whether the backend has the request to its end: only then can the connection have another.
    sent_whole: bool,
    /// Whether a byte of the body was given to a backend, if only to a connection that broke.
    body_begun: bool,
    /// Whether the client has a part of the backend's answer, if only an informational one.
    has_answered: bool,
}

impl Forwarding<'_> {
    async fn run(
        &mut self,
        mut body: ReadAhead,
        downstream: &mut Downstream<'_>,
    ) -> Result<Sent, Failure> {
        let facts = self.context.facts;
        let source = ProxySource {
            source: Endpoint::from(&self.context.judged.client),
            destination: facts.local.into(),
        };
        let mut need = Need::new(source, facts.shared.clock.now());
        need.upgrade = self.context.incoming.wants_websocket;
        let mut tries = Tries::default();
        loop {
            let acquired = self.acquire(&need, downstream).await?;
            let Acquired {
                channel,
                reused,
                mut server,
            } = acquired;
            let error = match self.ask(channel, &mut body, downstream).await {
                Ok(upstream) => {
                    self.note_answer(&mut server, &upstream);
                    return self.pass_on(upstream, body, server, downstream).await;
                }
                Err(AskError::Client(failure)) => return Err(failure),
                Err(AskError::Upstream(error)) => error,
            };
            self.count_reset(error);
            let lost = Lost::new(error, reused);
            self.hold_against(&mut server, lost, &body);
            if !self.goes_again(lost, &server, &body, &mut tries, &mut need) {
                return Err(Failure::Backend {
                    status: error.status(),
                });
            }
            need.now = facts.shared.clock.now();
            need.is_again = true;
        }
    }

    /// Gets a connection, perhaps after a wait for a server with room, which a client that goes away
    /// ends.
    async fn acquire(
        &self,
        need: &Need,
        downstream: &mut Downstream<'_>,
    ) -> Result<Acquired, Failure> {
        let metrics = self.backend.metrics();
        let mut observer = |attempt: &Attempt<'_>| {
            if attempt.result.is_err() {
                metrics.connect_failed();
            }
            if attempt.ejected {
                metrics.ejected();
            }
        };
        let acquired = tokio::select! {
            biased;
            acquired = self.backend.pool().acquire(need, &mut observer) => acquired,
            () = downstream.gone() => return Err(Gone.into()),
        };
        acquired.map_err(|error| self.not_acquired(&error))
    }

    fn not_acquired(&self, error: &AcquireError) -> Failure {
        let metrics = self.backend.metrics();
        match error {
            AcquireError::QueueFull => metrics.queue_was_full(),
            AcquireError::QueueTimeout => metrics.queue_timed_out(),
            _ => {}
        }
        match error.is_for_now() {
            true => Failure::Unavailable,
            false if error.is_timeout() => Failure::Backend { status: 504 },
            false => Failure::Backend { status: 502 },
        }
    }

    fn count_reset(&self, error: UpstreamError) {
        if matches!(error, UpstreamError::Reset(_)) {
            self.backend.metrics().stream_reset();
        }
    }

    fn note_answer(&mut self, server: &mut InFlight, upstream: &Upstream) {
        let now = Instant::now();
        server.answered(self.context.facts.shared.clock.at(now));
        let duration = now.saturating_duration_since(self.begun);
        self.answered_after = Some(duration);
        let protocol = upstream.protocol();
        self.backend.metrics().answered(protocol, duration);
    }
}
