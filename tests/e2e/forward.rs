//! What goes to backends and what comes back: framing, early answers, upgrades, retries, errors.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use crate::harness::{Backend, Palisade, wait_for};

fn in_front_of(backend: &Backend) -> Palisade {
    in_front_of_servers(&[&backend.to_string()], "")
}

fn in_front_of_servers(servers: &[&str], more: &str) -> Palisade {
    let servers = servers.iter().map(|server| format!("\"{server}\""));
    let servers = servers.collect::<Vec<_>>().join(", ");
    Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [{servers}]{more} }} }}
sites: [{{ upstream: app }}]
"
    ))
}

/// An address where nothing listens.
fn dead_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn body_of(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| (n % 251) as u8).collect()
}

/// A backend that says when it has a request, and sends the head of its answer when it is told to, then the body.
fn backend_in_steps() -> (String, Receiver<()>, SyncSender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (asked, is_asked) = sync_channel(1);
    let (step, steps) = sync_channel(2);
    std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        let mut received = [0; 4096];
        assert!(tcp.read(&mut received).unwrap() > 0);
        asked.send(()).unwrap();
        for part in ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "ok"] {
            steps.recv().unwrap();
            tcp.write_all(part.as_bytes()).unwrap();
        }
        // Whoever goes away first is not to be the backend.
        let _ = steps.recv();
    });
    (address, is_asked, step)
}

#[test]
fn a_head_does_not_wait_for_its_body() {
    #[track_caller]
    fn check(request: &str, more: &str) {
        let (server, is_asked, step) = backend_in_steps();
        let palisade = in_front_of_servers(&[&server], "");
        let mut client = TcpStream::connect(palisade.address()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        is_asked.recv_timeout(PATIENCE).unwrap();
        client.write_all(more.as_bytes()).unwrap();
        step.send(()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).expect("a byte of the head");
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"));
        step.send(()).unwrap();
        let mut body = [0; 2];
        client.read_exact(&mut body).expect("the body");
        assert_eq!(&body, b"ok");
    }
    const PATIENCE: Duration = Duration::from_secs(10);
    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    check(GET, "");
    // The next request has begun.
    check(GET, "G");
    // The request isn't over, and more of it has come than is read before a backend is asked.
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n";
    check(&format!("{head}{}", "b".repeat(100_000)), "");
}

#[test]
fn one_backend_connection_serves_many_requests() {
    let backend = Backend::start();
    let palisade = in_front_of(&backend);
    let mut client = palisade.connect();
    for _ in 0..5 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.answer().unwrap().text(), "ok");
    }
    assert_eq!(backend.connections(), 1);
}

#[test]
fn bodies_arrive_whole_whatever_their_framing() {
    let backend = Backend::start();
    let palisade = in_front_of(&backend);
    let mut client = palisade.connect();
    for length in [0, 1, 65_535, 65_536, 65_537, 1_048_576] {
        let body = body_of(length);
        client.send(format!(
            "POST /cl HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
        ));
        client.send(&body);
        assert_eq!(client.answer().unwrap().status, 200);
        assert!(
            backend.requests().last().unwrap().body == body,
            "{length} by length"
        );
        client.send("POST /te HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        for part in body.chunks(10_000) {
            client
                .send(format!("{:x}\r\n", part.len()))
                .send(part)
                .send("\r\n");
        }
        client.send("0\r\n\r\n");
        assert_eq!(client.answer().unwrap().status, 200);
        assert!(
            backend.requests().last().unwrap().body == body,
            "{length} in chunks"
        );
    }
}

/// An empty chunk is the end of a body: a backend would take what follows for another request.
#[test]
fn no_empty_chunk_comes_before_the_end() {
    let backend = Backend::start();
    let palisade = in_front_of(&backend);
    let mut client = palisade.connect();
    let body = body_of(300_000);
    for _ in 0..10 {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        // Size, data and end of a chunk arrive one by one.
        for part in body.chunks(3_000) {
            client
                .send(format!("{:x}\r\n", part.len()))
                .send(part)
                .send("\r\n");
        }
        client.send("0\r\n\r\n");
        assert_eq!(client.answer().unwrap().status, 200);
    }
    assert_eq!(backend.requests().len(), 10);
    assert!(
        backend
            .requests()
            .iter()
            .all(|request| request.body == body)
    );
}

#[test]
fn a_body_that_fits_is_read_before_the_backend_is_asked() {
    let backend = Backend::start();
    let palisade = in_front_of(&backend);
    let mut client = palisade.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    palisade.get("/other");
    assert_eq!(backend.requests().len(), 1, "only the other request");
    client.send("0\r\n\r\n");
    assert_eq!(client.answer().unwrap().status, 200);
    let request = &backend.requests()[1];
    assert_eq!(
        request.header("content-length"),
        Some("5"),
        "its length is known by then"
    );
    assert_eq!(request.count("transfer-encoding"), 0);
}

#[test]
fn answers_without_a_body_end_at_their_head() {
    for (head, status) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", 204),
        (
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\n",
            304,
        ),
    ] {
        let backend = Backend::answering(head);
        let palisade = in_front_of(&backend);
        let mut client = palisade.connect();
        for _ in 0..2 {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(client.answer().unwrap().status, status);
        }
    }
    let backend = Backend::start();
    let palisade = in_front_of(&backend);
    let mut client = palisade.connect();
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = client.answer_to_head().unwrap();
        assert_eq!(
            (answer.status, answer.header("content-length")),
            (200, Some("2"))
        );
    }
}

#[test]
fn answers_keep_their_body_whatever_its_framing() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
    let palisade = in_front_of(&Backend::answering(chunked));
    let answer = palisade.get("/");
    assert_eq!(answer.text(), "abcdefg");
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    // HTTP/1.0 has no chunks: the end of the connection is the end of the answer.
    let answer = palisade
        .exchange("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        .unwrap();
    assert_eq!(answer.text(), "abcdefg");
    assert_eq!(answer.header("transfer-encoding"), None);

    let until_close = Backend::with(|_, tcp| {
        tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
            .unwrap();
        false
    });
    let palisade = in_front_of(&until_close);
    let mut client = palisade.connect();
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = client.answer().unwrap();
        assert_eq!(answer.text(), "until the end");
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    }
}

#[test]
fn a_broken_answer_is_not_passed_for_a_whole_one() {
    let backend = Backend::with(|_, tcp| {
        tcp.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            .unwrap();
        false
    });
    let palisade = in_front_of(&backend);
    let mut client = palisade.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let everything = client.read_to_end();
    assert!(
        !everything.ends_with(b"0\r\n\r\n"),
        "the end is missing, and that shows"
    );
}

#[test]
fn informational_answers_pass() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let palisade = in_front_of(&Backend::answering(early));
    let mut client = palisade.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let hints = client.answer().unwrap();
    assert_eq!(
        (hints.status, hints.header("link")),
        (103, Some("</a.css>"))
    );
    assert_eq!(client.answer().unwrap().text(), "ok");
    let answer = palisade
        .exchange("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        .unwrap();
    assert_eq!(answer.status, 200, "HTTP/1.0 knows none");
}

#[test]
fn informational_answers_are_edited_and_lose_what_is_for_one_hop() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nServer: a/1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\
        Connection: close, x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let backend = Backend::answering(early);
    let palisade = Palisade::start(&format!(
        "listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [{backend}] }} }}
sites: [{{ upstream: app, headers: {{ response: {{ remove: [Server] }} }} }}]
"
    ));
    let mut client = palisade.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let hints = client.answer().unwrap();
    assert_eq!(
        (hints.status, hints.header("link")),
        (103, Some("</a.css>"))
    );
    for name in [
        "server",
        "transfer-encoding",
        "content-length",
        "connection",
        "x-hop",
        "keep-alive",
    ] {
        assert_eq!(hints.header(name), None, "{name}");
    }
    assert_eq!(client.answer().unwrap().text(), "ok");
}

#[test]
fn a_coding_that_nobody_would_undo_is_a_bad_answer() {
    for coding in ["gzip, chunked", "identity", "gzip"] {
        let answer =
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n2\r\nok\r\n0\r\n\r\n");
        let palisade = in_front_of(&Backend::answering(answer));
        assert_eq!(palisade.get("/").status, 502, "{coding}");
    }
}

#[test]
fn an_expectation_is_met_here() {
    let backend = Backend::start();
    let palisade = in_front_of(&backend);
    let mut client = palisade.connect();
    for _ in 0..2 {
        client.send(
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
        );
        assert_eq!(client.answer().unwrap().status, 100);
        client.send("body");
        assert_eq!(
            client.answer().unwrap().status,
            200,
            "and the connection goes on"
        );
        let request = backend.requests().pop().unwrap();
        assert_eq!((request.count("expect"), &*request.body), (0, &b"body"[..]));
    }
}

#[test]
fn an_answer_that_comes_before_the_body_ends_reaches_the_client() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for mut tcp in listener.incoming().flatten() {
            let mut piece = [0; 1024];
            let _ = tcp.read(&mut piece);
            let _ = tcp.write_all(
                b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
            );
            // Closed at once over unread bytes, the answer would be lost on the way.
            open.push(tcp);
        }
    });
    let palisade = in_front_of_servers(&[&address], "");
    let mut client = palisade.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
    client.send(body_of(100_000));
    assert_eq!(client.answer().unwrap().status, 413);
}

#[test]
fn a_failed_connect_goes_to_another_server() {
    let backend = Backend::start();
    let dead = dead_server();
    let palisade = in_front_of_servers(&[&dead, &backend.to_string()], "");
    for _ in 0..4 {
        assert_eq!(palisade.get("/").status, 200);
    }
    assert_eq!(backend.requests().len(), 4);
}

#[test]
fn without_a_server_that_answers_the_client_gets_a_page() {
    let palisade = in_front_of_servers(&[&dead_server()], "");
    let answer = palisade.get_with("/", "Accept: text/html\r\n");
    assert_eq!(answer.status, 502);
    assert!(
        answer
            .text()
            .contains(answer.header("x-request-id").unwrap())
    );

    let nonsense = Backend::answering("nonsense\r\n\r\n");
    assert_eq!(in_front_of(&nonsense).get("/").status, 502);

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let palisade = in_front_of_servers(&[&address], ", timeouts: { read: 200ms }");
    assert_eq!(palisade.get("/").status, 504);
}

#[test]
fn an_idempotent_request_is_tried_again_when_an_idle_connection_was_dead() {
    // Reads the second request on a connection and ends it without a byte of an answer.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (heard, posts) = sync_channel(16);
    std::thread::spawn(move || {
        for mut tcp in listener.incoming().flatten() {
            let heard = heard.clone();
            std::thread::spawn(move || {
                let read = |tcp: &mut TcpStream| {
                    let mut piece = [0; 4096];
                    let length = tcp.read(&mut piece).unwrap_or(0);
                    String::from_utf8_lossy(&piece[..length]).into_owned()
                };
                let first = read(&mut tcp);
                let _ = heard.send(first);
                let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                let _ = heard.send(read(&mut tcp));
            });
        }
    });
    let palisade = in_front_of_servers(&[&address], "");
    // One thread serves a client, and has idle connections of its own.
    let mut client = palisade.connect();
    for target in ["/warm", "/again"] {
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.answer().unwrap().status, 200);
    }
    let lines: Vec<String> = posts.try_iter().collect();
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.starts_with("GET /again"))
            .count(),
        2
    );

    let post = "POST /once HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        client.send(post).answer().unwrap().status,
        502,
        "a POST is not repeated"
    );
    let lines: Vec<String> = posts.try_iter().collect();
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.starts_with("POST /once"))
            .count(),
        1
    );
}

#[test]
fn a_client_that_leaves_takes_its_request_along() {
    let (left, leaves) = sync_channel(1);
    let backend = Backend::with(move |_, tcp| {
        // The answer never comes; the end of the connection does.
        let mut piece = [0; 16];
        left.send(tcp.read(&mut piece).unwrap_or(0)).unwrap();
        false
    });
    let palisade = in_front_of(&backend);
    let mut client = palisade.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    backend.wait_for_requests(1);
    drop(client);
    assert_eq!(leaves.recv().unwrap(), 0);
    wait_for("a line in the access log", || {
        palisade
            .access_log()
            .iter()
            .any(|line| line.contains("client_aborted"))
            .then_some(())
    });
}

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn echo() -> Backend {
    Backend::with(|request, tcp| {
        assert_eq!(request.header("upgrade"), Some("websocket"));
        assert_eq!(request.header("connection"), Some("Upgrade"));
        // The first bytes of the tunnel come with the head.
        tcp.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi").unwrap();
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = tcp.read(&mut piece) {
            tcp.write_all(&piece[..length]).unwrap();
        }
        false
    })
}

#[test]
fn a_websocket_carries_bytes_both_ways() {
    let palisade = in_front_of(&echo());
    let mut client = palisade.connect();
    client.send(UPGRADE);
    assert_eq!(client.answer().unwrap().status, 101);
    assert_eq!(client.read_exactly(2), b"hi");
    for part in ["ping", "pong"] {
        client.send(part);
        assert_eq!(client.read_exactly(4), part.as_bytes());
    }
    let large = body_of(1_000_000);
    let mut sender = client.try_clone();
    let sent = large.clone();
    let sending = std::thread::spawn(move || {
        sender.send(sent);
    });
    assert!(client.read_exactly(large.len()) == large);
    sending.join().unwrap();
    client.finish_sending();
    assert!(client.is_closed());
}

#[test]
fn bytes_sent_with_the_upgrade_are_not_lost() {
    let palisade = in_front_of(&echo());
    let mut client = palisade.connect();
    client.send(format!("{UPGRADE}early"));
    assert_eq!(client.answer().unwrap().status, 101);
    assert_eq!(client.read_exactly(7), b"hiearly");
}

#[test]
fn a_quiet_tunnel_ends() {
    let backend = echo();
    let palisade = Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0, deadlines: {{ idle: 1s }} }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
    ));
    let mut client = palisade.connect();
    client.send(UPGRADE);
    assert_eq!(client.answer().unwrap().status, 101);
    assert_eq!(client.read_exactly(2), b"hi");
    assert!(client.is_closed());
}

#[test]
fn a_refused_upgrade_is_an_answer_like_any_other() {
    let backend = Backend::start();
    let palisade = in_front_of(&backend);
    let mut client = palisade.connect();
    client.send(UPGRADE);
    assert_eq!(client.answer().unwrap().text(), "ok");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().unwrap().text(), "ok");
}

#[test]
fn a_switch_that_nobody_asked_for_is_no_answer() {
    let switching =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let palisade = in_front_of(&Backend::answering(switching));
    assert_eq!(palisade.get("/").status, 502);
    let h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    assert_eq!(palisade.get_with("/", h2c).status, 502);
}

#[test]
fn hop_by_hop_fields_stay_on_their_hop() {
    let backend = Backend::answering(
        "HTTP/1.1 200 OK\r\nConnection: X-Secret\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\nX-Kept: 1\r\nContent-Length: 2\r\n\r\nok",
    );
    let palisade = in_front_of(&backend);
    let headers = "Connection: X-Hop, X-Real-IP, Host, X-Forwarded-For\r\nX-Hop: 1\r\nTE: trailers\r\nKeep-Alive: x\r\nProxy-Connection: x\r\nX-End: 1\r\n";
    let answer = palisade.get_with("/", headers);
    assert_eq!(
        (answer.header("x-secret"), answer.header("x-kept")),
        (None, Some("1"))
    );
    assert_eq!(answer.header("connection"), Some("keep-alive"));
    let request = &backend.requests()[0];
    for gone in [
        "x-hop",
        "te",
        "keep-alive",
        "proxy-connection",
        "connection",
    ] {
        assert_eq!(request.count(gone), 0, "{gone}");
    }
    for ours in ["x-real-ip", "host", "x-forwarded-for", "x-end"] {
        assert_eq!(request.count(ours), 1, "{ours}");
    }
}

#[test]
fn sites_routes_and_edits() {
    let [app, api, other] = [(); 3].map(|()| Backend::start());
    let palisade = Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams:
  app: {{ servers: [\"{app}\"] }}
  api: {{ servers: [\"{api}\"] }}
  other: {{ servers: [\"{other}\"] }}
sites:
  - hosts: [app.example.com, \"*.app.example.com\"]
    upstream: app
    routes: [{{ path_prefix: /api, upstream: api }}]
    headers:
      request: {{ set: {{ X-Tenant: one }}, remove: [X-Debug] }}
      response: {{ set: {{ X-Frame-Options: DENY }}, remove: [Server] }}
  - hosts: [other.example.com]
    upstream: other
    forward_path: canonical
"
    ));
    let get = |host: &str, target: &str| {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nX-Debug: 1\r\n\r\n");
        palisade.exchange(request).unwrap()
    };
    let answer = get("app.example.com", "/");
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    let request = &app.requests()[0];
    assert_eq!(
        (request.header("x-tenant"), request.count("x-debug")),
        (Some("one"), 0)
    );
    get("a.app.example.com:8080", "/%61pi/../api/x");
    assert_eq!(
        api.requests()[0].line,
        "GET /%61pi/../api/x HTTP/1.1",
        "as sent"
    );
    get("other.example.com", "/a/./b/../c%41?q=%20");
    assert_eq!(
        other.requests()[0].line,
        "GET /a/cA?q=%20 HTTP/1.1",
        "canonical"
    );
    assert_eq!(get("unknown.example.com", "/").status, 404);
}

#[test]
fn plain_http_is_redirected_and_https_remembered() {
    let backend = Backend::start();
    let palisade = Palisade::start(&format!(
        "
listeners:
  - address: 127.0.0.1:0
    client_address: [{{ from: [127.0.0.2], header: X-Forwarded-For }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app, https: redirect }}]
"
    ));
    let answer = palisade.get("/a?b");
    assert_eq!(
        (answer.status, answer.header("location")),
        (308, Some("https://test.example/a?b"))
    );
    assert_eq!(answer.header("strict-transport-security"), None);
    assert_eq!(backend.requests().len(), 0);
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\r\n";
    let mut hop = crate::harness::Connection::open_from("127.0.0.2", palisade.address());
    let answer = hop.send(request).answer().unwrap();
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("strict-transport-security")
            .unwrap()
            .starts_with("max-age=")
    );
    assert_eq!(
        backend.requests()[0].header("x-forwarded-proto"),
        Some("https")
    );
    assert_eq!(
        palisade.exchange(request).unwrap().status,
        308,
        "anybody can say so"
    );
}

#[test]
fn balancing_and_ejection() {
    let [one, two] = [(); 2].map(|()| Backend::start());
    let (first, second) = (one.to_string(), two.to_string());
    let palisade = in_front_of_servers(&[&first, &second], "");
    for _ in 0..6 {
        palisade.get("/");
    }
    assert_eq!((one.requests().len(), two.requests().len()), (3, 3));
    let palisade = in_front_of_servers(&[&first, &second], ", balance: client_address");
    let before = (one.requests().len(), two.requests().len());
    for _ in 0..6 {
        palisade.get("/");
    }
    let after = (
        one.requests().len() - before.0,
        two.requests().len() - before.1,
    );
    assert!(after == (6, 0) || after == (0, 6), "{after:?}");
}
