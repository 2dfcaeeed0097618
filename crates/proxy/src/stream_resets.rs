//! Notices what HTTP/2's library refuses by itself.
//!
//! A malformed request (RFC 9113 section 8.1.1) never becomes one: h2 resets its stream and says so
//! to the client alone. The operator has to know, so the frames that go out are looked at.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use palisade_hygiene::RefusalReason;
use palisade_transport::Connection;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::ConnectionFacts;
use crate::observe;

/// The head of a frame (RFC 9113 section 4.1).
const FRAME_HEAD_BYTES: usize = 9;

/// RFC 9113 section 6.4, with what its payload takes.
const RST_STREAM: u8 = 3;
const RST_STREAM_BYTES: usize = FRAME_HEAD_BYTES + 4;

/// RFC 9113 section 7: what a malformed request's stream is reset with.
const PROTOCOL_ERROR: [u8; 4] = [0, 0, 0, 1];

/// How many requests are remembered to have been accepted, which tell of themselves when their body
/// turns out to be malformed. A reset of one that was accepted longer ago is told of twice.
const ACCEPTED_MAX: usize = 256;

/// The streams that became requests, the latest of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accepted(Arc<Mutex<VecDeque<u32>>>);

impl Accepted {
    pub(crate) fn add(&self, stream: u32) {
        let mut streams = self.0.lock();
        if streams.len() == ACCEPTED_MAX {
            streams.pop_front();
        }
        streams.push_back(stream);
    }

    fn has(&self, stream: u32) -> bool {
        self.0.lock().contains(&stream)
    }
}

/// A connection that speaks HTTP/2; tells of each stream that was reset as malformed.
pub(crate) struct ResetsTold {
    connection: Box<Connection>,
    facts: Arc<ConnectionFacts>,
    accepted: Accepted,
    frames: Frames,
}

impl ResetsTold {
    pub(crate) fn new(
        connection: Box<Connection>,
        facts: Arc<ConnectionFacts>,
        accepted: Accepted,
    ) -> Self {
        Self {
            connection,
            facts,
            accepted,
            frames: Frames::default(),
        }
    }

    fn written(&mut self, bytes: &[u8]) {
        let (facts, accepted) = (&self.facts, &self.accepted);
        self.frames.read(bytes, |stream| {
            if !accepted.has(stream) {
                observe::refused_connection(facts, RefusalReason::Http2Malformed);
            }
        });
    }
}

/// Finds the ends of frames in a stream of bytes.
#[derive(Debug, Default)]
struct Frames {
    /// The beginning of a frame: its head, and all of it if it is a reset.
    head: [u8; RST_STREAM_BYTES],
    head_bytes: usize,
    /// What is left of the payload of a frame of another kind.
    skip: usize,
}

impl Frames {
    /// Takes the next bytes in, and tells of the streams that they reset as malformed.
    ///
    /// Hot path: runs per write, allocates nothing; payloads are skipped.
    fn read(&mut self, bytes: &[u8], mut told: impl FnMut(u32)) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let skipped = self.skip.min(rest.len());
            self.skip -= skipped;
            rest = rest.get(skipped..).unwrap_or_default();
            let Some((byte, tail)) = rest.split_first() else {
                return;
            };
            rest = tail;
            if let Some(place) = self.head.get_mut(self.head_bytes) {
                *place = *byte;
            }
            self.head_bytes += 1;
            self.end_head(&mut told);
        }
    }

    fn end_head(&mut self, told: &mut impl FnMut(u32)) {
        let [l0, l1, l2, kind, _, s0, s1, s2, s3, code @ ..] = self.head;
        let is_reset = kind == RST_STREAM;
        if self.head_bytes == FRAME_HEAD_BYTES && !is_reset {
            let length = u32::from_be_bytes([0, l0, l1, l2]);
            self.skip = usize::try_from(length).unwrap_or(usize::MAX);
            self.head_bytes = 0;
        } else if self.head_bytes == RST_STREAM_BYTES {
            self.head_bytes = 0;
            if code == PROTOCOL_ERROR {
                told(u32::from_be_bytes([s0, s1, s2, s3]));
            }
        }
    }
}

impl AsyncRead for ResetsTold {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_read(cx, out)
    }
}

impl AsyncWrite for ResetsTold {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.connection).poll_write(cx, data);
        if let Poll::Ready(Ok(count)) = result {
            self.written(data.get(..count).unwrap_or_default());
        }
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.connection).poll_write_vectored(cx, slices);
        if let Poll::Ready(Ok(mut count)) = result {
            for slice in slices {
                let here = count.min(slice.len());
                count -= here;
                self.written(slice.get(..here).unwrap_or_default());
            }
        }
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, 0, 0, 0, 0, stream], payload].concat()
    }

    #[test]
    fn resets_are_found_between_other_frames_however_they_are_written() {
        let bytes = [
            frame(1, 1, b"\x88"),
            frame(RST_STREAM, 1, &[0, 0, 0, 8]),
            frame(0, 3, &frame(RST_STREAM, 9, &PROTOCOL_ERROR)),
            frame(4, 0, b""),
            frame(RST_STREAM, 5, &PROTOCOL_ERROR),
            frame(RST_STREAM, 7, &PROTOCOL_ERROR),
            frame(0, 11, b"abc"),
        ]
        .concat();
        for piece in 1..bytes.len() {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for bytes in bytes.chunks(piece) {
                frames.read(bytes, |stream| found.push(stream));
            }
            assert_eq!(found, [5, 7], "in pieces of {piece}");
        }
    }

    #[test]
    fn the_latest_requests_are_remembered() {
        let accepted = Accepted::default();
        (0..300).for_each(|stream| accepted.add(stream));
        assert!(accepted.has(299) && accepted.has(44));
        assert!(!accepted.has(43));
    }
}
