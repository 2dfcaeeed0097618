//! What once went wrong between clients, Palisade and backends, and shall not again.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::harness::{Backend, Http2, Palisade, wait_for};

fn in_front_of(backend: &str) -> Palisade {
    in_front_of_with(backend, "", "")
}

/// `upstream` and `listener` are more of their settings.
fn in_front_of_with(backend: &str, upstream: &str, listener: &str) -> Palisade {
    Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0{listener} }}]
upstreams: {{ app: {{ servers: [\"{backend}\"]{upstream} }} }}
sites: [{{ upstream: app }}]
"
    ))
}

/// A backend whose every connection is served by `serve`, numbered from 0; its address.
fn raw_backend(serve: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for (number, tcp) in listener.incoming().flatten().enumerate() {
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(number, tcp));
        }
    });
    address
}

/// Reads up to the end of a head; what came with it of the body.
fn read_head(tcp: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut received = Vec::new();
    loop {
        if let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = received.split_off(end + 4);
            return Some((String::from_utf8(received).unwrap(), body));
        }
        let mut piece = [0; 4096];
        match tcp.read(&mut piece) {
            Ok(length @ 1..) => received.extend_from_slice(&piece[..length]),
            _ => return None,
        }
    }
}

/// Reads until so many bytes of a body are there, or the connection ends.
fn read_body(tcp: &mut TcpStream, mut body: Vec<u8>, length: usize) {
    let mut piece = [0; 4096];
    while body.len() < length {
        match tcp.read(&mut piece) {
            Ok(length @ 1..) => body.extend_from_slice(&piece[..length]),
            _ => return,
        }
    }
}

/// Nothing takes longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A body that was streamed is gone: a second try would have put nothing in its place.
#[test]
fn a_streamed_upload_is_not_tried_again() {
    let (tell, heads) = sync_channel(16);
    let backend = raw_backend(move |_, mut tcp| {
        while let Some((head, body)) = read_head(&mut tcp) {
            tell.send(head.clone()).unwrap();
            if head.starts_with("PUT") {
                // More than is read before the backend is asked.
                read_body(&mut tcp, body, 100_000);
                return;
            }
            tcp.write_all(OK).unwrap();
        }
    });
    let palisade = in_front_of(&backend);
    let mut client = palisade.connect();
    client.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().unwrap().status, 200);
    client.send("PUT /document HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..30 {
        client.send("2710\r\n").send([b'x'; 10_000]).send("\r\n");
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.answer().unwrap().status, 502);
    let heads: Vec<String> = heads.try_iter().collect();
    assert_eq!(heads.len(), 2, "{heads:#?}");
}

/// What comes behind half an answer would be taken for the rest of it.
#[test]
fn no_answer_follows_one_that_broke_off() {
    let backend = Backend::with(|request, tcp| {
        if request.line.contains("/second") {
            return tcp.write_all(OK).is_ok();
        }
        let body = vec![b'x'; 16 * 1024 * 1024];
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        tcp.write_all(head.as_bytes())
            .and_then(|()| tcp.write_all(&body))
            .is_ok()
    });
    let deadlines = ", deadlines: { idle: 1s }";
    let palisade = in_front_of_with(&backend.to_string(), "", deadlines);
    let mut client = palisade.connect();
    client.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n");
    // Nothing is read, until Palisade has waited long enough.
    wait_for("the first request to end", || {
        palisade
            .access_log()
            .iter()
            .any(|line| line.contains("/first"))
            .then_some(())
    });
    let received = client.read_to_end();
    let heads = received
        .windows(9)
        .filter(|window| window == b"HTTP/1.1 ")
        .count();
    assert_eq!(heads, 1);
    assert_eq!(backend.requests().len(), 1);
}

/// It says that the server is at it, not that it has heard enough.
#[test]
fn an_informational_answer_does_not_end_an_upload() {
    let backend = raw_backend(|_, mut tcp| {
        let (_, body) = read_head(&mut tcp).unwrap();
        tcp.write_all(b"HTTP/1.1 102 Processing\r\n\r\n").unwrap();
        read_body(&mut tcp, body, 200_000);
        tcp.write_all(OK).unwrap();
    });
    let palisade = in_front_of(&backend);
    let mut client = palisade.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
    client.send([b'x'; 100_000]);
    assert_eq!(client.answer().unwrap().status, 102);
    client.send([b'x'; 100_000]);
    assert_eq!(client.answer().unwrap().status, 200);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

/// A client must not be able to make a good server look bad.
#[test]
fn a_server_is_not_held_to_its_deadline_while_the_client_uploads() {
    let backend = Backend::start();
    let palisade = in_front_of_with(&backend.to_string(), ", timeouts: { read: 200ms }", "");
    let mut client = palisade.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
    client.send([b'x'; 100_000]);
    // Longer than the server may be silent; there is no event to wait for.
    thread::sleep(Duration::from_millis(600));
    client.send([b'x'; 100_000]);
    assert_eq!(client.answer().unwrap().status, 200);
}

/// Else a client could have requests served that no log knows of.
#[test]
fn a_request_whose_http2_connection_goes_away_is_logged() {
    let (tell, asked) = sync_channel(16);
    let backend = raw_backend(move |_, mut tcp| {
        let _ = read_head(&mut tcp);
        tell.send(()).unwrap();
        // Never answers; ends when Palisade does.
        let _ = tcp.read(&mut [0]);
    });
    let palisade = in_front_of(&backend);
    let mut client = Http2::over(palisade.connect());
    let fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/quiet"),
    ];
    client.head(1, &fields, true);
    asked.recv_timeout(PATIENCE).unwrap();
    drop(client);
    wait_for("a line of the access log", || {
        palisade
            .access_log()
            .iter()
            .any(|line| line.contains("/quiet"))
            .then_some(())
    });
}

/// Who tries passwords must not get out of the log by hanging up once the status is known.
#[test]
fn an_answer_that_the_client_did_not_wait_for_is_logged_as_it_was() {
    let (go_on, wait) = sync_channel::<()>(16);
    let wait = Mutex::new(wait);
    let backend = raw_backend(move |_, mut tcp| {
        let _ = read_head(&mut tcp);
        let head =
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 100\r\n\r\nno";
        tcp.write_all(head.as_bytes()).unwrap();
        let _ = wait.lock().unwrap().recv_timeout(PATIENCE);
    });
    let palisade = in_front_of(&backend);
    let mut client = palisade.connect();
    client.send("GET /login HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.read_exactly(12);
    assert_eq!(head, b"HTTP/1.1 401");
    drop(client);
    let line = wait_for("a line of the access log", || {
        palisade
            .access_log()
            .into_iter()
            .find(|line| line.contains("/login"))
    });
    assert!(line.contains(" 401 2 "), "{line}");
    drop(go_on);
}

/// A backend that answers in pieces, each when it is told to go on.
fn backend_in_pieces(pieces: &'static [&'static str]) -> (String, SyncSender<()>) {
    let (go_on, wait): (SyncSender<()>, Receiver<()>) = sync_channel(16);
    let wait = Mutex::new(wait);
    let address = raw_backend(move |_, mut tcp| {
        let wait = wait.lock().unwrap();
        let _ = read_head(&mut tcp);
        for piece in pieces {
            tcp.write_all(piece.as_bytes()).unwrap();
            // An error says that the test is over.
            let _ = wait.recv();
        }
    });
    (address, go_on)
}

const HEAD_OF_THREE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";

#[test]
fn a_head_is_not_held_back_while_the_backend_pauses() {
    let (backend, go_on) = backend_in_pieces(&[HEAD_OF_THREE, "abc"]);
    let palisade = in_front_of(&backend);
    let mut client = palisade.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.read_exactly(15), b"HTTP/1.1 200 OK");
    go_on.send(()).unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"\r\n\r\nabc") {
        received.extend(client.read_exactly(1));
    }
}

/// The first bytes of a next request must not delay the answer to the one before.
#[test]
fn a_pipelined_request_holds_no_answer_back() {
    let (backend, go_on) = backend_in_pieces(&[HEAD_OF_THREE, "a", "b", "c"]);
    let palisade = in_front_of(&backend);
    let mut client = palisade.connect();
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut received = client.read_exactly(15);
    go_on.send(()).unwrap();
    while !received.ends_with(b"\r\n\r\na") {
        received.extend(client.read_exactly(1));
    }
    // Palisade waits for the backend, and reads meanwhile what the client says.
    client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    // There is no event that says that it has; a byte read late makes the test pass, not fail.
    thread::sleep(Duration::from_millis(200));
    go_on.send(()).unwrap();
    assert_eq!(client.read_exactly(1), b"b");
}

/// A tunnel whose client is gone keeps no backend waiting.
#[test]
fn a_tunnel_ends_for_the_backend_when_the_client_breaks_off() {
    let (tell, ended) = sync_channel(16);
    let backend = raw_backend(move |_, mut tcp| {
        let _ = read_head(&mut tcp);
        let head =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        tcp.write_all(head.as_bytes()).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rest = Vec::new();
        tell.send(tcp.read_to_end(&mut rest).is_ok()).unwrap();
    });
    let palisade = in_front_of(&backend);
    let mut client = palisade.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(client.answer().unwrap().status, 101);
    client.reset();
    assert!(
        ended.recv_timeout(PATIENCE).unwrap(),
        "not before Palisade's own idle deadline"
    );
}

/// A backend's writes must not be as many as a client's chunks; here only that none is lost.
#[test]
fn a_body_in_the_smallest_chunks_arrives_whole() {
    let backend = Backend::start();
    let palisade = in_front_of(&backend.to_string());
    let mut client = palisade.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let body: Vec<u8> = (0..150_000_u32).map(|n| b'a' + (n % 23) as u8).collect();
    let chunks = body
        .iter()
        .flat_map(|byte| [b'1', b'\r', b'\n', *byte, b'\r', b'\n']);
    client.send(chunks.collect::<Vec<u8>>()).send("0\r\n\r\n");
    assert_eq!(client.answer().unwrap().status, 200);
    assert!(backend.requests()[0].body == body);
}

/// Its end is the only end of the answer that HTTP/1.0 knows.
#[test]
fn an_http_1_0_connection_does_not_stay_behind_an_answer_without_length() {
    let backend = Backend::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    );
    let palisade = in_front_of(&backend.to_string());
    let mut client = palisade.connect();
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = client.answer().unwrap();
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(answer.text(), "ok");
}

#[test]
fn a_connection_that_any_field_says_to_close_is_closed() {
    let backend = Backend::start();
    let palisade = in_front_of(&backend.to_string());
    let mut client = palisade.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: te\r\nConnection: close\r\n\r\n");
    assert_eq!(client.answer().unwrap().header("connection"), Some("close"));
    assert!(client.is_closed());
}

/// CGI and its like give both names to a program as one.
#[test]
fn no_spelling_of_crowdsecs_own_fields_passes() {
    let backend = Backend::start();
    let palisade = in_front_of(&backend.to_string());
    let fields = "X-Crowdsec-A: 1\r\nX_Crowdsec_B: 1\r\nx-crowdsec_C: 1\r\nX-Crowdsecond: 1\r\n";
    assert_eq!(palisade.get_with("/", fields).status, 200);
    let head = backend.requests()[0].head.to_ascii_lowercase();
    let passed: Vec<&str> = head
        .lines()
        .filter(|line| line.starts_with("x-c") || line.starts_with("x_c"))
        .collect();
    assert_eq!(passed, ["x-crowdsecond: 1"]);
}

#[test]
fn targets_go_on_byte_by_byte() {
    let backend = Backend::start();
    let palisade = in_front_of(&backend.to_string());
    for target in [
        "/caf\u{e9}?\u{e4}=\u{fc}",
        "//a//b/?",
        "/a?b?c=%C3%A4&|{}",
        "/;x=1",
    ] {
        assert_eq!(palisade.get(target).status, 200);
        let line = format!("GET {target} HTTP/1.1");
        assert_eq!(backend.requests().last().unwrap().line, line);
    }
}
