//! Listeners that come, change and go.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Mutex, mpsc};

use rustls::HandshakeKind;

use super::{GET, Gate, replace, settings};
use crate::harness::{Authority, Backend, Connection, Http2, Load, TlsClient, wait_for};

const ONE: &str = "{ address: 127.0.0.1:0 }";

/// A backend that answers each request when it is told to.
fn patient_backend() -> (Backend, mpsc::SyncSender<()>) {
    let (go_on, told) = mpsc::sync_channel(4);
    let told = Mutex::new(told);
    let backend = Backend::with(move |_, tcp| {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        told.lock().unwrap().recv().is_ok() && tcp.write_all(answer).is_ok()
    });
    (backend, go_on)
}

#[track_caller]
fn ask(connection: &mut Connection) -> u16 {
    connection.send(GET).answer().expect("an answer").status
}

#[test]
fn a_listener_comes_and_goes_while_another_serves() {
    let backend = Backend::start();
    let gate = Gate::start(&settings(ONE, &backend));
    let unchanged = gate.palisade.address();
    let load = Load::on(unchanged)
        .keep_alive(2)
        .new_connections(2)
        .http2(1)
        .start();
    load.wait_for_more(50);
    gate.change(&settings(
        &format!("{ONE}, {{ address: 127.0.0.2:0 }}"),
        &backend,
    ));
    let listeners = gate.listeners();
    assert_eq!((listeners.len(), listeners[0]), (2, unchanged));
    let new = listeners[1];
    let mut idle = Connection::open(new);
    assert_eq!(ask(&mut idle), 200);
    gate.change(&settings(ONE, &backend));
    assert_eq!(gate.listeners(), [unchanged]);
    assert!(TcpStream::connect(new).is_err(), "its socket is closed");
    assert!(idle.is_closed(), "an idle connection of it ends");
    // Its address is free again.
    gate.change(&settings(
        &format!("{ONE}, {{ address: \"{new}\" }}"),
        &backend,
    ));
    assert_eq!(ask(&mut Connection::open(new)), 200);
    load.wait_for_more(50);
    load.finish().assert_flawless();
}

#[test]
fn connections_of_a_listener_that_goes_end_with_what_they_are_at() {
    let (backend, go_on) = patient_backend();
    let both = format!("{ONE}, {{ address: 127.0.0.2:0 }}");
    let gate = Gate::start(&settings(&both, &backend));
    let [stays, goes] = [0, 1].map(|number| gate.palisade.listeners()[number]);
    let mut busy = Connection::open(goes);
    busy.send(GET);
    let mut kept = Connection::open(stays);
    kept.send(GET);
    let mut http2 = Http2::over(Connection::open(goes));
    let fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "test.example"),
        (":path", "/"),
    ];
    http2.head(1, &fields, true);
    backend.wait_for_requests(3);
    gate.change(&settings(ONE, &backend));
    http2.wait_for_farewell();
    (0..3).for_each(|_| go_on.send(()).unwrap());
    let answer = busy.answer().expect("an answer");
    assert_eq!((answer.status, &*answer.text()), (200, "ok"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(busy.is_closed());
    assert_eq!(http2.outcome(1).status(), Some(200));
    let answer = kept.answer().expect("an answer");
    assert_eq!(answer.status, 200);
    go_on.send(()).unwrap();
    assert_eq!(ask(&mut kept), 200, "the others are as they were");
}

#[test]
fn settings_of_a_listener_change_under_its_socket() {
    let backend = Backend::start();
    let gate = Gate::start(&settings(ONE, &backend));
    let address = gate.palisade.address();
    let mut open = [(); 2].map(|()| Connection::open(address));
    for connection in &mut open {
        assert_eq!(ask(connection), 200);
    }
    // Counts carry over, and what is open stays.
    let listener = "{ address: 127.0.0.1:0, limits: { connections_per_address: 2 } }";
    gate.change(&settings(listener, &backend));
    assert!(
        Connection::open(address).is_closed(),
        "there are two already"
    );
    let listener =
        "{ address: 127.0.0.1:0, limits: { connections_per_address: 3, target_bytes: 256B } }";
    gate.change(&settings(listener, &backend));
    let long = format!(
        "GET /{} HTTP/1.1\r\nHost: test.example\r\n\r\n",
        "a".repeat(300)
    );
    let mut new = Connection::open(address);
    assert_eq!(new.send(&long).answer().unwrap().status, 414);
    assert_eq!(
        open[0].send(&long).answer().unwrap().status,
        200,
        "it began so"
    );
    drop(new);
    let listener = "{ address: 127.0.0.1:0, proxy_protocol: { mode: required, from: 127.0.0.1 } }";
    gate.change(&settings(listener, &backend));
    assert!(
        Connection::open(address).send(GET).answer().is_none(),
        "no header"
    );
    let told = gate.palisade.get_from("192.0.2.7", "/");
    assert_eq!(told.status, 200);
    assert_eq!(ask(&mut open[1]), 200);
    assert_eq!(gate.listeners(), [address]);
}

#[test]
fn tls_comes_and_goes_under_the_socket() {
    let authority = Authority::new();
    let backend = Backend::start();
    let folder = tempfile::tempdir().unwrap();
    authority
        .certify(&["one.example"])
        .save(folder.path(), "one");
    let gate = Gate::start_in(folder, &settings(ONE, &backend));
    let address = gate.palisade.address();
    let mut plain = Connection::open(address);
    assert_eq!(ask(&mut plain), 200);
    let tls = "{ address: 127.0.0.1:0, tls: { certificates: [{ certificate: one.crt, private_key: one.key }] } }";
    let with_tls =
        settings(tls, &backend).replace("upstream: app }", "upstream: app, misdirected: serve }");
    gate.change(&with_tls);
    let client = TlsClient::new(&authority, &[]);
    let mut encrypted = client.connect(address, "one.example");
    assert_eq!(ask(&mut encrypted), 200);
    assert_eq!(ask(&mut plain), 200, "it began without");
    // A reload that has the same certificates keeps the keys of its tickets.
    gate.change(&format!("{with_tls}trusted_clients: 192.0.2.1\n"));
    let mut again = client.connect(address, "one.example");
    assert_eq!(ask(&mut again), 200);
    assert_eq!(again.tls().handshake_kind(), Some(HandshakeKind::Resumed));
    gate.change(&with_tls.replace(tls, ONE));
    assert_eq!(ask(&mut Connection::open(address)), 200);
    assert_eq!(ask(&mut encrypted), 200, "it began with it");
}

#[test]
fn an_address_that_is_taken_refuses_the_whole_reload() {
    let backend = Backend::start();
    let gate = Gate::start(&settings(ONE, &backend));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let wanted = format!("{ONE}, {{ address: 127.0.0.3:0 }}, {{ address: \"{address}\" }}");
    let changed = settings(&wanted, &backend).replace(
        "sites:",
        "access: { rules: [{ id: all, match: { path: { prefix: / } }, action: block }] }\nsites:",
    );
    let told = gate.change_in_vain(&changed);
    let column = changed
        .lines()
        .nth(1)
        .unwrap()
        .find(&address.to_string())
        .unwrap();
    let place = format!("palisade.yaml:2:{column}: error: can't listen on {address}");
    assert!(told.contains(&place), "{told}");
    wait_for("the operator to be told", || {
        let said = gate.palisade.stderr();
        let mut refusals = said
            .iter()
            .filter(|line| line.contains("the old ones stay"));
        let has_hashes =
            |line: &String| line.contains("generation=1 ") && line.contains("refused_hash=");
        refusals.any(has_hashes).then_some(())
    });
    let status = gate.palisade.status()["settings"].clone();
    assert_eq!(status["generation"], 1);
    let refused = status["refused"]["error"].as_str().unwrap();
    assert!(refused.contains(&place), "{refused}");
    assert_eq!(gate.listeners(), [gate.palisade.address()]);
    assert_eq!(
        gate.palisade.get("/").status,
        200,
        "the new rule isn't there either"
    );
    // Nothing holds the address that could be bound.
    drop(taken);
    gate.palisade.signal("HUP");
    wait_for("the third listener", || {
        (gate.listeners().len() == 3).then_some(())
    });
    assert_eq!(gate.palisade.get("/").status, 403);
}

/// A listener on another address, with the same port.
fn with_port_of(listener: SocketAddr, ip: &str) -> String {
    format!("{{ address: \"{ip}:{}\" }}", listener.port())
}

#[test]
fn a_listener_moves_from_one_address_to_all_and_back() {
    let backend = Backend::start();
    // One that is free on all addresses: that of another test may be free on this one alone.
    let free = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let gate = Gate::start(&settings(
        &format!("{{ address: \"127.0.0.1:{port}\" }}"),
        &backend,
    ));
    let one = gate.palisade.address();
    let load = Load::on(one).new_connections(2).start();
    load.wait_for_more(20);
    gate.change(&settings(&with_port_of(one, "0.0.0.0"), &backend));
    let elsewhere = SocketAddr::new("127.0.0.9".parse().unwrap(), one.port());
    assert_eq!(ask(&mut Connection::open(elsewhere)), 200);
    load.wait_for_more(20);
    gate.change(&settings(&with_port_of(one, "127.0.0.1"), &backend));
    assert!(TcpStream::connect(elsewhere).is_err());
    load.wait_for_more(20);
    load.finish().assert_flawless();
    assert!(TcpListener::bind(one).is_err(), "nobody else can have it");
}

#[test]
fn a_certificate_that_cannot_be_used_opens_no_listener() {
    let authority = Authority::new();
    let backend = Backend::start();
    let folder = tempfile::tempdir().unwrap();
    authority
        .certify(&["one.example"])
        .save(folder.path(), "one");
    let gate = Gate::start_in(folder, &settings(ONE, &backend));
    replace(&gate.palisade.directory().join("one.key"), "garbage");
    let tls = "{ address: 127.0.0.2:0, tls: { certificates: [{ certificate: one.crt, private_key: one.key }] } }";
    let told = gate.change_in_vain(&settings(&format!("{ONE}, {tls}"), &backend));
    assert!(told.contains("palisade.yaml:2:"), "{told}");
    assert_eq!(gate.listeners().len(), 1);
}
