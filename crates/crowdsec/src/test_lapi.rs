//! An LAPI for tests: answers connections by a script, on a thread of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

/// What one connection gets; it is closed afterwards.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A status and a body, whole.
    Status(u16, String),
    /// These bytes, then the connection is closed.
    Bytes(Vec<u8>),
    /// These bytes at once, whatever the client sends.
    Greeting(Vec<u8>),
    /// These bytes, then nothing until the client gives up.
    Silence(Vec<u8>),
    /// A status, once the test met it twice: after the request came, and before the answer goes.
    Held(u16, Arc<Barrier>),
    /// A head, then a byte of a JSON document every few milliseconds, without end.
    Drip,
}

impl Answer {
    /// A document of the stream.
    pub(crate) fn document(body: &str) -> Self {
        Self::Status(200, body.to_owned())
    }

    /// The first `len` bytes of an answer with a document of the stream.
    pub(crate) fn cut(body: &str, missing: usize) -> Self {
        let mut bytes = response(200, body);
        bytes.truncate(bytes.len() - missing);
        Self::Bytes(bytes)
    }
}

/// One that listens on a port of its own on loopback until it is dropped.
#[derive(Debug)]
pub(crate) struct TestLapi {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    bodies: Arc<Mutex<Vec<String>>>,
    stopping: Arc<AtomicBool>,
}

impl TestLapi {
    /// Gives one answer to each connection, in order; the last one again and again.
    pub(crate) fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let stopping = Arc::new(AtomicBool::new(false));
        let seen = Seen {
            heads: Arc::clone(&heads),
            bodies: Arc::clone(&bodies),
        };
        let stop = Arc::clone(&stopping);
        std::thread::spawn(move || serve(&listener, &answers, &seen, &stop));
        Self {
            address,
            heads,
            bodies,
            stopping,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of the requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// The bodies of the requests that had one.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap().clone()
    }
}

/// What the requests were.
struct Seen {
    heads: Arc<Mutex<Vec<String>>>,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Drop for TestLapi {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the listener. Its thread is not waited for: it may wait for a connection that this
        // thread's runtime has yet to close.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(listener: &TcpListener, answers: &[Answer], seen: &Seen, stopping: &AtomicBool) {
    for (index, connection) in listener.incoming().enumerate() {
        if stopping.load(Ordering::SeqCst) {
            return;
        }
        let answer = answers.get(index).or(answers.last()).unwrap();
        // A client that goes away early is none of the LAPI's business.
        let _ = connection.and_then(|connection| serve_one(connection, answer, seen));
    }
}

fn serve_one(mut connection: TcpStream, answer: &Answer, seen: &Seen) -> std::io::Result<()> {
    if let Answer::Greeting(bytes) = answer {
        return connection.write_all(bytes);
    }
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        connection.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let len = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is_len = name.eq_ignore_ascii_case("content-length");
        is_len.then(|| value.parse::<usize>().unwrap())
    });
    seen.heads.lock().unwrap().push(head);
    if let Some(len) = len {
        let mut body = vec![0; len];
        connection.read_exact(&mut body)?;
        let body = String::from_utf8(body).unwrap();
        seen.bodies.lock().unwrap().push(body);
    }
    match answer {
        Answer::Status(status, body) => connection.write_all(&response(*status, body)),
        Answer::Held(status, met) => {
            met.wait();
            met.wait();
            connection.write_all(&response(*status, ""))
        }
        Answer::Bytes(bytes) | Answer::Greeting(bytes) => connection.write_all(bytes),
        Answer::Silence(bytes) => {
            connection.write_all(bytes)?;
            connection.read(&mut byte).map(|_| ())
        }
        Answer::Drip => {
            connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"new\":[")?;
            loop {
                connection.write_all(b" ")?;
                // The pace of the drip is the test; nothing waits for it.
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

fn response(status: u16, body: &str) -> Vec<u8> {
    let len = body.len();
    format!("HTTP/1.1 {status} X\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n{body}")
        .into_bytes()
}
