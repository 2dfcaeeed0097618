//! What reads and writes heads and bodies, as far as `benches/instructions` counts what it takes: it is private,
//! and every request pays for it. Nothing else is to call this.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, Version, request};
use palisade_hygiene::h1::Head;
use palisade_hygiene::h2::H2Head;
use palisade_vocabulary::{ClientAddr, RequestId, Scheme};

use crate::answer_head;
use crate::connection::ConnectionFacts;
use crate::downstream::{self, Downstream};
use crate::framing::{self, Chunks, Step};
use crate::judge::Judged;
use crate::outgoing::{self, OutgoingBody};
use crate::request::{Begun, Context, Incoming};
use crate::settings::ListenerSettings;
use crate::shared::{Generation, Shared};
use crate::upstream::head::{self, Asked};

/// The header fields of a clean `head`, as another parser reads them in what was `sent`; `None` where it reads
/// something else.
#[must_use]
pub fn second_opinion(sent: &Bytes, head: &Head<'_>) -> Option<HeaderMap> {
    downstream::second_opinion(sent, head)
}

/// Writes the heads of requests to a backend.
pub struct RequestWriter {
    facts: ConnectionFacts,
    generation: Arc<Generation>,
    downstream: Downstream<'static>,
    judged: Judged,
    begun: Begun,
}

impl RequestWriter {
    /// For a request with these `headers` that was `judged`, on a connection of `client` to a listener with
    /// these settings; `None` if such a listener takes no connection.
    #[must_use]
    pub fn new(
        settings: ListenerSettings,
        shared: Arc<Shared>,
        client: ClientAddr,
        headers: HeaderMap,
        judged: Judged,
    ) -> Option<Self> {
        Some(Self {
            generation: shared.generation.load_full(),
            facts: ConnectionFacts::without_socket(settings, shared, client)?,
            // The one side of a client that has fields and needs no connection.
            downstream: Downstream::Tunnelled(Box::new(headers)),
            judged,
            begun: Begun {
                at: Instant::now(),
                id: RequestId::from_bits(1),
            },
        })
    }

    /// The head that a backend which speaks HTTP/1 gets of a clean `head` that was `sent`; `None` when it
    /// can't be written.
    #[must_use]
    pub fn write(&self, head: &Head<'_>, sent: &[u8]) -> Option<Vec<u8>> {
        let incoming = Incoming::http1(head, sent);
        let body = OutgoingBody::new(head.framing, None);
        let context = self.context(&incoming);
        let head = outgoing::request_head(&context, &self.downstream, None, body)?;
        Some(head.wire)
    }

    /// The head that a backend which speaks HTTP/2 gets of a clean `head` that came over HTTP/2 as `parts`;
    /// `None` when it can't be written.
    #[must_use]
    pub fn write_http2(&self, head: &H2Head<'_>, parts: &request::Parts) -> Option<Request<()>> {
        let incoming = Incoming::http2(head, parts);
        let context = self.context(&incoming);
        outgoing::http2_request_head(&context, &self.downstream, None, Scheme::Https)
    }

    fn context<'a>(&'a self, incoming: &'a Incoming<'a>) -> Context<'a> {
        Context {
            facts: &self.facts,
            generation: &self.generation,
            incoming,
            scheme: outgoing::client_scheme(&self.facts, self.downstream.headers()),
            judged: &self.judged,
            begun: &self.begun,
            verified: OnceLock::new(),
        }
    }
}

/// The head of an answer.
pub struct AnswerHead {
    head: answer_head::AnswerHead,
    version: Version,
}

impl AnswerHead {
    /// Takes a whole head off what was `received`; `None` as long as there isn't one, or if it is malformed.
    #[must_use]
    pub fn take(received: &mut BytesMut) -> Option<Self> {
        let (head, version) = head::take_head(received).ok()??;
        Some(Self { head, version })
    }

    /// The body that follows it in answer to a GET, and whether the connection lives on; `None` if the head
    /// contradicts itself.
    #[must_use]
    pub fn body(&mut self) -> Option<(Body, bool)> {
        let body = head::body_of(&mut self.head, Asked::default()).ok()?;
        let keeps = head::keeps_connection(&self.head, self.version);
        Some((Body(body), keeps))
    }

    /// Appends it as a client over HTTP/1 gets it, but for the empty line.
    pub fn write(&self, wire: &mut Vec<u8>) {
        self.head.write_http1(wire);
    }

    /// What h2 is given of it for a client over HTTP/2.
    #[must_use]
    pub fn write_http2(&self) -> Response<()> {
        downstream::http2_response(&self.head)
    }
}

/// What is to come of a body.
pub struct Body(framing::Body);

impl Body {
    /// One in chunks.
    #[must_use]
    pub fn chunked() -> Self {
        Self(framing::Body::Chunked(Chunks::default()))
    }

    /// One of so many bytes.
    #[must_use]
    pub fn of_length(bytes: u64) -> Self {
        Self(framing::Body::Length(bytes))
    }

    /// Reads a whole body from what was `received`: how many bytes of data it has; `None` if it is malformed
    /// or has no end there.
    #[must_use]
    pub fn read(mut self, received: &[u8]) -> Option<usize> {
        let (mut rest, mut bytes) = (received, 0);
        loop {
            match self.0.next(rest).ok()? {
                Step::Part { skip, length } => {
                    rest = rest.get(skip..)?.get(length..)?;
                    bytes += length;
                }
                Step::End { .. } => return Some(bytes),
                Step::More { .. } => return None,
            }
        }
    }
}
