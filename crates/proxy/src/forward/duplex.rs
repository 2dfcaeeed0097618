//! An answer that begins before its request has ended: both go on at the same time.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use palisade_hygiene::RefusalReason;

use super::read_ahead::ReadAhead;
use super::{Failure, Forwarding, Sent};
use crate::body::{BodyFailure, BodyReader};
use crate::downstream::{self, Downstream, RequestReader, WriteAnswer};
use crate::outgoing;
use crate::request::RECHECK_INTERVAL;
use crate::upstream::{Http2, RequestWriter, UpstreamError};

/// When something was last said on either side.
pub(super) struct Activity {
    begun: Instant,
    last_millis: AtomicU64,
    pause_max: Duration,
}

impl Activity {
    fn new(pause_max: Duration) -> Self {
        Self {
            begun: Instant::now(),
            last_millis: AtomicU64::new(0),
            pause_max,
        }
    }

    /// Something was said.
    pub(super) fn note(&self) {
        self.last_millis.store(self.millis(), Relaxed);
    }

    /// Whether something was said lately, so that the one side may wait for the other.
    pub(super) fn is_recent(&self) -> bool {
        let silent = self.millis().saturating_sub(self.last_millis.load(Relaxed));
        Duration::from_millis(silent) < self.pause_max
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Forwarding<'_> {
    /// Passes what is left of the request on, and the answer, neither waiting for the other.
    pub(super) async fn pass_both_ways(
        &self,
        upstream: &mut Http2,
        body: ReadAhead,
        downstream: &mut downstream::Http2<'_>,
        sent: &mut Sent,
    ) -> Result<(), Failure> {
        let (to_backend, from_backend) = upstream.split();
        let (from_client, to_client) = downstream.split();
        let activity = Activity::new(self.backend.pool().timeouts().read());
        let failure = {
            let upload = self.upload(body, from_client, to_backend, &activity);
            let download = self.pass_body(from_backend, to_client, sent, Some(&activity));
            let (mut upload, mut download) = (pin!(upload), pin!(download));
            let mut uploads = true;
            loop {
                tokio::select! {
                    biased;
                    passed = &mut download => return passed,
                    uploaded = &mut upload, if uploads => match uploaded {
                        Ok(()) => uploads = false,
                        Err(failure) => break failure,
                    },
                }
            }
        };
        Err(late_failure(failure, sent))
    }

    /// Passes what is left of the request on. A backend that takes no more of it is no failure: its
    /// answer goes on, or tells.
    async fn upload(
        &self,
        body: ReadAhead,
        from_client: &mut RequestReader,
        to_backend: &mut RequestWriter,
        activity: &Activity,
    ) -> Result<(), BodyFailure> {
        let mut trailers = body.trailers;
        let mut sent = to_backend.flush().await;
        if let Some(mut rest) = body.rest {
            while sent.is_ok() {
                match rest.next_joined(from_client).await {
                    Ok(Some(part)) => {
                        activity.note();
                        sent = to_backend.send(part).await;
                    }
                    Ok(None) => break,
                    Err(failure) if may_wait(failure, &rest, activity) => {}
                    Err(failure) => return Err(failure),
                }
            }
            trailers = from_client.take_trailers();
            trailers = trailers.and_then(|read| outgoing::request_trailers(self.context, read));
        }
        if sent.is_ok() {
            let _ = to_backend.end(trailers);
        }
        Ok(())
    }

    /// The same for a client whose connection can't be read while it is written to: HTTP/1's. What
    /// the backend says goes first.
    pub(super) async fn pass_in_turns(
        &self,
        upstream: &mut Http2,
        mut body: ReadAhead,
        downstream: &mut Downstream<'_>,
        sent: &mut Sent,
    ) -> Result<(), Failure> {
        let (to_backend, from_backend) = upstream.split();
        let mut recheck_at = Instant::now() + RECHECK_INTERVAL;
        let mut uploads = true;
        loop {
            let from_client = client_says(body.rest.as_mut(), downstream);
            tokio::select! {
                biased;
                part = from_backend.read_body() => match part {
                    Ok(Some(part)) => self.give(part, downstream, sent, &mut recheck_at).await?,
                    Ok(None) => return Ok(()),
                    Err(UpstreamError::TimedOut) if body.rest.is_some() => {}
                    Err(error) => return Err(Failure::AnswerBroken(sent.clone(), error)),
                },
                flushed = to_backend.flush(), if !to_backend.is_flushed() => {
                    if flushed.is_err() {
                        // It takes no more: what is left of the request is of no use.
                        (uploads, body.rest) = (false, None);
                    }
                }
                part = from_client, if to_backend.is_flushed() => match part {
                    Ok(Some(part)) => to_backend.set_unsent(part),
                    Ok(None) => body.rest = None,
                    Err(failure) => return Err(late_failure(failure, sent)),
                },
            }
            if uploads && body.rest.is_none() && to_backend.is_flushed() {
                uploads = false;
                let _ = to_backend.end(body.trailers.take());
            }
        }
    }
}

async fn client_says(
    rest: Option<&mut BodyReader>,
    downstream: &mut Downstream<'_>,
) -> Result<Option<Bytes>, BodyFailure> {
    match rest {
        Some(rest) => rest.next_joined(downstream).await,
        None => {
            downstream.gone().await;
            Err(BodyFailure::Gone)
        }
    }
}

/// A call's client may say nothing for as long as its backend says something.
fn may_wait(failure: BodyFailure, rest: &BodyReader, activity: &Activity) -> bool {
    let too_slow = failure == BodyFailure::Refused(RefusalReason::BodyTooSlow);
    too_slow && rest.may_pause() && activity.is_recent()
}

/// What ends an answer that the client has some of.
fn late_failure(failure: BodyFailure, sent: &Sent) -> Failure {
    match failure {
        BodyFailure::Refused(reason) => Failure::BodyTooLate(sent.clone(), reason),
        BodyFailure::Gone => Failure::ClientGone(sent.clone()),
    }
}
