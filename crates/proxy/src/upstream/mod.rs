//! The backend's side of one exchange: a request to write, an answer to read.
//!
//! The counterpart of `downstream`: the way of a request is written once, whatever a backend speaks.

mod http1;

use std::time::Duration;

use http::StatusCode;
use palisade_transport::Connection;
use palisade_upstream::{InFlight, Timeouts};
use palisade_vocabulary::Tick;
use pingora_core::protocols::http::v1::client::HttpSession;
use pingora_http::{RequestHeader, ResponseHeader};

use http1::Http1;

/// The backend's side of one exchange.
pub(crate) enum Upstream {
    Http1(Http1),
}

/// Why there is no answer, or not all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpstreamError {
    /// The backend closed the connection, or the network did.
    Broken,
    /// The backend took, or gave, nothing for too long.
    TimedOut,
    /// What came is no answer to what was asked.
    BadAnswer,
}

impl UpstreamError {
    /// 504 where time ran out, 502 where the server broke (RFC 9110 sections 15.6.3 and 15.6.5).
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::TimedOut => 504,
            Self::Broken | Self::BadAnswer => 502,
        }
    }
}

/// What kind of answer the head belongs to that was read last.
#[derive(Clone, Debug)]
pub(crate) enum AnswerKind {
    Final,
    /// To be passed on; the final one is still to come.
    Informational(Box<ResponseHeader>),
    /// `100 Continue`: we met the expectation ourselves.
    Continue,
}

impl Upstream {
    /// Sends a request's head on a connection.
    pub(crate) async fn begin(
        connection: Box<Connection>,
        timeouts: Timeouts,
        head: Box<RequestHeader>,
    ) -> Result<Self, UpstreamError> {
        Http1::begin(connection, timeouts, head)
            .await
            .map(Self::Http1)
    }

    /// Sends a part of the request's body, never an empty one.
    pub(crate) async fn send_body(&mut self, part: &[u8]) -> Result<(), UpstreamError> {
        match self {
            Self::Http1(side) => side.send_body(part).await,
        }
    }

    /// Ends the request.
    pub(crate) async fn finish(&mut self) -> Result<(), UpstreamError> {
        match self {
            Self::Http1(side) => side.finish().await,
        }
    }

    /// Reads the head of the next answer, in at most `within`. Cancel safe.
    pub(crate) async fn read_head(
        &mut self,
        within: Option<Duration>,
    ) -> Result<AnswerKind, UpstreamError> {
        match self {
            Self::Http1(side) => side.read_head(within).await?,
        }
        let head = self.head().ok_or(UpstreamError::BadAnswer)?;
        match head.status {
            StatusCode::SWITCHING_PROTOCOLS if self.was_upgraded() => Ok(AnswerKind::Final),
            StatusCode::SWITCHING_PROTOCOLS => Err(UpstreamError::BadAnswer),
            StatusCode::CONTINUE => Ok(AnswerKind::Continue),
            status if status.is_informational() => {
                Ok(AnswerKind::Informational(Box::new(head.clone())))
            }
            _ => Ok(AnswerKind::Final),
        }
    }

    /// The head that was read last.
    pub(crate) fn head(&self) -> Option<&ResponseHeader> {
        match self {
            Self::Http1(side) => side.head(),
        }
    }

    fn was_upgraded(&self) -> bool {
        match self {
            Self::Http1(side) => side.was_upgraded(),
        }
    }

    /// Whether nothing follows the head, or what has been read of the body.
    pub(crate) fn body_done(&mut self) -> bool {
        match self {
            Self::Http1(side) => side.body_done(),
        }
    }

    /// The next part of the answer's body; `None` at its end. Cancel safe.
    pub(crate) async fn read_body(&mut self) -> Result<Option<&[u8]>, UpstreamError> {
        match self {
            Self::Http1(side) => side.read_body().await,
        }
    }

    /// Ends an exchange of which both request and answer are complete: what it ran on may serve
    /// another.
    pub(crate) async fn keep(self, server: InFlight, now: Tick) {
        match self {
            Self::Http1(side) => side.keep(server, now).await,
        }
    }

    /// The session of an upgraded connection, which a tunnel goes on with.
    pub(crate) fn into_session(self) -> HttpSession {
        match self {
            Self::Http1(side) => side.into_session(),
        }
    }
}
