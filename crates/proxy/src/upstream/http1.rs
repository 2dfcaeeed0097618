//! The backend's side over HTTP/1.

pub(crate) mod head;

use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use futures_util::poll;
use palisade_transport::Connection;
use palisade_upstream::{InFlight, Timeouts};
use palisade_vocabulary::Tick;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use self::head::{Asked, HEAD_BYTES_MAX, body_of, keeps_connection, take_head};
use super::{AnswerKind, UpstreamError, kind_of};
use crate::answer_head::AnswerHead;
use crate::framing::{Body, ChunkHead, Malformed, Step};
use crate::outgoing::{OutgoingBody, RequestHead};

/// A head is read in pieces of this size; most fit one.
const HEAD_READ_BYTES: usize = 4096;

/// The most bytes of a body that are read at once.
const PART_BYTES_MAX: usize = 64 * 1024;

/// One request on a connection that speaks HTTP/1.
pub(crate) struct Http1 {
    connection: Box<Connection>,
    timeouts: Timeouts,
    asked: Asked,
    /// What is to come of the request's body.
    unsent: OutgoingBody,
    /// What came and wasn't used yet.
    received: BytesMut,
    /// How much of it was given away last.
    given: usize,
    head: Option<Box<AnswerHead>>,
    body: Body,
    /// Whether the connection may have another request once this answer is over.
    may_go_on: bool,
}

impl Http1 {
    /// Sends the request's head.
    pub(crate) async fn begin(
        mut connection: Box<Connection>,
        timeouts: Timeouts,
        head: RequestHead,
    ) -> Result<Self, UpstreamError> {
        connection.hold_nothing();
        let sent = async {
            connection.write_all(&head.wire).await?;
            connection.flush().await
        };
        within(timeouts.write(), sent).await?;
        Ok(Self {
            connection,
            timeouts,
            asked: Asked {
                is_head: head.is_head,
                wants_upgrade: head.wants_upgrade,
            },
            unsent: head.body,
            received: BytesMut::new(),
            given: 0,
            head: None,
            body: Body::UntilClose,
            may_go_on: false,
        })
    }

    /// Sends a part of the body: of one whose length was told no more than that.
    pub(super) async fn send_body(&mut self, part: &[u8]) -> Result<(), UpstreamError> {
        let connection = &mut self.connection;
        match &mut self.unsent {
            OutgoingBody::None => Ok(()),
            OutgoingBody::Length(left) => {
                let length = usize::try_from(*left).map_or(part.len(), |left| left.min(part.len()));
                let part = part.get(..length).unwrap_or_default();
                within(self.timeouts.write(), connection.write_all(part)).await?;
                *left -= length as u64;
                Ok(())
            }
            OutgoingBody::Chunked => {
                let head = ChunkHead::of(part.len());
                let mut chunk = head.as_bytes().chain(part).chain(&b"\r\n"[..]);
                let sent = async {
                    connection.write_all_buf(&mut chunk).await?;
                    connection.flush().await
                };
                within(self.timeouts.write(), sent).await
            }
        }
    }

    /// Ends the request.
    pub(super) async fn finish(&mut self) -> Result<(), UpstreamError> {
        let end: &[u8] = match self.unsent {
            OutgoingBody::None => return Ok(()),
            OutgoingBody::Length(0) => b"",
            OutgoingBody::Length(_) => return Err(UpstreamError::BadAnswer),
            OutgoingBody::Chunked => b"0\r\n\r\n",
        };
        let sent = async {
            self.connection.write_all(end).await?;
            self.connection.flush().await
        };
        within(self.timeouts.write(), sent).await
    }

    /// Reads the next head, and waits for each part of it for at most `patience`. Cancel safe.
    pub(super) async fn read_head(
        &mut self,
        patience: Option<Duration>,
    ) -> Result<AnswerKind, UpstreamError> {
        let (mut head, version) = loop {
            if !self.received.is_empty()
                && let Some(head) = take_head(&mut self.received)?
            {
                break head;
            }
            if self.received.len() >= HEAD_BYTES_MAX {
                return Err(UpstreamError::BadAnswer);
            }
            self.received.reserve(HEAD_READ_BYTES);
            let read = self.connection.read_within(&mut self.received, patience);
            if read.await? == 0 {
                return Err(UpstreamError::Broken);
            }
        };
        let was_upgraded = head.status == http::StatusCode::SWITCHING_PROTOCOLS
            && version == http::Version::HTTP_11
            && self.asked.wants_upgrade;
        let kind = kind_of(&head, was_upgraded)?;
        self.body = body_of(&mut head, self.asked)?;
        self.may_go_on = self.body != Body::UntilClose && keeps_connection(&head, version);
        self.head = Some(Box::new(head));
        Ok(kind)
    }

    /// Gives the head away, to be changed and passed on.
    pub(super) fn take_head(&mut self) -> Option<Box<AnswerHead>> {
        self.head.take()
    }

    pub(super) fn body_done(&self) -> bool {
        self.body.is_over()
    }

    pub(super) async fn read_body(&mut self) -> Result<Option<&[u8]>, UpstreamError> {
        self.received.advance(std::mem::take(&mut self.given));
        loop {
            match self.body.next(&self.received)? {
                Step::Part { skip, length } => {
                    self.received.advance(skip);
                    self.given = length;
                    return Ok(self.received.get(..length));
                }
                Step::End { skip } => {
                    self.received.advance(skip);
                    return Ok(None);
                }
                Step::More { skip } => self.received.advance(skip),
            }
            let left = usize::try_from(self.body.bytes_left_max()).unwrap_or(PART_BYTES_MAX);
            self.received.reserve(left.min(PART_BYTES_MAX));
            let patience = Some(self.timeouts.read());
            let read = self.connection.read_within(&mut self.received, patience);
            if read.await? == 0 && !self.body.end_of_connection() {
                return Err(UpstreamError::Broken);
            }
        }
    }

    /// Keeps the connection for a later request if both sides agreed to: not when the backend said more than
    /// its answer.
    pub(super) async fn keep(mut self, server: InFlight, now: Tick) {
        self.received.advance(std::mem::take(&mut self.given));
        if self.may_go_on && self.body.is_over() && self.received.is_empty() {
            server.keep(self.connection, now);
        } else {
            // The backend may be gone; there is nobody left to tell.
            let _ = AsyncWriteExt::shutdown(&mut *self.connection).await;
        }
    }

    /// An upgraded connection, and what came behind the head.
    pub(super) fn into_upgraded(self) -> (Box<Connection>, BytesMut) {
        (self.connection, self.received)
    }
}

/// A write that has to wait does so for at most `time`; one that doesn't costs no timer.
async fn within<T>(
    time: Duration,
    write: impl Future<Output = io::Result<T>>,
) -> Result<T, UpstreamError> {
    let mut write = pin!(write);
    if let Poll::Ready(written) = poll!(write.as_mut()) {
        return Ok(written?);
    }
    match timeout(time, write).await {
        Ok(written) => Ok(written?),
        Err(_) => Err(UpstreamError::TimedOut),
    }
}

impl From<io::Error> for UpstreamError {
    fn from(error: io::Error) -> Self {
        // What the system calls a timeout is a connection that broke; `read_within` says it itself.
        match (error.kind(), error.raw_os_error()) {
            (io::ErrorKind::TimedOut, None) => Self::TimedOut,
            _ => Self::Broken,
        }
    }
}

impl From<Malformed> for UpstreamError {
    fn from(Malformed: Malformed) -> Self {
        Self::BadAnswer
    }
}
