//! The client's side over HTTP/1: Pingora's server session.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use palisade_hygiene::h1::{ChunkCheck, Head};
use palisade_hygiene::{Framing, Refusal};
use palisade_transport::Connection;
use pingora_core::ErrorType;
use pingora_core::protocols::http::v1::server::HttpSession;
use pingora_http::{RequestHeader, ResponseHeader};

use super::{AnswerPace, BodyError, Gone};
use crate::http1;

/// One request on a connection that speaks HTTP/1.
pub(crate) struct Http1 {
    session: HttpSession,
    /// What came of the body together with the head is malformed already.
    malformed: bool,
    /// The answer broke off: nothing may follow it on the connection.
    aborted: bool,
    /// It did because the client took nothing of it for too long.
    stalled: bool,
    /// How slowly the client may take the answer. What Pingora writes at once, a part of a body or a
    /// head, counts when it is written.
    pace: AnswerPace,
}

/// What a connection is left with when a request is over.
pub(crate) struct Reusable {
    pub(crate) connection: Box<Connection>,
    /// Bytes of the next request that were read already.
    pub(crate) read_ahead: BytesMut,
}

impl Http1 {
    /// Takes the head off `buffered`, which begins with one that hygiene has found clean and complete.
    ///
    /// # Errors
    /// When Pingora's parser finds fault with it all the same: the connection, to answer on.
    pub(crate) async fn read_head(
        mut connection: Box<Connection>,
        buffered: BytesMut,
        head: &Head<'_>,
    ) -> Result<Self, Option<Box<Connection>>> {
        let began = buffered.get(head.len..).unwrap_or_default();
        let is_chunked = head.framing == Framing::Chunked;
        let malformed = is_chunked && !hold_to_chunks(&mut connection, began);
        let mut session = HttpSession::new(connection);
        session.set_pipelining_enabled(true);
        // Our deadlines hold for the whole body, not for one read of it.
        session.set_read_timeout(None);
        session.set_pipelined_prefix(buffered);
        let Ok(Some(_)) = session.read_request().await else {
            return Err(session.into_inner().into_any().downcast().ok());
        };
        if !head.keep_alive {
            session.set_server_keepalive(None);
        }
        Ok(Self {
            session,
            malformed,
            aborted: false,
            stalled: false,
            pace: AnswerPace::new(Duration::from_secs(60), 0),
        })
    }

    pub(crate) fn request(&self) -> &RequestHeader {
        self.session.req_header()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.session.req_header().headers
    }

    pub(super) async fn read_body(&mut self) -> Result<Option<Bytes>, BodyError> {
        if self.malformed {
            return Err(BodyError::Malformed);
        }
        let error = match self.session.read_body_bytes().await {
            Ok(part) => return Ok(part),
            Err(error) => error,
        };
        // To the session a body that failed is over. What comes behind it is no request.
        self.session.set_server_keepalive(None);
        Err(match error.etype() {
            _ if is_refusal(&error) => BodyError::Malformed,
            ErrorType::ConnectionClosed | ErrorType::ReadError => BodyError::Gone,
            _ => BodyError::Malformed,
        })
    }

    pub(super) fn body_done(&mut self) -> bool {
        self.session.is_body_done()
    }

    pub(super) async fn send_informational(
        &mut self,
        head: Box<ResponseHeader>,
    ) -> Result<(), Gone> {
        if self.request().version != http::Version::HTTP_11 {
            // RFC 9110 section 15.2: a server must not send one to an HTTP/1.0 client.
            return Ok(());
        }
        // Pingora would take a body that is still to come for a reason to close after the answer.
        self.session
            .set_close_on_response_before_downstream_finish(false);
        let sent = self.write_head(head).await;
        self.session
            .set_close_on_response_before_downstream_finish(true);
        sent
    }

    pub(super) fn end_after_this(&mut self) {
        self.session.set_keepalive_reuses_remaining(Some(0));
    }

    pub(super) async fn send_head(&mut self, head: Box<ResponseHeader>) -> Result<(), Gone> {
        let has_length = head.headers.contains_key(header::CONTENT_LENGTH);
        if !has_length && self.request().version == http::Version::HTTP_10 {
            // Only the end of the connection tells the client where the answer ends.
            self.session.set_server_keepalive(None);
        }
        self.write_head(head).await
    }

    async fn write_head(&mut self, head: Box<ResponseHeader>) -> Result<(), Gone> {
        let write = self.session.write_response_header(head);
        match self.pace.keep(write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.break_off(false)),
            Err(_) => Err(self.break_off(true)),
        }
    }

    pub(super) async fn send_body(&mut self, part: &[u8]) -> Result<(), Gone> {
        let write = self.session.write_body(part);
        match self.pace.keep(write).await {
            Ok(Ok(_)) => {
                self.pace.took(part.len());
                Ok(())
            }
            Ok(Err(_)) => Err(self.break_off(false)),
            Err(_) => Err(self.break_off(true)),
        }
    }

    pub(super) async fn finish(&mut self) -> Result<(), Gone> {
        let write = self.session.finish_body();
        match self.pace.keep(write).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(self.break_off(false)),
            Err(_) => Err(self.break_off(true)),
        }
    }

    pub(super) fn sent(&self) -> (u16, u64) {
        let head = self.session.response_written();
        let status = head.map_or(0, |head| head.status.as_u16());
        (status, self.session.body_bytes_sent() as u64)
    }

    fn break_off(&mut self, stalled: bool) -> Gone {
        self.aborted = true;
        self.stalled = stalled;
        Gone
    }

    pub(super) fn has_stalled(&self) -> bool {
        self.stalled
    }

    pub(super) fn abort(&mut self) {
        self.aborted = true;
    }

    pub(super) async fn gone(&mut self) {
        // Bytes of a next request leave this pending for ever; an end or an error completes it.
        let _ = self.session.read_body_or_idle(true).await;
        self.aborted = true;
    }

    pub(super) fn set_pace(&mut self, pace: AnswerPace) {
        self.pace = pace;
    }

    /// The session itself, for an upgraded connection.
    pub(crate) fn session_mut(&mut self) -> &mut HttpSession {
        &mut self.session
    }

    /// The bare connection; what the session had read ahead is lost.
    pub(crate) fn into_connection(self) -> Option<Box<Connection>> {
        self.session.into_inner().into_any().downcast().ok()
    }

    /// Ends the request: gives the connection back if another may follow on it, else closes it. What the
    /// answer said of it holds, whatever has happened since: a client that wasn't told may be sending
    /// its next request.
    pub(crate) async fn end(self) -> Option<Reusable> {
        if self.aborted {
            // Closing at once, without the end of the answer, is what tells the client.
            return None;
        }
        if !self.session.will_keepalive() {
            http1::end(self.into_connection()?).await;
            return None;
        }
        let (stream, read_ahead) = self.session.reuse().await.ok()??.into_parts();
        let mut connection: Box<Connection> = stream.into_any().downcast().ok()?;
        connection.inspect_reads(None);
        Some(Reusable {
            connection,
            read_ahead: read_ahead.unwrap_or_default(),
        })
    }
}

/// Pingora decodes chunks more leniently than a body may be read that another server may have read
/// before: so its bytes are judged before Pingora sees them. `began` came with the head; whether
/// that is good.
fn hold_to_chunks(connection: &mut Connection, began: &[u8]) -> bool {
    let mut check = ChunkCheck::default();
    if check.feed(began).is_err() {
        return false;
    }
    connection.inspect_reads(Some(Box::new(move |bytes| match check.feed(bytes) {
        Ok(_) => Ok(()),
        Err(refusal) => Err(io::Error::new(io::ErrorKind::InvalidData, refusal)),
    })));
    true
}

/// Whether a read failed because of what was read.
fn is_refusal(error: &pingora_core::Error) -> bool {
    let cause = error
        .cause
        .as_ref()
        .and_then(|cause| cause.downcast_ref::<io::Error>());
    let inner = cause.and_then(io::Error::get_ref);
    inner.is_some_and(|inner| inner.is::<Refusal>())
}
