//! Backends that are down, silent, or answer nonsense. What a backend that is well can answer is
//! answered; for the rest the client gets the right page, until the backend is well again.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::harness::{Backend, Load, LoadPlan, LoadReport, Palisade, wait_for};

/// What a server does with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Manner {
    Answers,
    /// Sends this, and breaks the connection off.
    BreaksOff(&'static str),
    /// Sends this, and nothing more.
    Stalls(&'static str),
    /// Sends a head without end.
    Endless,
    /// Resets the connection.
    Resets,
}

impl Manner {
    /// Whether the connection breaks before there is an answer, be it wrong: then another server is
    /// asked.
    fn is_break(self) -> bool {
        let is_head = |start: &str| start.is_empty() || start.starts_with("HTTP/1.1 ");
        match self {
            Self::BreaksOff(start) => is_head(start) && !start.contains("\r\n\r\n"),
            Self::Resets => true,
            Self::Answers | Self::Stalls(_) | Self::Endless => false,
        }
    }
}

/// A server that does as it is told.
struct Server {
    address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    answered: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn on(listener: TcpListener) -> Self {
        let server = Self {
            address: listener.local_addr().unwrap(),
            manner: Arc::new(Mutex::new(Manner::Answers)),
            answered: Arc::default(),
        };
        let (manner, answered) = (Arc::clone(&server.manner), Arc::clone(&server.answered));
        std::thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                let (manner, answered) = (Arc::clone(&manner), Arc::clone(&answered));
                std::thread::spawn(move || serve(tcp, &manner, &answered));
            }
        });
        server
    }

    fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }
}

fn serve(mut tcp: TcpStream, manner: &Mutex<Manner>, answered: &AtomicUsize) {
    let mut piece = [0; 4096];
    while tcp.read(&mut piece).is_ok_and(|length| length > 0) {
        let manner = *manner.lock().unwrap();
        // The other end may go at any time.
        let _ = match manner {
            Manner::Answers => {
                answered.fetch_add(1, Ordering::Relaxed);
                tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
            Manner::BreaksOff(start) => {
                let _ = tcp.write_all(start.as_bytes());
                return;
            }
            Manner::Stalls(start) => {
                let _ = tcp.write_all(start.as_bytes());
                let _ = tcp.read(&mut piece);
                return;
            }
            Manner::Endless => {
                let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\n");
                while tcp.write_all(b"X-More: and more and more\r\n").is_ok() {}
                return;
            }
            Manner::Resets => {
                let tcp = socket2::Socket::from(tcp);
                tcp.set_linger(Some(Duration::ZERO)).unwrap();
                return;
            }
        };
    }
}

fn load_on(palisade: &Palisade) -> LoadPlan {
    Load::on(palisade.address())
        .keep_alive(1)
        .new_connections(1)
}

fn start(servers: &str, more: &str) -> Palisade {
    Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [{servers}], timeouts: {{ read: 1s }}{more} }} }}
sites: [{{ upstream: app }}]
admin: {{ address: 127.0.0.1:0 }}
"
    ))
}

/// What clients see of one server that fails so: this status, or no whole answer.
const ROWS: [(&str, Manner, Option<u16>); 10] = [
    ("hangs up", Manner::BreaksOff(""), Some(502)),
    ("a reset", Manner::Resets, Some(502)),
    (
        "half a head",
        Manner::BreaksOff("HTTP/1.1 200 OK\r\nCont"),
        Some(502),
    ),
    (
        "garbage",
        Manner::BreaksOff("\0\x01 what?\r\n\r\n"),
        Some(502),
    ),
    (
        "another protocol",
        Manner::BreaksOff("220 mail.example ESMTP\r\n"),
        Some(502),
    ),
    ("a head without end", Manner::Endless, Some(502)),
    ("silence", Manner::Stalls(""), Some(504)),
    (
        "half a head, then silence",
        Manner::Stalls("HTTP/1.1 200 OK\r\nCont"),
        Some(504),
    ),
    (
        "half a body",
        Manner::BreaksOff("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
        None,
    ),
    (
        "half a body, then silence",
        Manner::Stalls("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
        None,
    ),
];

#[test]
fn a_server_that_fails_alone_gets_its_clients_the_right_page() {
    std::thread::scope(|scope| {
        for (name, manner, status) in ROWS {
            scope.spawn(move || {
                let server = Server::start();
                let palisade = start(&format!("\"{}\"", server.address), ", ejection: off");
                let load = load_on(&palisade).start();
                load.wait_for_more(10);
                server.set(manner);
                let seen = || match status {
                    Some(status) => load.report().count(status),
                    None => load.report().unanswered,
                };
                wait_for(name, || (seen() > 3).then_some(()));
                server.set(Manner::Answers);
                // What is under way ends as it began.
                let report = load.finish();
                let pages = status.map_or(0, |status| report.count(status));
                let answers = pages + report.count(200);
                assert_eq!(report.answers(), answers, "{name}: {report:#?}");
                let is_answered = report.unanswered == 0;
                assert!(status.is_none() || is_answered, "{name}: {report:#?}");
                let load = load_on(&palisade).start();
                load.finish_after(20).assert_flawless();
            });
        }
    });
}

/// How many failures in a row eject a server.
const FAILURES: usize = 3;
/// The clients of [`load_on`], each with one request at a time.
const CLIENTS: usize = 2;

const EJECTIONS: &str = "palisade_upstream_ejections_total{upstream=\"app\"}";

/// What a failing server that others stand beside may cost: nothing where its connections break, else
/// the requests that it takes to see that it fails, and those that were under way just then.
#[track_caller]
fn assert_costs(name: &str, manner: Manner, status: u16, report: &LoadReport) {
    let lost = report.count(status);
    assert_eq!(report.unanswered, 0, "{name}: {report:#?}");
    assert_eq!(report.unexpected_count, lost, "{name}: {report:#?}");
    if manner.is_break() {
        assert_eq!(lost, 0, "{name}: {report:#?}");
    } else {
        let most = FAILURES + CLIENTS - 1;
        assert!((FAILURES..=most).contains(&lost), "{name}: {report:#?}");
    }
}

#[test]
fn a_failing_server_of_a_pool_costs_few_requests_or_none_and_then_none() {
    std::thread::scope(|scope| {
        // To whom a part of an answer was sent, no other server can answer.
        for (name, manner, status) in ROWS {
            let Some(status) = status else { continue };
            scope.spawn(move || {
                let (bad, good) = (Server::start(), Server::start());
                let servers = format!("\"{}\", \"{}\"", bad.address, good.address);
                let ejection = format!(", ejection: {{ failures: {FAILURES}, period: 1h }}");
                let palisade = start(&servers, &ejection);
                let load = load_on(&palisade).start();
                load.wait_for_more(10);
                bad.set(manner);
                wait_for(name, || (palisade.metric(EJECTIONS) > 0.0).then_some(()));
                // With what was under way just then.
                let report = load.finish();
                assert_costs(name, manner, status, &report);
                let load = load_on(&palisade).start();
                load.finish_after(100).assert_flawless();
            });
        }
    });
}

#[test]
fn another_server_of_the_pool_answers_and_the_failed_one_comes_back() {
    std::thread::scope(|scope| {
        for (name, manner, status) in ROWS {
            let Some(status) = status else { continue };
            scope.spawn(move || {
                let (bad, good) = (Server::start(), Server::start());
                let servers = format!("\"{}\", \"{}\"", bad.address, good.address);
                let ejection = format!(", ejection: {{ failures: {FAILURES}, period: 2s }}");
                let palisade = start(&servers, &ejection);
                let load = load_on(&palisade).start();
                load.wait_for_more(10);
                bad.set(manner);
                // Left out, tried in vain, and left out again.
                wait_for(name, || (palisade.metric(EJECTIONS) > 1.0).then_some(()));
                bad.set(Manner::Answers);
                let ours = bad.answered();
                wait_for("the server to be asked again", || {
                    (bad.answered() > ours + 5).then_some(())
                });
                let report = load.finish();
                // Each trial is one request, and where connections break none.
                let trials = palisade.metric(EJECTIONS) as usize;
                let most = FAILURES + CLIENTS - 1 + trials;
                let lost = report.count(status);
                let most = if manner.is_break() { 0 } else { most };
                assert!(lost <= most, "{name}: {report:#?}");
                assert_eq!(report.unexpected_count, lost, "{name}: {report:#?}");
                let load = load_on(&palisade).start();
                load.finish_after(20).assert_flawless();
            });
        }
    });
}

#[test]
fn a_server_that_is_down_costs_no_request_and_is_found_when_it_comes() {
    let good = Backend::start();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let palisade = start(
        &format!("\"{address}\", \"{good}\""),
        ", ejection: { failures: 2, period: 300ms }",
    );
    let load = Load::on(palisade.address())
        .keep_alive(1)
        .new_connections(1)
        .http2(1)
        .start();
    let failures = "palisade_upstream_connect_failures_total{upstream=\"app\"}";
    wait_for("a connect that fails", || {
        (palisade.metric(failures) > 1.0).then_some(())
    });
    load.wait_for_more(50);
    let server = Server::on(TcpListener::bind(address).unwrap());
    wait_for("the server to be found", || {
        (server.answered() > 10).then_some(())
    });
    load.finish().assert_flawless();
}
