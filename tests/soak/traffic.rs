//! What clients do all the time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::backend::{LARGE, LARGE_BYTES};
use crate::harness::{Connection, Latencies, Load, LoadReport, TlsClient};

/// The client that a decision refuses from the beginning to the end.
pub(crate) const BANNED: &str = "198.51.100.66";
/// The path that a rule refuses.
pub(crate) const BLOCKED: &str = "/blocked";
/// What the certificate is for.
pub(crate) const HOST: &str = "test.example";

/// What a client does between two requests: there are many, and the machine has other work.
const PAUSE: Duration = Duration::from_millis(10);
const BODY_BYTES: usize = 100 * 1024;
const CHUNK_BYTES: usize = 4 * 1024;
/// Messages of a websocket, one each [`PAUSE`].
const MESSAGES: usize = 100;
/// A slow client takes a piece, and waits.
const PIECE_BYTES: usize = 64 * 1024;
const SLOW_PAUSE: Duration = Duration::from_millis(100);
/// How many of the things that went wrong are told.
const TOLD_MAX: usize = 5;

/// Where clients connect.
pub(crate) struct Doors {
    pub(crate) plain: SocketAddr,
    /// Connections begin with a PROXY header.
    pub(crate) behind_proxy: SocketAddr,
    pub(crate) tls: SocketAddr,
}

/// All clients.
pub(crate) struct Traffic {
    loads: Vec<(&'static str, Load)>,
    sessions: Vec<Sessions>,
}

/// What became of all that was asked in one way.
pub(crate) struct Outcome {
    pub(crate) kind: &'static str,
    /// How many had each outcome: a status, or what a session came to.
    pub(crate) counts: BTreeMap<String, usize>,
    pub(crate) lost: usize,
    /// The first of the losses.
    pub(crate) told: Vec<String>,
    pub(crate) latencies: Latencies,
}

impl Traffic {
    pub(crate) fn start(doors: &Doors, http1: &Arc<TlsClient>, http2: &Arc<TlsClient>) -> Self {
        let plain = || Load::on(doors.plain).pause(PAUSE);
        let proxied = || Load::on(doors.behind_proxy).pause(PAUSE);
        let tls = |client: &Arc<TlsClient>| {
            let client = Arc::clone(client);
            Load::on(doors.tls).pause(PAUSE).tls(client, HOST)
        };
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
        let malformed = format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\nHost: b\r\n\r\n");
        let blocked = || get(BLOCKED);
        let plans = [
            ("GET, kept alive", plain().keep_alive(2)),
            ("GET, a connection each", plain().new_connections(1)),
            ("GET over TLS, kept alive", tls(http1).keep_alive(1)),
            (
                "GET over TLS, a connection each",
                tls(http1).new_connections(1),
            ),
            ("GET over HTTP/2", tls(http2).http2(2)),
            (
                "GET of a client in a PROXY header",
                proxied().of_client("198.51.100.1").keep_alive(1),
            ),
            (
                "POST of 100 KiB",
                plain().request(sized_body()).keep_alive(1),
            ),
            (
                "POST of 100 KiB in chunks",
                plain().request(chunked_body()).keep_alive(1),
            ),
            (
                "refused by a decision",
                proxied().of_client(BANNED).expecting(&[403]).keep_alive(1),
            ),
            (
                "refused by a rule",
                plain().request(blocked()).expecting(&[403]).keep_alive(1),
            ),
            (
                "refused by a rule over HTTP/2",
                tls(http2).request(blocked()).expecting(&[403]).http2(1),
            ),
            (
                "malformed",
                plain()
                    .request(malformed)
                    .expecting(&[400])
                    .new_connections(1),
            ),
        ];
        let plain = doors.plain;
        Self {
            loads: plans.map(|(kind, plan)| (kind, plan.start())).into(),
            sessions: vec![
                Sessions::start("websocket", move || websocket(plain)),
                Sessions::start("slow download of 1 MiB", move || slow_download(plain)),
            ],
        }
    }

    /// Ends it; what became of everything that was asked.
    pub(crate) fn finish(self) -> Vec<Outcome> {
        let loads = self.loads.into_iter();
        let mut outcomes: Vec<Outcome> = loads
            .map(|(kind, load)| Outcome::of_load(kind, &load.finish()))
            .collect();
        outcomes.extend(self.sessions.into_iter().map(Sessions::finish));
        outcomes
    }
}

impl Outcome {
    fn of_load(kind: &'static str, report: &LoadReport) -> Self {
        let statuses = report.statuses.iter();
        let mut counts: BTreeMap<String, usize> = statuses
            .map(|(status, count)| (status.to_string(), *count))
            .collect();
        if report.unanswered > 0 {
            counts.insert("no answer".to_owned(), report.unanswered);
        }
        let told = report.unexpected.iter().take(TOLD_MAX);
        Self {
            kind,
            counts,
            lost: report.unexpected_count,
            told: told.map(|unexpected| format!("{unexpected:?}")).collect(),
            latencies: report.latencies.clone(),
        }
    }
}

fn sized_body() -> Vec<u8> {
    let head =
        format!("POST /steady HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {BODY_BYTES}\r\n\r\n");
    [head.into_bytes(), vec![b'x'; BODY_BYTES]].concat()
}

fn chunked_body() -> Vec<u8> {
    let head =
        format!("POST /steady HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("{CHUNK_BYTES:x}\r\n{}\r\n", "x".repeat(CHUNK_BYTES));
    let chunks = chunk.repeat(BODY_BYTES / CHUNK_BYTES);
    format!("{head}{chunks}0\r\n\r\n").into_bytes()
}

/// A client that does the same thing again and again, which takes more than one answer.
struct Sessions {
    kind: &'static str,
    stop: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
    client: JoinHandle<()>,
}

#[derive(Default)]
struct Tally {
    completed: usize,
    lost: usize,
    told: Vec<String>,
    latencies: Latencies,
}

impl Sessions {
    fn start(
        kind: &'static str,
        session: impl Fn() -> Result<(), String> + Send + 'static,
    ) -> Self {
        let (stop, tally) = (
            Arc::new(AtomicBool::new(false)),
            Arc::<Mutex<Tally>>::default(),
        );
        let (stopped, shared) = (Arc::clone(&stop), Arc::clone(&tally));
        let client = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let begun = Instant::now();
                // The instruments give up by a panic where an answer doesn't come in time.
                let ended = catch_unwind(AssertUnwindSafe(&session));
                let ended = ended.unwrap_or_else(|_| Err("no answer in time".to_owned()));
                let mut tally = shared.lock().unwrap();
                match ended {
                    Ok(()) => {
                        tally.completed += 1;
                        tally.latencies.record(begun.elapsed());
                    }
                    Err(what) => {
                        tally.lost += 1;
                        if tally.told.len() < TOLD_MAX {
                            tally.told.push(what);
                        }
                    }
                }
            }
        });
        Self {
            kind,
            stop,
            tally,
            client,
        }
    }

    fn finish(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        self.client.join().expect("a client's thread");
        let tally = std::mem::take(&mut *self.tally.lock().unwrap());
        let counts = [("completed", tally.completed), ("broken off", tally.lost)];
        let counts = counts.into_iter().filter(|(_, count)| *count > 0);
        Outcome {
            kind: self.kind,
            counts: counts
                .map(|(what, count)| (what.to_owned(), count))
                .collect(),
            lost: tally.lost,
            told: tally.told,
            latencies: tally.latencies,
        }
    }
}

fn websocket(address: SocketAddr) -> Result<(), String> {
    let upgrade = format!(
        "GET /steady HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    let mut client = Connection::open(address);
    let answer = client.send(upgrade).answer().ok_or("no answer")?;
    if answer.status != 101 {
        return Err(format!("status {}", answer.status));
    }
    for number in 0..MESSAGES {
        let message = format!("message {number}");
        let echo = client.send(&message).read_exactly(message.len());
        if echo != message.as_bytes() {
            return Err(format!("{message} came back as {}", echo.escape_ascii()));
        }
        std::thread::sleep(PAUSE);
    }
    match client.finish_sending().is_closed() {
        true => Ok(()),
        false => Err("the websocket doesn't end".to_owned()),
    }
}

fn slow_download(address: SocketAddr) -> Result<(), String> {
    let request = format!("GET {LARGE} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    let mut client = Connection::open(address);
    client.send(request);
    let mut received = 0;
    loop {
        let piece = client.read_exactly(PIECE_BYTES);
        received += piece.len();
        if piece.len() < PIECE_BYTES {
            break;
        }
        std::thread::sleep(SLOW_PAUSE);
    }
    match received > LARGE_BYTES {
        true => Ok(()),
        false => Err(format!("{received} bytes, head included")),
    }
}
