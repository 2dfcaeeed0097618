//! The client's side over HTTP/1.

mod request;

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use palisade_hygiene::Framing;
use palisade_hygiene::h1::{ChunkCheck, Head};
use palisade_transport::Connection;
use palisade_vocabulary::HttpVersion;
use pingora_core::protocols::http::date::get_cached_date;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) use self::request::second_opinion;
use super::{AnswerPace, BodyError, Gone};
use crate::answer_head::AnswerHead;
use crate::framing::{Body, ChunkHead, Chunks, Malformed, Step};
use crate::http1;

/// The most bytes of a body that are read at once.
const PART_BYTES_MAX: usize = 64 * 1024;

/// One request on a connection that speaks HTTP/1.
pub(crate) struct Http1 {
    connection: Box<Connection>,
    headers: HeaderMap,
    version: HttpVersion,
    is_head: bool,
    /// What is to come of the request's body.
    body: Body,
    /// Holds a chunked body to the letter: its bytes are judged before they are decoded.
    chunk_check: Option<ChunkCheck>,
    /// What came behind the head and wasn't used yet.
    received: BytesMut,
    /// Whether more was read than came with the head.
    has_read_more: bool,
    /// The body breaks a rule.
    malformed: bool,
    /// Whether another request may follow; the head of the answer has told.
    keep_alive: bool,
    /// A byte of a next request came while this one was under way.
    next_has_begun: bool,
    answer: Answer,
    /// The answer broke off: nothing may follow it on the connection.
    aborted: bool,
    /// It did because the client took nothing of it for too long.
    stalled: bool,
    /// How slowly the client may take the answer. A part of a body counts when it is written.
    pace: AnswerPace,
}

/// The answer, as far as it was sent.
#[derive(Debug, Default)]
struct Answer {
    /// Of the last head; 0 before there is one.
    status: u16,
    body: AnswerBody,
    body_bytes: u64,
}

/// How the end of an answer's body is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum AnswerBody {
    /// There is no final head yet.
    #[default]
    Unknown,
    /// So many bytes are to come.
    Length(u64),
    Chunked,
    UntilClose,
}

impl Http1 {
    /// Begins with a `head` that hygiene has found clean and complete, whose header fields are `headers`, and
    /// with what was `received` behind it.
    pub(crate) fn new(
        connection: Box<Connection>,
        received: BytesMut,
        head: &Head<'_>,
        headers: HeaderMap,
    ) -> Self {
        let (body, mut chunk_check) = match head.framing {
            Framing::None => (Body::Length(0), None),
            Framing::Length(length) => (Body::Length(length), None),
            Framing::Chunked => (
                Body::Chunked(Chunks::default()),
                Some(ChunkCheck::default()),
            ),
        };
        let began = chunk_check.as_mut().map(|check| check.feed(&received));
        Self {
            connection,
            headers,
            version: head.version,
            is_head: head.method == "HEAD",
            body,
            chunk_check,
            received,
            has_read_more: false,
            malformed: matches!(began, Some(Err(_))),
            keep_alive: head.keep_alive,
            next_has_begun: false,
            answer: Answer::default(),
            aborted: false,
            stalled: false,
            pace: AnswerPace::new(Duration::from_secs(60), 0),
        }
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub(super) async fn read_body(&mut self) -> Result<Option<Bytes>, BodyError> {
        let read = self.read_part().await;
        if read.is_err() {
            // What comes behind a body that failed is no request.
            self.keep_alive = false;
        }
        read
    }

    async fn read_part(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            if self.malformed {
                return Err(BodyError::Malformed);
            }
            match self.body.next(&self.received)? {
                Step::Part { skip, length } => {
                    self.received.advance(skip);
                    let part = self.received.get(..length).unwrap_or_default();
                    // Copied: whoever keeps a small part isn't to keep all that was read with it.
                    let part = Bytes::copy_from_slice(part);
                    self.received.advance(length);
                    return Ok(Some(part));
                }
                Step::End { skip } => {
                    self.received.advance(skip);
                    return Ok(None);
                }
                Step::More { skip } => self.received.advance(skip),
            }
            self.read_more().await?;
        }
    }

    async fn read_more(&mut self) -> Result<(), BodyError> {
        self.has_read_more = true;
        let before = self.received.len();
        let left = usize::try_from(self.body.bytes_left_max()).unwrap_or(PART_BYTES_MAX);
        self.received.reserve(left.min(PART_BYTES_MAX));
        match self.connection.read_buf(&mut self.received).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => {
                self.body = Body::Length(0);
                return Err(BodyError::Gone);
            }
        }
        let read = self.received.get(before..).unwrap_or_default();
        let judged = self.chunk_check.as_mut().map(|check| check.feed(read));
        self.malformed = matches!(judged, Some(Err(_)));
        Ok(())
    }

    pub(super) async fn send_informational(&mut self, head: Box<AnswerHead>) -> Result<(), Gone> {
        if self.version != HttpVersion::Http11 {
            // RFC 9110 section 15.2: a server must not send one to an HTTP/1.0 client.
            return Ok(());
        }
        self.write_head(&head, true).await
    }

    pub(super) fn end_after_this(&mut self) {
        self.keep_alive = false;
    }

    pub(super) async fn send_head(&mut self, mut head: Box<AnswerHead>) -> Result<(), Gone> {
        // An unread body would be taken for the next request.
        self.keep_alive &= self.body.is_over();
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            self.keep_alive = false;
            self.answer.body = AnswerBody::UntilClose;
            return self.write_head(&head, true).await;
        }
        self.answer.body = self.body_of(&head);
        if self.answer.body == AnswerBody::UntilClose {
            // Only the end of the connection tells the client where the answer ends.
            self.keep_alive = false;
        }
        if !head.contains(&header::DATE) {
            // RFC 9110 section 6.6.1.
            head.append(header::DATE, 0..0, get_cached_date());
        }
        let connection = match self.keep_alive {
            true => "keep-alive",
            false => "close",
        };
        // None is left of the backend's: it is about the backend's connection.
        head.append(
            header::CONNECTION,
            0..0,
            HeaderValue::from_static(connection),
        );
        let flush = !matches!(self.answer.body, AnswerBody::Length(1..));
        self.write_head(&head, flush).await
    }

    /// RFC 9112 section 6.3.
    fn body_of(&self, head: &AnswerHead) -> AnswerBody {
        let has_none = matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
        if self.is_head || has_none {
            return AnswerBody::Length(0);
        }
        if head.contains(&header::TRANSFER_ENCODING) {
            return AnswerBody::Chunked;
        }
        let length = head.get(&header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        length.map_or(AnswerBody::UntilClose, AnswerBody::Length)
    }

    /// Sends a head; one that isn't flushed goes out with what follows it, or when that is waited for.
    async fn write_head(&mut self, head: &AnswerHead, flush: bool) -> Result<(), Gone> {
        self.connection.hold(|wire| {
            head.write_http1(wire);
            wire.extend_from_slice(b"\r\n");
        });
        self.answer.status = head.status.as_u16();
        match flush {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        let flushed = self.pace.keep(self.connection.flush()).await;
        self.wrote(flushed)
    }

    pub(super) async fn send_body(&mut self, part: &[u8]) -> Result<(), Gone> {
        let part = match self.answer.body {
            // More than was told would be taken for the next answer.
            AnswerBody::Length(left) => {
                let length = usize::try_from(left).map_or(part.len(), |left| left.min(part.len()));
                part.get(..length).unwrap_or_default()
            }
            AnswerBody::Chunked | AnswerBody::UntilClose => part,
            AnswerBody::Unknown => return Err(self.break_off(false)),
        };
        if part.is_empty() {
            return Ok(());
        }
        let (connection, body) = (&mut self.connection, self.answer.body);
        let write = async {
            if body == AnswerBody::Chunked {
                let head = ChunkHead::of(part.len());
                let mut chunk = Buf::chain(head.as_bytes(), part).chain(&b"\r\n"[..]);
                connection.write_all_buf(&mut chunk).await?;
            } else {
                connection.write_all(part).await?;
            }
            // Whoever doesn't tell a length may pause at any time.
            match body {
                AnswerBody::Length(left) if left > part.len() as u64 => Ok(()),
                _ => connection.flush().await,
            }
        };
        let written = self.pace.keep(write).await;
        self.wrote(written)?;
        if let AnswerBody::Length(left) = &mut self.answer.body {
            *left -= part.len() as u64;
        }
        self.answer.body_bytes += part.len() as u64;
        self.pace.took(part.len());
        Ok(())
    }

    pub(super) async fn finish(&mut self) -> Result<(), Gone> {
        let connection = &mut self.connection;
        let written = match self.answer.body {
            // It was flushed with its last byte.
            AnswerBody::Length(0) => return Ok(()),
            // Not all of it: only the end of the connection can tell.
            AnswerBody::Length(_) => return Err(self.break_off(false)),
            AnswerBody::Chunked => {
                let end = async {
                    connection.write_all(b"0\r\n\r\n").await?;
                    connection.flush().await
                };
                self.pace.keep(end).await
            }
            AnswerBody::UntilClose | AnswerBody::Unknown => {
                self.pace.keep(connection.flush()).await
            }
        };
        self.wrote(written)
    }

    /// What became of a write.
    fn wrote<E>(&mut self, written: Result<io::Result<()>, E>) -> Result<(), Gone> {
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.break_off(false)),
            Err(_) => Err(self.break_off(true)),
        }
    }

    pub(super) fn sent(&self) -> (u16, u64) {
        (self.answer.status, self.answer.body_bytes)
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

    /// Completes when the connection ends. What of the request's body is still to come, or a byte of a next request,
    /// leaves this pending for ever.
    pub(super) async fn gone(&mut self) {
        if self.body.is_over() && !self.next_has_begun {
            let mut byte = [0];
            // Whoever waits for this waits for the client, and has what is held back written.
            match self.connection.read(&mut byte).await {
                Ok(1..) => {
                    self.received.extend_from_slice(&byte);
                    self.next_has_begun = true;
                }
                Ok(0) | Err(_) => {
                    self.aborted = true;
                    return;
                }
            }
        }
        if self.flush().await.is_ok() {
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn set_pace(&mut self, pace: AnswerPace) {
        self.pace = pace;
    }

    /// An upgraded connection, and what came behind the head.
    pub(crate) fn into_upgraded(self) -> (Box<Connection>, BytesMut) {
        (self.connection, self.received)
    }

    /// Ends the request: gives the connection back if another may follow on it, else closes it; with what was
    /// received of the next one, in a buffer of which it is known whether it `is_large`. What the answer said of it
    /// holds, whatever has happened since: a client that wasn't told may be sending its next request.
    pub(crate) async fn end(self, is_large: bool) -> Option<(Box<Connection>, BytesMut)> {
        if self.aborted {
            // Closing at once, without the end of the answer, is what tells the client.
            return None;
        }
        if !self.keep_alive {
            http1::end(self.connection).await;
            return None;
        }
        // An idle connection keeps no large buffer; one for a body may be.
        let is_large = is_large || self.has_read_more;
        let received = match self.received.is_empty() && is_large {
            true => BytesMut::new(),
            false => self.received,
        };
        Some((self.connection, received))
    }
}

impl From<Malformed> for BodyError {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}
