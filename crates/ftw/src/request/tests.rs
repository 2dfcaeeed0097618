use super::*;
use proptest::prelude::*;

/// Method, target, protocol, headers and body; what is not whole ends with `...`.
fn show(bytes: &[u8]) -> String {
    let request = Request::read(bytes);
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let mut parts = vec![
        text(request.method),
        text(request.target),
        text(request.protocol),
    ];
    let headers = request.headers.iter();
    parts.extend(headers.map(|field| format!("{}={}", text(field.name), text(&field.value))));
    if request.framing != Framing::None {
        parts.push(format!("{:?} {}", request.framing, text(&request.body)));
    }
    parts.extend((!request.is_whole).then(|| "...".to_owned()));
    parts.join("|")
}

#[track_caller]
fn check(bytes: &str, expected: &str) {
    assert_eq!(show(bytes.as_bytes()), expected, "{bytes:?}");
}

#[test]
fn well_formed_requests() {
    check(
        "GET /a?b HTTP/1.1\r\nHost: a\r\nAccept:  b , c \r\n\r\n",
        "GET|/a?b|HTTP/1.1|Host=a|Accept=b , c",
    );
    check(
        "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabcd",
        "POST|/|HTTP/1.1|content-length=3|Length abc",
    );
    check(
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n3;x=y\r\nabc\r\n00a\r\n0123456789\r\n0\r\nA: b\r\n\r\n",
        "POST|/|HTTP/1.1|Content-Length=1|Transfer-Encoding=gzip, Chunked|Chunked abc0123456789",
    );
}

#[test]
fn first_lines_that_are_wrong() {
    check(
        "\r\n\n  \tGET   /a\t HTTP\\1.0 x \r\n\r\n",
        "GET|/a|HTTP\\\\1.0 x",
    );
    check(
        "|GET\u{b}\0 /\u{e9} JUNK/1.0\n\n",
        "|GET|\\x00|/\\xc3\\xa9 JUNK/1.0",
    );
    check("GET / \r\nHost: a\r\n\r\n", "GET|/|");
    check("GET /a", "GET|/a|");
    check("GET", "GET||");
    check("", "||");
    check("\r\n\r\n", "||");
}

#[test]
fn header_lines_that_are_wrong() {
    check(
        "GET / HTTP/1.1\nno colon\n: x\nA : \0b\nA:\n\tc\n  d \n\n",
        "GET|/|HTTP/1.1|no colon=|=x|A=\\x00b|A= c d",
    );
    check("GET / HTTP/1.1\r\n x: y\r\n\r\n", "GET|/|HTTP/1.1| x=y");
    check("GET / HTTP/1.1\r\nHost: a", "GET|/|HTTP/1.1|Host=a|...");
    check("GET / HTTP/1.1\r\n", "GET|/|HTTP/1.1|...");
}

#[test]
fn bodies_that_are_wrong() {
    let post = |headers: &str, body: &str| format!("P / H\n{headers}\n\n{body}");
    check(
        &post("Content-Length: 9", "ab"),
        "P|/|H|Content-Length=9|Length ab|...",
    );
    check(&post("Content-Length: x", "ab"), "P|/|H|Content-Length=x");
    check(&post("Content-Length: -1", "ab"), "P|/|H|Content-Length=-1");
    check(
        &post("Content-Length: 99999999999999999999", "ab"),
        "P|/|H|Content-Length=99999999999999999999|Length ab|...",
    );
    let chunks = |body: &str| show(post("Transfer-Encoding: chunked", body).as_bytes());
    let all = "P|/|H|Transfer-Encoding=chunked|Chunked ";
    for (body, expected) in [
        ("2\nab0\n", "ab"),
        ("2\r\nabc", "ab|..."),
        ("5\r\nab", "ab|..."),
        ("ffffffffffffffffff\r\nab", "ab|..."),
        ("x\r\nab", "|..."),
        ("", "|..."),
        ("2", "|..."),
    ] {
        assert_eq!(chunks(body), format!("{all}{expected}"), "{body:?}");
    }
}

#[test]
fn heads_are_told_as_they_were_sent() {
    let request = Request::read(b"\nGET / HTTP/1.1\r\nContent-Length: 1\r\n\r\nabc");
    assert_eq!(
        request.head,
        b"\nGET / HTTP/1.1\r\nContent-Length: 1\r\n\r\n"
    );
    assert_eq!(request.line, b"GET / HTTP/1.1");
    assert_eq!(request.header("CONTENT-LENGTH"), Some(&b"1"[..]));
    assert_eq!(Request::read(b"GET /\nabc").head, b"GET /\n");
}

#[test]
fn answers_are_written() {
    let response = Response {
        headers: vec![("A".to_owned(), "b".to_owned())],
        body: b"c".to_vec(),
        ..Response::empty(200)
    };
    assert_eq!(response.to_bytes(), b"HTTP/1.1 200 \r\nA: b\r\n\r\nc");
    assert_eq!(response.header("a"), Some("b"));
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes: Vec<u8>) {
        let request = Request::read(&bytes);
        prop_assert!(bytes.starts_with(request.head));
    }

    #[test]
    fn almost_right_requests_are_read(parts in prop::collection::vec(prop::sample::select(vec![
        "GET", " ", "/", "HTTP/1.1", "\r\n", "\n", "\r", "\0", ":", "\t", "Content-Length", "Transfer-Encoding: chunked", "3", "0", "ffffffffffffffff", ";", "a", "\u{e9}",
    ]), 0..40)) {
        let bytes = parts.concat();
        let request = Request::read(bytes.as_bytes());
        prop_assert!(bytes.as_bytes().starts_with(request.head));
        prop_assert!(request.body.len() <= bytes.len());
    }
}
