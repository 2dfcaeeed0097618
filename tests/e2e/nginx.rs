//! A real nginx as backend.

use crate::harness::{Nginx, Palisade};

#[test]
fn nginx_serves_what_palisade_lets_through() {
    let nginx = Nginx::start();
    let palisade = Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{}\"] }} }}
sites: [{{ upstream: app }}]
access: {{ rules: [{{ id: env, match: {{ path: /.env }}, action: block }}] }}
",
        nginx.address()
    ));
    let mut client = palisade.connect();
    for _ in 0..3 {
        client.send("GET /page.html HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = client.answer().unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, 100_000));
        assert_eq!(answer.header("x-client"), Some("127.0.0.1"));
    }
    client.send("HEAD /page.html HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = client.answer_to_head().unwrap();
    assert_eq!(answer.header("content-length"), Some("100000"));
    let modified = answer.header("last-modified").unwrap().to_owned();
    client.send(format!(
        "GET /page.html HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: {modified}\r\n\r\n"
    ));
    assert_eq!(client.answer().unwrap().status, 304);
    client.send("GET /page.html HTTP/1.1\r\nHost: a\r\nRange: bytes=10-19\r\n\r\n");
    let answer = client.answer().unwrap();
    assert_eq!((answer.status, answer.body.len()), (206, 10));
    client.send("GET /missing HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().unwrap().status, 404);
    assert_eq!(palisade.get("/.env").status, 403);
}
