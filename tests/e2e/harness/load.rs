//! Load that runs while something else happens: clients that ask again and again, and remember
//! every answer that wasn't what they expected, with its time.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::http::{Connection, Wire, header};
use super::{Http2, Latencies, Outcome, TlsClient, wait_for};

/// An answer that takes longer counts as none, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a client does between two requests: the machine is to be busy, not full.
const PAUSE: Duration = Duration::from_millis(4);
/// RFC 9113 section 6.9: so that the bodies of all answers of a connection fit.
const WINDOW_UPDATE: u8 = 8;
const WINDOW_INCREMENT: u32 = 0x7fff_0000;
/// How many unexpected outcomes are kept.
const KEPT_MAX: usize = 50;

/// Clients at work; stopped when dropped.
///
/// ```ignore
/// let load = Load::on(palisade.address()).keep_alive(2).new_connections(1).start();
/// // break something
/// load.wait_for_more(50);
/// // mend it
/// load.finish().assert_flawless();
/// ```
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

/// Clients that haven't begun.
pub(crate) struct LoadPlan {
    target: Target,
    expected: Vec<u16>,
    clients: Vec<Manner>,
}

/// What all clients of a load have in common.
#[derive(Clone)]
struct Target {
    address: SocketAddr,
    request: Vec<u8>,
    /// A PROXY header.
    preface: Vec<u8>,
    tls: Option<(Arc<TlsClient>, String)>,
    pause: Duration,
    retries_idle: bool,
}

/// How a client uses connections.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    KeepAlive,
    NewConnections,
    Http2,
}

struct Shared {
    stop: AtomicBool,
    begun: Instant,
    log: Mutex<LoadReport>,
    expected: Mutex<Vec<u16>>,
}

/// What clients saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoadReport {
    /// How many answers had each status.
    pub(crate) statuses: BTreeMap<u16, usize>,
    /// How many requests had no answer.
    pub(crate) unanswered: usize,
    /// How many were sent again, as any client does, because an idle connection had ended or the
    /// server had said that it wouldn't look at them.
    pub(crate) sent_again: usize,
    /// What was not expected; the first of them.
    pub(crate) unexpected: Vec<Unexpected>,
    /// How much was not expected in all.
    pub(crate) unexpected_count: usize,
    /// The longest that an answer took.
    pub(crate) slowest: Duration,
    /// How long answers took.
    pub(crate) latencies: Latencies,
}

/// An outcome that was not expected.
#[derive(Clone)]
pub(crate) struct Unexpected {
    /// Since the load began.
    pub(crate) at: Duration,
    pub(crate) what: String,
}

impl fmt::Debug for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {:?}: {}", self.at, self.what)
    }
}

impl LoadReport {
    /// How many answers there were.
    pub(crate) fn answers(&self) -> usize {
        self.statuses.values().sum()
    }

    /// How many answers had this status.
    pub(crate) fn count(&self, status: u16) -> usize {
        self.statuses.get(&status).copied().unwrap_or(0)
    }

    /// Every request was answered as expected.
    #[track_caller]
    pub(crate) fn assert_flawless(&self) -> &Self {
        assert!(self.answers() > 0, "nothing was asked");
        assert!(self.unexpected.is_empty(), "{self:#?}");
        self
    }
}

impl Load {
    /// Clients of this address, which ask for `/load` and expect 200.
    pub(crate) fn on(address: SocketAddr) -> LoadPlan {
        LoadPlan {
            target: Target {
                address,
                request: b"GET /load HTTP/1.1\r\nHost: test.example\r\n\r\n".to_vec(),
                preface: Vec::new(),
                tls: None,
                pause: PAUSE,
                retries_idle: false,
            },
            expected: vec![200],
            clients: Vec::new(),
        }
    }

    /// What clients saw so far.
    pub(crate) fn report(&self) -> LoadReport {
        self.shared.log().clone()
    }

    /// Expects other statuses from now on; answers that are on their way are judged by these too.
    pub(crate) fn expect(&self, statuses: &[u16]) {
        *self.shared.expected.lock().unwrap() = statuses.to_vec();
    }

    /// Waits until `count` more requests have been answered.
    #[track_caller]
    pub(crate) fn wait_for_more(&self, count: usize) {
        let before = self.report().answers();
        wait_for("more answers", || {
            (self.report().answers() >= before + count).then_some(())
        });
    }

    /// Stops once `count` more requests have been answered; what clients saw.
    #[track_caller]
    pub(crate) fn finish_after(self, count: usize) -> LoadReport {
        self.wait_for_more(count);
        self.finish()
    }

    /// Stops; what clients saw.
    pub(crate) fn finish(mut self) -> LoadReport {
        self.shared.stop.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            if client.join().is_err() {
                self.shared
                    .failed("a client gave up: no answer in time".to_owned());
            }
        }
        self.report()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if std::thread::panicking() {
            eprintln!("clients saw: {:#?}", self.report());
        }
    }
}

impl LoadPlan {
    /// So many clients that stay on their connection.
    pub(crate) fn keep_alive(self, clients: usize) -> Self {
        self.clients(Manner::KeepAlive, clients)
    }

    /// So many clients that open a connection for each request.
    pub(crate) fn new_connections(self, clients: usize) -> Self {
        self.clients(Manner::NewConnections, clients)
    }

    /// So many clients that speak HTTP/2, and stay on their connection.
    pub(crate) fn http2(self, clients: usize) -> Self {
        self.clients(Manner::Http2, clients)
    }

    fn clients(mut self, manner: Manner, clients: usize) -> Self {
        self.clients.extend(std::iter::repeat_n(manner, clients));
        self
    }

    /// Over TLS, to this name.
    pub(crate) fn tls(mut self, client: Arc<TlsClient>, name: &str) -> Self {
        self.target.tls = Some((client, name.to_owned()));
        self
    }

    /// As this client, told in a PROXY header.
    pub(crate) fn of_client(mut self, client: &str) -> Self {
        let (family, own) = match client.contains(':') {
            true => ("TCP6", "::1"),
            false => ("TCP4", "127.0.0.1"),
        };
        self.target.preface = format!("PROXY {family} {client} {own} 40000 80\r\n").into_bytes();
        self
    }

    /// Another request; clients that speak HTTP/2 ask for its path and host.
    pub(crate) fn request(mut self, request: impl Into<Vec<u8>>) -> Self {
        self.target.request = request.into();
        self
    }

    /// Another pause between two requests of a client than 4 ms.
    pub(crate) fn pause(mut self, pause: Duration) -> Self {
        self.target.pause = pause;
        self
    }

    /// Statuses that are as they should be, instead of 200.
    pub(crate) fn expecting(mut self, statuses: &[u16]) -> Self {
        statuses.clone_into(&mut self.expected);
        self
    }

    /// A request on a connection that was idle, and ended without a byte of an answer, is sent once
    /// more on another, as browsers do (RFC 9112 section 9.3.1): for servers that end.
    pub(crate) fn retrying_idle(mut self) -> Self {
        self.target.retries_idle = true;
        self
    }

    /// Begins.
    pub(crate) fn start(self) -> Load {
        assert!(!self.clients.is_empty(), "a load without clients");
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            begun: Instant::now(),
            log: Mutex::default(),
            expected: Mutex::new(self.expected),
        });
        let clients = self.clients.iter().map(|manner| {
            let (target, shared) = (self.target.clone(), Arc::clone(&shared));
            let manner = *manner;
            std::thread::spawn(move || match manner {
                Manner::Http2 => ask_over_http2(&target, &shared),
                _ => ask_over_http1(&target, manner, &shared),
            })
        });
        let clients = clients.collect();
        Load { shared, clients }
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, LoadReport> {
        self.log.lock().unwrap()
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn answered(&self, status: u16, asked: Instant) {
        let is_expected = self.expected.lock().unwrap().contains(&status);
        let mut log = self.log();
        *log.statuses.entry(status).or_default() += 1;
        let took = asked.elapsed();
        log.slowest = log.slowest.max(took);
        log.latencies.record(took);
        if !is_expected {
            self.keep(&mut log, format!("status {status}"));
        }
    }

    fn failed(&self, what: String) {
        let mut log = self.log();
        log.unanswered += 1;
        self.keep(&mut log, what);
    }

    fn keep(&self, log: &mut LoadReport, what: String) {
        log.unexpected_count += 1;
        if log.unexpected.len() < KEPT_MAX {
            let at = self.begun.elapsed();
            log.unexpected.push(Unexpected { at, what });
        }
    }
}

impl Target {
    fn connect(&self) -> io::Result<Wire> {
        let mut tcp = TcpStream::connect(self.address)?;
        tcp.set_nodelay(true)?;
        io::Write::write_all(&mut tcp, &self.preface)?;
        let connection = match &self.tls {
            None => Connection::over(Wire::Plain(tcp)),
            Some((tls, name)) => tls.handshake(tcp, name)?,
        };
        let wire = connection.into_wire();
        wire.tcp().set_read_timeout(Some(PATIENCE))?;
        Ok(wire)
    }
}

/// A connection that answers are read from.
struct Link {
    wire: Wire,
    received: Vec<u8>,
    /// It has had an answer already.
    is_used: bool,
}

/// Why there is no answer.
struct NoAnswer {
    error: io::Error,
    /// Not a byte came, on a connection that had been idle.
    was_idle: bool,
}

fn ask_over_http1(target: &Target, manner: Manner, shared: &Shared) {
    let mut link: Option<Link> = None;
    while !shared.is_over() {
        let asked = Instant::now();
        let mut outcome = ask_once(target, &mut link);
        if let Err(NoAnswer { was_idle: true, .. }) = outcome
            && target.retries_idle
        {
            shared.log().sent_again += 1;
            outcome = ask_once(target, &mut link);
        }
        match outcome {
            Ok(status) => shared.answered(status, asked),
            Err(NoAnswer { error, .. }) => shared.failed(format!("no answer: {error}")),
        }
        if manner == Manner::NewConnections {
            link = None;
        }
        std::thread::sleep(target.pause);
    }
}

/// The status of the next answer; `link` is empty where the connection can't be used again.
fn ask_once(target: &Target, link: &mut Option<Link>) -> Result<u16, NoAnswer> {
    let mut open = match link.take() {
        Some(open) => open,
        None => target.connect().map(Link::new).map_err(|error| NoAnswer {
            error,
            was_idle: false,
        })?,
    };
    let (status, goes_on) = match open.ask(&target.request) {
        Ok(answer) => answer,
        Err(error) => {
            let was_idle = open.is_used && open.received.is_empty();
            return Err(NoAnswer { error, was_idle });
        }
    };
    open.is_used = true;
    if goes_on {
        *link = Some(open);
    }
    Ok(status)
}

impl Link {
    fn new(wire: Wire) -> Self {
        Self {
            wire,
            received: Vec::new(),
            is_used: false,
        }
    }

    /// The status, and whether the connection goes on. The whole answer is read.
    fn ask(&mut self, request: &[u8]) -> io::Result<(u16, bool)> {
        self.wire.write_all(request)?;
        let end = self.find(b"\r\n\r\n")?;
        let head: Vec<u8> = self.received.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| garbage("no status line"))?;
        if header(&head, "transfer-encoding").is_some() {
            while self.take_chunk()? > 0 {}
        } else {
            let length = header(&head, "content-length").and_then(|length| length.parse().ok());
            self.take(length.ok_or_else(|| garbage("no length of the body"))?)?;
        }
        let closes = header(&head, "connection").is_some_and(|value| value.contains("close"));
        Ok((status, !closes))
    }

    /// Where `what` begins.
    fn find(&mut self, what: &[u8]) -> io::Result<usize> {
        loop {
            let mut windows = self.received.windows(what.len());
            match windows.position(|window| window == what) {
                Some(at) => return Ok(at),
                None => self.fill()?,
            }
        }
    }

    fn take_chunk(&mut self) -> io::Result<usize> {
        let end = self.find(b"\r\n")?;
        let line: Vec<u8> = self.received.drain(..end + 2).collect();
        let line = String::from_utf8_lossy(&line);
        let length = usize::from_str_radix(line.trim(), 16).map_err(|_| garbage("no chunk"))?;
        self.take(length + 2)?;
        Ok(length)
    }

    fn take(&mut self, length: usize) -> io::Result<()> {
        while self.received.len() < length {
            self.fill()?;
        }
        self.received.drain(..length);
        Ok(())
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        match self.wire.read(&mut piece)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            length => {
                self.received.extend_from_slice(&piece[..length]);
                Ok(())
            }
        }
    }
}

fn garbage(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

fn ask_over_http2(target: &Target, shared: &Shared) {
    let head = String::from_utf8_lossy(&target.request).into_owned();
    let path = head.split(' ').nth(1).expect("a target").to_owned();
    let host = header(&head, "host").expect("a host").to_owned();
    let scheme = if target.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let fields = [
        (":method", "GET"),
        (":scheme", scheme),
        (":authority", &*host),
        (":path", &*path),
    ];
    let mut link: Option<(Http2, u32)> = None;
    while !shared.is_over() {
        let asked = Instant::now();
        let (mut http2, stream) = match link.take() {
            Some(open) => open,
            None => match target.connect() {
                Ok(wire) => {
                    let mut http2 = Http2::over(Connection::over(wire));
                    http2.frame(WINDOW_UPDATE, 0, 0, &WINDOW_INCREMENT.to_be_bytes());
                    (http2, 1)
                }
                Err(error) => {
                    shared.failed(format!("no connection: {error}"));
                    std::thread::sleep(target.pause);
                    continue;
                }
            },
        };
        match http2.head(stream, &fields, true).outcome(stream) {
            Outcome::Answered { status, .. } => {
                shared.answered(status, asked);
                if http2.farewells().is_empty() {
                    link = Some((http2, stream + 2));
                }
            }
            _ if http2.is_leaving_before(stream) => shared.log().sent_again += 1,
            outcome => shared.failed(format!("{outcome:?}")),
        }
        std::thread::sleep(target.pause);
    }
}
