//! A backend that can be killed and comes back on the same port. It remembers nothing of what it was
//! asked, however long it runs.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the body under [`LARGE`] is.
pub(crate) const LARGE_BYTES: usize = 1024 * 1024;
/// The path of a long answer.
pub(crate) const LARGE: &str = "/steady/large";

/// A server of HTTP/1.1 and of websockets that echo; ended when dropped.
pub(crate) struct Backend {
    address: SocketAddr,
    answered: Arc<AtomicU64>,
    running: Mutex<Option<Running>>,
}

struct Running {
    listener: TcpListener,
    connections: Arc<Connections>,
    accepts: JoinHandle<()>,
}

/// What is open, so that it can be cut off.
#[derive(Default)]
struct Connections {
    open: Mutex<HashMap<u64, TcpStream>>,
}

impl Backend {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let backend = Self {
            address,
            answered: Arc::default(),
            running: Mutex::new(None),
        };
        backend.run(listener);
        backend
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests it has answered.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Ends it as a crash would: nobody listens any more, and every connection breaks.
    pub(crate) fn kill(&self) {
        let Some(running) = self.running.lock().unwrap().take() else {
            return;
        };
        // Wakes the thread that accepts (Linux).
        let _ = socket2::SockRef::from(&running.listener).shutdown(Shutdown::Both);
        running.accepts.join().expect("the thread that accepts");
        drop(running.listener);
        for tcp in running.connections.open.lock().unwrap().values() {
            let _ = tcp.shutdown(Shutdown::Both);
        }
    }

    /// Starts it again, where it was.
    pub(crate) fn restore(&self) {
        self.run(TcpListener::bind(self.address).expect("the port that it had"));
    }

    fn run(&self, listener: TcpListener) {
        let connections = Arc::new(Connections::default());
        let (accepting, open) = (listener.try_clone().unwrap(), Arc::clone(&connections));
        let answered = Arc::clone(&self.answered);
        let accepts = std::thread::spawn(move || {
            let mut number = 0;
            while let Ok((tcp, _)) = accepting.accept() {
                number += 1;
                let kept = tcp.try_clone().expect("a descriptor");
                open.open.lock().unwrap().insert(number, kept);
                let (open, answered) = (Arc::clone(&open), Arc::clone(&answered));
                std::thread::spawn(move || {
                    // A connection that breaks is what clients and kills are for.
                    let _ = serve(tcp, &answered);
                    open.open.lock().unwrap().remove(&number);
                });
            }
        });
        *self.running.lock().unwrap() = Some(Running {
            listener,
            connections,
            accepts,
        });
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.kill();
    }
}

fn serve(mut tcp: TcpStream, answered: &AtomicU64) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut reader = BufReader::new(tcp.try_clone()?);
    loop {
        let head = read_head(&mut reader)?;
        read_body(&mut reader, &head)?;
        if field(&head, "upgrade").is_some() {
            tcp.write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            )?;
            io::copy(&mut reader, &mut tcp)?;
            return tcp.shutdown(Shutdown::Write);
        }
        if head.first().is_some_and(|line| line.contains(LARGE)) {
            tcp.write_all(
                format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE_BYTES}\r\n\r\n").as_bytes(),
            )?;
            tcp.write_all(&vec![b'x'; LARGE_BYTES])?;
        } else {
            tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// The lines of a head, without the empty one.
fn read_head(reader: &mut impl BufRead) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok(lines);
        }
        lines.push(line);
    }
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    match reader.read_line(&mut line)? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end().to_owned()),
    }
}

fn field<'h>(head: &'h [String], name: &str) -> Option<&'h str> {
    let mut fields = head.iter().filter_map(|line| line.split_once(": "));
    let found = fields.find(|(found, _)| found.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

fn read_body(reader: &mut impl BufRead, head: &[String]) -> io::Result<()> {
    if field(head, "transfer-encoding").is_none() {
        let length = field(head, "content-length").map_or(0, |length| length.parse().unwrap());
        return skip(reader, length);
    }
    loop {
        let line = read_line(reader)?;
        let length = u64::from_str_radix(&line, 16).map_err(io::Error::other)?;
        skip(reader, length + 2)?;
        if length == 0 {
            return Ok(());
        }
    }
}

fn skip(reader: &mut impl Read, length: u64) -> io::Result<()> {
    match io::copy(&mut reader.take(length), &mut io::sink())? {
        skipped if skipped == length => Ok(()),
        _ => Err(ErrorKind::UnexpectedEof.into()),
    }
}

/// Waits until a backend is asked again.
pub(crate) fn is_asked_within(backend: &Backend, patience: Duration) -> bool {
    let (before, begun) = (backend.answered(), std::time::Instant::now());
    while backend.answered() == before {
        if begun.elapsed() > patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}
