//! The request, from what the client has sent of it to the head of the backend's answer.

use bytes::Bytes;
use http::HeaderMap;
use palisade_upstream::Channel;
use palisade_vocabulary::Scheme;

use super::read_ahead::{ReadAhead, passes_body_as_it_comes, request_trailers};
use super::{Failure, Forwarding};
use crate::downstream::{Downstream, Gone, WriteAnswer};
use crate::inspect::is_call;
use crate::outgoing::{self, OutgoingBody};
use crate::upstream::{AnswerKind, Http1, Http2, Upstream, UpstreamError};

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

/// What became of a body, or a part of it.
enum Passed {
    Whole,
    /// Not all of it: the final answer's head was read before.
    Answered,
    /// Not all of it: the server takes no more.
    Broken,
}

impl Forwarding<'_> {
    /// Sends the request and waits for the head of the final answer.
    pub(super) async fn ask(
        &mut self,
        channel: Channel,
        body: &mut ReadAhead,
        downstream: &mut Downstream<'_>,
    ) -> Result<Upstream, AskError> {
        self.sent_whole = false;
        if matches!(channel, Channel::Http2(_)) {
            self.allow_pauses(body, downstream.headers());
        }
        let mut upstream = self.send_head(channel, body, downstream).await?;
        if self.send_body(&mut upstream, body, downstream).await? {
            self.read_answer(&mut upstream, downstream).await?;
        }
        Ok(upstream)
    }

    /// Lets a call take its time once a backend has it that can have calls: what a client says of its
    /// request changes nothing before.
    fn allow_pauses(&self, body: &mut ReadAhead, headers: &HeaderMap) {
        if let Some(rest) = &mut body.rest
            && passes_body_as_it_comes(self.context, self.backend)
            && is_call(headers)
        {
            rest.allow_pauses(self.context.facts.listener.settings.deadlines.idle);
        }
    }

    async fn send_head(
        &self,
        channel: Channel,
        body: &ReadAhead,
        downstream: &Downstream<'_>,
    ) -> Result<Upstream, UpstreamError> {
        let (context, target) = (self.context, self.target);
        let timeouts = self.backend.pool().timeouts();
        match channel {
            Channel::Http1(connection) => {
                let body = OutgoingBody::new(context.incoming.framing, body.whole_length());
                let head = outgoing::request_head(context, downstream, target, body);
                let head = head.ok_or(UpstreamError::BadAnswer)?;
                let begun = Http1::begin(connection, timeouts, head).await?;
                Ok(Upstream::Http1(begun))
            }
            Channel::Http2(slot) => {
                let scheme = match self.backend.pool().settings().tls {
                    Some(_) => Scheme::Https,
                    None => Scheme::Http,
                };
                let head = outgoing::http2_request_head(context, downstream, target, scheme);
                let head = head.ok_or(UpstreamError::BadAnswer)?;
                let begun = Http2::begin(slot, timeouts, head, body.is_nothing())?;
                Ok(Upstream::Http2(Box::new(begun)))
            }
        }
    }

    /// Sends the body; whether the answer is still to be read. A server that has heard enough
    /// answers early and may close (RFC 9112 section 9.6): a write that fails is not the end.
    async fn send_body(
        &mut self,
        upstream: &mut Upstream,
        body: &mut ReadAhead,
        downstream: &mut Downstream<'_>,
    ) -> Result<bool, AskError> {
        let mut trailers = body.trailers.clone();
        if !body.bytes.is_empty() {
            let bytes = body.bytes.clone();
            self.body_begun = true;
            if let Passed::Broken = send_part(upstream, &bytes, downstream).await? {
                return Ok(true);
            }
        }
        if body.rest.is_some() {
            match self.send_rest(upstream, body, downstream).await? {
                Passed::Whole => trailers = request_trailers(self.context, downstream),
                Passed::Answered => return Ok(false),
                Passed::Broken => return Ok(true),
            }
        }
        self.body_begun |= trailers.is_some();
        self.sent_whole = upstream.finish(trailers).await.unwrap_or(false);
        Ok(true)
    }

    async fn send_rest(
        &mut self,
        upstream: &mut Upstream,
        body: &mut ReadAhead,
        downstream: &mut Downstream<'_>,
    ) -> Result<Passed, AskError> {
        while let Some(rest) = &mut body.rest {
            let part = tokio::select! {
                biased;
                // It is the client's turn: its own deadlines hold, not the server's.
                answer = upstream.read_head(None) => match self.is_final(answer?, downstream).await? {
                    true => return Ok(Passed::Answered),
                    false => continue,
                },
                part = rest.next_joined(downstream) => part.map_err(Failure::from)?,
            };
            body.is_touched = true;
            body.bytes = Bytes::new();
            let Some(part) = part else {
                body.rest = None;
                break;
            };
            self.body_begun = true;
            if let Passed::Broken = send_part(upstream, &part, downstream).await? {
                return Ok(Passed::Broken);
            }
        }
        Ok(Passed::Whole)
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
            AnswerKind::Informational(mut head) => {
                self.has_answered = true;
                outgoing::informational_head(self.context, &mut head);
                downstream.send_informational(*head).await?;
                Ok(false)
            }
        }
    }
}

async fn send_part(
    upstream: &mut Upstream,
    part: &Bytes,
    downstream: &mut Downstream<'_>,
) -> Result<Passed, Gone> {
    tokio::select! {
        biased;
        sent = upstream.send_body(part) => Ok(match sent {
            Ok(()) => Passed::Whole,
            Err(_) => Passed::Broken,
        }),
        () = downstream.gone() => Err(Gone),
    }
}
