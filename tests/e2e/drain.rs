//! How the process ends: who is told first, who may finish, and what becomes of the rest.

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc;

use crate::harness::{Backend, Connection, Http2, Outcome, Palisade, wait_for};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: test.example\r\n\r\n";

/// A Palisade in front of `backend` that ends as `shutdown` says.
fn palisade(backend: &Backend, shutdown: &str) -> Palisade {
    Palisade::start(&format!(
        "
shutdown: {shutdown}
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
    ))
}

/// A backend that answers each request when it is told to, or never.
fn patient_backend() -> (Backend, mpsc::SyncSender<()>) {
    let (go_on, told) = mpsc::sync_channel(4);
    let told = std::sync::Mutex::new(told);
    let backend = Backend::with(move |_, tcp| {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        told.lock().unwrap().recv().is_ok() && tcp.write_all(answer).is_ok()
    });
    (backend, go_on)
}

fn http2_get(path: &str) -> [(&str, &str); 4] {
    [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "test.example"),
        (":path", path),
    ]
}

#[track_caller]
fn wait_for_the_drain(palisade: &Palisade) {
    wait_for("the draining", || {
        let said = palisade.stderr();
        said.iter()
            .any(|line| line.contains("draining: no new connections"))
            .then_some(())
    });
}

#[test]
fn readyz_says_no_before_anything_closes() {
    let backend = Backend::start();
    let mut palisade = palisade(&backend, "{ delay: 3s, drain_time: 1s }");
    assert_eq!(palisade.metrics_door("/readyz").status, 200);
    let door = palisade.metrics_address().to_string();
    let health = || Palisade::execute(&["health", "--address", &door]);
    assert_eq!(health().status.code(), Some(0));
    let mut idle = palisade.connect();
    assert_eq!(idle.send(REQUEST).answer().expect("an answer").status, 200);

    palisade.signal("TERM");
    let said = wait_for("/readyz to say no", || {
        let answer = palisade.metrics_door("/readyz");
        (answer.status == 503).then(|| answer.text())
    });
    assert_eq!(said, "draining: the process ends\n");
    let unwell = health();
    assert_eq!(unwell.status.code(), Some(1));
    let told = String::from_utf8_lossy(&unwell.stderr).into_owned();
    assert!(told.contains("not ready: draining"), "{told}");
    assert_eq!(palisade.metrics_door("/healthz").status, 200);
    let answer = idle.send(REQUEST).answer().expect("an answer");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("Connection"), Some("keep-alive"));
    assert_eq!(palisade.get("/new").status, 200, "still served");

    wait_for_the_drain(&palisade);
    assert_eq!(palisade.wait(), Some(0));
}

#[test]
fn who_says_it_twice_is_in_a_hurry() {
    let backend = Backend::start();
    let mut palisade = palisade(&backend, "{ delay: 2m, drain_time: 1s }");
    palisade.signal("TERM");
    wait_for("the delay to begin", || {
        let said = palisade.stderr();
        let begun = said
            .iter()
            .any(|line| line.contains("begins after the delay"));
        begun.then_some(())
    });
    palisade.signal("TERM");
    assert_eq!(palisade.wait(), Some(0));
}

#[test]
fn an_idle_connection_has_one_more_request_and_is_told_that_it_was_the_last() {
    let backend = Backend::start();
    let mut palisade = palisade(&backend, "{ drain_time: 20s }");
    let mut idle = palisade.connect();
    let answer = idle.send(REQUEST).answer().expect("an answer");
    assert_eq!(answer.header("Connection"), Some("keep-alive"));
    // Accepted, and its first request not begun.
    let mut fresh = palisade.connect();
    wait_for("both to be accepted", || {
        (palisade.metric("palisade_connections_open") >= 2.0).then_some(())
    });

    palisade.signal("TERM");
    wait_for_the_drain(&palisade);
    let address = palisade.address();
    wait_for("the listener to close", || {
        TcpStream::connect(address).is_err().then_some(())
    });
    for connection in [&mut idle, &mut fresh] {
        let answer = connection.send(REQUEST).answer().expect("an answer");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("Connection"), Some("close"));
        assert!(connection.is_closed());
    }
    assert_eq!(palisade.wait(), Some(0));
    assert_eq!(palisade.access_log().len(), 3);
}

#[test]
fn a_client_that_was_told_to_come_again_may_do_so() {
    let (go_on, told) = mpsc::sync_channel(4);
    let told = std::sync::Mutex::new(told);
    let backend = Backend::with(move |_, tcp| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no";
        let sent = tcp.write_all(head).is_ok();
        sent && told.lock().unwrap().recv().is_ok() && tcp.write_all(b"k").is_ok()
    });
    let mut palisade = palisade(&backend, "{ drain_time: 20s }");
    let mut connection = palisade.connect();
    let head = connection.send(REQUEST).answer_to_head();
    assert_eq!(head.unwrap().header("Connection"), Some("keep-alive"));

    palisade.signal("TERM");
    wait_for_the_drain(&palisade);
    // Its answer ends when the process drains already, which its head knew nothing of.
    go_on.send(()).unwrap();
    assert_eq!(connection.read_exactly(2), b"ok");
    go_on.send(()).unwrap();
    let answer = connection.send(REQUEST).answer().expect("an answer");
    assert_eq!(answer.header("Connection"), Some("close"));
    assert!(connection.is_closed());
    assert_eq!(palisade.wait(), Some(0));
}

#[test]
fn whoever_is_connected_when_the_listener_closes_is_served() {
    let backend = Backend::start();
    let mut palisade = Palisade::start(&format!(
        "
shutdown: {{ drain_time: 20s }}
listeners: [{{ address: 127.0.0.1:0, limits: {{ connections_per_address: 1000 }} }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
    ));
    // The kernel connects them while the process stands still: it is told to end before it has
    // accepted most of them.
    palisade.signal("STOP");
    let mut clients: Vec<_> = (0..500).map(|_| palisade.connect()).collect();
    for client in &mut clients {
        client.send(REQUEST);
    }
    palisade.signal("TERM");
    palisade.signal("CONT");
    for client in &mut clients {
        assert_eq!(client.answer().expect("an answer").status, 200);
    }
    drop(clients);
    assert_eq!(palisade.wait(), Some(0));
}

#[test]
fn an_idle_connection_that_stays_idle_ends() {
    let backend = Backend::start();
    // Neither the end of this nor the deadline of an idle connection comes within the test.
    let mut palisade = palisade(&backend, "{ drain_time: 5m }");
    let mut idle = palisade.connect();
    assert_eq!(idle.send(REQUEST).answer().expect("an answer").status, 200);
    palisade.signal("TERM");
    assert!(idle.is_closed());
    assert_eq!(palisade.wait(), Some(0));
}

#[test]
fn http2_is_told_to_go_away_and_its_streams_finish() {
    let (backend, go_on) = patient_backend();
    let mut palisade = palisade(&backend, "{ drain_time: 20s }");
    let mut http2 = Http2::over(palisade.connect());
    http2.head(1, &http2_get("/"), true);
    backend.wait_for_requests(1);

    palisade.signal("TERM");
    // What is on its way is taken still: the first farewell leaves every stream open, and the second,
    // which names the last one, comes when the client has answered the PING between them.
    assert_eq!(http2.wait_for_farewell(), (1 << 31) - 1);
    http2.head(3, &http2_get("/crossed"), true);
    for _ in 0..2 {
        go_on.send(()).unwrap();
    }
    for stream in [1, 3] {
        assert_eq!(http2.outcome(stream).status(), Some(200));
    }
    assert_eq!(http2.end(), Outcome::Closed);
    assert_eq!(http2.farewells(), [(1 << 31) - 1, 3]);
    assert_eq!(palisade.wait(), Some(0));
}

#[test]
fn what_is_not_over_in_time_is_cut_off_and_logged() {
    let backend = Backend::with(|request, tcp| {
        if request.line.contains("/begun") {
            let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
        }
        // Nothing more comes, until whoever asked goes away.
        let _ = std::io::Read::read(tcp, &mut [0]);
        false
    });
    let mut palisade = palisade(&backend, "{ drain_time: 500ms }");
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: test.example\r\n\r\n");
    let mut waiting = palisade.connect();
    waiting.send(get("/waiting"));
    let mut begun = palisade.connect();
    begun.send(get("/begun"));
    let mut http2 = Http2::over(palisade.connect());
    http2.head(1, &http2_get("/stream"), true);
    backend.wait_for_requests(3);
    let head = begun.read_exactly(12);
    assert_eq!(head, b"HTTP/1.1 200");

    palisade.signal("TERM");
    assert_eq!(palisade.wait(), Some(0));
    let is_cut_off = |connection: &mut Connection| connection.answer().is_none();
    assert!(is_cut_off(&mut waiting));
    assert_eq!(http2.outcome(1), Outcome::Closed);
    let log = palisade.access_log();
    for (path, status_and_bytes) in [
        ("/waiting HTTP/1.1\"", " 499 0 "),
        ("/begun HTTP/1.1\"", " 200 4 "),
        ("/stream HTTP/2.0\"", " 499 0 "),
    ] {
        let mut lines = log.iter().filter(|line| line.contains(path));
        let line = lines.next().unwrap_or_else(|| panic!("{path}: {log:#?}"));
        assert!(line.contains(status_and_bytes), "{line}");
        assert!(line.contains("outcome=cut_off"), "{line}");
    }
}
