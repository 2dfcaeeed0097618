//! A TCP stream whose first bytes were read already.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TCP stream that first gives back what was read past a PROXY header.
#[derive(Debug)]
pub struct Prefixed {
    prefix: BytesMut,
    tcp: TcpStream,
}

impl Prefixed {
    /// `tcp`, with `prefix` before what it has yet to receive.
    #[must_use]
    pub fn new(prefix: BytesMut, tcp: TcpStream) -> Self {
        Self { prefix, tcp }
    }

    /// Gives `bytes` back, to be read again before anything else.
    pub fn unread(&mut self, bytes: BytesMut) {
        let mut prefix = bytes;
        prefix.unsplit(std::mem::take(&mut self.prefix));
        self.prefix = prefix;
    }

    /// The socket.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }
}

impl AsyncRead for Prefixed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.tcp).poll_read(cx, out);
        }
        let count = self.prefix.len().min(out.remaining());
        if let Some(bytes) = self.prefix.get(..count) {
            out.put_slice(bytes);
        }
        self.prefix.advance(count);
        if self.prefix.is_empty() {
            self.prefix = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Prefixed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
