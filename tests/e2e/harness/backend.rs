//! A backend that remembers what it was asked.

use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::http::header;
use super::wait_for;

/// What a backend does with a request: gets the request, answers on the stream, says whether the
/// connection goes on.
type Respond = dyn Fn(&BackendRequest, &mut TcpStream) -> bool + Send + Sync;

/// An HTTP/1 server on loopback.
pub(crate) struct Backend {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    requests: Vec<BackendRequest>,
}

/// What a backend was asked.
#[derive(Clone, Debug)]
pub(crate) struct BackendRequest {
    /// The request line.
    pub(crate) line: String,
    /// The whole head, without the empty line.
    pub(crate) head: String,
    /// The body; chunks joined.
    pub(crate) body: Vec<u8>,
    /// In how many chunks the body came, the last one left out.
    pub(crate) chunks: usize,
    /// What came on the connection before the head: a PROXY header.
    pub(crate) before: Vec<u8>,
}

impl BackendRequest {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// How many fields of that name there are.
    pub(crate) fn count(&self, name: &str) -> usize {
        let fields = self.head.lines().skip(1);
        fields
            .filter(|line| {
                line.split_once(':')
                    .is_some_and(|(found, _)| found.eq_ignore_ascii_case(name))
            })
            .count()
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl Backend {
    /// One that answers everything with 200 and `ok`.
    pub(crate) fn start() -> Self {
        Self::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }

    /// One that answers everything with these bytes, and goes on.
    pub(crate) fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::with(move |request, tcp| {
            let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
            let only_head = request.line.starts_with("HEAD ");
            let part = if only_head {
                &bytes[..end.unwrap() + 4]
            } else {
                &bytes
            };
            tcp.write_all(part).is_ok()
        })
    }

    /// One that does as it is told.
    pub(crate) fn with(
        respond: impl Fn(&BackendRequest, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), respond)
    }

    /// The same, where this listens.
    pub(crate) fn on(
        listener: TcpListener,
        respond: impl Fn(&BackendRequest, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (shared, respond) = (Arc::clone(&seen), Arc::new(respond));
        std::thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                shared.lock().unwrap().connections += 1;
                let (shared, respond) = (Arc::clone(&shared), Arc::clone(&respond));
                std::thread::spawn(move || serve(tcp, &shared, &*respond));
            }
        });
        Self { address, seen }
    }

    /// What it was asked so far, in the order in which the requests were complete.
    pub(crate) fn requests(&self) -> Vec<BackendRequest> {
        self.seen.lock().unwrap().requests.clone()
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    /// Waits until it has been asked `count` things.
    #[track_caller]
    pub(crate) fn wait_for_requests(&self, count: usize) -> Vec<BackendRequest> {
        wait_for("requests at the backend", || {
            let requests = self.requests();
            (requests.len() >= count).then_some(requests)
        })
    }
}

fn serve(mut tcp: TcpStream, seen: &Mutex<Seen>, respond: &Respond) {
    let mut received = Vec::new();
    while let Some(request) = read_request(&mut tcp, &mut received) {
        seen.lock().unwrap().requests.push(request.clone());
        if !respond(&request, &mut tcp) {
            return;
        }
    }
}

fn read_request(tcp: &mut TcpStream, received: &mut Vec<u8>) -> Option<BackendRequest> {
    let before = read_proxy_header(tcp, received)?;
    let end = loop {
        match received.windows(4).position(|window| window == b"\r\n\r\n") {
            Some(end) => break end,
            None => fill(tcp, received)?,
        }
    };
    let head: Vec<u8> = received.drain(..end + 4).take(end).collect();
    let head = String::from_utf8_lossy(&head).into_owned();
    let (body, chunks) = if header(&head, "transfer-encoding").is_some() {
        read_chunks(tcp, received)?
    } else {
        let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        (take(tcp, received, length)?, 0)
    };
    Some(BackendRequest {
        line: head.lines().next().unwrap_or_default().to_owned(),
        head,
        body,
        chunks,
        before,
    })
}

/// A PROXY header of either version, if the connection begins with one.
fn read_proxy_header(tcp: &mut TcpStream, received: &mut Vec<u8>) -> Option<Vec<u8>> {
    while received.len() < 16 {
        fill(tcp, received)?;
    }
    let length = if received.starts_with(b"PROXY ") {
        loop {
            match received.windows(2).position(|window| window == b"\r\n") {
                Some(end) => break end + 2,
                None => fill(tcp, received)?,
            }
        }
    } else if received.starts_with(b"\r\n\r\n\0\r\nQUIT\n") {
        16 + usize::from(u16::from_be_bytes([received[14], received[15]]))
    } else {
        0
    };
    take(tcp, received, length)
}

/// The body, and how many chunks it came in.
fn read_chunks(tcp: &mut TcpStream, received: &mut Vec<u8>) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut chunks) = (Vec::new(), 0);
    loop {
        let end = loop {
            match received.windows(2).position(|window| window == b"\r\n") {
                Some(end) => break end,
                None => fill(tcp, received)?,
            }
        };
        let line: Vec<u8> = received.drain(..end + 2).take(end).collect();
        let length = usize::from_str_radix(std::str::from_utf8(&line).ok()?, 16).ok()?;
        body.extend(take(tcp, received, length)?);
        take(tcp, received, 2)?;
        if length == 0 {
            return Some((body, chunks));
        }
        chunks += 1;
    }
}

fn take(tcp: &mut TcpStream, received: &mut Vec<u8>, length: usize) -> Option<Vec<u8>> {
    while received.len() < length {
        fill(tcp, received)?;
    }
    Some(received.drain(..length).collect())
}

fn fill(tcp: &mut TcpStream, received: &mut Vec<u8>) -> Option<()> {
    let mut piece = [0; 16 * 1024];
    match tcp.read(&mut piece) {
        Ok(length @ 1..) => {
            received.extend_from_slice(&piece[..length]);
            Some(())
        }
        _ => None,
    }
}
