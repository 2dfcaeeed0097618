//! Notices what HTTP/2's library refuses by itself.
//!
//! A malformed request (RFC 9113 section 8.1.1) never becomes one: h2 resets its stream and says so
//! to the client alone. The operator has to know, so the frames that go out are looked at.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use palisade_transport::Connection;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

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

/// How many resets may wait to be told of. Those beyond are not told of: h2 gives a connection up
/// long before.
const RESETS_MAX: usize = 4096;

/// The streams of a connection that were reset as malformed, until it is certain which of them never
/// became requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamResets(Arc<Mutex<Streams>>);

#[derive(Debug, Default)]
struct Streams {
    /// The latest requests.
    accepted: VecDeque<u32>,
    reset: Vec<u32>,
}

impl StreamResets {
    /// A stream became a request.
    pub(crate) fn accepted(&self, stream: u32) {
        let accepted = &mut self.0.lock().accepted;
        if accepted.len() == ACCEPTED_MAX {
            accepted.pop_front();
        }
        accepted.push_back(stream);
    }

    fn reset(&self, stream: u32) {
        let reset = &mut self.0.lock().reset;
        if reset.len() < RESETS_MAX {
            reset.push(stream);
        }
    }

    /// How many streams were reset that never became requests, and were not asked for yet. To be
    /// asked when all requests that have arrived were accepted: a stream may be reset before.
    pub(crate) fn take(&self) -> usize {
        let Streams { accepted, reset } = &mut *self.0.lock();
        let untold = reset.drain(..).filter(|stream| !accepted.contains(stream));
        untold.count()
    }
}

/// A connection that speaks HTTP/2; notices each stream that is reset as malformed.
pub(crate) struct Watched {
    connection: Box<Connection>,
    resets: StreamResets,
    frames: Frames,
}

impl Watched {
    pub(crate) fn new(connection: Box<Connection>, resets: StreamResets) -> Self {
        Self {
            connection,
            resets,
            frames: Frames::default(),
        }
    }

    fn written(&mut self, bytes: &[u8]) {
        let resets = &self.resets;
        self.frames.read(bytes, |stream| resets.reset(stream));
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

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_read(cx, out)
    }
}

impl AsyncWrite for Watched {
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
    fn a_reset_is_told_of_unless_its_stream_became_a_request() {
        let resets = StreamResets::default();
        resets.reset(1);
        resets.reset(3);
        resets.accepted(3);
        assert_eq!(resets.take(), 1);
        assert_eq!(resets.take(), 0, "once");
        (5..305).for_each(|stream| resets.accepted(stream));
        resets.reset(304);
        resets.reset(49);
        assert_eq!(resets.take(), 0);
        resets.reset(48);
        assert_eq!(resets.take(), 1, "forgotten");
        (0..10_000).for_each(|stream| resets.reset(1000 + stream));
        assert_eq!(resets.take(), RESETS_MAX);
    }
}
