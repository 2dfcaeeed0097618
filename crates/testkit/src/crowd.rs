//! Many clients that keep their connections: each of its own loopback address, or some of each.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

/// No answer takes longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: test.example\r\n\r\n";

/// A client's preface (RFC 9113 section 3.4) with empty SETTINGS, which acknowledges the server's.
const HTTP2_PREFACE: &[u8] =
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0";

/// `GET http://test.example/` (RFC 7541: static fields 2, 6, 4, and a literal `:authority`).
const HTTP2_GET: &[u8] = b"\x82\x86\x84\x01\x0ctest.example";

/// How the clients of a crowd speak.
#[derive(Clone, Default)]
pub struct Speech {
    /// TLS, as this says; plain TCP without.
    pub tls: Option<Arc<ClientConfig>>,
    /// HTTP/2 instead of HTTP/1.1. With TLS its configuration has to offer it.
    pub http2: bool,
    /// How many connections each address has; the next 127.x.y.z follows. 0 is taken for 1.
    pub per_address: usize,
}

/// Connections that were each asked one thing, and are idle since. They are closed when dropped.
pub struct Crowd {
    members: Vec<Member>,
}

struct Member {
    wire: Wire,
    /// The next stream of HTTP/2.
    stream: Option<u32>,
}

enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Crowd {
    /// Opens `count` connections to `server`, and waits on each for the answer to a GET. Addresses
    /// begin with 127.1.0.1.
    ///
    /// # Errors
    /// A connection that can't be made, or that gets no answer. Descriptors: see
    /// [`crate::process::raise_open_files`].
    pub fn open(server: SocketAddr, count: usize, speech: &Speech) -> io::Result<Self> {
        let mut crowd = Self {
            members: Vec::with_capacity(count),
        };
        crowd.grow(server, count, speech)?;
        Ok(crowd)
    }

    /// Opens one connection, from this address, and asks nothing yet.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn connect(from: Ipv4Addr, server: SocketAddr, speech: &Speech) -> io::Result<Self> {
        let members = vec![Member::connect(from, server, speech)?];
        Ok(Self { members })
    }

    /// Opens `count` more of them.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn grow(&mut self, server: SocketAddr, count: usize, speech: &Speech) -> io::Result<()> {
        for _ in 0..count {
            let at = self.members.len() / speech.per_address.max(1);
            let mut member = Member::connect(address(at), server, speech)?;
            member.ask()?;
            self.members.push(member);
        }
        Ok(())
    }

    /// Asks on every connection again; how many still answered.
    pub fn ask(&mut self) -> usize {
        let answered = self.members.iter_mut().map(Member::ask);
        answered.filter(Result::is_ok).count()
    }

    /// How many connections there are, those included that the server has closed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// The loopback address number `at`.
fn address(at: usize) -> Ipv4Addr {
    let first = u32::from(Ipv4Addr::new(127, 1, 0, 1));
    Ipv4Addr::from(first + u32::try_from(at).unwrap_or(0) % (100 << 16))
}

impl Member {
    fn connect(from: Ipv4Addr, server: SocketAddr, speech: &Speech) -> io::Result<Self> {
        let mut wire = Wire::Plain(connect_from(from, server)?);
        if let Some(config) = &speech.tls {
            let name = ServerName::try_from("test.example").map_err(io::Error::other)?;
            let session = ClientConnection::new(Arc::clone(config), name);
            wire = wire.secure(session.map_err(io::Error::other)?);
        }
        if speech.http2 {
            wire.write_all(HTTP2_PREFACE)?;
        }
        let stream = speech.http2.then_some(1);
        Ok(Self { wire, stream })
    }

    fn ask(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else {
            self.wire.write_all(GET)?;
            return self.wire.read_http1_answer();
        };
        let asked = *stream;
        *stream += 2;
        let length = u8::try_from(HTTP2_GET.len()).map_err(io::Error::other)?;
        // HEADERS, with END_STREAM and END_HEADERS.
        let mut frame = vec![0, 0, length, 1, 5];
        frame.extend(asked.to_be_bytes());
        frame.extend(HTTP2_GET);
        self.wire.write_all(&frame)?;
        self.wire.read_http2_answer(asked)
    }
}

impl Wire {
    fn secure(self, session: ClientConnection) -> Self {
        match self {
            Self::Plain(tcp) => Self::Tls(Box::new(StreamOwned::new(session, tcp))),
            secured @ Self::Tls(_) => secured,
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.write_all(bytes),
            Self::Tls(tls) => tls.write_all(bytes).and_then(|()| tls.flush()),
        }
    }

    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(piece),
            Self::Tls(tls) => tls.read(piece),
        }
    }

    fn read_exact(&mut self, wanted: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.read_exact(wanted),
            Self::Tls(tls) => tls.read_exact(wanted),
        }
    }

    /// An answer with a Content-Length and a body of a page at most, and nothing behind it.
    fn read_http1_answer(&mut self) -> io::Result<()> {
        let mut received = [0; 4096];
        let mut count = 0;
        loop {
            let space = received.get_mut(count..).unwrap_or_default();
            match self.read(space)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                more => count += more,
            }
            let text = String::from_utf8_lossy(received.get(..count).unwrap_or_default());
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.trim().parse().ok())?
            });
            if body.len() >= length.unwrap_or(0_usize) {
                return Ok(());
            }
        }
    }

    /// Frames up to the end of `asked`; the server's pings go unanswered.
    fn read_http2_answer(&mut self, asked: u32) -> io::Result<()> {
        loop {
            let mut head = [0; 9];
            self.read_exact(&mut head)?;
            let [l0, l1, l2, kind, flags, stream @ ..] = head;
            let length = u32::from_be_bytes([0, l0, l1, l2]);
            let mut payload = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            self.read_exact(&mut payload)?;
            let is_of_answer = u32::from_be_bytes(stream) == asked;
            match kind {
                // DATA or HEADERS with END_STREAM.
                0 | 1 if is_of_answer && flags & 1 == 1 => return Ok(()),
                // RST_STREAM, GOAWAY.
                3 if is_of_answer => return Err(ErrorKind::ConnectionReset.into()),
                7 => return Err(ErrorKind::ConnectionAborted.into()),
                _ => {}
            }
        }
    }
}

/// A TCP connection from an address of the loopback range.
///
/// # Errors
/// When it can't be made.
pub fn connect_from(from: Ipv4Addr, server: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect(&server.into())?;
    let tcp = TcpStream::from(socket);
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    tcp.set_write_timeout(Some(PATIENCE))?;
    Ok(tcp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_the_loopback_range_and_each_its_own() {
        assert_eq!(address(0), Ipv4Addr::new(127, 1, 0, 1));
        assert_eq!(address(99_999), Ipv4Addr::new(127, 2, 134, 160));
        assert!(address(usize::MAX).is_loopback());
    }
}
