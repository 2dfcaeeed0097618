//! The backend's side over HTTP/1: Pingora's client session.

use std::time::Duration;

use palisade_transport::Connection;
use palisade_upstream::{InFlight, Timeouts};
use palisade_vocabulary::Tick;
use pingora_core::protocols::http::v1::client::HttpSession;
use pingora_core::{Error, ErrorType};
use pingora_http::{RequestHeader, ResponseHeader};
use tokio::time::timeout;

use super::{AnswerKind, UpstreamError, kind_of};

/// One request on a connection that speaks HTTP/1.
pub(crate) struct Http1 {
    session: HttpSession,
    timeouts: Timeouts,
}

impl Http1 {
    /// Sends the request's head.
    pub(crate) async fn begin(
        connection: Box<Connection>,
        timeouts: Timeouts,
        head: Box<RequestHeader>,
    ) -> Result<Self, UpstreamError> {
        let mut session = HttpSession::new(connection);
        session.write_timeout = Some(timeouts.write());
        // Pingora bounds each write but those of a head and of an end.
        within(timeouts.write(), session.write_request_header(head)).await?;
        Ok(Self { session, timeouts })
    }

    pub(super) async fn send_body(&mut self, part: &[u8]) -> Result<(), UpstreamError> {
        self.session.write_body(part).await?;
        Ok(())
    }

    pub(super) async fn finish(&mut self) -> Result<(), UpstreamError> {
        within(self.timeouts.write(), self.session.finish_body()).await?;
        Ok(())
    }

    pub(super) async fn read_head(
        &mut self,
        within: Option<Duration>,
    ) -> Result<AnswerKind, UpstreamError> {
        self.session.read_timeout = within;
        self.session.read_response().await?;
        let head = self.head().ok_or(UpstreamError::BadAnswer)?;
        kind_of(head, self.session.was_upgraded())
    }

    pub(super) fn head(&self) -> Option<&ResponseHeader> {
        self.session.resp_header()
    }

    pub(super) fn body_done(&mut self) -> bool {
        self.session.is_body_done()
    }

    pub(super) async fn read_body(&mut self) -> Result<Option<&[u8]>, UpstreamError> {
        self.session.read_timeout = Some(self.timeouts.read());
        Ok(self.session.read_body_ref().await?)
    }

    /// Keeps the connection for a later request if both sides agreed to.
    pub(super) async fn keep(mut self, server: InFlight, now: Tick) {
        self.session.respect_keepalive();
        if let Some(stream) = self.session.reuse().await {
            server.keep(stream, now);
        }
    }

    pub(super) fn into_session(self) -> HttpSession {
        self.session
    }
}

async fn within<T>(
    time: Duration,
    write: impl Future<Output = pingora_core::Result<T>>,
) -> Result<T, UpstreamError> {
    match timeout(time, write).await {
        Ok(written) => Ok(written?),
        Err(_) => Err(UpstreamError::TimedOut),
    }
}

impl From<Box<Error>> for UpstreamError {
    fn from(error: Box<Error>) -> Self {
        match error.etype() {
            ErrorType::ConnectionClosed | ErrorType::ReadError | ErrorType::WriteError => {
                Self::Broken
            }
            ErrorType::ReadTimedout | ErrorType::WriteTimedout => Self::TimedOut,
            _ => Self::BadAnswer,
        }
    }
}
