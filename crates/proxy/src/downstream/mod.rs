//! The client's side of one exchange: a request body to read, an answer to write.
//!
//! One type over HTTP/1 and HTTP/2, so that the life of a request is written once.

mod http1;
mod http2;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use pingora_http::ResponseHeader;

pub(crate) use http1::{Http1, Reusable};
pub(crate) use http2::Http2;

use crate::respond::response_head;

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

    /// Takes the session of an HTTP/1 connection, which a tunnel goes on with.
    pub(crate) fn take_for_tunnel(&mut self) -> Option<Box<Http1>> {
        let headers = Box::new(self.headers().clone());
        match std::mem::replace(self, Self::Tunnelled(headers)) {
            Self::Http1(side) => Some(side),
            Self::Http2(_) | Self::Tunnelled(_) => None,
        }
    }

    /// The next part of the request's body, never an empty one; `None` at its end. Cancel safe.
    pub(crate) async fn read_body(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let part = match self {
                Self::Http1(side) => side.read_body().await?,
                Self::Http2(side) => side.read_body().await?,
                Self::Tunnelled(_) => None,
            };
            // Sessions give empty parts between chunks. Written as a chunk, one would be the end of
            // the body (RFC 9112 section 7.1), and what follows another request.
            if part.as_ref().is_none_or(|part| !part.is_empty()) {
                return Ok(part);
            }
        }
    }

    /// Whether the request's body was read to its end; a body of no bytes was.
    pub(crate) fn body_done(&mut self) -> bool {
        match self {
            Self::Http1(side) => side.body_done(),
            Self::Http2(side) => side.body_done(),
            Self::Tunnelled(_) => true,
        }
    }

    /// `100 Continue` (RFC 9110 section 10.1.1): the client may send its body.
    pub(crate) async fn send_continue(&mut self) -> Result<(), Gone> {
        self.send_informational(response_head(StatusCode::CONTINUE))
            .await
    }

    /// An informational answer (RFC 9110 section 15.2), 101 excepted.
    pub(crate) async fn send_informational(&mut self, head: ResponseHeader) -> Result<(), Gone> {
        match self {
            Self::Http1(side) => side.send_informational(Box::new(head)).await,
            Self::Http2(side) => side.send_informational(head.status, &head.headers),
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
    pub(crate) async fn send_head(
        &mut self,
        head: Box<ResponseHeader>,
        end: bool,
    ) -> Result<(), Gone> {
        match self {
            Self::Http1(side) => side.send_head(head).await,
            Self::Http2(side) => side.send_head(&head, end),
            Self::Tunnelled(_) => Err(Gone),
        }
    }

    /// The next part of the answer's body.
    pub(crate) async fn send_body(&mut self, part: &[u8]) -> Result<(), Gone> {
        if part.is_empty() {
            // See `read_body`: an empty chunk would be the end.
            return Ok(());
        }
        match self {
            Self::Http1(side) => side.send_body(part).await,
            Self::Http2(side) => side.send_body(part).await,
            Self::Tunnelled(_) => Err(Gone),
        }
    }

    /// The end of the answer.
    pub(crate) async fn finish(&mut self) -> Result<(), Gone> {
        match self {
            Self::Http1(side) => side.finish().await,
            Self::Http2(side) => side.finish(),
            Self::Tunnelled(_) => Ok(()),
        }
    }

    /// What the client has been sent so far: a status, 0 before there is one, and bytes of body. A
    /// tunnel's bytes are not counted.
    pub(crate) fn sent(&self) -> (u16, u64) {
        match self {
            Self::Http1(side) => side.sent(),
            Self::Http2(side) => side.sent(),
            Self::Tunnelled(_) => (StatusCode::SWITCHING_PROTOCOLS.as_u16(), 0),
        }
    }

    /// Breaks the exchange off, so that the client can't take what it has for a whole answer.
    pub(crate) fn abort(&mut self) {
        match self {
            Self::Http1(side) => side.abort(),
            Self::Http2(side) => side.abort(),
            Self::Tunnelled(_) => {}
        }
    }

    /// Completes when the client goes away. To be asked only once the body was read.
    pub(crate) async fn gone(&mut self) {
        match self {
            Self::Http1(side) => side.gone().await,
            Self::Http2(side) => side.gone().await,
            Self::Tunnelled(_) => {}
        }
    }

    /// Whether the answer was broken off because the client took nothing of it for too long.
    pub(crate) fn has_stalled(&self) -> bool {
        match self {
            Self::Http1(side) => side.has_stalled(),
            Self::Http2(side) => side.has_stalled(),
            Self::Tunnelled(_) => false,
        }
    }

    /// How long a client may take nothing of an answer.
    pub(crate) fn set_write_timeout(&mut self, timeout: Duration) {
        match self {
            Self::Http1(side) => side.set_write_timeout(timeout),
            Self::Http2(side) => side.set_write_timeout(timeout),
            Self::Tunnelled(_) => {}
        }
    }
}
