//! The bytes of a connection that speaks HTTP/2, looked at on their way to and from h2.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use palisade_transport::Connection;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::frames::Frames;
use crate::http2_floods::{Flood, Floods};
use crate::settings::Http2Limits;
use crate::stream_resets::StreamResets;

/// What was seen of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) resets: StreamResets,
    flood: Arc<Mutex<Option<Flood>>>,
}

impl Seen {
    /// Why the connection has to end, if it has. Nothing more is read from it.
    pub(crate) fn flood(&self) -> Option<Flood> {
        *self.flood.lock()
    }
}

/// A connection that speaks HTTP/2; notices each stream that is reset as malformed, and whatever the
/// client sends too much of.
pub(crate) struct Watched {
    connection: Box<Connection>,
    floods: Floods,
    seen: Seen,
    incoming: Frames,
    outgoing: Frames,
}

impl Watched {
    pub(crate) fn new(connection: Box<Connection>, limits: &Http2Limits, seen: Seen) -> Self {
        Self {
            connection,
            floods: Floods::new(limits),
            seen,
            incoming: Frames::of_client(),
            outgoing: Frames::default(),
        }
    }

    fn has_read(&mut self, bytes: &[u8]) -> Result<(), Flood> {
        let (floods, mut result) = (&mut self.floods, Ok(()));
        self.incoming.read(bytes, |frame| {
            if result.is_ok() {
                result = floods.received(frame);
            }
        });
        result
    }

    fn has_written(&mut self, bytes: &[u8]) {
        let (floods, seen) = (&mut self.floods, &self.seen);
        self.outgoing.read(bytes, |frame| {
            seen.resets.sent(frame);
            if let Err(flood) = floods.sent(frame) {
                seen.flood.lock().get_or_insert(flood);
            }
        });
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.seen.flood().is_some() {
            // Whoever polls h2 asks for the flood then, and ends the connection.
            return Poll::Pending;
        }
        let before = out.filled().len();
        ready!(Pin::new(&mut self.connection).poll_read(cx, out))?;
        let read = out.filled().get(before..).unwrap_or_default();
        if let Err(flood) = self.has_read(read) {
            out.set_filled(before);
            *self.seen.flood.lock() = Some(flood);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
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
            self.has_written(data.get(..count).unwrap_or_default());
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
                self.has_written(slice.get(..here).unwrap_or_default());
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
