//! Raw HTTP/1 from the client's side: what is sent is exactly what the test says.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};

/// No answer takes longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection of a client.
pub(crate) struct Connection {
    wire: Wire,
    received: Vec<u8>,
}

/// What a connection's bytes go over.
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    pub(super) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => &tls.sock,
        }
    }

    pub(super) fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(piece),
            Self::Tls(tls) => tls.read(piece),
        }
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.write_all(bytes),
            Self::Tls(tls) => tls.write_all(bytes).and_then(|()| tls.flush()),
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The head, without the empty line.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header field; the first, if there are several.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The value of a header field in a head.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).expect("connects"))
    }

    /// From another address of the loopback range.
    pub(crate) fn open_from(source: &str, address: SocketAddr) -> Self {
        Self::new(connect_from(source, address))
    }

    fn new(tcp: TcpStream) -> Self {
        Self::over(Wire::Plain(tcp))
    }

    pub(crate) fn over(wire: Wire) -> Self {
        wire.tcp().set_read_timeout(Some(PATIENCE)).unwrap();
        wire.tcp().set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            wire,
            received: Vec::new(),
        }
    }

    /// What it goes over, for whoever reads answers in another way.
    pub(super) fn into_wire(self) -> Wire {
        self.wire
    }

    /// The client's own end.
    pub(crate) fn local_address(&self) -> SocketAddr {
        self.wire.tcp().local_addr().unwrap()
    }

    /// The TLS session.
    pub(crate) fn tls(&self) -> &ClientConnection {
        match &self.wire {
            Wire::Plain(_) => panic!("not TLS"),
            Wire::Tls(tls) => &tls.conn,
        }
    }

    /// Breaks the connection off: the other end gets a reset instead of an end.
    pub(crate) fn reset(self) {
        let socket = socket2::SockRef::from(self.wire.tcp());
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// The same connection once more, to send on it from another thread.
    pub(crate) fn try_clone(&self) -> Self {
        Self::new(self.wire.tcp().try_clone().unwrap())
    }

    /// Sends bytes; a connection that the other end has closed already takes none, which shows when
    /// the answer is read.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.wire.write_all(bytes.as_ref());
        self
    }

    /// No more will be sent.
    pub(crate) fn finish_sending(&mut self) -> &mut Self {
        let _ = self.wire.tcp().shutdown(Shutdown::Write);
        self
    }

    /// The next answer to a request that was no HEAD; `None` where the connection ends instead.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        self.read_answer(false)
    }

    /// The next answer to a HEAD request.
    pub(crate) fn answer_to_head(&mut self) -> Option<Answer> {
        self.read_answer(true)
    }

    fn read_answer(&mut self, is_head: bool) -> Option<Answer> {
        let end = loop {
            let end = self
                .received
                .windows(4)
                .position(|window| window == b"\r\n\r\n");
            match end {
                Some(end) => break end,
                None if !self.fill() => return None,
                None => {}
            }
        };
        let head: Vec<u8> = self.received.drain(..end + 4).take(end).collect();
        let head = String::from_utf8(head).expect("a head is text");
        let status: u16 = head[9..12].parse().expect("a status line");
        let bodiless = is_head || status < 200 || status == 204 || status == 304;
        let body = if bodiless {
            Vec::new()
        } else if header(&head, "transfer-encoding") == Some("chunked") {
            self.read_chunks()
        } else if let Some(length) = header(&head, "content-length") {
            self.read_exactly(length.parse().unwrap())
        } else {
            while self.fill() {}
            std::mem::take(&mut self.received)
        };
        Some(Answer { status, head, body })
    }

    /// So many bytes; fewer where the connection ends.
    pub(crate) fn read_exactly(&mut self, length: usize) -> Vec<u8> {
        while self.received.len() < length && self.fill() {}
        let length = length.min(self.received.len());
        self.received.drain(..length).collect()
    }

    fn read_chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line();
            let length = usize::from_str_radix(line.trim(), 16).unwrap_or(0);
            body.extend(self.read_exactly(length));
            self.read_line();
            if length == 0 {
                return body;
            }
        }
    }

    fn read_line(&mut self) -> String {
        loop {
            if let Some(end) = self
                .received
                .windows(2)
                .position(|window| window == b"\r\n")
            {
                let line: Vec<u8> = self.received.drain(..end + 2).collect();
                return String::from_utf8_lossy(&line).into_owned();
            }
            if !self.fill() {
                return String::new();
            }
        }
    }

    /// Everything until the connection ends.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.received)
    }

    /// Reads, and keeps nothing, until the connection ends.
    #[track_caller]
    pub(crate) fn discard_to_end(&mut self) {
        let begun = Instant::now();
        while self.fill() {
            self.received.clear();
            assert!(begun.elapsed() < PATIENCE, "the connection goes on and on");
        }
    }

    /// Whether the other end has closed the connection, with nothing left to read.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.received.is_empty() && !self.fill()
    }

    /// Receives more; false where the connection has ended.
    fn fill(&mut self) -> bool {
        let mut piece = [0; 16 * 1024];
        match self.wire.read(&mut piece) {
            Ok(0) => false,
            Ok(length) => {
                self.received.extend_from_slice(&piece[..length]);
                true
            }
            // A reset, the end of TLS without a farewell, or an alert.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::InvalidData
                ) =>
            {
                false
            }
            Err(error) => panic!(
                "no answer: {error}; so far: {:?}",
                String::from_utf8_lossy(&self.received)
            ),
        }
    }
}

/// A TCP connection from an address of the loopback range.
pub(crate) fn connect_from(source: &str, address: SocketAddr) -> TcpStream {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let source: SocketAddr = format!("{source}:0").parse().unwrap();
    socket.bind(&source.into()).unwrap();
    socket.connect(&address.into()).unwrap();
    TcpStream::from(socket)
}
