//! The backend's side over HTTP/2: one stream of the h2 crate.

use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response, StatusCode};
use palisade_upstream::{Http2Slot, Timeouts};
use palisade_vocabulary::Tick;
use tokio::time::timeout;

use super::{AnswerKind, UpstreamError};
use crate::answer_head::AnswerHead;

/// One stream of a connection that speaks HTTP/2.
pub(crate) struct Http2 {
    /// The place that the stream takes; counted as long as the stream is there.
    slot: Http2Slot,
    request: RequestWriter,
    answer: AnswerReader,
}

/// The half that is written.
pub(crate) struct RequestWriter {
    sending: SendStream<Bytes>,
    /// What waits for the backend to have room.
    unsent: Bytes,
    ended: bool,
    write_timeout: Duration,
}

/// The half that is read.
pub(crate) struct AnswerReader {
    response: ResponseFuture,
    /// A head that came while the body was being sent.
    early: Option<Result<AnswerKind, UpstreamError>>,
    head: Option<Box<AnswerHead>>,
    body: Option<RecvStream>,
    /// What was read last; its room is given back when more is asked for.
    part: Bytes,
    read_timeout: Duration,
}

impl Http2 {
    /// Sends the request's head; `end` where nothing follows.
    pub(crate) fn begin(
        slot: Http2Slot,
        timeouts: Timeouts,
        head: Request<()>,
        end: bool,
    ) -> Result<Self, UpstreamError> {
        let (response, sending) = match slot.send_request(head, end) {
            Ok(begun) => begun,
            // The connection has ended: nothing was sent on it.
            Err(error) if error.is_go_away() || error.is_io() => {
                return Err(UpstreamError::GoneAway);
            }
            Err(_) => return Err(UpstreamError::BadAnswer),
        };
        Ok(Self {
            slot,
            request: RequestWriter {
                sending,
                unsent: Bytes::new(),
                ended: end,
                write_timeout: timeouts.write(),
            },
            answer: AnswerReader {
                response,
                early: None,
                head: None,
                body: None,
                part: Bytes::new(),
                read_timeout: timeouts.read(),
            },
        })
    }

    /// Both halves, to be used at the same time.
    pub(crate) fn split(&mut self) -> (&mut RequestWriter, &mut AnswerReader) {
        (&mut self.request, &mut self.answer)
    }

    pub(super) fn answer(&self) -> &AnswerReader {
        &self.answer
    }

    pub(super) fn answer_mut(&mut self) -> &mut AnswerReader {
        &mut self.answer
    }

    /// Sends a part of the body. Ends early, with a rest unsent, when the answer begins.
    pub(super) async fn send_body(&mut self, part: Bytes) -> Result<(), UpstreamError> {
        let Self {
            request, answer, ..
        } = self;
        request.unsent = part;
        tokio::select! {
            biased;
            sent = request.flush() => sent,
            () = answer.begun() => Ok(()),
        }
    }

    /// Ends the request, unless a part of it is still unsent; whether it did.
    pub(super) fn finish(&mut self, trailers: Option<HeaderMap>) -> Result<bool, UpstreamError> {
        match self.request.unsent.is_empty() {
            true => self.request.end(trailers).map(|()| true),
            false => Ok(false),
        }
    }

    pub(super) async fn read_head(
        &mut self,
        within: Option<Duration>,
    ) -> Result<AnswerKind, UpstreamError> {
        let read = poll_fn(|cx| self.answer.poll_head(cx));
        let read = match within {
            Some(within) => timeout(within, read)
                .await
                .map_err(|_| UpstreamError::TimedOut)?,
            None => read.await,
        };
        read.map_err(|error| self.told_once(error))
    }

    /// Of the requests that meet the break of one connection, one alone is to hold it against the
    /// server.
    pub(super) fn told_once(&self, error: UpstreamError) -> UpstreamError {
        match error {
            UpstreamError::Broken if !self.slot.is_first_to_tell() => UpstreamError::BrokenBefore,
            error => error,
        }
    }

    /// Gives the place on the connection back. A stream that isn't over is reset.
    pub(super) fn keep(self, now: Tick) {
        self.slot.done(now);
    }
}

impl RequestWriter {
    /// Sends a part of the body.
    pub(crate) async fn send(&mut self, part: Bytes) -> Result<(), UpstreamError> {
        self.unsent = part;
        self.flush().await
    }

    /// Leaves a part to be flushed; nothing else may be unsent.
    pub(crate) fn set_unsent(&mut self, part: Bytes) {
        self.unsent = part;
    }

    /// Whether nothing is unsent.
    pub(crate) fn is_flushed(&self) -> bool {
        self.unsent.is_empty()
    }

    /// Sends what is unsent, as the backend takes it. Cancel safe.
    pub(crate) async fn flush(&mut self) -> Result<(), UpstreamError> {
        let flushed = self.flush_all().await;
        if flushed.is_err() {
            // The backend takes no more.
            self.unsent = Bytes::new();
        }
        flushed
    }

    async fn flush_all(&mut self) -> Result<(), UpstreamError> {
        while !self.unsent.is_empty() {
            self.sending.reserve_capacity(self.unsent.len());
            let capacity = poll_fn(|cx| self.sending.poll_capacity(cx));
            match timeout(self.write_timeout, capacity).await {
                Err(_) => return Err(UpstreamError::TimedOut),
                Ok(None) => return Err(UpstreamError::Broken),
                Ok(Some(capacity)) => {
                    let capacity = capacity?.min(self.unsent.len());
                    let now = self.unsent.split_to(capacity);
                    self.sending.send_data(now, false)?;
                }
            }
        }
        Ok(())
    }

    /// Ends the request; nothing may be unsent.
    pub(crate) fn end(&mut self, trailers: Option<HeaderMap>) -> Result<(), UpstreamError> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        match trailers {
            Some(trailers) => self.sending.send_trailers(trailers)?,
            None => self.sending.send_data(Bytes::new(), true)?,
        }
        Ok(())
    }
}

impl AnswerReader {
    pub(super) fn take_head(&mut self) -> Option<Box<AnswerHead>> {
        self.head.take()
    }

    /// Completes when the final answer begins, or can't any more. What comes before is kept.
    async fn begun(&mut self) {
        poll_fn(|cx| {
            if self.early.is_none() {
                self.early = match self.poll_next_head(cx) {
                    Poll::Ready(early) => Some(early),
                    Poll::Pending => return Poll::Pending,
                };
            }
            match &self.early {
                // The next one has to wait until this one is read.
                Some(Ok(AnswerKind::Informational(_) | AnswerKind::Continue)) => Poll::Pending,
                _ => Poll::Ready(()),
            }
        })
        .await;
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<AnswerKind, UpstreamError>> {
        match self.early.take() {
            Some(early) => Poll::Ready(early),
            None => self.poll_next_head(cx),
        }
    }

    fn poll_next_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<AnswerKind, UpstreamError>> {
        if let Poll::Ready(Some(informational)) = self.response.poll_informational(cx) {
            let informational = informational?;
            return Poll::Ready(Ok(match informational.status() {
                StatusCode::CONTINUE => AnswerKind::Continue,
                // RFC 9113 section 8.6.
                StatusCode::SWITCHING_PROTOCOLS => {
                    return Poll::Ready(Err(UpstreamError::BadAnswer));
                }
                _ => AnswerKind::Informational(Box::new(head_of(informational).0)),
            }));
        }
        let response = ready!(Pin::new(&mut self.response).poll(cx))?;
        let (head, body) = head_of(response);
        (self.head, self.body) = (Some(Box::new(head)), Some(body));
        Poll::Ready(Ok(AnswerKind::Final))
    }

    pub(super) fn body_done(&self) -> bool {
        self.body.as_ref().is_none_or(RecvStream::is_end_stream)
    }

    pub(crate) async fn read_body(&mut self) -> Result<Option<&[u8]>, UpstreamError> {
        let Some(body) = &mut self.body else {
            return Ok(None);
        };
        // The client has what was read before: the backend may send as much again. A failure shows
        // at the next read.
        let taken = mem::take(&mut self.part).len();
        let _ = body.flow_control().release_capacity(taken);
        while self.part.is_empty() {
            match timeout(self.read_timeout, body.data()).await {
                Err(_) => return Err(UpstreamError::TimedOut),
                Ok(None) => return Ok(None),
                Ok(Some(part)) => self.part = part?,
            }
        }
        Ok(Some(&self.part))
    }

    pub(super) async fn read_trailers(&mut self) -> Result<Option<HeaderMap>, UpstreamError> {
        let Some(body) = &mut self.body else {
            return Ok(None);
        };
        match timeout(self.read_timeout, body.trailers()).await {
            Err(_) => Err(UpstreamError::TimedOut),
            Ok(trailers) => Ok(trailers?),
        }
    }
}

fn head_of<T>(response: Response<T>) -> (AnswerHead, T) {
    let (parts, body) = response.into_parts();
    (AnswerHead::from(parts), body)
}

impl From<h2::Error> for UpstreamError {
    fn from(error: h2::Error) -> Self {
        match error.reason() {
            // RFC 9113 section 8.7: with either the server says that it did nothing about it.
            Some(Reason::REFUSED_STREAM) if error.is_reset() && error.is_remote() => Self::Refused,
            _ if error.is_go_away() && error.is_remote() => Self::GoneAway,
            Some(reason) if error.is_reset() && error.is_remote() => Self::Reset(reason),
            // RFC 9113 section 8.1.1: a malformed answer.
            _ if error.is_reset() => Self::BadAnswer,
            _ => Self::Broken,
        }
    }
}
