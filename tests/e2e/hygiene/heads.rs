//! Heads of HTTP/1: each row of the table of malformed requests, with its declared answer.

use palisade_hygiene::RefusalReason::*;

use super::{Passes, Refusals, get, host, line, post};

#[rustfmt::skip] // One row a line.
#[test]
fn framing_is_never_ambiguous() {
    let mut table = Refusals::start();
    let mut row = |name, bytes: String, status, reason| table.row(name, bytes, status, reason);
    row("CL+TE", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400, ContentLengthWithTransferEncoding);
    row("TE+CL order", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), 400, ContentLengthWithTransferEncoding);
    row("double CL differing", post("Content-Length: 3\r\nContent-Length: 4\r\n"), 400, ContentLengthRepeated);
    row("double CL same", post("Content-Length: 3\r\nContent-Length: 3\r\n"), 400, ContentLengthRepeated);
    row("CL list 3, 3", post("Content-Length: 3, 3\r\n"), 400, ContentLengthInvalid);
    row("CL list 3,4", post("Content-Length: 3,4\r\n"), 400, ContentLengthInvalid);
    row("CL +3", post("Content-Length: +3\r\n"), 400, ContentLengthInvalid);
    row("CL -1", post("Content-Length: -1\r\n"), 400, ContentLengthInvalid);
    row("CL 0x3", post("Content-Length: 0x3\r\n"), 400, ContentLengthInvalid);
    row("CL 3.0", post("Content-Length: 3.0\r\n"), 400, ContentLengthInvalid);
    row("CL with a space within", post("Content-Length: 3 3\r\n"), 400, ContentLengthInvalid);
    row("CL empty", post("Content-Length:\r\n"), 400, ContentLengthInvalid);
    row("CL overflow", post("Content-Length: 18446744073709551616\r\n"), 400, ContentLengthInvalid);
    row("TE xchunked", post("Transfer-Encoding: xchunked\r\n"), 501, TransferEncodingUnsupported);
    row("TE chunked, identity", post("Transfer-Encoding: chunked, identity\r\n"), 501, TransferEncodingUnsupported);
    row("TE gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n"), 501, TransferEncodingUnsupported);
    row("TE chunked, chunked", post("Transfer-Encoding: chunked, chunked\r\n"), 501, TransferEncodingUnsupported);
    row("TE identity", post("Transfer-Encoding: identity\r\n"), 501, TransferEncodingUnsupported);
    row("TE empty", post("Transfer-Encoding:\r\n"), 501, TransferEncodingUnsupported);
    row("TE quoted", post("Transfer-Encoding: \"chunked\"\r\n"), 501, TransferEncodingUnsupported);
    row("TE with a parameter", post("Transfer-Encoding: chunked;q=1\r\n"), 501, TransferEncodingUnsupported);
    row("TE \\tchunked", post("Transfer-Encoding:\tchunked\r\n"), 501, TransferEncodingUnsupported);
    row("TE \\x0bchunked", post("Transfer-Encoding: \x0bchunked\r\n"), 400, HeaderValueInvalid);
    row("TE two headers", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400, TransferEncodingRepeated);
    row("TE two headers, identity first", post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"), 501, TransferEncodingUnsupported);
    row("TE on HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(), 400, TransferEncodingOnHttp10);
    row("CL+TE on HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(), 400, TransferEncodingOnHttp10);
    row("Expect other", post("Expect: 200-ok\r\nContent-Length: 3\r\n"), 417, ExpectationFailed);
    table.end();
}

#[rustfmt::skip] // One row a line.
#[test]
fn lines_and_fields_have_one_reading() {
    let mut table = Refusals::start();
    let mut row = |name, bytes: String, status, reason| table.row(name, bytes, status, reason);
    row("space before colon", get("X : y"), 400, HeaderNameInvalid);
    row("space before colon, TE", post("Transfer-Encoding : chunked\r\n"), 400, HeaderNameInvalid);
    row("tab before colon", get("X\t: y"), 400, HeaderNameInvalid);
    row("obs-fold", get("X: y\r\n z"), 400, HeaderFolded);
    row("obs-fold with tab", get("X: y\r\n\tz"), 400, HeaderFolded);
    row("obs-fold TE", post("Transfer-Encoding:\r\n chunked\r\n"), 501, TransferEncodingUnsupported);
    row("leading-space 1st header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n".into(), 400, HeaderFolded);
    row("bare LF headers", "GET / HTTP/1.1\nHost: a\n\n".into(), 400, BareLineFeed);
    row("bare LF one header", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n".into(), 400, BareLineFeed);
    row("bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n".into(), 400, BareLineFeed);
    row("bare CR in value", get("X: y\rz"), 400, BareCarriageReturn);
    row("bare CR in name", get("X\ry: z"), 400, BareCarriageReturn);
    row("CR CR LF", get("X: y\r"), 400, BareCarriageReturn);
    row("NUL in value", get("X: y\0z"), 400, HeaderValueInvalid);
    row("NUL in name", get("X\0: y"), 400, HeaderNameInvalid);
    row("ctl \\x01 in value", get("X: y\x01z"), 400, HeaderValueInvalid);
    row("DEL in value", get("X: y\x7fz"), 400, HeaderValueInvalid);
    row("empty header name", get(": y"), 400, HeaderNameInvalid);
    row("header w/o colon", get("X"), 400, HeaderWithoutColon);
    row("two leading CRLFs", format!("\r\n\r\n{}", get("X: y")), 400, LeadingEmptyLines);
    row("leading LF", format!("\n{}", get("X: y")), 400, BareLineFeed);
    row("leading space", format!(" {}", get("X: y")), 400, MethodInvalid);
    table.row("high byte in name", b"GET / HTTP/1.1\r\nHost: a\r\nX\xff: y\r\n\r\n", 400, HeaderNameInvalid);
    table.end();
}

#[rustfmt::skip] // One row a line.
#[test]
fn targets_are_clean() {
    let mut table = Refusals::start();
    let mut row = |name, bytes: String, status, reason| table.row(name, bytes, status, reason);
    row("NUL in URI", line("GET /a\0b HTTP/1.1"), 400, TargetByte);
    row("space in URI", line("GET /a b HTTP/1.1"), 400, TargetByte);
    row("two spaces before URI", line("GET  /a HTTP/1.1"), 400, TargetByte);
    row("tab in URI", line("GET /a\tb HTTP/1.1"), 400, TargetByte);
    row("control byte in URI", line("GET /a\x01b HTTP/1.1"), 400, TargetByte);
    row("DEL in URI", line("GET /a\x7fb HTTP/1.1"), 400, TargetByte);
    row("CR in URI", line("GET /a\rb HTTP/1.1"), 400, TargetByte);
    row("tab for space", line("GET\t/a\tHTTP/1.1"), 400, RequestLine);
    row("< in URI", line("GET /?<script> HTTP/1.1"), 400, TargetByte);
    row("fragment in URI", line("GET /a#b HTTP/1.1"), 400, TargetFragment);
    row("fragment in query", line("GET /a?b#c HTTP/1.1"), 400, TargetFragment);
    row("absolute-form != Host", line("GET http://b/b HTTP/1.1"), 400, HostMismatch);
    row("absolute-form, other port", line("GET http://a:81/b HTTP/1.1"), 400, HostMismatch);
    row("absolute-form without Host", "GET http://a/b HTTP/1.1\r\n\r\n".into(), 400, HostMissing);
    // RFC 9112 section 3.2: Host is identical to the authority; the second parser holds clients to it.
    row("absolute-form, host in other letters", line("GET http://A/b HTTP/1.1"), 400, SecondParser);
    row("absolute-form, default port told", line("GET http://a:80/b HTTP/1.1"), 400, SecondParser);
    row("absolute userinfo", line("GET http://u:p@a/b HTTP/1.1"), 400, HostInvalid);
    row("absolute ftp", line("GET ftp://a/b HTTP/1.1"), 400, TargetForm);
    row("asterisk GET", line("GET * HTTP/1.1"), 400, TargetForm);
    row("no leading slash", line("GET a/b HTTP/1.1"), 400, TargetForm);
    row("authority-form", line("GET a:443 HTTP/1.1"), 400, TargetForm);
    row("no target", line("GET HTTP/1.1"), 400, RequestLine);
    row("100KB URI", line(&format!("GET /{} HTTP/1.1", "a".repeat(100_000))), 414, TargetTooLong);
    row("8 KiB URI and one", line(&format!("GET /{} HTTP/1.1", "a".repeat(8192))), 414, TargetTooLong);
    table.row("high byte in URI", b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400, TargetByte);
    table.end();
}

#[rustfmt::skip] // One row a line.
#[test]
fn methods_versions_and_hosts_are_known() {
    let mut table = Refusals::start();
    let mut row = |name, bytes: String, status, reason| table.row(name, bytes, status, reason);
    row("CONNECT", line("CONNECT a:443 HTTP/1.1"), 405, MethodConnect);
    row("TRACE", line("TRACE / HTTP/1.1"), 405, MethodTrace);
    row("lower method get", line("get / HTTP/1.1"), 400, MethodLowerCase);
    row("mixed method Get", line("Get / HTTP/1.1"), 400, MethodLowerCase);
    row("bad method G@T", line("G@T / HTTP/1.1"), 400, MethodInvalid);
    row("method of 33", line(&format!("{} / HTTP/1.1", "A".repeat(33))), 400, MethodInvalid);
    row("HTTP/1.2", line("GET / HTTP/1.2"), 505, VersionUnsupported);
    row("HTTP/2.0 in h1", line("GET / HTTP/2.0"), 505, VersionUnsupported);
    row("HTTP/0.9", line("GET / HTTP/0.9"), 505, VersionUnsupported);
    row("HTTP/0.9 without version", "GET /\r\n\r\n".into(), 400, RequestLine);
    row("version in lower case", line("GET / http/1.1"), 400, RequestLine);
    row("version with more digits", line("GET / HTTP/1.10"), 400, RequestLine);
    row("space after version", line("GET / HTTP/1.1 "), 400, RequestLine);
    row("TLS on plain", "\x16\x03\x01\x02\r\n\r\n".into(), 400, RequestLine);
    row("no Host 1.1", "GET / HTTP/1.1\r\n\r\n".into(), 400, HostMissing);
    row("empty Host", host("Host:\r\n"), 400, HostEmpty);
    row("empty Host 1.0", "GET / HTTP/1.0\r\nHost: \r\n\r\n".into(), 400, HostEmpty);
    row("two Hosts", host("Host: a\r\nHost: b\r\n"), 400, HostRepeated);
    row("two equal Hosts", host("Host: a\r\nhost: a\r\n"), 400, HostRepeated);
    row("Host w/ userinfo @", host("Host: u@a\r\n"), 400, HostInvalid);
    row("Host w/ slash", host("Host: a/b\r\n"), 400, HostInvalid);
    row("Host w/ space", host("Host: a b\r\n"), 400, HostInvalid);
    row("Host w/ comma", host("Host: a, b\r\n"), 400, HostInvalid);
    row("Host w/ percent", host("Host: a%2e\r\n"), 400, HostInvalid);
    row("Host bad port", host("Host: a:99999\r\n"), 400, HostInvalid);
    row("Host empty port", host("Host: a:\r\n"), 400, HostInvalid);
    row("Host IPv6 without brackets", host("Host: ::1\r\n"), 400, HostInvalid);
    row("Host IPv6 with zone", host("Host: [fe80::1%25eth0]\r\n"), 400, HostInvalid);
    row("Host over 255 bytes", host(&format!("Host: {}\r\n", "a.".repeat(150))), 400, HostInvalid);
    table.end();
}

#[rustfmt::skip] // One row a line.
#[test]
fn heads_have_their_limits() {
    let mut table = Refusals::start();
    let mut row = |name, bytes: String, status, reason| table.row(name, bytes, status, reason);
    row("70KB header", get(&format!("X: {}", "y".repeat(70_000))), 431, HeadTooLarge);
    row("1.2MB header", get(&format!("X: {}", "y".repeat(1_200_000))), 431, HeadTooLarge);
    row("300 headers", get(&vec!["X: y"; 300].join("\r\n")), 431, TooManyHeaders);
    row("101 headers", get(&vec!["X: y"; 100].join("\r\n")), 431, TooManyHeaders);
    table.end();
}

#[test]
fn a_head_that_grows_slowly_has_the_same_limit() {
    let mut table = Refusals::start();
    let mut connection = table.palisade.connect();
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n");
    for line in 0..70 {
        connection.send(format!("X-{line}: {}\r\n", "y".repeat(1000)));
    }
    assert_eq!(connection.answer().unwrap().status, 431);
    assert!(connection.is_closed());
    assert_eq!(table.backend.connections(), 0);
    // The head never ends, and neither does a request line.
    let endless = "a".repeat(9000);
    table.row(
        "a target without end",
        format!("GET /{endless}"),
        414,
        TargetTooLong,
    );
    table.row("a method without end", &endless, 400, MethodInvalid);
    table.end();
}

#[test]
fn what_is_not_allowed_says_what_is() {
    let table = Refusals::start();
    let answer = table.palisade.exchange(line("TRACE / HTTP/1.1")).unwrap();
    assert!(answer.header("allow").unwrap().contains("GET, HEAD, POST"));
    let answer = table
        .palisade
        .connect()
        .send("HEAD /a b HTTP/1.1\r\nHost: a\r\n\r\n")
        .answer_to_head();
    assert_eq!(answer.unwrap().status, 400);
}

#[rustfmt::skip] // One row a line.
#[test]
fn odd_requests_that_are_clear_pass() {
    let mut table = Passes::start();
    let mut row = |name, bytes: String, line: &str| table.row(name, bytes, line, "");
    row("plain GET", get("Accept: */*"), "GET / HTTP/1.1");
    row("no Host 1.0", "GET / HTTP/1.0\r\n\r\n".into(), "GET / HTTP/1.1");
    row("Host w/ port", host("Host: a:8080\r\n"), "GET / HTTP/1.1");
    row("Host IPv6", host("Host: [::1]:8080\r\n"), "GET / HTTP/1.1");
    row("tab in value", get("X: y\tz"), "GET / HTTP/1.1");
    row("empty value", get("X:"), "GET / HTTP/1.1");
    row("underscore header", get("X_Other: 192.0.2.1"), "GET / HTTP/1.1");
    row("leading CRLFs", format!("\r\n{}", get("X: y")), "GET / HTTP/1.1");
    row("utf8 in URI", line("GET /ä HTTP/1.1"), "GET /ä HTTP/1.1");
    row("{|} in URI", line("GET /{|}?{|} HTTP/1.1"), "GET /{|}?{|} HTTP/1.1");
    row("dotdot + //", line("GET /a/../b//c HTTP/1.1"), "GET /a/../b//c HTTP/1.1");
    row("absolute-form", line("GET http://a/b?c HTTP/1.1"), "GET /b?c HTTP/1.1");
    row("absolute-form, scheme in capitals", line("GET HTTP://a/b HTTP/1.1"), "GET /b HTTP/1.1");
    row("absolute-form without path", line("GET http://a HTTP/1.1"), "GET / HTTP/1.1");
    row("absolute-form, query alone", line("GET http://a?b HTTP/1.1"), "GET /?b HTTP/1.1");
    row("asterisk OPTIONS", line("OPTIONS * HTTP/1.1"), "OPTIONS * HTTP/1.1");
    row("unknown method FOO", line("FOO / HTTP/1.1"), "FOO / HTTP/1.1");
    row("100 headers", get(&vec!["X: y"; 99].join("\r\n")), "GET / HTTP/1.1");
    row("Upgrade h2c", get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"), "GET / HTTP/1.1");
    row("Connection: X-Real strip", get("Connection: X-Real-IP\r\nX-Real-IP: 192.0.2.1"), "GET / HTTP/1.1");
    let longest = [format!("{} / HTTP/1.1", "A".repeat(32)), format!("GET /{} HTTP/1.1", "a".repeat(8191))];
    row("method of 32", line(&longest[0]), &longest[0]);
    row("8 KiB URI", line(&longest[1]), &longest[1]);
    table.row("high byte \\xff value", b"GET / HTTP/1.1\r\nHost: a\r\nX: \xff\r\n\r\n", "GET / HTTP/1.1", "");
    table.row("GET w/ body", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "GET / HTTP/1.1", "abc");
    table.row("TE CHUNKED", "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "POST / HTTP/1.1", "abc");
    let requests = table.backend.requests();
    let request = |name: &str| requests.iter().find(|request| request.header(name).is_some());
    assert!(request("http2-settings").is_none(), "nominated by Connection");
    assert!(request("upgrade").is_none(), "h2c is not spoken on");
    let absolute = requests.iter().find(|request| request.line.contains("/b?c")).unwrap();
    assert_eq!(absolute.header("host"), Some("a"));
}

#[test]
fn http2_where_only_http1_is_spoken() {
    let backend = crate::harness::Backend::start();
    let settings = super::one_site(&backend, "");
    let settings = settings.replace("127.0.0.1:0 }", "127.0.0.1:0, http2: false }");
    let palisade = crate::harness::Palisade::start(&settings);
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let answer = palisade.exchange(preface).unwrap();
    assert_eq!(answer.status, 505);
    palisade.wait_for_decision(|line| line["reason"] == Http2Preface.as_str());
    assert_eq!(backend.connections(), 0);
}
