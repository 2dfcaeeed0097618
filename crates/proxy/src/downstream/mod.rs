//! The client's side of one exchange: a request body to read, an answer to write.
//!
//! One type over HTTP/1 and HTTP/2, so that the life of a request is written once.

mod http1;
mod http2;
mod pace;

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, StatusCode};

pub(crate) use http1::{Http1, second_opinion};
pub(crate) use http2::{AnswerWriter, Http2, RequestReader, http2_response};
pub(crate) use pace::AnswerPace;

use crate::answer_head::AnswerHead;

/// The client's side of one exchange.
pub(crate) enum Downstream<'a> {
    Http1(Box<Http1>),
    Http2(Box<Http2<'a>>),
    /// The connection was upgraded and went to a tunnel; the request's header fields stayed.
    Tunnelled(Box<HeaderMap>),
}

/// Why a request's body can't be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// Bad chunks, or a length that the body doesn't keep.
    Malformed,
    /// The client went away.
    Gone,
}

/// The client went away, or took nothing of the answer for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

impl Downstream<'_> {
    /// The request's header fields, as sent; cookie crumbs joined.
    pub(crate) fn headers(&self) -> &HeaderMap {
        match self {
            Self::Http1(side) => side.headers(),
            Self::Http2(side) => side.headers(),
            Self::Tunnelled(headers) => headers,
        }
    }

    /// Takes an HTTP/1 connection, which a tunnel goes on with.
    pub(crate) fn take_for_tunnel(&mut self) -> Option<Box<Http1>> {
        let headers = Box::new(self.headers().clone());
        match std::mem::replace(self, Self::Tunnelled(headers)) {
            Self::Http1(side) => Some(side),
            Self::Http2(_) | Self::Tunnelled(_) => None,
        }
    }

    /// What came after the request's body, once that was read to its end. Over HTTP/1 it is dropped.
    pub(crate) fn take_trailers(&mut self) -> Option<HeaderMap> {
        match self {
            Self::Http2(side) => side.request_mut().take_trailers(),
            Self::Http1(_) | Self::Tunnelled(_) => None,
        }
    }

    /// `100 Continue` (RFC 9110 section 10.1.1): the client may send its body.
    pub(crate) async fn send_continue(&mut self) -> Result<(), Gone> {
        self.send_informational(AnswerHead::new(StatusCode::CONTINUE, 0))
            .await
    }

    /// An informational answer (RFC 9110 section 15.2), 101 excepted.
    pub(crate) async fn send_informational(&mut self, head: AnswerHead) -> Result<(), Gone> {
        match self {
            Self::Http1(side) => side.send_informational(Box::new(head)).await,
            Self::Http2(side) => side.answer_mut().send_informational(&head),
            Self::Tunnelled(_) => Err(Gone),
        }
    }

    /// No request follows this one on its connection, and the head of its answer says so
    /// (RFC 9112 section 9.6). HTTP/2 tells it for the whole connection.
    pub(crate) fn end_after_this(&mut self) {
        if let Self::Http1(side) = self {
            side.end_after_this();
        }
    }

    /// The head of the answer; `end` where no body follows.
    pub(crate) async fn send_head(&mut self, head: Box<AnswerHead>, end: bool) -> Result<(), Gone> {
        match self {
            Self::Http1(side) => side.send_head(head).await,
            Self::Http2(side) => side.answer_mut().send_head(&head, end),
            Self::Tunnelled(_) => Err(Gone),
        }
    }

    /// The end of the answer. Over HTTP/1 trailers are dropped.
    pub(crate) async fn finish(&mut self, trailers: Option<HeaderMap>) -> Result<(), Gone> {
        match self {
            Self::Http1(side) => side.finish().await,
            Self::Http2(side) => side.answer_mut().finish(trailers),
            Self::Tunnelled(_) => Ok(()),
        }
    }

    /// What the client has been sent so far: a status, 0 before there is one, and bytes of body. A
    /// tunnel's bytes are not counted.
    pub(crate) fn sent(&self) -> (u16, u64) {
        match self {
            Self::Http1(side) => side.sent(),
            Self::Http2(side) => side.answer().sent(),
            Self::Tunnelled(_) => (StatusCode::SWITCHING_PROTOCOLS.as_u16(), 0),
        }
    }

    /// Breaks the exchange off, so that the client can't take what it has for a whole answer; over
    /// HTTP/2 it is told `reason`.
    pub(crate) fn abort(&mut self, reason: Reason) {
        match self {
            Self::Http1(side) => side.abort(),
            Self::Http2(side) => side.answer_mut().abort(reason),
            Self::Tunnelled(_) => {}
        }
    }

    /// Whether the answer was broken off because the client took nothing of it for too long.
    pub(crate) fn has_stalled(&self) -> bool {
        match self {
            Self::Http1(side) => side.has_stalled(),
            Self::Http2(side) => side.answer().has_stalled(),
            Self::Tunnelled(_) => false,
        }
    }

    /// How slowly the client may take the answer.
    pub(crate) fn set_pace(&mut self, pace: AnswerPace) {
        match self {
            Self::Http1(side) => side.set_pace(pace),
            Self::Http2(side) => side.answer_mut().set_pace(pace),
            Self::Tunnelled(_) => {}
        }
    }
}

/// What a request's body is read from.
pub(crate) trait ReadRequest {
    /// The next part of the body, never an empty one; `None` at its end. Cancel safe.
    async fn read_body(&mut self) -> Result<Option<Bytes>, BodyError>;
}

impl ReadRequest for Downstream<'_> {
    async fn read_body(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let part = match self {
                Self::Http1(side) => side.read_body().await?,
                Self::Http2(side) => return side.request_mut().read_body().await,
                Self::Tunnelled(_) => None,
            };
            // Written as a chunk, an empty part would be the end of the body (RFC 9112 section 7.1), and what
            // follows another request.
            if part.as_ref().is_none_or(|part| !part.is_empty()) {
                return Ok(part);
            }
        }
    }
}

impl ReadRequest for RequestReader {
    async fn read_body(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let part = self.read_part().await?;
            if part.as_ref().is_none_or(|part| !part.is_empty()) {
                return Ok(part);
            }
        }
    }
}

/// What an answer's body is written to.
pub(crate) trait WriteAnswer {
    /// The next part of the body.
    async fn send_body(&mut self, part: &[u8]) -> Result<(), Gone>;

    /// Completes when the client goes away, as far as that can be known: over HTTP/1 only once the
    /// request's body was read.
    async fn gone(&mut self);
}

impl WriteAnswer for Downstream<'_> {
    async fn send_body(&mut self, part: &[u8]) -> Result<(), Gone> {
        if part.is_empty() {
            // See `read_body`: an empty chunk would be the end.
            return Ok(());
        }
        match self {
            Self::Http1(side) => side.send_body(part).await,
            Self::Http2(side) => side.answer_mut().send_body(part).await,
            Self::Tunnelled(_) => Err(Gone),
        }
    }

    async fn gone(&mut self) {
        match self {
            Self::Http1(side) => side.gone().await,
            Self::Http2(side) => side.answer_mut().reset().await,
            Self::Tunnelled(_) => {}
        }
    }
}

impl WriteAnswer for AnswerWriter {
    async fn send_body(&mut self, part: &[u8]) -> Result<(), Gone> {
        Self::send_body(self, part).await
    }

    async fn gone(&mut self) {
        self.reset().await;
    }
}
