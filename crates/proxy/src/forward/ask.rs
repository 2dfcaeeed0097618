//! The request, from what the client has sent of it to the head of the backend's answer.

use bytes::{Bytes, BytesMut};
use palisade_hygiene::Framing;
use palisade_transport::Connection;

use super::{Failure, Forwarding};
use crate::body::BodyReader;
use crate::downstream::{Downstream, Gone};
use crate::outgoing::{self, OutgoingBody};
use crate::upstream::{AnswerKind, Upstream, UpstreamError};

/// How much of a body is read before a backend is asked for. A body that fits is judged to its last
/// byte first: a malformed one never reaches a backend, and the request can be tried again.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// The part of a request's body that was read before a backend was asked for.
#[derive(Default)]
pub(super) struct ReadAhead {
    bytes: Bytes,
    /// What reads the rest of the body, until it is sent.
    rest: Option<BodyReader>,
    /// Whether there was no rest: only such a body can be sent once more.
    is_whole: bool,
}

impl ReadAhead {
    fn whole(bytes: Bytes) -> Self {
        Self {
            bytes,
            rest: None,
            is_whole: true,
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    fn whole_length(&self) -> Option<u64> {
        self.is_whole.then_some(self.bytes.len() as u64)
    }
}

/// Why there is no answer to a request.
pub(super) enum AskError {
    Client(Failure),
    Upstream(UpstreamError),
}

impl From<Failure> for AskError {
    fn from(failure: Failure) -> Self {
        Self::Client(failure)
    }
}

impl From<Gone> for AskError {
    fn from(gone: Gone) -> Self {
        Self::Client(gone.into())
    }
}

impl From<UpstreamError> for AskError {
    fn from(error: UpstreamError) -> Self {
        Self::Upstream(error)
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

impl Forwarding<'_> {
    /// Reads the body, or the beginning of a long one.
    pub(super) async fn read_ahead(
        &self,
        downstream: &mut Downstream<'_>,
    ) -> Result<ReadAhead, Failure> {
        let incoming = self.context.incoming;
        if incoming.framing == Framing::None {
            return Ok(ReadAhead::whole(Bytes::new()));
        }
        let mut reader = self.body_reader()?;
        if incoming.expects_continue {
            downstream.send_continue().await?;
        }
        let mut bytes = BytesMut::new();
        while bytes.len() < READ_AHEAD_BYTES {
            match reader.next(downstream).await? {
                // However small the client's chunks were, the backend gets them in one write.
                Some(part) => bytes.extend_from_slice(&part),
                None => return Ok(ReadAhead::whole(bytes.freeze())),
            }
        }
        Ok(ReadAhead {
            bytes: bytes.freeze(),
            rest: Some(reader),
            is_whole: false,
        })
    }

    fn body_reader(&self) -> Result<BodyReader, Failure> {
        let settings = &self.context.facts.listener.settings;
        let limits = &settings.limits;
        let site_max = self.context.judged.site.as_ref();
        let site_max = site_max.and_then(|site| site.settings.body_bytes_max);
        // A site can lower the listener's limit, not raise it.
        let bytes_max = site_max.map_or(limits.body_bytes, |max| max.min(limits.body_bytes));
        let framing = self.context.incoming.framing;
        BodyReader::new(framing, bytes_max.as_u64(), &settings.deadlines, limits)
            .map_err(Failure::Body)
    }

    /// Sends the request and waits for the head of the final answer.
    pub(super) async fn ask(
        &mut self,
        connection: Box<Connection>,
        body: &mut ReadAhead,
        downstream: &mut Downstream<'_>,
    ) -> Result<Upstream, AskError> {
        self.sent_whole = false;
        let framing = self.context.incoming.framing;
        let outgoing = OutgoingBody::new(framing, body.whole_length());
        let head = outgoing::request_head(self.context, downstream, self.target, outgoing)
            .map_err(UpstreamError::from)?;
        let timeouts = self.backend.pool().timeouts();
        let mut upstream = Upstream::begin(connection, timeouts, head).await?;
        if self.send_body(&mut upstream, body, downstream).await? {
            self.read_answer(&mut upstream, downstream).await?;
        }
        Ok(upstream)
    }

    /// Sends the body; whether the answer is still to be read. A server that has heard enough
    /// answers early and may close (RFC 9112 section 9.6): a write that fails is not the end.
    async fn send_body(
        &mut self,
        upstream: &mut Upstream,
        body: &mut ReadAhead,
        downstream: &mut Downstream<'_>,
    ) -> Result<bool, AskError> {
        if !body.bytes.is_empty() && upstream.send_body(&body.bytes).await.is_err() {
            return Ok(true);
        }
        if let Some(mut rest) = body.rest.take() {
            body.bytes = Bytes::new();
            match self.send_rest(upstream, &mut rest, downstream).await? {
                RestSent::Whole => {}
                RestSent::Answered => return Ok(false),
                RestSent::Broken => return Ok(true),
            }
        }
        self.sent_whole = upstream.finish().await.is_ok();
        Ok(true)
    }

    async fn send_rest(
        &mut self,
        upstream: &mut Upstream,
        rest: &mut BodyReader,
        downstream: &mut Downstream<'_>,
    ) -> Result<RestSent, AskError> {
        loop {
            let part = tokio::select! {
                biased;
                // It is the client's turn: its own deadlines hold, not the server's.
                answer = upstream.read_head(None) => match self.is_final(answer?, downstream).await? {
                    true => return Ok(RestSent::Answered),
                    false => continue,
                },
                part = rest.next_joined(downstream) => part.map_err(Failure::from)?,
            };
            match part {
                None => return Ok(RestSent::Whole),
                Some(part) if upstream.send_body(&part).await.is_err() => {
                    return Ok(RestSent::Broken);
                }
                Some(_) => {}
            }
        }
    }

    /// Reads up to the head of the final answer, and passes informational ones on.
    async fn read_answer(
        &mut self,
        upstream: &mut Upstream,
        downstream: &mut Downstream<'_>,
    ) -> Result<(), AskError> {
        loop {
            let answer = self.read_one_answer(upstream, downstream).await?;
            if self.is_final(answer, downstream).await? {
                return Ok(());
            }
        }
    }

    async fn read_one_answer(
        &self,
        upstream: &mut Upstream,
        downstream: &mut Downstream<'_>,
    ) -> Result<AnswerKind, AskError> {
        let within = Some(self.backend.pool().timeouts().read());
        if !downstream.body_done() {
            return Ok(upstream.read_head(within).await?);
        }
        tokio::select! {
            biased;
            answer = upstream.read_head(within) => Ok(answer?),
            () = downstream.gone() => Err(Gone.into()),
        }
    }

    /// Whether an answer is the final one; an informational one is passed on.
    async fn is_final(
        &mut self,
        answer: AnswerKind,
        downstream: &mut Downstream<'_>,
    ) -> Result<bool, AskError> {
        match answer {
            AnswerKind::Final => Ok(true),
            AnswerKind::Continue => Ok(false),
            AnswerKind::Informational(head) => {
                self.has_answered = true;
                downstream.send_informational(*head).await?;
                Ok(false)
            }
        }
    }
}
