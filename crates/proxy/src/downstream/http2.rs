//! The client's side over HTTP/2: one stream of the h2 crate.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Response, header};

use super::{AnswerPace, BodyError, Gone};
use crate::answer_head::AnswerHead;

/// One stream of a connection that speaks HTTP/2.
pub(crate) struct Http2<'a> {
    headers: &'a HeaderMap,
    request: RequestReader,
    answer: AnswerWriter,
}

/// The half that is read: the request's body.
pub(crate) struct RequestReader {
    body: RecvStream,
    trailers: Option<HeaderMap>,
}

/// The half that is written.
pub(crate) struct AnswerWriter {
    respond: SendResponse<Bytes>,
    sending: Option<SendStream<Bytes>>,
    ended: bool,
    /// The client took nothing of the answer for too long.
    stalled: bool,
    pace: AnswerPace,
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
            request: RequestReader {
                body,
                trailers: None,
            },
            answer: AnswerWriter {
                respond,
                sending: None,
                ended: false,
                stalled: false,
                pace: AnswerPace::new(Duration::from_secs(60), 0),
                sent: (0, 0),
            },
        }
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.headers
    }

    /// Both halves, to be used at the same time.
    pub(crate) fn split(&mut self) -> (&mut RequestReader, &mut AnswerWriter) {
        (&mut self.request, &mut self.answer)
    }

    pub(super) fn request_mut(&mut self) -> &mut RequestReader {
        &mut self.request
    }

    pub(super) fn answer(&self) -> &AnswerWriter {
        &self.answer
    }

    pub(super) fn answer_mut(&mut self) -> &mut AnswerWriter {
        &mut self.answer
    }
}

impl RequestReader {
    /// h2 itself holds the data against Content-Length (RFC 9113 section 8.1.1).
    pub(super) async fn read_part(&mut self) -> Result<Option<Bytes>, BodyError> {
        match self.body.data().await {
            Some(Ok(part)) => {
                // The window is opened again by what was taken; a failure shows at the next read.
                let _ = self.body.flow_control().release_capacity(part.len());
                Ok(Some(part))
            }
            Some(Err(error)) => Err(body_error(&error)),
            None => {
                // They are there by now, or there are none. The end may be asked for again, and h2
                // gives them once.
                let trailers = self.body.trailers().await;
                let trailers = trailers.map_err(|error| body_error(&error))?;
                self.trailers = self.trailers.take().or(trailers);
                Ok(None)
            }
        }
    }

    /// What came after the body, once that was read to its end.
    pub(crate) fn take_trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }
}

impl AnswerWriter {
    pub(super) fn send_informational(&mut self, head: &AnswerHead) -> Result<(), Gone> {
        let response = http2_response(head);
        self.respond.send_informational(response).map_err(|_| Gone)
    }

    pub(super) fn send_head(&mut self, head: &AnswerHead, end: bool) -> Result<(), Gone> {
        let sending = self.respond.send_response(http2_response(head), end);
        let sending = sending.map_err(|_| Gone)?;
        self.sending = Some(sending);
        self.ended = end;
        self.sent.0 = head.status.as_u16();
        Ok(())
    }

    /// Copies no more of `part` than h2 can have: what a client doesn't take is held once.
    pub(super) async fn send_body(&mut self, part: &[u8]) -> Result<(), Gone> {
        let sending = self.sending.as_mut().ok_or(Gone)?;
        let mut rest = part;
        while !rest.is_empty() {
            sending.reserve_capacity(rest.len());
            let capacity = self.pace.keep(poll_fn(|cx| sending.poll_capacity(cx)));
            match capacity.await {
                Ok(Some(Ok(capacity))) => {
                    let (now, later) = rest.split_at(capacity.min(rest.len()));
                    self.sent.1 += now.len() as u64;
                    self.pace.took(now.len());
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

    pub(super) fn finish(&mut self, trailers: Option<HeaderMap>) -> Result<(), Gone> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        let sending = self.sending.as_mut().ok_or(Gone)?;
        let ended = match trailers {
            Some(trailers) => sending.send_trailers(trailers),
            None => sending.send_data(Bytes::new(), true),
        };
        ended.map_err(|_| Gone)
    }

    pub(super) fn sent(&self) -> (u16, u64) {
        self.sent
    }

    pub(super) fn abort(&mut self, reason: Reason) {
        self.ended = true;
        match &mut self.sending {
            Some(sending) => sending.send_reset(reason),
            None => self.respond.send_reset(reason),
        }
    }

    /// Completes when the client resets the stream.
    pub(super) async fn reset(&mut self) {
        let _ = match &mut self.sending {
            Some(sending) => poll_fn(|cx| sending.poll_reset(cx)).await,
            None => poll_fn(|cx| self.respond.poll_reset(cx)).await,
        };
    }

    pub(super) fn set_pace(&mut self, pace: AnswerPace) {
        self.pace = pace;
    }
}

/// A head as HTTP/2 has it.
pub(crate) fn http2_response(head: &AnswerHead) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = head.status;
    for (name, value) in head.iter() {
        if !is_connection_specific(name) {
            response.headers_mut().append(name.clone(), unshared(value));
        }
    }
    response
}

/// A copy with memory of its own. Header compression remembers values (RFC 7541 section 2.3.2), and
/// with a part of a backend's head the whole of it would stay for as long as the connection does.
fn unshared(value: &HeaderValue) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone())
}

/// Why a body that failed can't be read.
fn body_error(error: &h2::Error) -> BodyError {
    match error.is_reset() && error.is_library() {
        true => BodyError::Malformed,
        false => BodyError::Gone,
    }
}

/// Fields that HTTP/2 must not carry (RFC 9113 section 8.2.2).
fn is_connection_specific(name: &header::HeaderName) -> bool {
    matches!(
        *name,
        header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE
    ) || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}
