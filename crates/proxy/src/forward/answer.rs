//! The answer, from its head to its end at the client.

use std::pin::pin;
use std::time::Instant;

use http::{HeaderMap, StatusCode};
use palisade_upstream::InFlight;
use tokio::task::unconstrained;

use super::duplex::Activity;
use super::inspect_answer::Beginning;
use super::read_ahead::ReadAhead;
use super::{Failure, Forwarding, Sent};
use crate::downstream::{Downstream, Gone, WriteAnswer};
use crate::request::RECHECK_INTERVAL;
use crate::upstream::{ReadAnswer, Upstream, UpstreamError};
use crate::waiting::Evicted;
use crate::{outgoing, tunnel};

impl Forwarding<'_> {
    /// Passes the answer on, from its head to its end.
    pub(super) async fn pass_on(
        &mut self,
        mut upstream: Upstream,
        mut body: ReadAhead,
        server: InFlight,
        downstream: &mut Downstream<'_>,
    ) -> Result<Sent, Failure> {
        let Some(mut head) = upstream.take_head() else {
            return Err(Failure::Backend { status: 502 });
        };
        if self.sent_whole {
            // Nobody needs it any more, and the answer may take long.
            body = ReadAhead::default();
        }
        let mut sent = Sent {
            status: head.status.as_u16(),
            bytes: 0,
            www_authenticate: head.get(&http::header::WWW_AUTHENTICATE).cloned(),
        };
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            outgoing::upgrade_head(self.context, &mut head);
            downstream.send_head(head, false).await?;
            let Some(upgraded) = upstream.into_upgraded() else {
                return Err(Failure::AnswerBroken(sent, UpstreamError::BadAnswer));
            };
            let end = tunnel::run(self.context, upgraded, downstream).await;
            sent.bytes = end.bytes_to_client;
            return match end.banned_by {
                Some(cause) => Err(Failure::Banned(sent, cause)),
                None => Ok(sent),
            };
        }
        let has_body = outgoing::answer_has_body(self.context, head.status);
        let beginning = match self.inspected {
            Some(_) => {
                // Boxed, so that the future of a request that no rule looks at stays small.
                let judged = self.inspect_answer(&mut upstream, &head, has_body, downstream);
                Box::pin(judged).await?
            }
            None => Beginning::default(),
        };
        outgoing::answer_head(self.context, &mut head);
        let ends = !has_body || (upstream.body_done() && beginning.bytes.is_empty());
        self.context.end_if_draining(downstream);
        if downstream.send_head(head, ends).await.is_err() {
            return Err(Failure::ClientGone(sent));
        }
        let mut trailers = None;
        if has_body {
            let passed = self.pass_rest_on(&mut upstream, beginning, body, downstream, &mut sent);
            let passed = passed.await;
            if let Err(Failure::AnswerBroken(_, error)) = &passed {
                self.note_broken(upstream.told_once(*error), &server);
            }
            trailers = passed?;
        }
        server.completed();
        let finished = downstream.finish(trailers).await;
        if self.sent_whole {
            let now = self.context.facts.shared.clock.now();
            upstream.keep(server, now).await;
        }
        match finished {
            Ok(()) => Ok(sent),
            Err(Gone) => Err(Failure::ClientGone(sent)),
        }
    }

    /// Passes on what follows the answer's head, of which the beginning was read already; its trailers.
    async fn pass_rest_on(
        &self,
        upstream: &mut Upstream,
        beginning: Beginning,
        body: ReadAhead,
        downstream: &mut Downstream<'_>,
        sent: &mut Sent,
    ) -> Result<Option<HeaderMap>, Failure> {
        if !beginning.bytes.is_empty() {
            let mut recheck_at = Instant::now() + RECHECK_INTERVAL;
            self.give(&beginning.bytes, downstream, sent, &mut recheck_at)
                .await?;
        }
        if !beginning.is_whole {
            drop(beginning);
            self.pass_body_on(upstream, body, downstream, sent).await?;
        }
        let trailers = upstream.read_trailers().await;
        let trailers = trailers.map_err(|error| Failure::AnswerBroken(sent.clone(), error))?;
        Ok(trailers.and_then(|trailers| outgoing::answer_trailers(self.context, trailers)))
    }

    /// Holds an answer that broke off against the server, unless it was still waiting for a part of
    /// the request.
    fn note_broken(&self, error: UpstreamError, server: &InFlight) {
        let is_servers_fault = self.sent_whole && error.blames_answering_server();
        if is_servers_fault && server.broke_off(self.context.facts.shared.clock.now()) {
            self.backend.metrics().ejected();
        }
    }

    /// Passes the answer's body on, to its end or until the client is banned.
    async fn pass_body_on(
        &self,
        upstream: &mut Upstream,
        body: ReadAhead,
        downstream: &mut Downstream<'_>,
        sent: &mut Sent,
    ) -> Result<(), Failure> {
        let passed = async {
            match (upstream, downstream) {
                // The answer has begun before the request has ended: they go on together. Boxed, so
                // that the future of the usual case stays small.
                (Upstream::Http2(upstream), Downstream::Http2(downstream)) if !self.sent_whole => {
                    Box::pin(self.pass_both_ways(upstream, body, downstream, sent)).await
                }
                (Upstream::Http2(upstream), downstream) if !self.sent_whole => {
                    Box::pin(self.pass_in_turns(upstream, body, downstream, sent)).await
                }
                (upstream, downstream) => self.pass_body(upstream, downstream, sent, None).await,
            }
        };
        let cause = tokio::select! {
            biased;
            passed = passed => return passed,
            // For a body that pauses; one that always has more looks at the time itself.
            cause = unconstrained(self.context.until_banned()) => cause,
        };
        Err(Failure::Banned(sent.clone(), cause))
    }

    /// Passes the answer's body on. A backend that says nothing may wait for the client, of which
    /// `activity` tells.
    pub(super) async fn pass_body(
        &self,
        from: &mut impl ReadAnswer,
        to: &mut impl WriteAnswer,
        sent: &mut Sent,
        activity: Option<&Activity>,
    ) -> Result<(), Failure> {
        let mut recheck_at = Instant::now() + RECHECK_INTERVAL;
        loop {
            let part = tokio::select! {
                biased;
                part = from.read_body() => part,
                () = to.gone() => return Err(Failure::ClientGone(sent.clone())),
            };
            match part {
                Ok(Some(part)) => {
                    if let Some(activity) = activity {
                        activity.note();
                    }
                    self.give(part, to, sent, &mut recheck_at).await?;
                }
                Ok(None) => return Ok(()),
                Err(UpstreamError::TimedOut) if activity.is_some_and(Activity::is_recent) => {}
                Err(error) => return Err(Failure::AnswerBroken(sent.clone(), error)),
            }
        }
    }

    /// Gives the client a part of the answer's body, unless it is banned.
    pub(super) async fn give(
        &self,
        part: &[u8],
        to: &mut impl WriteAnswer,
        sent: &mut Sent,
        recheck_at: &mut Instant,
    ) -> Result<(), Failure> {
        let sending = pin!(to.send_body(part));
        match self.context.facts.wait_with_memory(sending).await {
            Ok(Ok(())) => {}
            Ok(Err(Gone)) => return Err(Failure::ClientGone(sent.clone())),
            Err(Evicted) => return Err(Failure::Evicted(sent.clone())),
        }
        sent.bytes += part.len() as u64;
        let now = Instant::now();
        if now >= *recheck_at {
            *recheck_at = now + RECHECK_INTERVAL;
            if let Some(cause) = self.context.banned_by() {
                return Err(Failure::Banned(sent.clone(), cause));
            }
        }
        Ok(())
    }
}
