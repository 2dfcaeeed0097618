//! The life of a request.
//!
//! Begin here. A connection has been accepted, has told who it speaks for (`connection`), and has
//! sent a head that hygiene found clean (`http1`, `http2`); the rest is on this page.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use h2::Reason;
use http::{HeaderMap, HeaderValue};
use palisade_gate::{Authentication, Cause, Exchange, Refusal, Verdict};
use palisade_hygiene::h1::{Head, Upgrade};
use palisade_hygiene::h2::H2Head;
use palisade_hygiene::{Framing, Target};
use palisade_seclang::InterruptionAction;
use palisade_vocabulary::{HttpVersion, RequestId, Scheme};
use palisade_waf::Finding;
use tokio::time::sleep;

use crate::authenticate::{Known, Verified, authenticate};
use crate::connection::ConnectionFacts;
use crate::downstream::{Downstream, Gone, WriteAnswer};
use crate::forward::ReadAhead;
use crate::inspect::{Inspected, OutOfMemory};
use crate::judge::{Case, Court, Judged, Ruling, Scratch, judge};
use crate::observe::{self, Ending};
use crate::respond::{Answer, X_REQUEST_ID, redirect};
use crate::shared::Generation;
use crate::{forward, inspect, outgoing, respond, shadow};

/// The checks, in their order. Each is a method of [`Exchange`], and says whether the request goes
/// on.
pub const CHECKS: &[(&str, Check)] = &[
    ("trusted clients", |exchange| exchange.check_trusted()),
    ("decisions", |exchange| exchange.check_decisions()),
    ("access rules", |exchange| exchange.check_access()),
    ("protected paths", |exchange| exchange.check_protected()),
    ("limits", |exchange| exchange.check_limits()),
    ("credentials", |exchange| exchange.check_credentials()),
];

/// A check.
pub type Check = fn(&mut Exchange<'_>) -> ControlFlow<Verdict>;

/// How often a client that has a long answer under way is held against new decisions.
pub(crate) const RECHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Says that every check has had its say: only [`serve`] can make one, and nothing is forwarded
/// without.
pub(crate) struct Permit(());

impl Permit {
    /// For a request that no check refuses, and whose sender is known where that matters.
    fn new(_: Known) -> Self {
        Self(())
    }
}

/// Serves one request, from its clean head to the last byte of its answer.
pub(crate) async fn serve(
    facts: &ConnectionFacts,
    incoming: &Incoming<'_>,
    downstream: &mut Downstream<'_>,
) {
    let begun = Begun::new(facts, downstream.headers());
    let generation = facts.shared.generation.load_full();
    downstream.set_pace(facts.listener.settings.answer_pace());
    let judged = decide(facts, &generation, incoming, downstream, &begun);
    let context = Context {
        facts,
        generation: &generation,
        incoming,
        scheme: outgoing::client_scheme(facts, downstream.headers()),
        judged: &judged,
        begun: &begun,
        verified: OnceLock::new(),
    };
    let mut ends = Ends {
        context: &context,
        downstream,
        inspected: None,
        checks_duration: Duration::ZERO,
        ending: None,
    };
    let known = authenticate(&context).await;
    let (inspected, finding) = inspect::head(&context, ends.downstream.headers());
    ends.inspected = inspected;
    ends.checks_duration = begun.at.elapsed();
    let Ends {
        downstream,
        inspected,
        ..
    } = &mut ends;
    let ending = answer(&context, known, finding, inspected, downstream).await;
    ends.ending = Some(ending);
}

/// Answers a request that was judged; `finding`: what rules made of its head.
async fn answer(
    context: &Context<'_>,
    known: Known,
    finding: Finding,
    inspected: &mut Inspected,
    downstream: &mut Downstream<'_>,
) -> Ending {
    if let Some(refusal) = context.refusal() {
        return context.refuse(refusal, downstream).await;
    }
    match &context.judged.ruling {
        Ruling::Forward { upstream, target } => {
            let body = match inspect_rest(context, upstream, finding, inspected, downstream).await {
                Ok(body) => body,
                Err(ending) => return *ending,
            };
            let target = target.as_deref();
            let permit = Permit::new(known);
            forward::forward(
                permit, context, upstream, target, body, inspected, downstream,
            )
            .await
        }
        Ruling::Refuse(refusal) => context.refuse(refusal, downstream).await,
        Ruling::RedirectToHttps(location) => {
            let answer = redirect(location.clone(), context.begun.id);
            Ending::redirected(context.answer(answer, downstream).await)
        }
        Ruling::NoSite => context.error(404, downstream).await,
        Ruling::NoUpstream => context.error(503, downstream).await,
    }
}

/// Reads the body, and lets rules judge it, whose `finding` of the head is known; what was read of it.
async fn inspect_rest(
    context: &Context<'_>,
    upstream: &str,
    mut finding: Finding,
    inspected: &mut Inspected,
    downstream: &mut Downstream<'_>,
) -> Result<ReadAhead, Box<Ending>> {
    if finding == Finding::Pass {
        finding = inspect::declared_length(context, inspected);
    }
    if let Finding::Refuse(action) = finding {
        return Err(Box::new(context.refuse_by_rules(action, downstream).await));
    }
    let looked_at = inspect::looked_at(context, upstream, inspected, downstream.headers());
    let body = forward::read_ahead(context, upstream, looked_at, downstream).await?;
    shadow::keep_body(inspected, context, body.bytes(), body.is_whole());
    match inspect::body(context, inspected, downstream.headers(), body.bytes()).await {
        Ok(Finding::Pass) => Ok(body),
        Ok(Finding::Refuse(action)) => {
            Err(Box::new(context.refuse_by_rules(action, downstream).await))
        }
        Err(OutOfMemory) => Err(Box::new(context.unavailable(downstream).await)),
    }
}

/// Tells of a request when it is over, also when it never came to its own end: whatever is still
/// under way when the time to drain is over is dropped as it is.
struct Ends<'a, 'd> {
    context: &'a Context<'a>,
    downstream: &'a mut Downstream<'d>,
    inspected: Inspected,
    checks_duration: Duration,
    ending: Option<Ending>,
}

impl Drop for Ends<'_, '_> {
    fn drop(&mut self) {
        let ending = match self.ending.take() {
            Some(ending) => ending,
            // A panic is a defect, of which standard error tells.
            None if std::thread::panicking() => return,
            None => Ending::cut_off(self.downstream.sent()),
        };
        if self.downstream.has_stalled() {
            self.context.facts.shared.metrics.connections.stalled();
        }
        let headers = self.downstream.headers();
        let inspected = self.inspected.take();
        observe::finished(
            self.context,
            headers,
            &ending,
            inspected,
            self.checks_duration,
        );
    }
}

fn decide(
    facts: &ConnectionFacts,
    generation: &Generation,
    incoming: &Incoming<'_>,
    downstream: &Downstream<'_>,
    begun: &Begun,
) -> Judged {
    let host = incoming.host.as_ref().map(|host| host.name);
    let court = Court {
        snapshot: &generation.snapshot,
        state: &facts.shared.state,
        hops: &facts.listener.settings.client_address,
        now: facts.shared.clock.at(begun.at),
    };
    let headers = downstream.headers();
    let case = Case {
        connection: &facts.client,
        scheme: outgoing::client_scheme(facts, headers),
        version: incoming.version,
        method: incoming.method,
        host,
        target: &incoming.target,
        headers,
        certificate_is_for_host: host.is_none_or(|host| facts.certificate_is_for(host)),
        client_certificate: facts.client_certificate(),
    };
    SCRATCH.with_borrow_mut(|scratch| judge(&court, &case, scratch, &mut ()))
}

thread_local! {
    // Judging never waits, so one is enough for all connections of a thread.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// A request's clean head, as HTTP/1 and HTTP/2 both have it.
pub(crate) struct Incoming<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: Target<'a>,
    /// The target as it stood in the request line or `:path`.
    pub(crate) target_as_sent: &'a [u8],
    /// All of the head as it was sent; empty over HTTP/2.
    pub(crate) head_as_sent: &'a [u8],
    pub(crate) version: HttpVersion,
    /// `None` only on HTTP/1.0.
    pub(crate) host: Option<IncomingHost<'a>>,
    pub(crate) framing: Framing,
    pub(crate) expects_continue: bool,
    pub(crate) wants_websocket: bool,
    /// Whether a field may be another's twin.
    pub(crate) has_odd_names: bool,
}

/// A request's host.
pub(crate) struct IncomingHost<'a> {
    /// Canonical, without port.
    pub(crate) name: &'a str,
    /// As sent, port included.
    pub(crate) as_sent: &'a str,
}

impl<'a> Incoming<'a> {
    /// `sent` is the head's bytes, from the method on.
    pub(crate) fn http1(head: &'a Head<'a>, sent: &'a [u8]) -> Self {
        let mut words = sent.splitn(3, |byte| *byte == b' ');
        Self {
            method: head.method,
            target: head.target,
            target_as_sent: words.nth(1).unwrap_or_default(),
            head_as_sent: sent,
            version: head.version,
            host: head.host.as_ref().map(|host| IncomingHost {
                name: host.name(),
                as_sent: host.as_sent(),
            }),
            framing: head.framing,
            expects_continue: head.expects_continue,
            wants_websocket: head.upgrade == Some(Upgrade::WebSocket),
            has_odd_names: head.has_odd_names,
        }
    }

    pub(crate) fn http2(head: &'a H2Head<'a>, parts: &'a http::request::Parts) -> Self {
        let target = parts
            .uri
            .path_and_query()
            .map_or("", |target| target.as_str());
        Self {
            method: head.method,
            target: head.target,
            target_as_sent: target.as_bytes(),
            head_as_sent: b"",
            version: HttpVersion::Http2,
            host: Some(IncomingHost {
                name: head.host.name(),
                as_sent: head.host.as_sent(),
            }),
            framing: match (head.has_body, head.length.declared()) {
                (false, _) => Framing::None,
                (true, Some(length)) => Framing::Length(length),
                (true, None) => Framing::Chunked,
            },
            expects_continue: head.expects_continue,
            wants_websocket: false,
            has_odd_names: head.has_odd_names,
        }
    }
}

/// When a request began, and its name.
pub(crate) struct Begun {
    pub(crate) at: Instant,
    pub(crate) id: RequestId,
}

impl Begun {
    /// A client's own id is kept only from a hop that counts.
    fn new(facts: &ConnectionFacts, headers: &HeaderMap) -> Self {
        let told = outgoing::told_by_hop(facts, headers, &X_REQUEST_ID);
        let id = told.and_then(RequestId::parse);
        Self {
            at: Instant::now(),
            id: id.unwrap_or_else(fresh_id),
        }
    }
}

/// A name that no other request has.
pub(crate) fn fresh_id() -> RequestId {
    use std::hash::{BuildHasher, RandomState};
    thread_local! {
        // Two keyed streams of one counter: unpredictable enough that nobody guesses another's id.
        static SOURCE: (RandomState, RandomState, std::cell::Cell<u64>) =
            (RandomState::new(), RandomState::new(), std::cell::Cell::new(0));
    }
    SOURCE.with(|(high, low, counter)| {
        let count = counter.get().wrapping_add(1);
        counter.set(count);
        let (high, low) = (high.hash_one(count), low.hash_one(count));
        RequestId::from_bits(u128::from(high) << 64 | u128::from(low))
    })
}

/// What is known of a request once it was judged.
pub(crate) struct Context<'a> {
    pub(crate) facts: &'a ConnectionFacts,
    pub(crate) generation: &'a Arc<Generation>,
    pub(crate) incoming: &'a Incoming<'a>,
    /// How the client's connection came in to the first hop of ours.
    pub(crate) scheme: Scheme,
    pub(crate) judged: &'a Judged,
    pub(crate) begun: &'a Begun,
    /// What came of credentials that judging could only look at.
    pub(crate) verified: OnceLock<Verified>,
}

impl Context<'_> {
    /// Why the request is refused, if a check has refused it.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match (&self.judged.ruling, self.verified.get()) {
            (Ruling::Refuse(refusal), _) | (_, Some(Verified::Refused(refusal))) => Some(refusal),
            _ => None,
        }
    }

    /// The user that the request is from, once that is verified.
    pub(crate) fn user(&self) -> Option<&Arc<str>> {
        match (&self.judged.authentication, self.verified.get()) {
            (Authentication::User(user), _) | (_, Some(Verified::User(user))) => Some(user),
            _ => None,
        }
    }

    /// Answers a request that a check refuses.
    async fn refuse(&self, refusal: &Refusal, downstream: &mut Downstream<'_>) -> Ending {
        let headers = downstream.headers();
        let pages = self.generation.pages();
        let mut answer = pages.refusal(refusal.status, self.begun.id, headers);
        if let Some((name, value)) = refusal.field() {
            answer.head.insert(name, value);
        }
        Ending::refused(refusal, self.answer(answer, downstream).await)
    }

    /// Waits until the client, which passed, is banned; what bans it.
    pub(crate) async fn until_banned(&self) -> Cause {
        loop {
            sleep(RECHECK_INTERVAL).await;
            if let Some(cause) = self.banned_by() {
                return cause;
            }
        }
    }

    /// What bans the client now, which passed.
    pub(crate) fn banned_by(&self) -> Option<Cause> {
        if !self.judged.obeys_decisions {
            return None;
        }
        let shared = &self.facts.shared;
        let snapshot = &self.generation.snapshot;
        let client = self.judged.client.ip;
        let decisions = shared.state.decisions.version();
        let place = snapshot.place(&decisions, client);
        let decided = snapshot.decided(&decisions, client, &place, shared.clock.now());
        decided.refuses.map(Cause::Decision)
    }

    /// A process that drains takes no more requests on a connection: the answer is to say so.
    pub(crate) fn end_if_draining(&self, downstream: &mut Downstream<'_>) {
        if *self.facts.draining.borrow() {
            downstream.end_after_this();
        }
    }

    /// Sends an answer of Palisade's own; how many bytes of body the client got.
    pub(crate) async fn answer(
        &self,
        answer: Answer,
        downstream: &mut Downstream<'_>,
    ) -> (u16, u64) {
        let status = answer.head.status.as_u16();
        let is_head = self.incoming.method == "HEAD";
        self.end_if_draining(downstream);
        let bytes = if is_head { 0 } else { answer.body.len() as u64 };
        match send_answer(downstream, answer, is_head).await {
            Ok(()) => (status, bytes),
            Err(Gone) => (status, 0),
        }
    }

    /// Does what rules want done with a request that they refuse.
    pub(crate) async fn refuse_by_rules(
        &self,
        action: InterruptionAction,
        downstream: &mut Downstream<'_>,
    ) -> Ending {
        let id = self.begun.id;
        let answer = match action {
            InterruptionAction::Drop => {
                downstream.abort(Reason::CANCEL);
                return Ending::refused_by_rules((0, 0));
            }
            InterruptionAction::Redirect { status, location } => {
                respond::redirect_by_rule(status, &location, id)
            }
            InterruptionAction::Deny(status) => {
                let pages = self.generation.pages();
                pages.refusal(status, id, downstream.headers())
            }
        };
        Ending::refused_by_rules(self.answer(answer, downstream).await)
    }

    /// Sends the page of a service that is not there for now, and may be in a moment.
    pub(crate) async fn unavailable(&self, downstream: &mut Downstream<'_>) -> Ending {
        let headers = downstream.headers();
        let pages = self.generation.pages();
        let mut answer = pages.error(503, self.begun.id, headers);
        let soon = HeaderValue::from_static("1");
        answer.head.insert(http::header::RETRY_AFTER, soon);
        Ending::answered(self.answer(answer, downstream).await)
    }

    /// Sends the page of an error: nobody is refused, something doesn't work or doesn't exist.
    pub(crate) async fn error(&self, status: u16, downstream: &mut Downstream<'_>) -> Ending {
        let headers = downstream.headers();
        let answer = self
            .generation
            .pages()
            .error(status, self.begun.id, headers);
        Ending::answered(self.answer(answer, downstream).await)
    }
}

/// Sends an answer of Palisade's own. An unread body ends an HTTP/1 connection.
pub(crate) async fn send_answer(
    downstream: &mut Downstream<'_>,
    answer: Answer,
    is_head: bool,
) -> Result<(), Gone> {
    let without_body = is_head || answer.body.is_empty();
    downstream.send_head(answer.head, without_body).await?;
    if !without_body {
        downstream.send_body(&answer.body).await?;
    }
    downstream.finish(None).await
}
