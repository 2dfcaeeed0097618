//! The client's side over HTTP/2: one stream of the h2 crate.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use pingora_http::ResponseHeader;

use super::{BodyError, Gone};

/// One stream of a connection that speaks HTTP/2.
pub(crate) struct Http2<'a> {
    headers: &'a HeaderMap,
    body: RecvStream,
    respond: SendResponse<Bytes>,
    sending: Option<SendStream<Bytes>>,
    /// Whether the request's body was read up to its end: trailers, which nobody reads, may follow.
    body_read: bool,
    ended: bool,
    /// The client took nothing of the answer for too long.
    stalled: bool,
    write_timeout: Duration,
    /// The status and the bytes of body that were given to h2.
    sent: (u16, u64),
}

impl<'a> Http2<'a> {
    /// `headers` are the request's, cookie crumbs joined.
    pub(crate) fn new(
        headers: &'a HeaderMap,
        body: RecvStream,
        respond: SendResponse<Bytes>,
    ) -> Self {
        Self {
            headers,
            body,
            respond,
            sending: None,
            body_read: false,
            ended: false,
            stalled: false,
            write_timeout: Duration::from_secs(60),
            sent: (0, 0),
        }
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.headers
    }

    /// h2 itself holds the data against Content-Length (RFC 9113 section 8.1.1).
    pub(super) async fn read_body(&mut self) -> Result<Option<Bytes>, BodyError> {
        match self.body.data().await {
            Some(Ok(part)) => {
                // The window is opened again by what was taken; a failure shows at the next read.
                let _ = self.body.flow_control().release_capacity(part.len());
                Ok(Some(part))
            }
            Some(Err(error)) if error.is_reset() && error.is_library() => Err(BodyError::Malformed),
            Some(Err(_)) => Err(BodyError::Gone),
            None => {
                self.body_read = true;
                Ok(None)
            }
        }
    }

    pub(super) fn body_done(&self) -> bool {
        self.body_read || self.body.is_end_stream()
    }

    pub(super) fn send_informational(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<(), Gone> {
        let mut response = Response::new(());
        *response.status_mut() = status;
        response.headers_mut().extend(
            headers
                .iter()
                .filter(|(name, _)| !is_connection_specific(name))
                .map(|(name, value)| (name.clone(), unshared(value))),
        );
        self.respond.send_informational(response).map_err(|_| Gone)
    }

    pub(super) fn send_head(&mut self, head: &ResponseHeader, end: bool) -> Result<(), Gone> {
        let mut response = Response::new(());
        *response.status_mut() = head.status;
        for (name, value) in &head.headers {
            if !is_connection_specific(name) {
                response.headers_mut().append(name.clone(), unshared(value));
            }
        }
        let sending = self
            .respond
            .send_response(response, end)
            .map_err(|_| Gone)?;
        self.sending = Some(sending);
        self.ended = end;
        self.sent.0 = head.status.as_u16();
        Ok(())
    }

    /// Copies no more of `part` than h2 can have: what a client doesn't take is held once.
    pub(super) async fn send_body(&mut self, part: &[u8]) -> Result<(), Gone> {
        let timeout = self.write_timeout;
        let sending = self.sending.as_mut().ok_or(Gone)?;
        let mut rest = part;
        while !rest.is_empty() {
            sending.reserve_capacity(rest.len());
            let capacity = tokio::time::timeout(timeout, poll_fn(|cx| sending.poll_capacity(cx)));
            match capacity.await {
                Ok(Some(Ok(capacity))) => {
                    let (now, later) = rest.split_at(capacity.min(rest.len()));
                    self.sent.1 += now.len() as u64;
                    let now = Bytes::copy_from_slice(now);
                    sending.send_data(now, false).map_err(|_| Gone)?;
                    rest = later;
                }
                Ok(Some(Err(_)) | None) => return Err(Gone),
                Err(_) => {
                    self.stalled = true;
                    sending.send_reset(Reason::CANCEL);
                    return Err(Gone);
                }
            }
        }
        Ok(())
    }

    pub(super) fn has_stalled(&self) -> bool {
        self.stalled
    }

    pub(super) fn finish(&mut self) -> Result<(), Gone> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        let sending = self.sending.as_mut().ok_or(Gone)?;
        sending.send_data(Bytes::new(), true).map_err(|_| Gone)
    }

    pub(super) fn sent(&self) -> (u16, u64) {
        self.sent
    }

    pub(super) fn abort(&mut self) {
        self.ended = true;
        match &mut self.sending {
            Some(sending) => sending.send_reset(Reason::INTERNAL_ERROR),
            None => self.respond.send_reset(Reason::INTERNAL_ERROR),
        }
    }

    pub(super) async fn gone(&mut self) {
        let _ = match &mut self.sending {
            Some(sending) => poll_fn(|cx| sending.poll_reset(cx)).await,
            None => poll_fn(|cx| self.respond.poll_reset(cx)).await,
        };
    }

    pub(super) fn set_write_timeout(&mut self, timeout: Duration) {
        self.write_timeout = timeout;
    }
}

/// A copy with memory of its own. Header compression remembers values (RFC 7541 section 2.3.2), and
/// with a part of a backend's head the whole of it would stay for as long as the connection does.
fn unshared(value: &HeaderValue) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone())
}

/// Fields that HTTP/2 must not carry (RFC 9113 section 8.2.2).
fn is_connection_specific(name: &header::HeaderName) -> bool {
    matches!(
        *name,
        header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE
    ) || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}
