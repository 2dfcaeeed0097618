//! Bodies of HTTP/1, and what follows them on a connection.

use palisade_hygiene::RefusalReason::{BodyMalformed, BodyTooLarge};

use super::{Passes, Refusals};

/// A POST with these chunks.
fn chunked(chunks: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
}

#[rustfmt::skip] // One row a line.
#[test]
fn bad_chunks_are_never_forwarded() {
    let mut table = Refusals::start();
    let mut row = |name, chunks: &str| table.row(name, chunked(chunks), 400, BodyMalformed);
    row("chunk size 0x3", "0x3\r\nabc\r\n0\r\n\r\n");
    row("chunk size +3", "+3\r\nabc\r\n0\r\n\r\n");
    row("chunk size -3", "-3\r\nabc\r\n0\r\n\r\n");
    row("chunk size \" 3\"", " 3\r\nabc\r\n0\r\n\r\n");
    row("chunk size with a space behind", "3 \r\nabc\r\n0\r\n\r\n");
    row("chunk size with a space within", "1 0\r\n0123456789abcdef\r\n0\r\n\r\n");
    row("chunk size empty", "\r\nabc\r\n0\r\n\r\n");
    row("chunk size empty, at the end", "3\r\nabc\r\n\r\n\r\n");
    row("chunk size with an underscore", "1_0\r\n0123456789abcdef\r\n0\r\n\r\n");
    row("chunk overflow", "FFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n");
    row("chunk of 64 bits", "FFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n");
    row("chunk of 64 bits less two", "FFFFFFFFFFFFFFFE\r\nabc\r\n0\r\n\r\n");
    row("chunk missing CRLF", "3\r\nabc0\r\n\r\n");
    row("chunk longer than said", "3\r\nabcd\r\n0\r\n\r\n");
    row("chunk shorter than said", "5\r\nabc\r\n0\r\n\r\n");
    row("chunk bare LF", "3\nabc\n0\n\n");
    row("chunk bare LF behind data", "3\r\nabc\n0\r\n\r\n");
    row("chunk bare CR", "3\rabc\r0\r\r");
    row("chunk ext LF", "3;x\nabc\r\n0\r\n\r\n");
    row("chunk ext bare CR", "3;x\ry\r\nabc\r\n0\r\n\r\n");
    row("chunk ext NUL", "3;x\0\r\nabc\r\n0\r\n\r\n");
    row("chunk ext without ;", "3 x\r\nabc\r\n0\r\n\r\n");
    row("chunk ext without end", &format!("3;{}", "x".repeat(100_000)));
    row("last chunk bare LF", "3\r\nabc\r\n0\n\n");
    row("trailer without colon", "3\r\nabc\r\n0\r\nGET / HTTP/1.1\r\n\r\n");
    row("trailer bare LF", "3\r\nabc\r\n0\r\nX: y\n\r\n");
    row("trailer folded", "3\r\nabc\r\n0\r\nX: y\r\n z\r\n\r\n");
    row("trailer with a space before colon", "3\r\nabc\r\n0\r\nX : y\r\n\r\n");
    row("trailers without end", &format!("3\r\nabc\r\n0\r\n{}", "X: y\r\n".repeat(10_000)));
    table.end();
}

#[rustfmt::skip] // One row a line.
#[test]
fn chunks_are_not_passed_on_as_they_came() {
    let mut table = Passes::start();
    let mut row = |name, chunks: &str, body| table.row(name, chunked(chunks), "POST / HTTP/1.1", body);
    row("chunks", "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n", "abcdefg");
    row("chunk sizes with zeros", "0003\r\nabc\r\n000\r\n\r\n", "abc");
    row("chunk sizes in both cases", "a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", "01234567890123456789a");
    row("no data", "0\r\n\r\n", "");
    row("chunk ext", "3;x=y\r\nabc\r\n0;z\r\n\r\n", "abc");
    row("chunk ext with spaces", "3 ; x = \"y z\"\r\nabc\r\n0\r\n\r\n", "abc");
    row("chunk trailers", "3\r\nabc\r\n0\r\nX-Trailer: y\r\nContent-Length: 99\r\n\r\n", "abc");
    for request in table.backend.requests() {
        assert_eq!(request.header("transfer-encoding"), None, "the length is known by now");
        assert_eq!(request.count("content-length"), 1);
        assert_eq!(request.header("x-trailer"), None);
        assert!(!request.body.contains(&b';'));
    }
}

#[test]
fn chunks_that_come_byte_by_byte_are_read_the_same() {
    let table = Passes::start();
    let mut connection = table.palisade.connect();
    for byte in chunked("3;x=\"y\"\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n").bytes() {
        connection.send([byte]);
    }
    assert_eq!(connection.answer().unwrap().status, 200);
    assert_eq!(table.backend.requests()[0].body, b"abc0123456789");

    let mut refused = Refusals::start();
    let mut connection = refused.palisade.connect();
    for byte in chunked("3;x\nabc\r\n0\r\n\r\n").bytes() {
        connection.send([byte]);
    }
    assert_eq!(connection.answer().unwrap().status, 400);
    refused.row(
        "declared length over the limit",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999\r\n\r\n",
        413,
        BodyTooLarge,
    );
    refused.end();
}

#[test]
fn a_long_chunked_body_stays_whole() {
    let table = Passes::start();
    let data: String = (0..60_000).map(|number| format!("{number:05}")).collect();
    let mut chunks = String::new();
    for (at, piece) in data.as_bytes().chunks(7919).enumerate() {
        let extension = if at % 3 == 0 { ";part" } else { "" };
        chunks += &format!(
            "{:x}{extension}\r\n{}\r\n",
            piece.len(),
            String::from_utf8_lossy(piece)
        );
    }
    chunks += "0\r\n\r\n";
    let mut connection = table.palisade.connect();
    connection
        .send(chunked(&chunks))
        .send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(connection.answer().unwrap().status, 200);
    assert_eq!(connection.answer().unwrap().status, 200);
    let requests = table.backend.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].body == data.as_bytes());
    assert_eq!(requests[1].line, "GET /next HTTP/1.1");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let backend = crate::harness::Backend::with(|request, tcp| {
        use std::io::Write;
        let body = request.line.split(' ').nth(1).unwrap();
        write!(
            tcp,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .is_ok()
    });
    let palisade = crate::harness::Palisade::start(&super::one_site(&backend, ""));
    let mut connection = palisade.connect();
    connection.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.send("POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /4 HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.send("POST /5 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /6 HTTP/1.1\r\nHost: a\r\n\r\n");
    // An empty line between requests (RFC 9112 section 2.2), then one that is refused alone, then
    // one after which nothing follows.
    connection.send("\r\nGET /7 HTTP/1.1\r\nHost: a\r\n\r\nGET /%2F HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.send("GET /8 HTTP/1.1\r\nHost: a\r\n\r\nGET /9 HTTP/1.1\r\n\r\nGET /10 HTTP/1.1\r\nHost: a\r\n\r\n");
    for target in ["/1", "/2", "/3", "/4", "/5", "/6", "/7"] {
        assert_eq!(connection.answer().expect(target).text(), target);
    }
    assert_eq!(connection.answer().unwrap().status, 400);
    assert_eq!(connection.answer().unwrap().text(), "/8");
    assert_eq!(connection.answer().unwrap().status, 400, "no Host");
    assert!(
        connection.is_closed(),
        "nothing behind a malformed head is read"
    );
    assert_eq!(backend.requests().len(), 8);
}
