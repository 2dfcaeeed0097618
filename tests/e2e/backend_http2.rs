//! HTTP/2 to backends: one connection for many requests, bodies and trailers both ways, resets.

mod grpc;
mod load;

use std::net::SocketAddr;

use h2::Reason;
use http::{HeaderMap, HeaderValue};

use crate::harness::{
    Authority, Backend, Http2Backend, Http2Client, Options, Palisade, run, server_tls, wait_for,
};

/// Settings of a pool, beside its servers.
fn start_with(server: impl std::fmt::Display, pool: &str) -> Palisade {
    Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0, limits: {{ body_bytes: 1GiB }} }}]
upstreams: {{ app: {{ servers: [\"{server}\"], {pool} }} }}
sites: [{{ upstream: app, headers: {{ response: {{ remove: [Server] }} }} }}]
admin: {{ address: 127.0.0.1:0 }}
"
    ))
}

fn start(server: impl std::fmt::Display) -> Palisade {
    start_with(server, "protocol: http2")
}

fn client(palisade: &Palisade) -> impl Future<Output = Http2Client> {
    let address: SocketAddr = palisade.address();
    Http2Client::connect(address)
}

#[test]
fn many_requests_share_one_connection_of_each_thread() {
    let backend = Http2Backend::start();
    let palisade = start(&backend);
    run(async {
        let client = client(&palisade).await;
        let mut exchanges = Vec::new();
        for _ in 0..50 {
            exchanges.push(client.begin("POST", "/", &[], false).await);
        }
        for mut exchange in exchanges {
            exchange.send(b"abc").await;
            exchange.end();
            let answer = exchange.answer().await.unwrap();
            assert_eq!((answer.status.as_u16(), answer.body), (200, b"3".to_vec()));
        }
    });
    for _ in 0..10 {
        let answer = palisade.get("/");
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"0"[..]));
    }
    let seen = backend.seen();
    assert_eq!(seen.requests.len(), 60);
    assert!(
        seen.connections <= 2,
        "{} for two threads",
        seen.connections
    );
    let answers = r#"palisade_upstream_answers_total{protocol="http2",upstream="app"}"#;
    assert!((palisade.metric(answers) - 60.0).abs() < 0.5);
    let server = &palisade.status()["upstreams"][0]["servers"][0];
    assert_eq!(server["http2_connections"], seen.connections);
    assert_eq!(server["in_flight"], 0);
}

#[test]
fn alpn_chooses_what_is_spoken() {
    let authority = Authority::new();
    let certificate = authority.certify(&["app.test"]);
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let pool = |protocol: &str| {
        let ca = ca.display();
        format!("protocol: {protocol}, tls: {{ server_name: app.test, ca: {ca} }}")
    };
    let tls = |alpn: &[&str]| Options {
        tls: Some(server_tls(&certificate, alpn)),
        ..Options::default()
    };
    let both = Http2Backend::with(tls(&["h2", "http/1.1"]));
    for protocol in ["auto", "http2"] {
        let palisade = start_with(&both, &pool(protocol));
        assert_eq!(palisade.get("/").header("x-backend"), Some("http2"));
        let request = both.seen().requests.pop().unwrap();
        assert!(request.uri.starts_with("https://"), "{}", request.uri);
    }
    let other = Http2Backend::with(tls(&["http/1.1"]));
    let palisade = start_with(&other, &pool("http2"));
    assert_eq!(palisade.get("/").status, 502, "it must be HTTP/2");
    let plain = Backend::start();
    let palisade = start_with(&plain, "protocol: auto");
    assert_eq!(palisade.get("/").status, 200, "without TLS auto is HTTP/1");
    let palisade = start_with(&plain, "protocol: http2");
    assert_eq!(palisade.get("/").status, 502, "not by prior knowledge");
}

#[test]
fn the_backend_is_told_what_http2_carries() {
    let backend = Http2Backend::start();
    let palisade = start(&backend);
    palisade.get_with(
        "/a%20b?c=d",
        "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTE: trailers, gzip\r\nCookie: a=b\r\n",
    );
    run(async {
        let client = client(&palisade).await;
        let fields = [("te", "trailers"), ("cookie", "a=b"), ("cookie", "c=d")];
        let exchange = client.begin("GET", "/", &fields, true).await;
        exchange.answer().await.unwrap();
    });
    let requests = backend.seen().requests;
    assert_eq!(requests[0].method, "GET");
    assert!(
        requests[0].uri.ends_with("/a%20b?c=d"),
        "{}",
        requests[0].uri
    );
    for name in ["connection", "x-hop", "te", "host", "transfer-encoding"] {
        assert!(!requests[0].fields.contains_key(name), "{name}");
    }
    assert_eq!(requests[0].fields["x-real-ip"], "127.0.0.1");
    assert_eq!(requests[1].uri, "http://a.test/");
    assert_eq!(requests[1].fields["te"], "trailers");
    assert_eq!(requests[1].fields["cookie"], "a=b; c=d");
}

#[test]
fn trailers_pass_both_ways_but_for_those_that_a_client_may_not_send() {
    let backend = Http2Backend::start();
    let palisade = start(&backend);
    run(async {
        let client = client(&palisade).await;
        let mut exchange = client.begin("POST", "/", &[], false).await;
        exchange.send(b"abc").await;
        let mut trailers = HeaderMap::new();
        for name in [
            "x-checksum",
            "x-forwarded-for",
            "x_real_ip",
            "x-crowdsec-remediation",
            "content-length",
            "host",
        ] {
            trailers.insert(name, HeaderValue::from_static("1"));
        }
        exchange.sending.send_trailers(trailers).unwrap();
        let answer = exchange.answer().await.unwrap();
        let trailers = answer.trailers.unwrap();
        assert_eq!(trailers["x-sum"], "7");
        assert!(!trailers.contains_key("server"), "the site removes it");
    });
    let request = backend.seen().requests.pop().unwrap();
    assert_eq!(request.body, 3);
    let trailers = request.trailers.unwrap();
    assert_eq!(trailers["x-checksum"], "1");
    assert_eq!(trailers.len(), 1, "{trailers:?}");
    // An HTTP/1 client gets the answer without.
    let answer = palisade.get("/");
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"0"[..]));
}

#[test]
fn trailers_that_come_together_with_the_last_data_pass() {
    let backend = Http2Backend::start();
    let palisade = start(&backend);
    run(async {
        let client = client(&palisade).await;
        let mut exchange = client.begin("POST", "/echo", &[], false).await;
        // The backend has the head, so nothing of the body was read ahead.
        exchange.head().await.unwrap();
        exchange.send(b"once").await;
        assert_eq!(exchange.part().await.unwrap().unwrap(), "once");
        // Given to the connection before its task runs: both go out in one write.
        let mut trailers = HeaderMap::new();
        trailers.insert("x-last", HeaderValue::from_static("1"));
        let sending = &mut exchange.sending;
        sending.send_data("again".into(), false).unwrap();
        sending.send_trailers(trailers).unwrap();
        let (body, trailers) = exchange.rest().await.unwrap();
        assert_eq!(body, b"again");
        assert_eq!(trailers.expect("echoed")["x-last"], "1");
    });
}

#[test]
fn both_sides_talk_at_the_same_time() {
    let backend = Http2Backend::start();
    let palisade = start(&backend);
    run(async {
        let client = client(&palisade).await;
        let mut exchange = client.begin("POST", "/echo", &[], false).await;
        exchange.head().await.unwrap();
        for turn in 0..20 {
            let said = format!("turn {turn}");
            exchange.send(said.as_bytes()).await;
            assert_eq!(exchange.part().await.unwrap().unwrap(), said);
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("x-last", HeaderValue::from_static("1"));
        exchange.sending.send_trailers(trailers).unwrap();
        assert!(exchange.part().await.is_none());
    });
}

#[test]
fn an_answer_that_begins_early_does_not_end_an_http1_body() {
    let backend = Http2Backend::start();
    let palisade = start(&backend);
    let body = "x".repeat(1_000_000);
    for length in [64 * 1024, 1_000_000] {
        let body = &body[..length];
        let request =
            format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}");
        let mut connection = palisade.connect();
        let mut sender = connection.try_clone();
        let sends = std::thread::spawn(move || {
            sender.send(request);
        });
        let answer = connection.answer().unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, length));
        sends.join().unwrap();
    }
}

#[test]
fn an_early_answer_reaches_the_client_whole() {
    let backend = Http2Backend::start();
    let palisade = start(&backend);
    run(async {
        let client = client(&palisade).await;
        let mut exchange = client.begin("POST", "/early", &[], false).await;
        exchange.send(b"the beginning").await;
        let head = exchange.head().await.unwrap();
        assert_eq!(head.status, 413);
        assert_eq!(exchange.part().await.unwrap().unwrap(), "enough");
        assert!(exchange.part().await.is_none());
        // RFC 9113 section 8.1: the client may stop sending.
        assert_eq!(exchange.reset().await, Reason::NO_ERROR);
    });
    let answer = palisade.exchange(
        "POST /early HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    );
    assert_eq!(answer.unwrap().status, 413);
}

#[test]
fn resets_pass_both_ways() {
    let backend = Http2Backend::start();
    let palisade = start(&backend);
    run(async {
        let client = client(&palisade).await;
        for (path, begins) in [("/hang", false), ("/hang-midway", true)] {
            let mut exchange = client.begin("POST", path, &[], false).await;
            exchange.send(b"abc").await;
            if begins {
                exchange.head().await.unwrap();
                exchange.part().await.unwrap().unwrap();
            } else {
                // It is at the backend by now.
                wait_on(|| (backend.seen().begun.contains(path)).then_some(())).await;
            }
            exchange.sending.send_reset(Reason::CANCEL);
            drop(exchange);
            wait_on(|| backend.seen().resets.get(path).copied()).await;
            assert_eq!(backend.seen().resets[path], Reason::CANCEL);
        }
        // Before its answer began, a backend that resets has failed.
        assert_eq!(client.get("/reset").await.unwrap().status, 502);
        let mut exchange = client.begin("GET", "/break", &[], true).await;
        assert_eq!(exchange.head().await.unwrap().status, 200);
        let error = loop {
            match exchange.part().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break error,
                None => panic!("a broken answer was passed for a whole one"),
            }
        };
        assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM));
        let error = client.get("/wrong-length").await.unwrap_err();
        assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
    });
    let mut connection = palisade.connect();
    connection.send("GET /break HTTP/1.1\r\nHost: a\r\n\r\n");
    let got = connection.read_to_end();
    assert!(got.starts_with(b"HTTP/1.1 200"), "{got:?}");
    assert!(
        !got.ends_with(b"0\r\n\r\n"),
        "an end without its last chunk"
    );
    let resets = r#"palisade_upstream_stream_resets_total{upstream="app"}"#;
    assert!(palisade.metric(resets) >= 3.0);
    palisade.wait_for_access(|line| line.contains("/break") && line.contains(" 200 4 "));
}

#[test]
fn a_client_that_only_waits_may_reset_too() {
    let backend = Http2Backend::start();
    let palisade = start(&backend);
    run(async {
        let client = client(&palisade).await;
        for (path, begins) in [("/hang", false), ("/hang-midway", true)] {
            // Its request is there whole: nothing more of it is read.
            let mut exchange = client.begin("GET", path, &[], true).await;
            if begins {
                exchange.head().await.unwrap();
                exchange.part().await.unwrap().unwrap();
            } else {
                wait_on(|| (backend.seen().begun.contains(path)).then_some(())).await;
            }
            exchange.sending.send_reset(Reason::CANCEL);
            drop(exchange);
            wait_on(|| backend.seen().resets.get(path).copied()).await;
            assert_eq!(backend.seen().resets[path], Reason::CANCEL);
        }
    });
}

/// `wait_for` in a test that runs tasks of its own.
async fn wait_on<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[test]
fn what_a_backend_has_not_begun_is_sent_again_whatever_its_method() {
    let backend = Http2Backend::with(Options {
        refuses: 2,
        ..Options::default()
    });
    let palisade = start(&backend);
    run(async {
        let client = client(&palisade).await;
        let fields = [("content-length", "3")];
        let mut exchange = client.begin("POST", "/", &fields, false).await;
        exchange.send(b"abc").await;
        exchange.end();
        let answer = exchange.answer().await.unwrap();
        assert_eq!(answer.status, 200, "the third time");
    });
    assert_eq!(backend.seen().requests.len(), 1);
    let refusing = Http2Backend::with(Options {
        refuses: 100,
        ..Options::default()
    });
    let palisade = start(&refusing);
    assert_eq!(palisade.get("/").status, 503, "not for ever");
}

const RETRIES: &str = r#"palisade_upstream_retries_total{upstream="app"}"#;

#[test]
fn a_server_that_refuses_everything_is_left() {
    let refusing = Http2Backend::with(Options {
        refuses: u32::MAX,
        ..Options::default()
    });
    let good = Http2Backend::start();
    let palisade = Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0, proxy_protocol: {{ mode: required, from: [127.0.0.0/8] }} }}]
upstreams:
  app:
    servers: [\"{refusing}\", \"{good}\"]
    protocol: http2
    balance: client_address
    ejection: {{ failures: 3, period: 1h }}
sites: [{{ upstream: app }}]
"
    ));
    for client in 1..=40 {
        let answer = palisade.get_from(&format!("198.18.0.{client}"), "/");
        assert_eq!(answer.status, 200, "{client}");
    }
    assert_eq!(good.seen().requests.len(), 40);
    // Once for each time that it was asked: then it is out.
    assert_eq!(palisade.metric(RETRIES), 3.0);
}

#[test]
fn what_is_refused_is_sent_again_within_the_budget() {
    let refusing = Http2Backend::with(Options {
        refuses: u32::MAX,
        ..Options::default()
    });
    let budget = "protocol: http2, ejection: off, retry_budget: { percent: 20, reserve: 5 }";
    let palisade = start_with(&refusing, budget);
    for _ in 0..50 {
        assert_eq!(palisade.get("/").status, 503);
    }
    // Five that were saved up, and a fifth of the requests: what is sent again earns nothing.
    let retries = palisade.metric(RETRIES);
    assert!((5.0..=15.0).contains(&retries), "{retries}");
}

#[test]
fn a_connection_that_the_backend_ends_has_no_further_request() {
    let backend = Http2Backend::start();
    let palisade = start(&backend);
    run(async {
        let client = client(&palisade).await;
        for turn in 1..=3 {
            let mut running = client.begin("POST", "/echo", &[], false).await;
            running.head().await.unwrap();
            assert_eq!(client.get("/goaway").await.unwrap().status, 200);
            // What runs goes on; the rest goes to a new connection.
            assert_eq!(client.post("/", b"abc").await.unwrap().status, 200);
            assert_eq!(backend.seen().connections, turn + 1);
            running.send(b"still here").await;
            assert_eq!(running.part().await.unwrap().unwrap(), "still here");
            running.end();
            assert!(running.part().await.is_none());
            wait_on(|| (backend.seen().ended == turn).then_some(())).await;
        }
    });
    let retries = r#"palisade_upstream_retries_total{upstream="app"}"#;
    assert!(palisade.metric(retries) < 4.0);
}

#[test]
fn a_full_connection_is_joined_by_another() {
    let backend = Http2Backend::with(Options {
        streams_max: Some(2),
        ..Options::default()
    });
    let palisade = start(&backend);
    run(async {
        let client = client(&palisade).await;
        let mut exchanges = Vec::new();
        for _ in 0..5 {
            let mut exchange = client.begin("POST", "/echo", &[], false).await;
            exchange.head().await.unwrap();
            exchanges.push(exchange);
        }
        assert_eq!(backend.seen().connections, 3);
        for mut exchange in exchanges {
            exchange.end();
            assert!(exchange.part().await.is_none());
        }
    });
}

#[test]
fn a_slow_reader_makes_nobody_buffer() {
    let backend = Http2Backend::start();
    let palisade = start(&backend);
    run(async {
        let client = client(&palisade).await;
        let mut slow = client.begin("GET", "/flood", &[], true).await;
        slow.head().await.unwrap();
        wait_on(|| (!backend.seen().stalled.is_empty()).then_some(())).await;
        let given = backend.seen().given["/flood"];
        assert!(
            given < 512 * 1024,
            "{given} bytes for a client that reads none"
        );
        // It holds nobody else up.
        assert_eq!(palisade.get("/").status, 200);
        // And goes on when it reads.
        let mut read = 0;
        while read < 2_000_000 {
            read += slow.part().await.unwrap().unwrap().len();
        }
        assert!(backend.seen().given["/flood"] > 1_000_000);
    });
}

#[test]
fn a_slow_backend_stops_the_client() {
    let backend = Http2Backend::start();
    let palisade = start(&backend);
    run(async {
        let client = client(&palisade).await;
        let mut exchange = client.begin("POST", "/stall", &[], false).await;
        let part = vec![b'x'; 16 * 1024];
        let mut sent = 0;
        let pause = std::time::Duration::from_millis(500);
        while tokio::time::timeout(pause, exchange.send(&part))
            .await
            .is_ok()
        {
            sent += part.len();
            assert!(sent < 2 * 1024 * 1024, "nobody takes it");
        }
        assert!(sent >= 64 * 1024);
        assert_eq!(client.get("/").await.unwrap().status, 200);
    });
    wait_for("the reset to reach the backend", || {
        backend.seen().resets.get("/stall").copied()
    });
}

#[test]
fn informational_answers_and_heads_alone_pass() {
    let backend = Http2Backend::start();
    let palisade = start(&backend);
    let mut connection = palisade.connect();
    connection.send("GET /hints HTTP/1.1\r\nHost: a\r\n\r\n");
    let hints = connection.answer_to_head().unwrap();
    assert_eq!((hints.status, hints.header("link")), (103, Some("</a>")));
    assert_eq!(connection.answer().unwrap().status, 200);
    connection.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(connection.answer_to_head().unwrap().status, 200);
    run(async {
        let client = client(&palisade).await;
        let answer = client.get("/trailers-only").await.unwrap();
        assert_eq!(answer.fields["grpc-status"], "5");
        assert!(answer.body.is_empty() && answer.trailers.is_none());
    });
}

#[test]
fn with_a_proxy_header_a_connection_serves_one_client() {
    let backend = Http2Backend::start();
    // The backend takes no PROXY header: what matters is that it is not shared before that.
    let palisade = start_with(&backend, "protocol: http2, proxy_protocol: v2");
    assert_eq!(palisade.get("/").status, 502);
    assert_eq!(palisade.get("/").status, 502);
    wait_for("both connections", || {
        (backend.seen().connections == 2).then_some(())
    });
}
