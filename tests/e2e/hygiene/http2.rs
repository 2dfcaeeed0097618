//! HTTP/2, frame by frame (RFC 9113).

use palisade_hygiene::RefusalReason::{self, *};

use super::one_site;
use crate::harness::{Backend, Connection, Http2, Outcome, Palisade, wait_for};

/// RFC 9113 section 7.
const PROTOCOL_ERROR: u32 = 1;

const GET: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":authority", "a"),
    (":path", "/"),
];

struct Table {
    backend: Backend,
    palisade: Palisade,
}

impl Table {
    fn start() -> Self {
        let backend = Backend::start();
        let palisade = Palisade::start(&one_site(&backend, ""));
        Self { backend, palisade }
    }

    fn connect(&self) -> Http2 {
        Http2::over(self.palisade.connect())
    }

    /// A head that is read, judged and answered.
    #[track_caller]
    fn refused(&self, name: &str, head: &[(&str, &str)], status: u16, reason: RefusalReason) {
        let before = self.lines(reason);
        let mut http2 = self.connect();
        let outcome = http2.head(1, head, true).outcome(1);
        assert_eq!(outcome.status(), Some(status), "{name}: {outcome:?}");
        // The connection goes on.
        let next = http2.head(3, &GET[..3], true).outcome(3);
        assert!(
            !matches!(next, Outcome::Closed | Outcome::GoneAway(_)),
            "{name}: {next:?}"
        );
        wait_for(name, || (self.lines(reason) > before).then_some(()));
        assert_eq!(self.backend.connections(), 0, "{name}");
    }

    /// A head that can't even be read as one: the stream is reset, or the connection ends.
    #[track_caller]
    fn reset(&self, name: &str, head: &[(&str, &str)]) {
        let before = self.lines(Http2Malformed);
        let outcome = self.connect().head(1, head, true).outcome(1);
        let refusals = [
            Outcome::Reset(PROTOCOL_ERROR),
            Outcome::GoneAway(PROTOCOL_ERROR),
        ];
        assert!(refusals.contains(&outcome), "{name}: {outcome:?}");
        wait_for(name, || (self.lines(Http2Malformed) > before).then_some(()));
        assert_eq!(self.backend.connections(), 0, "{name}");
    }

    fn lines(&self, reason: RefusalReason) -> usize {
        let log = self.palisade.decision_log();
        log.iter()
            .filter(|line| line["reason"] == reason.as_str())
            .count()
    }
}

/// A GET with these fields too.
fn get<'a>(fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&GET[..], fields].concat()
}

/// A GET with one pseudo-field as given.
fn with<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    GET.iter()
        .map(|&(old, kept)| {
            if old == name {
                (name, value)
            } else {
                (old, kept)
            }
        })
        .collect()
}

#[rustfmt::skip] // One row a line.
#[test]
fn heads_are_judged_as_those_of_http1() {
    let table = Table::start();
    let row = |name, head: Vec<(&str, &str)>, status, reason| table.refused(name, &head, status, reason);
    row(":authority against host", get(&[("host", "b")]), 400, HostMismatch);
    row(":authority against host, by port", get(&[("host", "a:81")]), 400, HostMismatch);
    row("two hosts", get(&[("host", "a"), ("host", "a")]), 400, HostRepeated);
    row("empty host", get(&[("host", "")]), 400, HostEmpty);
    row("no authority", vec![GET[0], GET[1], GET[3]], 400, HostMissing);
    row("backslash", with(":path", "/a\\b"), 400, Backslash);
    row("CONNECT", vec![(":method", "CONNECT"), (":authority", "a:443")], 405, MethodConnect);
    row("TRACE", with(":method", "TRACE"), 405, MethodTrace);
    row("lower-case method", with(":method", "get"), 400, MethodLowerCase);
    row("other scheme", with(":scheme", "ftp"), 400, TargetForm);
    row("asterisk GET", with(":path", "*"), 400, TargetForm);
    row("encoded slash", with(":path", "/a%2fb"), 400, EncodedSlash);
    row("dotdot over the root", with(":path", "/../a"), 400, UnresolvedDotDot);
    row("malformed escape", with(":path", "/?a=%zz"), 400, MalformedEscape);
    row("expectation", get(&[("expect", "200-ok")]), 417, ExpectationFailed);
    row("two lengths", get(&[("content-length", "0"), ("content-length", "0")]), 400, ContentLengthRepeated);
    let long = format!("/{}", "a".repeat(8192));
    row("target too long", with(":path", &long), 414, TargetTooLong);
    row("too many headers", get(&[("x", "y"); 101]), 431, TooManyHeaders);
    let large = "y".repeat(33_000);
    row("too large a head", get(&[("x", &large)]), 431, HeadTooLarge);
}

#[rustfmt::skip] // One row a line.
#[test]
fn heads_that_break_http2_are_never_answered() {
    let table = Table::start();
    let row = |name, head: Vec<(&str, &str)>| table.reset(name, &head);
    row("connection", get(&[("connection", "close")]));
    row("keep-alive", get(&[("keep-alive", "timeout=5")]));
    row("proxy-connection", get(&[("proxy-connection", "close")]));
    row("transfer-encoding", get(&[("transfer-encoding", "chunked")]));
    row("upgrade", get(&[("upgrade", "websocket")]));
    row("te other than trailers", get(&[("te", "gzip")]));
    row("extended CONNECT", vec![(":method", "CONNECT"), (":protocol", "websocket"), GET[1], GET[2], GET[3]]);
    row("upper-case name", get(&[("X-Upper", "y")]));
    row("line end in a value", get(&[("x", "y\r\nx-smuggled: yes")]));
    row("NUL in a value", get(&[("x", "y\0z")]));
    row("space in a name", get(&[("x y", "z")]));
    row("colon in a name", get(&[("x:y", "z")]));
    row("line end in the path", with(":path", "/ HTTP/1.1\r\nx-smuggled: yes\r\n"));
    row("space in the path", with(":path", "/a b"));
    row("line end in the method", with(":method", "GET / HTTP/1.1\r\nx: y\r\n\r\nGET"));
    row("line end in the authority", with(":authority", "a\r\nx-smuggled: yes"));
    row("empty path", with(":path", ""));
    row("path without slash", with(":path", "a/b"));
    row("two methods", [GET[0], GET[0], GET[1], GET[2], GET[3]].to_vec());
    row("no method", GET[1..].to_vec());
    row("no path", GET[..3].to_vec());
    row("no scheme", vec![GET[0], GET[2], GET[3]]);
    row("pseudo-field behind a field", [GET[0], GET[1], GET[2], ("x", "y"), GET[3]].to_vec());
    row("unknown pseudo-field", get(&[(":x", "y")]));
    row("an answer's pseudo-field", get(&[(":status", "200")]));
    row("length with nothing to come", get(&[("content-length", "3")]));
    row("length that is none", get(&[("content-length", "+3")]));
}

#[test]
fn a_body_that_breaks_its_declared_length_is_never_forwarded() {
    let table = Table::start();
    let post = |length| {
        let mut head = with(":method", "POST");
        head.push(("content-length", length));
        head
    };
    let mut http2 = table.connect();
    // Too short, too long, too long at once, none at all.
    http2.head(1, &post("5"), false).data(1, "abc", true);
    http2
        .head(3, &post("3"), false)
        .data(3, "ab", false)
        .data(3, "cd", true);
    http2.head(5, &post("3"), false).data(5, "abcd", true);
    http2.head(7, &post("3"), false).data(7, "", true);
    for stream in [1, 3, 5, 7] {
        let outcome = http2.outcome(stream);
        assert!(
            matches!(
                outcome,
                Outcome::Answered { status: 400, .. } | Outcome::Reset(PROTOCOL_ERROR)
            ),
            "{stream}: {outcome:?}"
        );
    }
    assert_eq!(table.backend.connections(), 0);
    let outcome = http2
        .head(9, &post("3"), false)
        .data(9, "ab", false)
        .data(9, "c", true)
        .outcome(9);
    assert_eq!(outcome.status(), Some(200));
    assert_eq!(table.backend.requests()[0].body, b"abc");
    wait_for("the refused bodies in the log", || {
        (table.lines(BodyMalformed) == 4).then_some(())
    });
    assert_eq!(table.lines(Http2Malformed), 0, "each is told once");
}

#[test]
fn a_connection_that_breaks_the_protocol_ends_and_is_told_of() {
    let table = Table::start();
    // A frame that no client sends first, a head on stream 0, a broken field block.
    for (name, kind, stream, payload) in [
        ("DATA on an idle stream", 0, 1, &b"abc"[..]),
        ("HEADERS on stream 0", 1, 0, &b"\x82"[..]),
        (
            "HEADERS that can't be decoded",
            1,
            1,
            &b"\xff\xff\xff\xff\xff\xff\xff\xff"[..],
        ),
        ("SETTINGS of an odd length", 4, 0, &b"abc"[..]),
        ("WINDOW_UPDATE by nothing", 8, 0, &[0, 0, 0, 0][..]),
    ] {
        let before = table.lines(Http2Malformed);
        let mut http2 = table.connect();
        http2.frame(kind, 4, stream, payload);
        let outcome = http2.outcome(1);
        assert!(
            matches!(outcome, Outcome::GoneAway(1..)),
            "{name}: {outcome:?}"
        );
        wait_for(name, || {
            (table.lines(Http2Malformed) > before).then_some(())
        });
    }
    assert_eq!(table.backend.connections(), 0);
}

#[test]
fn what_passes_reaches_the_backend_as_http1() {
    let table = Table::start();
    let mut http2 = table.connect();
    let head = [
        &GET[..3],
        &[
            (":path", "/a?b=c"),
            ("host", "A:80"),
            ("te", "trailers"),
            ("cookie", "a=b"),
            ("x", "y"),
            ("cookie", "c=d"),
            ("cookie", "e=f"),
        ],
    ]
    .concat();
    let outcome = http2.head(1, &head, true).outcome(1);
    assert_eq!(
        outcome,
        Outcome::Answered {
            status: 200,
            body: "ok".to_owned()
        }
    );
    let request = table.backend.requests()[0].clone();
    assert_eq!(request.line, "GET /a?b=c HTTP/1.1");
    assert_eq!(request.header("host"), Some("a"));
    assert_eq!(request.count("host"), 1);
    assert_eq!(request.header("cookie"), Some("a=b; c=d; e=f"));
    assert_eq!(request.count("cookie"), 1);
    assert_eq!(request.header("te"), None);
    assert_eq!(request.header("content-length"), None);
    assert_eq!(request.header("transfer-encoding"), None);
    // The h2 crate cuts a fragment off, so nobody judges or gets it.
    let outcome = http2.head(201, &with(":path", "/a#b"), true).outcome(201);
    assert_eq!(outcome.status(), Some(200));
    assert_eq!(table.backend.requests()[1].line, "GET /a HTTP/1.1");
    // A hundred at a time, all answered.
    let streams: Vec<u32> = (0..100).map(|number| 203 + 2 * number).collect();
    for stream in &streams {
        http2.head(*stream, &GET, true);
    }
    for stream in &streams {
        assert_eq!(http2.outcome(*stream).status(), Some(200), "{stream}");
    }
}

#[test]
fn cookie_crumbs_are_one_cookie_to_rules() {
    let backend = Backend::start();
    let palisade = Palisade::start(&format!(
        "{}
access:
  rules:
    - {{ id: cookie, match: {{ cookie: {{ role: admin }} }}, action: block }}
    - {{ id: header, match: {{ header: {{ Cookie: {{ equals: 'x=y; z=w' }} }} }}, action: block }}
",
        one_site(&backend, "")
    ));
    let mut http2 = Http2::over(palisade.connect());
    let crumbs = [
        ("cookie", "a=b"),
        ("cookie", "role=admin"),
        ("cookie", "c=d"),
    ];
    assert_eq!(
        http2.head(1, &get(&crumbs), true).outcome(1).status(),
        Some(403)
    );
    assert_eq!(
        http2
            .head(3, &get(&[("cookie", "x=y"), ("cookie", "z=w")]), true)
            .outcome(3)
            .status(),
        Some(403)
    );
    assert_eq!(
        http2.head(5, &get(&crumbs[2..]), true).outcome(5).status(),
        Some(200)
    );
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn trailers_of_a_request_are_not_passed_on() {
    let table = Table::start();
    let mut http2 = table.connect();
    http2
        .head(1, &with(":method", "POST"), false)
        .data(1, "abc", false);
    let outcome = http2
        .head(1, &[("x-trailer", "y"), ("content-length", "9")], true)
        .outcome(1);
    assert_eq!(outcome.status(), Some(200));
    let request = table.backend.requests()[0].clone();
    assert_eq!(request.body, b"abc");
    assert_eq!(request.header("x-trailer"), None);
}

#[test]
fn one_connection_is_either_of_the_two() {
    let table = Table::start();
    // HTTP/2's preface behind a request is garbage, as is HTTP/1 behind the preface.
    let mut connection = table.palisade.connect();
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(connection.answer().unwrap().status, 200);
    connection.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(connection.answer().unwrap().status, 505);
    assert!(connection.is_closed());
    let mut connection: Connection = table.palisade.connect();
    connection.send("PRI * HTTP/2.0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.read_to_end();
    assert_eq!(table.backend.requests().len(), 1);
}
