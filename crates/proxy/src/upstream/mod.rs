//! The backend's side of one exchange: a request to write, an answer to read.
//!
//! The counterpart of `downstream`: the way of a request is written once, whatever a backend speaks.

mod http1;
mod http2;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::Reason;
use http::{HeaderMap, StatusCode};
use palisade_telemetry::BackendProtocol;
use palisade_transport::Connection;
use palisade_upstream::InFlight;
use palisade_vocabulary::Tick;

use crate::answer_head::AnswerHead;

pub(crate) use self::http1::{Http1, head};
pub(crate) use self::http2::{AnswerReader, Http2, RequestWriter};

/// The backend's side of one exchange, of which the request's head was sent.
pub(crate) enum Upstream {
    Http1(Http1),
    Http2(Box<Http2>),
}

/// Why there is no answer, or not all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpstreamError {
    /// The backend closed the connection, or the network did.
    Broken,
    /// The same, and another request on that connection has told of it.
    BrokenBefore,
    /// The backend took, or gave, nothing for too long.
    TimedOut,
    /// What came is no answer to what was asked.
    BadAnswer,
    /// The backend reset the stream.
    Reset(Reason),
    /// The backend ended the connection before it did anything about the request, and says so.
    GoneAway,
    /// The backend refused the request before it did anything about it.
    Refused,
}

impl UpstreamError {
    /// 504 where time ran out, 503 where the server had no time, 502 where it broke (RFC 9110
    /// sections 15.6.3 to 15.6.5).
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::TimedOut => 504,
            Self::GoneAway | Self::Refused => 503,
            _ => 502,
        }
    }

    /// Whether it is to be held against the server, once for each time that it fails.
    pub(crate) fn blames_server(self) -> bool {
        !matches!(self, Self::BrokenBefore | Self::GoneAway)
    }

    /// Whether the server said that it did nothing about the request (RFC 9113 section 8.7).
    pub(crate) fn is_unprocessed(self) -> bool {
        matches!(self, Self::GoneAway | Self::Refused)
    }

    /// Whether a server that had begun to answer is to be blamed for it.
    pub(crate) fn blames_answering_server(self) -> bool {
        matches!(self, Self::Broken | Self::TimedOut | Self::BadAnswer)
    }

    /// Whether the connection broke.
    pub(crate) fn is_break(self) -> bool {
        matches!(self, Self::Broken | Self::BrokenBefore)
    }

    /// What a client's stream is reset with whose answer breaks off so (RFC 9113 section 7). The
    /// codes that a client can make something of are passed on; the others are between the backend
    /// and us.
    pub(crate) fn reset_reason(self) -> Reason {
        match self {
            Self::Reset(reason @ (Reason::CANCEL | Reason::ENHANCE_YOUR_CALM)) => reason,
            _ => Reason::INTERNAL_ERROR,
        }
    }
}

/// What kind of answer the head belongs to that was read last.
#[derive(Clone, Debug)]
pub(crate) enum AnswerKind {
    Final,
    /// To be passed on; the final one is still to come.
    Informational(Box<AnswerHead>),
    /// `100 Continue`: we met the expectation ourselves.
    Continue,
}

impl Upstream {
    /// What is spoken with the backend.
    pub(crate) fn protocol(&self) -> BackendProtocol {
        match self {
            Self::Http1(_) => BackendProtocol::Http1,
            Self::Http2(_) => BackendProtocol::Http2,
        }
    }

    /// Sends a part of the request's body, never an empty one. Over HTTP/2 the answer may begin
    /// before all of it was sent; then a rest is left unsent.
    pub(crate) async fn send_body(&mut self, part: &Bytes) -> Result<(), UpstreamError> {
        match self {
            Self::Http1(side) => side.send_body(part).await,
            Self::Http2(side) => side.send_body(Bytes::clone(part)).await,
        }
    }

    /// Ends the request; whether it did: not when a rest is unsent. HTTP/1 carries no trailers.
    pub(crate) async fn finish(
        &mut self,
        trailers: Option<HeaderMap>,
    ) -> Result<bool, UpstreamError> {
        match self {
            Self::Http1(side) => side.finish().await.map(|()| true),
            Self::Http2(side) => side.finish(trailers),
        }
    }

    /// Reads the head of the next answer, in at most `within`. Cancel safe.
    pub(crate) async fn read_head(
        &mut self,
        within: Option<Duration>,
    ) -> Result<AnswerKind, UpstreamError> {
        match self {
            Self::Http1(side) => side.read_head(within).await,
            Self::Http2(side) => side.read_head(within).await,
        }
    }

    /// Gives the head away that was read last, to be changed and passed on.
    pub(crate) fn take_head(&mut self) -> Option<Box<AnswerHead>> {
        match self {
            Self::Http1(side) => side.take_head(),
            Self::Http2(side) => side.answer_mut().take_head(),
        }
    }

    /// Whether nothing follows the head, or what has been read of the body.
    pub(crate) fn body_done(&self) -> bool {
        match self {
            Self::Http1(side) => side.body_done(),
            Self::Http2(side) => side.answer().body_done(),
        }
    }

    /// The error as it is to be held against the server: of the requests that meet the break of one
    /// connection one alone is.
    pub(crate) fn told_once(&self, error: UpstreamError) -> UpstreamError {
        match self {
            Self::Http1(_) => error,
            Self::Http2(side) => side.told_once(error),
        }
    }

    /// What the answer ends with after its body.
    pub(crate) async fn read_trailers(&mut self) -> Result<Option<HeaderMap>, UpstreamError> {
        match self {
            Self::Http1(_) => Ok(None),
            Self::Http2(side) => side.answer_mut().read_trailers().await,
        }
    }

    /// Ends an exchange of which both request and answer are complete: what it ran on may serve
    /// another.
    pub(crate) async fn keep(self, server: InFlight, now: Tick) {
        match self {
            Self::Http1(side) => side.keep(server, now).await,
            Self::Http2(side) => side.keep(now),
        }
    }

    /// An upgraded connection, which a tunnel goes on with, and what came of it behind the head.
    pub(crate) fn into_upgraded(self) -> Option<(Box<Connection>, BytesMut)> {
        match self {
            Self::Http1(side) => Some(side.into_upgraded()),
            Self::Http2(_) => None,
        }
    }
}

/// What an answer's body is read from.
pub(crate) trait ReadAnswer {
    /// The next part of the body; `None` at its end. Cancel safe.
    async fn read_body(&mut self) -> Result<Option<&[u8]>, UpstreamError>;
}

impl ReadAnswer for Upstream {
    async fn read_body(&mut self) -> Result<Option<&[u8]>, UpstreamError> {
        match self {
            Self::Http1(side) => side.read_body().await,
            Self::Http2(side) => side.answer_mut().read_body().await,
        }
    }
}

impl ReadAnswer for AnswerReader {
    async fn read_body(&mut self) -> Result<Option<&[u8]>, UpstreamError> {
        Self::read_body(self).await
    }
}

/// The kind of an answer over HTTP/1, which alone can switch protocols.
fn kind_of(head: &AnswerHead, was_upgraded: bool) -> Result<AnswerKind, UpstreamError> {
    match head.status {
        StatusCode::SWITCHING_PROTOCOLS if was_upgraded => Ok(AnswerKind::Final),
        StatusCode::SWITCHING_PROTOCOLS => Err(UpstreamError::BadAnswer),
        StatusCode::CONTINUE => Ok(AnswerKind::Continue),
        status if status.is_informational() => {
            Ok(AnswerKind::Informational(Box::new(head.clone())))
        }
        _ => Ok(AnswerKind::Final),
    }
}
