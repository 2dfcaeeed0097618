//! A connection to a client or to a backend.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, RawFd};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::BytesMut;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::Prefixed;
use crate::alarm::Alarm;

/// The largest first write that is held back; a response's head is nearly always smaller.
const HELD_BYTES_MAX: usize = 4096;

/// What follows a held head is joined to it up to this size (with TLS one record, RFC 8446 section 5.1), so that
/// a short answer is one record and one write.
const JOINED_BYTES_MAX: usize = 16 * 1024;

/// Room for most heads and a short body.
const HELD_BYTES: usize = 2048;

/// A connection to a client or to a backend, plain or TLS.
///
/// The first write of a message is held back until the next write or flush: a message's head goes
/// out together with the beginning of its body, in one system call, and nothing else is delayed.
/// Whoever writes must therefore flush at the end of a message; `proxy` and h2 do. Whoever
/// waits for the other end to say something flushes thereby.
pub struct Connection {
    io: Io,
    held: Vec<u8>,
    /// Whether the next write is held back.
    hold_next: bool,
    /// Whether something was written and not flushed: the middle of a message.
    mid_message: bool,
    inspector: Option<Inspector>,
    alarm: Alarm,
    fd: RawFd,
    /// Dropped when the socket is closed: fields are in their order.
    outlived_by: Option<Box<dyn Any + Send + Sync>>,
}

/// Is shown the bytes that are read, in their order. Its error is the read's.
pub type Inspector = Box<dyn FnMut(&[u8]) -> io::Result<()> + Send + Sync>;

enum Io {
    Plain(Prefixed),
    Client(Box<server::TlsStream<Prefixed>>),
    Backend(Box<client::TlsStream<TcpStream>>),
}

/// What a TLS handshake settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFacts {
    /// The name that the client asked for (RFC 6066 section 3), lower case.
    pub server_name: Option<Box<str>>,
    /// The protocol that ALPN chose (RFC 7301).
    pub alpn: Option<Box<[u8]>>,
    /// The certificate that the client showed, in DER; an authority that the settings name signed it, or
    /// the handshake would have failed. In a session that was resumed it is the first handshake's.
    pub client_certificate: Option<CertificateDer<'static>>,
}

impl Connection {
    /// A plain connection; `prefix` was read from it already.
    #[must_use]
    pub fn plain(tcp: TcpStream, prefix: BytesMut) -> Self {
        let fd = tcp.as_raw_fd();
        Self::new(Io::Plain(Prefixed::new(prefix, tcp)), fd)
    }

    /// The server's side of a TLS handshake; `prefix` was read from the socket already.
    ///
    /// # Errors
    /// When the handshake fails; rustls has sent its alert by then.
    pub async fn accept_tls(
        tcp: TcpStream,
        prefix: BytesMut,
        config: Arc<ServerConfig>,
    ) -> io::Result<Self> {
        let fd = tcp.as_raw_fd();
        let stream = TlsAcceptor::from(config)
            .accept(Prefixed::new(prefix, tcp))
            .await?;
        Ok(Self::new(Io::Client(Box::new(stream)), fd))
    }

    /// The client's side of a TLS handshake, towards a backend.
    ///
    /// # Errors
    /// When the handshake fails, the certificate's verification included.
    pub async fn connect_tls(
        tcp: TcpStream,
        server_name: ServerName<'static>,
        config: Arc<ClientConfig>,
    ) -> io::Result<Self> {
        let fd = tcp.as_raw_fd();
        let stream = TlsConnector::from(config).connect(server_name, tcp).await?;
        Ok(Self::new(Io::Backend(Box::new(stream)), fd))
    }

    fn new(io: Io, fd: RawFd) -> Self {
        Self {
            io,
            held: Vec::new(),
            hold_next: true,
            mid_message: false,
            inspector: None,
            alarm: Alarm::default(),
            fd,
            outlived_by: None,
        }
    }

    /// What the TLS handshake with a client settled; `None` for a plain connection.
    #[must_use]
    pub fn tls(&self) -> Option<TlsFacts> {
        let Io::Client(stream) = &self.io else {
            return None;
        };
        let (_, session) = stream.get_ref();
        Some(TlsFacts {
            server_name: session
                .server_name()
                .map(|name| name.to_ascii_lowercase().into()),
            alpn: session.alpn_protocol().map(Into::into),
            client_certificate: session
                .peer_certificates()
                .and_then(|chain| chain.first().cloned()),
        })
    }

    /// The protocol that a backend chose by ALPN (RFC 7301).
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        match &self.io {
            Io::Backend(stream) => stream.get_ref().1.alpn_protocol(),
            Io::Plain(_) | Io::Client(_) => None,
        }
    }

    /// Gives bytes back that were read from a plain connection, to be read again.
    ///
    /// # Errors
    /// Over TLS, where ALPN settles beforehand what is spoken: the bytes, unused.
    pub fn unread(&mut self, bytes: BytesMut) -> Result<(), BytesMut> {
        match &mut self.io {
            Io::Plain(stream) => {
                stream.unread(bytes);
                Ok(())
            }
            Io::Client(_) | Io::Backend(_) => Err(bytes),
        }
    }

    /// Shows `inspector` what is read from now on; `None` ends that.
    pub fn inspect_reads(&mut self, inspector: Option<Inspector>) {
        self.inspector = inspector;
    }

    /// Drops `other` once the socket is closed, and not before.
    pub fn outlive_by(&mut self, other: Box<dyn Any + Send + Sync>) {
        self.outlived_by = Some(other);
    }

    /// Reads into what room `buffer` has, or makes some; waits for `patience` at most, without one for ever.
    /// How many bytes were read: none at the end. Cancel safe.
    ///
    /// Hot path: a timer is set once for many reads.
    ///
    /// # Errors
    /// As the socket has them; [`io::ErrorKind::TimedOut`] when nothing came in time.
    pub async fn read_within(
        &mut self,
        buffer: &mut BytesMut,
        patience: Option<Duration>,
    ) -> io::Result<usize> {
        let mut deadline = None;
        poll_fn(|cx| {
            let read = pin!(self.read_buf(&mut *buffer)).poll(cx);
            let Some(patience) = patience.filter(|_| read.is_pending()) else {
                return read;
            };
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + patience);
            self.alarm
                .poll(cx, deadline)
                .map(|()| Err(io::ErrorKind::TimedOut.into()))
        })
        .await
    }

    /// Begins a message with a head that `write` appends, which is held back as the first write of one is.
    pub fn hold(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.hold_next = false;
        self.mid_message = true;
        self.held.reserve(HELD_BYTES);
        write(&mut self.held);
    }

    /// Holds no part of the next message back: it is one write, or its writer knows better.
    pub fn hold_nothing(&mut self) {
        self.hold_next = false;
    }

    /// Whether an idle connection can still be used: open, and nothing arrived on it that nobody
    /// asked for. No system call while the socket has nothing new.
    pub fn is_quiet(&mut self) -> bool {
        let mut probe = [0_u8; 1];
        let mut probe = ReadBuf::new(&mut probe);
        let mut cx = Context::from_waker(Waker::noop());
        self.held.is_empty()
            && Pin::new(&mut self.io)
                .poll_read(&mut cx, &mut probe)
                .is_pending()
    }

    /// Writes out what is held back, together with `data` as far as it goes.
    fn poll_write_joined(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if self.held.len().saturating_add(data.len()) <= JOINED_BYTES_MAX {
            self.held.extend_from_slice(data);
            return match self.poll_drain(cx) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                // Accepted either way: what isn't out yet is drained before the next write.
                _ => Poll::Ready(Ok(data.len())),
            };
        }
        if matches!(self.io, Io::Plain(_)) {
            let slices = [IoSlice::new(&self.held), IoSlice::new(data)];
            let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, &slices))?;
            return match written.checked_sub(self.held.len()) {
                Some(of_data) if of_data > 0 || data.is_empty() => {
                    self.held.clear();
                    Poll::Ready(Ok(of_data))
                }
                _ => {
                    self.held.drain(..written.min(self.held.len()));
                    // Progress was made, none of it in `data`: try again at once.
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            };
        }
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_write(cx, data)
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.held))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.held.drain(..written.min(self.held.len()));
        }
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("fd", &self.fd)
            .finish_non_exhaustive()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        let Poll::Ready(result) = Pin::new(&mut self.io).poll_read(cx, out) else {
            // What is held back may be what the other end waits for. An error shows at the next write.
            let _ = self.poll_drain(cx);
            return Poll::Pending;
        };
        let read = out.filled().get(before..).unwrap_or_default();
        if !read.is_empty() {
            self.hold_next |= !self.mid_message;
            if let Some(inspector) = &mut self.inspector {
                inspector(read)?;
            }
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.mid_message = true;
        if !self.held.is_empty() {
            return self.poll_write_joined(cx, data);
        }
        if self.hold_next && data.len() <= HELD_BYTES_MAX {
            self.hold_next = false;
            self.held.extend_from_slice(data);
            return Poll::Ready(Ok(data.len()));
        }
        self.hold_next = false;
        Pin::new(&mut self.io).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.held.is_empty() && !self.hold_next {
            self.mid_message = true;
            return Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        }
        let first = slices.iter().find(|slice| !slice.is_empty());
        self.poll_write(cx, first.map_or(&[][..], |slice| slice))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        self.mid_message = false;
        // An idle connection holds no buffer.
        self.held = Vec::new();
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Forwards a call to whichever stream this is.
macro_rules! each {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Io::Plain($stream) => $call,
            Io::Client($stream) => $call,
            Io::Backend($stream) => $call,
        }
    };
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, out))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, data))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

impl AsRawFd for Connection {
    fn as_raw_fd(&self) -> RawFd {
        self.fd
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn pair() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (near, _) = listener.accept().await.unwrap();
        (Connection::plain(near, BytesMut::new()), far)
    }

    #[tokio::test]
    async fn a_head_goes_out_with_its_body() {
        let (mut near, mut far) = pair().await;
        near.write_all(b"head ").await.unwrap();
        let mut got = [0_u8; 64];
        assert!(far.try_read(&mut got).is_err(), "the head is held back");
        near.write_all(b"body").await.unwrap();
        let count = far.read(&mut got).await.unwrap();
        assert_eq!(&got[..count], b"head body");
        near.write_all(b"more").await.unwrap();
        let count = far.read(&mut got).await.unwrap();
        assert_eq!(&got[..count], b"more", "only a head is held back");
    }

    #[tokio::test]
    async fn a_flush_sends_what_is_held() {
        let (mut near, mut far) = pair().await;
        near.write_all(b"head").await.unwrap();
        near.flush().await.unwrap();
        let mut got = [0_u8; 64];
        let count = far.read(&mut got).await.unwrap();
        assert_eq!(&got[..count], b"head");
    }

    #[tokio::test]
    async fn waiting_for_the_other_end_sends_what_is_held() {
        let (mut near, mut far) = pair().await;
        near.write_all(b"head").await.unwrap();
        let (mut heard, mut said) = ([0_u8; 4], [0_u8; 4]);
        let far_side = async {
            far.read_exact(&mut heard).await.unwrap();
            far.write_all(b"more").await.unwrap();
        };
        let (read, ()) = tokio::join!(near.read_exact(&mut said), far_side);
        read.unwrap();
        assert_eq!((&heard, &said), (b"head", b"more"));
    }

    #[tokio::test]
    async fn what_is_read_in_the_middle_of_a_message_holds_nothing_back() {
        let (mut near, mut far) = pair().await;
        near.write_all(b"head ").await.unwrap();
        near.write_all(b"body").await.unwrap();
        far.write_all(b"next").await.unwrap();
        let mut got = [0_u8; 64];
        near.read_exact(&mut got[..4]).await.unwrap();
        near.write_all(b" more").await.unwrap();
        let count = far.read(&mut got).await.unwrap();
        assert_eq!(&got[..count], b"head body more");
        near.flush().await.unwrap();
        near.write_all(b"head").await.unwrap();
        let count = far.read(&mut got).await.unwrap();
        assert_eq!(&got[..count], b"head", "only after a read");
    }

    #[tokio::test]
    async fn large_writes_arrive_whole_and_in_order() {
        let (mut near, mut far) = pair().await;
        let body: Vec<u8> = (0..4_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let expected = [b"head".as_slice(), &body].concat();
        let writer = async {
            near.write_all(b"head").await.unwrap();
            near.write_all(&body).await.unwrap();
            AsyncWriteExt::shutdown(&mut near).await.unwrap();
        };
        let mut got = Vec::new();
        let (_, read) = tokio::join!(writer, far.read_to_end(&mut got));
        read.unwrap();
        assert!(got == expected);
    }

    #[tokio::test]
    async fn a_prefix_comes_first() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (near, _) = listener.accept().await.unwrap();
        let mut near = Connection::plain(near, BytesMut::from(&b"pre"[..]));
        far.write_all(b"fix").await.unwrap();
        let mut got = [0_u8; 6];
        near.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"prefix");
    }

    #[tokio::test]
    async fn an_inspector_sees_all_that_is_read_and_can_refuse_it() {
        let (mut near, mut far) = pair().await;
        near.inspect_reads(Some(Box::new(|bytes| match bytes.contains(&b'!') {
            true => Err(io::ErrorKind::InvalidData.into()),
            false => Ok(()),
        })));
        let mut got = [0_u8; 4];
        far.write_all(b"good").await.unwrap();
        near.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"good");
        far.write_all(b"bad!").await.unwrap();
        let refused = near.read_exact(&mut got).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
        near.inspect_reads(None);
        far.write_all(b"bad!").await.unwrap();
        near.read_exact(&mut got).await.unwrap();
    }

    #[tokio::test]
    async fn quiet_until_something_comes() {
        let (mut near, mut far) = pair().await;
        assert!(near.is_quiet());
        far.write_all(b"x").await.unwrap();
        // The socket is readable before it is asked again: an event, not a delay.
        let Io::Plain(stream) = &near.io else {
            unreachable!()
        };
        stream.tcp().readable().await.unwrap();
        assert!(!near.is_quiet());
        let (mut near, far) = pair().await;
        drop(far);
        let Io::Plain(stream) = &near.io else {
            unreachable!()
        };
        stream.tcp().readable().await.unwrap();
        assert!(!near.is_quiet(), "closed by the other end");
    }
}
