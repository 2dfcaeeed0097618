//! The declared answer to every malformed HTTP/1 request, and properties of the parser.

use palisade_vocabulary::HttpVersion;
use proptest::prelude::*;

use super::*;
use crate::RefusalReason::*;
use crate::{Framing, HeadLimits, PathPolicy, PathScratch, Refusal, RefusalReason};

/// All that a connection does with the bytes of a head, under the default limits and the policy of
/// a site that allows nothing.
fn judge(bytes: &[u8]) -> Result<String, RefusalReason> {
    let limits = HeadLimits::default();
    let run = || -> Result<String, Refusal> {
        let span = HeadSearch::default().find(bytes, &limits)?;
        let span = span.ok_or(HeadIncomplete)?;
        let head = check_head(&bytes[span.clone()], &limits)?;
        assert_eq!(head.len, span.len());
        let mut scratch = PathScratch::default();
        let path = head.target.view(&PathPolicy::default(), &mut scratch)?;
        Ok(format!(
            "{} {}",
            head.method,
            String::from_utf8_lossy(path.canonical)
        ))
    };
    run().map_err(|refusal| refusal.reason)
}

/// A row: its name in the table of malformed requests, the bytes, and the answer.
#[track_caller]
fn row(name: &str, bytes: impl AsRef<[u8]>, expected: Result<&str, RefusalReason>) {
    let got = judge(bytes.as_ref());
    assert_eq!(got.as_deref(), expected.as_ref().copied(), "{name}");
}

/// A GET with `field` after Host.
fn get(field: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n")
}

/// A POST with `fields` (each with its CR LF) after Host.
fn post(fields: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\nabc")
}

/// A request with this request line and a Host.
fn line(line: &str) -> String {
    format!("{line}\r\nHost: a\r\n\r\n")
}

/// A GET with this line in place of Host.
fn host(field: &str) -> String {
    format!("GET / HTTP/1.1\r\n{field}\r\n")
}

/// The table of malformed requests: the declared answer to every row that is about a head.
/// Chunks are the body reader's.
#[test]
fn malformed_requests_have_a_declared_answer() {
    framing_rows();
    line_and_field_rows();
    target_rows();
    method_and_version_rows();
    host_rows();
    size_rows();
    connection_rows();
}

#[rustfmt::skip] // One row a line.
fn framing_rows() {
    row("CL+TE", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), Err(ContentLengthWithTransferEncoding));
    row("TE+CL order", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), Err(ContentLengthWithTransferEncoding));
    row("double CL differing", post("Content-Length: 3\r\nContent-Length: 4\r\n"), Err(ContentLengthRepeated));
    row("double CL same", post("Content-Length: 3\r\nContent-Length: 3\r\n"), Err(ContentLengthRepeated));
    row("double CT", post("Content-Type: a/b\r\ncontent-type: a/b\r\n"), Err(ContentTypeRepeated));
    row("CL list 3, 3", post("Content-Length: 3, 3\r\n"), Err(ContentLengthInvalid));
    row("CL +3", post("Content-Length: +3\r\n"), Err(ContentLengthInvalid));
    row("CL -1", post("Content-Length: -1\r\n"), Err(ContentLengthInvalid));
    row("CL 0x3", post("Content-Length: 0x3\r\n"), Err(ContentLengthInvalid));
    row("CL overflow", post("Content-Length: 18446744073709551616\r\n"), Err(ContentLengthInvalid));
    row("CL empty", post("Content-Length:\r\n"), Err(ContentLengthInvalid));
    row("TE xchunked", post("Transfer-Encoding: xchunked\r\n"), Err(TransferEncodingUnsupported));
    row("TE chunked, identity", post("Transfer-Encoding: chunked, identity\r\n"), Err(TransferEncodingUnsupported));
    row("TE gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n"), Err(TransferEncodingUnsupported));
    row("TE chunked, chunked", post("Transfer-Encoding: chunked, chunked\r\n"), Err(TransferEncodingUnsupported));
    row("TE two headers", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), Err(TransferEncodingRepeated));
    row("TE two headers, identity first", post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"), Err(TransferEncodingUnsupported));
    row("TE \\tchunked", post("Transfer-Encoding:\tchunked\r\n"), Err(TransferEncodingUnsupported));
    row("TE \\x0bchunked", post("Transfer-Encoding: \x0bchunked\r\n"), Err(HeaderValueInvalid));
    row("TE empty", post("Transfer-Encoding:\r\n"), Err(TransferEncodingUnsupported));
    row("TE quoted", post("Transfer-Encoding: \"chunked\"\r\n"), Err(TransferEncodingUnsupported));
    row("TE CHUNKED", post("transfer-encoding: CHUNKED\r\n"), Ok("POST /"));
    row("TE on HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Err(TransferEncodingOnHttp10));
    row("CL+TE on HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", Err(TransferEncodingOnHttp10));
    row("HTTP/1.1 + GET w/ body", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", Ok("GET /"));
    row("Expect other", post("Expect: 200-ok\r\nContent-Length: 3\r\n"), Err(ExpectationFailed));
}

#[rustfmt::skip] // One row a line.
fn line_and_field_rows() {
    row("plain GET", get("Accept: */*"), Ok("GET /"));
    row("space before colon", get("X : y"), Err(HeaderNameInvalid));
    row("space before colon, TE", post("Transfer-Encoding : chunked\r\n"), Err(HeaderNameInvalid));
    row("obs-fold", get("X: y\r\n z"), Err(HeaderFolded));
    row("obs-fold TE", post("Transfer-Encoding:\r\n chunked\r\n"), Err(TransferEncodingUnsupported));
    row("obs-fold with tab", get("X: y\r\n\tz"), Err(HeaderFolded));
    row("leading-space 1st header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", Err(HeaderFolded));
    row("bare LF headers", "GET / HTTP/1.1\nHost: a\n\n", Err(BareLineFeed));
    row("bare LF one header", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", Err(BareLineFeed));
    row("bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", Err(BareLineFeed));
    row("bare CR in value", get("X: y\rz"), Err(BareCarriageReturn));
    row("bare CR in name", get("X\ry: z"), Err(BareCarriageReturn));
    row("CR CR LF", get("X: y\r"), Err(BareCarriageReturn));
    row("NUL in value", get("X: y\0z"), Err(HeaderValueInvalid));
    row("NUL in name", get("X\0: y"), Err(HeaderNameInvalid));
    row("ctl \\x01 in value", get("X: y\x01z"), Err(HeaderValueInvalid));
    row("DEL in value", get("X: y\x7fz"), Err(HeaderValueInvalid));
    row("tab in value", get("X: y\tz"), Ok("GET /"));
    row("high byte \\xff value", b"GET / HTTP/1.1\r\nHost: a\r\nX: \xff\r\n\r\n", Ok("GET /"));
    row("high byte in name", b"GET / HTTP/1.1\r\nHost: a\r\nX\xff: y\r\n\r\n", Err(HeaderNameInvalid));
    row("empty header name", get(": y"), Err(HeaderNameInvalid));
    row("empty value", get("X:"), Ok("GET /"));
    row("header w/o colon", get("X"), Err(HeaderWithoutColon));
    row("underscore header", get("X_Forwarded_For: 192.0.2.1"), Ok("GET /"));
    row("leading CRLFs", format!("\r\n{}", get("X: y")), Ok("GET /"));
    row("two leading CRLFs", format!("\r\n\r\n{}", get("X: y")), Err(LeadingEmptyLines));
    row("leading LF", format!("\n{}", get("X: y")), Err(BareLineFeed));
    row("leading space", format!(" {}", get("X: y")), Err(MethodInvalid));
}

#[rustfmt::skip] // One row a line.
fn target_rows() {
    row("NUL in URI", line("GET /a\0b HTTP/1.1"), Err(TargetByte));
    row("space in URI", line("GET /a b HTTP/1.1"), Err(TargetByte));
    row("two spaces before URI", line("GET  /a HTTP/1.1"), Err(TargetByte));
    row("tab in URI", line("GET /a\tb HTTP/1.1"), Err(TargetByte));
    row("tab for space", line("GET\t/a\tHTTP/1.1"), Err(RequestLine));
    row("CR in URI", line("GET /a\rb HTTP/1.1"), Err(TargetByte));
    row("utf8 in URI", line("GET /ä HTTP/1.1"), Ok("GET /ä"));
    row("high byte in URI", b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", Err(TargetByte));
    row("< in URI", line("GET /?<script> HTTP/1.1"), Err(TargetByte));
    row("{|} in URI", line("GET /{|}?{|} HTTP/1.1"), Ok("GET /{|}"));
    row("fragment in URI", line("GET /a#b HTTP/1.1"), Err(TargetFragment));
    row("malformed escape in path", line("GET /%zz HTTP/1.1"), Err(MalformedEscape));
    row("malformed escape in query", line("GET /?a=%4 HTTP/1.1"), Err(MalformedEscape));
    row("dotdot + //", line("GET /a/../b//c HTTP/1.1"), Ok("GET /b/c"));
    row("dotdot over the root", line("GET /../a HTTP/1.1"), Err(UnresolvedDotDot));
    row("encoded dotdot", line("GET /a/%2e%2E/b HTTP/1.1"), Err(UnresolvedDotDot));
    row("dotdot with parameters", line("GET /a/..;/b HTTP/1.1"), Err(UnresolvedDotDot));
    row("encoded slash", line("GET /a%2Fb HTTP/1.1"), Err(EncodedSlash));
    row("backslash", line("GET /a\\b HTTP/1.1"), Err(Backslash));
    row("encoded NUL", line("GET /a%00 HTTP/1.1"), Err(EncodedNul));
    row("double encoding", line("GET /a%252fb HTTP/1.1"), Err(DoubleEncoding));
    row("absolute-form", line("GET http://a/b HTTP/1.1"), Ok("GET /b"));
    row("absolute-form != Host", line("GET http://b/b HTTP/1.1"), Err(HostMismatch));
    row("absolute-form, other port", line("GET http://a:81/b HTTP/1.1"), Err(HostMismatch));
    row("absolute-form without Host", "GET http://a/b HTTP/1.1\r\n\r\n", Err(HostMissing));
    row("absolute userinfo", line("GET http://u:p@a/b HTTP/1.1"), Err(HostInvalid));
    row("absolute ftp", line("GET ftp://a/b HTTP/1.1"), Err(TargetForm));
    row("asterisk OPTIONS", line("OPTIONS * HTTP/1.1"), Ok("OPTIONS /"));
    row("asterisk GET", line("GET * HTTP/1.1"), Err(TargetForm));
    row("no leading slash", line("GET a/b HTTP/1.1"), Err(TargetForm));
    row("authority-form", line("GET a:443 HTTP/1.1"), Err(TargetForm));
    row("no target", line("GET HTTP/1.1"), Err(RequestLine));
}

#[rustfmt::skip] // One row a line.
fn method_and_version_rows() {
    row("CONNECT", line("CONNECT a:443 HTTP/1.1"), Err(MethodConnect));
    row("TRACE", line("TRACE / HTTP/1.1"), Err(MethodTrace));
    row("unknown method FOO", line("FOO / HTTP/1.1"), Ok("FOO /"));
    row("lower method get", line("get / HTTP/1.1"), Err(MethodLowerCase));
    row("mixed method Get", line("Get / HTTP/1.1"), Err(MethodLowerCase));
    row("bad method G@T", line("G@T / HTTP/1.1"), Err(MethodInvalid));
    row("method of 32", line(&format!("{} / HTTP/1.1", "A".repeat(32))), Ok(&format!("{} /", "A".repeat(32))));
    row("method of 33", line(&format!("{} / HTTP/1.1", "A".repeat(33))), Err(MethodInvalid));
    row("HTTP/1.2", line("GET / HTTP/1.2"), Err(VersionUnsupported));
    row("HTTP/2.0 in h1", line("GET / HTTP/2.0"), Err(VersionUnsupported));
    row("HTTP/0.9", line("GET / HTTP/0.9"), Err(VersionUnsupported));
    row("HTTP/0.9 without version", "GET /\r\n\r\n", Err(RequestLine));
    row("version in lower case", line("GET / http/1.1"), Err(RequestLine));
    row("version with more digits", line("GET / HTTP/1.10"), Err(RequestLine));
    row("space after version", line("GET / HTTP/1.1 "), Err(RequestLine));
    row("h2 preface on plain", crate::h2::PREFACE, Err(Http2Preface));
    row("TLS on plain", b"\x16\x03\x01\x02\x00\r\n\r\n", Err(RequestLine));
}

#[rustfmt::skip] // One row a line.
fn host_rows() {
    row("no Host 1.1", "GET / HTTP/1.1\r\n\r\n", Err(HostMissing));
    row("no Host 1.0", "GET / HTTP/1.0\r\n\r\n", Ok("GET /"));
    row("empty Host", host("Host:\r\n"), Err(HostEmpty));
    row("empty Host 1.0", "GET / HTTP/1.0\r\nHost: \r\n\r\n", Err(HostEmpty));
    row("two Hosts", host("Host: a\r\nHost: b\r\n"), Err(HostRepeated));
    row("two equal Hosts", host("Host: a\r\nhost: a\r\n"), Err(HostRepeated));
    row("Host w/ userinfo @", host("Host: u@a\r\n"), Err(HostInvalid));
    row("Host w/ slash", host("Host: a/b\r\n"), Err(HostInvalid));
    row("Host w/ space", host("Host: a b\r\n"), Err(HostInvalid));
    row("Host bad port", host("Host: a:99999\r\n"), Err(HostInvalid));
    row("Host empty port", host("Host: a:\r\n"), Err(HostInvalid));
    row("Host w/ percent", host("Host: a%2e\r\n"), Err(HostInvalid));
    row("Host w/ port", host("Host: a:8080\r\n"), Ok("GET /"));
    row("Host IPv6", host("Host: [::1]:8080\r\n"), Ok("GET /"));
}

#[rustfmt::skip] // One row a line.
fn size_rows() {
    row("70KB header", get(&format!("X: {}", "y".repeat(70_000))), Err(HeadTooLarge));
    row("1.2MB header", get(&format!("X: {}", "y".repeat(1_200_000))), Err(HeadTooLarge));
    row("300 headers", get(&vec!["X: y"; 300].join("\r\n")), Err(TooManyHeaders));
    row("100 headers", get(&vec!["X: y"; 99].join("\r\n")), Ok("GET /"));
    row("101 headers", get(&vec!["X: y"; 100].join("\r\n")), Err(TooManyHeaders));
    row("100KB URI", line(&format!("GET /{} HTTP/1.1", "a".repeat(100_000))), Err(TargetTooLong));
    row("8 KiB URI and one", line(&format!("GET /{} HTTP/1.1", "a".repeat(8192))), Err(TargetTooLong));
    let longest = "a".repeat(8191);
    row("8 KiB URI", line(&format!("GET /{longest} HTTP/1.1")), Ok(&format!("GET /{longest}")));
}

#[rustfmt::skip] // One row a line.
fn connection_rows() {
    row("Connection: X-Real strip", get("Connection: X-Real-IP\r\nX-Real-IP: 192.0.2.1"), Ok("GET /"));
    row("Upgrade h2c", get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c"), Ok("GET /"));
    row("pipelined 2", format!("{}{}", get("X: y"), get("X: y")), Ok("GET /"));
    row("POST+pipelined GET", format!("{}{}", post("Content-Length: 3\r\n"), get("X: y")), Ok("POST /"));
    row("Upgrade w/ smuggle", format!("{}{}", get("Connection: upgrade\r\nUpgrade: websocket"), get("X: y")), Ok("GET /"));
}

#[track_caller]
fn head(bytes: &str) -> Head<'_> {
    check_head(bytes.as_bytes(), &HeadLimits::default()).unwrap()
}

#[test]
fn a_head_says_how_the_body_is_framed() {
    assert_eq!(head(&get("X: y")).framing, Framing::None);
    assert_eq!(
        head(&post("Content-Length: 0\r\n")).framing,
        Framing::Length(0)
    );
    assert_eq!(
        head(&post("content-length: \t 3 \r\n")).framing,
        Framing::Length(3)
    );
    assert_eq!(
        head(&post("Transfer-Encoding:  chunked \r\n")).framing,
        Framing::Chunked
    );
    assert!(head(&post("Expect: 100-Continue\r\nContent-Length: 3\r\n")).expects_continue);
    assert!(!head("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expects_continue);
}

#[test]
fn a_head_says_whether_the_connection_lives() {
    assert!(head(&get("X: y")).keep_alive);
    assert!(!head(&get("Connection: foo, Close")).keep_alive);
    assert!(!head(&get("Connection: keep-alive\r\nConnection: close")).keep_alive);
    let old = |field| format!("GET / HTTP/1.0\r\nX: y\r\n{field}\r\n");
    assert!(!head(&old("")).keep_alive);
    assert!(head(&old("Connection: Keep-Alive\r\n")).keep_alive);
    assert_eq!(head(&old("")).version, HttpVersion::Http10);
}

#[test]
fn a_head_says_what_to_switch_to() {
    let upgrade = |field: &str| head(&get(field)).upgrade;
    assert_eq!(
        upgrade("Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket"),
        Some(Upgrade::WebSocket)
    );
    assert_eq!(
        upgrade("Connection: upgrade\r\nUpgrade: h2c"),
        Some(Upgrade::Other)
    );
    assert_eq!(
        upgrade("Connection: upgrade\r\nUpgrade: websocket, h2c"),
        Some(Upgrade::Other)
    );
    assert_eq!(
        upgrade("Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket"),
        Some(Upgrade::Other)
    );
    assert_eq!(
        upgrade("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3"),
        Some(Upgrade::Other)
    );
    assert_eq!(upgrade("Upgrade: websocket"), None);
    assert_eq!(upgrade("Connection: upgrade"), None);
    let posted = post("Connection: upgrade\r\nUpgrade: websocket\r\n");
    assert_eq!(head(&posted).upgrade, Some(Upgrade::Other));
    let old = "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(head(old).upgrade, None);
}

#[test]
fn a_host_is_the_headers_or_the_targets() {
    let absolute = line("GET http://A:80/ HTTP/1.1");
    assert_eq!(head(&absolute).host.unwrap().as_sent(), "a");
    let old = head("GET http://A/ HTTP/1.0\r\n\r\n");
    assert_eq!(old.host.unwrap().name(), "a");
    assert!(head("GET / HTTP/1.0\r\n\r\n").host.is_none());
}

#[test]
fn what_is_certain_is_said_before_the_head_is_complete() {
    let limits = HeadLimits {
        head_bytes: 200,
        headers: 10,
        target_bytes: 50,
    };
    let find = |bytes: &str| HeadSearch::default().find(bytes.as_bytes(), &limits);
    let refusal = |bytes: &str| find(bytes).unwrap_err().reason;
    assert_eq!(find(&format!("GET /{}", "a".repeat(49))), Ok(None));
    assert_eq!(refusal(&format!("GET /{}", "a".repeat(100))), TargetTooLong);
    assert_eq!(
        refusal(&format!("GET /{} HTTP/1.1\r\n", "a".repeat(100))),
        TargetTooLong
    );
    assert_eq!(refusal(&"A".repeat(100)), MethodInvalid);
    assert_eq!(
        refusal(&format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(200))),
        HeadTooLarge
    );
    assert_eq!(refusal("GET / HTTP/1.1\r\nX: y\nX"), BareLineFeed);
    assert_eq!(refusal("\r\n\r\n"), LeadingEmptyLines);
    assert_eq!(find(""), Ok(None));
    // The limit is the head's: what follows it doesn't count.
    let body = format!("\r\n{}{}", get("X: y"), "a".repeat(500));
    assert_eq!(find(&body), Ok(Some(2..2 + get("X: y").len())));
}

#[test]
fn of_two_reasons_the_one_that_came_first_counts_however_the_bytes_came() {
    #[track_caller]
    fn check(target_bytes: usize, bytes: &str, expected: RefusalReason) {
        let limits = HeadLimits {
            head_bytes: 200,
            headers: 10,
            target_bytes,
        };
        let whole = HeadSearch::default().find(bytes.as_bytes(), &limits);
        assert_eq!(whole, Err(expected.into()), "in one piece");
        let mut search = HeadSearch::default();
        let mut answers =
            (0..=bytes.len()).map(|len| search.find(&bytes.as_bytes()[..len], &limits));
        let piecewise = answers.find(|answer| *answer != Ok(None));
        assert_eq!(piecewise, Some(Err(expected.into())), "byte by byte");
    }
    let long = "a".repeat(300);
    check(50, &format!("GET / HTTP/1.1\r\nX: {long}\n"), HeadTooLarge);
    check(50, &format!("GET /{long}\n"), TargetTooLong);
    check(190, &format!("GET /{long} HTTP/1.1\r\n"), HeadTooLarge);
    check(50, &format!("GET / HTTP/1.1\nX: {long}"), BareLineFeed);
}

#[test]
fn a_head_is_held_to_its_limits_by_itself() {
    let bytes = get("X: y");
    let limits = |head_bytes| HeadLimits {
        head_bytes,
        ..HeadLimits::default()
    };
    assert!(check_head(bytes.as_bytes(), &limits(bytes.len())).is_ok());
    let refusal = check_head(bytes.as_bytes(), &limits(bytes.len() - 1)).unwrap_err();
    assert_eq!(refusal.reason, HeadTooLarge);
    let refusal = check_head(&bytes.as_bytes()[..bytes.len() - 2], &limits(1000)).unwrap_err();
    assert_eq!(refusal.reason, HeadIncomplete);
}

/// Pieces of almost-valid heads.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: &[&str] = &[
        "GET ",
        "POST ",
        "OPTIONS ",
        "get ",
        "TRACE ",
        " ",
        "/",
        "/a/b?c=d",
        "/a%2fb",
        "*",
        "http://a/",
        "http://b",
        "/ä",
        " HTTP/1.1",
        " HTTP/1.0",
        " HTTP/1.2",
        "\r\n",
        "\r\n",
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        "Host: a",
        "Host: b:80",
        "Host:",
        "Content-Length: 3",
        "Content-Length: 4",
        "Transfer-Encoding: chunked",
        "Connection: upgrade, close",
        "Upgrade: websocket",
        "Expect: 100-continue",
        "X: y",
        "X-Y:\tz ",
        "X : y",
        ":",
        "\t",
        "\0",
        "é",
        "\x7f",
    ];
    let word = prop_oneof![
        20 => prop::sample::select(WORDS).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    let start = prop_oneof![
        4 => Just(b"GET /a HTTP/1.1\r\nHost: a\r\n".to_vec()),
        1 => Just(Vec::new()),
    ];
    let end = prop_oneof![4 => Just(b"\r\n\r\n".to_vec()), 1 => Just(Vec::new())];
    (start, prop::collection::vec(word, 0..12), end)
        .prop_map(|(start, words, end)| [start, words.concat(), end].concat())
}

/// Heads that mostly pass.
fn good_heads() -> impl Strategy<Value = Vec<u8>> {
    let field = (
        "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}",
        "[ \t]{0,2}",
        "[ -~\t\u{80}-\u{ff}]{0,12}",
    )
        .prop_map(|(name, space, value)| format!("{name}:{space}{value}\r\n"));
    (
        "[A-Z]{1,8}",
        "/[!$-;=?-_a-~\u{a0}-\u{ff}]{0,20}",
        prop::collection::vec(field, 0..6),
    )
        .prop_map(|(method, target, fields)| {
            format!(
                "{method} {target} HTTP/1.1\r\nHost: a\r\n{}\r\n",
                fields.concat()
            )
            .into_bytes()
        })
}

/// A head that passes means the same to another parser.
fn agrees_with_httparse(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(head) = check_head(bytes, &HeadLimits::default()) else {
        return Ok(());
    };
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(bytes);
    prop_assert_eq!(parsed, Ok(httparse::Status::Complete(head.len)));
    prop_assert_eq!(request.method, Some(head.method));
    let minor = u8::from(head.version == HttpVersion::Http11);
    prop_assert_eq!(request.version, Some(minor));
    let mut target = Vec::new();
    head.target.write_as_sent(&mut target);
    let their_target = request.path.unwrap_or_default();
    if head.target.form() == crate::TargetForm::Origin {
        prop_assert_eq!(target.as_slice(), their_target.as_bytes());
    }
    let values = |name: &str| -> Vec<Vec<u8>> {
        let named = request
            .headers
            .iter()
            .filter(|h| h.name.eq_ignore_ascii_case(name));
        named.map(|h| h.value.to_vec()).collect()
    };
    if let Some(host) = &head.host
        && !values("host").is_empty()
    {
        prop_assert_eq!(values("host"), vec![host.as_sent().as_bytes().to_vec()]);
    }
    let coded = values("transfer-encoding");
    match head.framing {
        Framing::None => prop_assert!(coded.is_empty() && values("content-length").is_empty()),
        Framing::Chunked => {
            prop_assert!(coded.len() == 1 && coded[0].eq_ignore_ascii_case(b"chunked"));
            prop_assert!(values("content-length").is_empty());
        }
        Framing::Length(bytes) => {
            prop_assert!(coded.is_empty());
            let lengths = values("content-length");
            prop_assert_eq!(lengths.len(), 1);
            let text = String::from_utf8(lengths[0].clone()).unwrap();
            prop_assert_eq!(text.parse::<u64>().unwrap(), bytes);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_panics(bytes in prop_oneof![pieces(), prop::collection::vec(any::<u8>(), 0..200)]) {
        let _ = judge(&bytes);
        let _ = check_head(&bytes, &HeadLimits::default());
        let _ = Glimpse::of(&bytes);
    }

    #[test]
    fn an_accepted_head_means_the_same_to_another_parser(bytes in prop_oneof![pieces(), good_heads()]) {
        agrees_with_httparse(&bytes)?;
    }

    #[test]
    fn a_good_head_passes(bytes in good_heads()) {
        let refusal = check_head(&bytes, &HeadLimits::default()).err();
        let expected = |reason| matches!(
            reason,
            // What random fields and methods may stand for.
            HostRepeated | HostInvalid | HostEmpty | MethodConnect | MethodTrace | ExpectationFailed
                | ContentLengthInvalid | TransferEncodingUnsupported
        );
        prop_assert!(refusal.is_none_or(|refusal| expected(refusal.reason)), "{refusal:?}");
    }

    #[test]
    fn searching_in_pieces_finds_the_same(bytes in pieces(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let limits = HeadLimits { head_bytes: 120, headers: 10, target_bytes: 20 };
        let whole = HeadSearch::default().find(&bytes, &limits);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let mut search = HeadSearch::default();
        let piecewise = cuts.iter().map(|&cut| search.find(&bytes[..cut], &limits)).find(|found| *found != Ok(None));
        prop_assert_eq!(piecewise.unwrap_or(Ok(None)), whole);
    }
}
