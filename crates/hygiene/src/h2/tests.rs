//! HTTP/2 heads.

use http::{Method, Request, Uri};
use proptest::prelude::*;

use super::*;
use crate::RefusalReason::*;
use crate::{PathPolicy, PathScratch};

/// A request as the `h2` crate gives it: the headers are `name: value` lines.
fn parts(method: &str, uri: &str, fields: &[&str]) -> Parts {
    let mut parts = Request::new(()).into_parts().0;
    parts.method = Method::from_bytes(method.as_bytes()).unwrap();
    parts.uri = uri.parse::<Uri>().unwrap();
    for field in fields {
        let (name, value) = field.split_once(": ").unwrap();
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        parts.headers.append(
            header::HeaderName::from_lowercase(name.as_bytes()).unwrap(),
            value,
        );
    }
    parts
}

fn judge(parts: &Parts, end_stream: bool) -> Result<String, RefusalReason> {
    let run = || -> Result<String, Refusal> {
        let head = check_parts(parts, end_stream, &HeadLimits::default())?;
        let mut scratch = PathScratch::default();
        let path = head.target.view(&PathPolicy::default(), &mut scratch)?;
        let path = String::from_utf8_lossy(path.canonical).into_owned();
        Ok(format!("{} {path} at {}", head.method, head.host.name()))
    };
    run().map_err(|refusal| refusal.reason)
}

#[track_caller]
fn check(method: &str, uri: &str, fields: &[&str], expected: Result<&str, RefusalReason>) {
    let got = judge(&parts(method, uri, fields), true);
    assert_eq!(
        got.as_deref(),
        expected.as_ref().copied(),
        "{method} {uri} {fields:?}"
    );
}

#[test]
fn authority_and_host() {
    check(
        "GET",
        "https://A.example/b?c",
        &[],
        Ok("GET /b at a.example"),
    );
    check("GET", "/b", &["host: a"], Ok("GET /b at a"));
    check("GET", "https://a/", &["host: A:443"], Ok("GET / at a"));
    check("GET", "http://a/", &["host: a:80"], Ok("GET / at a"));
    check("GET", "https://a/", &["host: b"], Err(HostMismatch));
    check("GET", "https://a/", &["host: a:80"], Err(HostMismatch));
    check(
        "GET",
        "https://a/",
        &["host: a", "host: a"],
        Err(HostRepeated),
    );
    check(
        "GET",
        "https://a/",
        &["content-type: a/b", "content-type: c/d"],
        Err(ContentTypeRepeated),
    );
    check("GET", "https://a/", &["host: "], Err(HostEmpty));
    check("GET", "/", &[], Err(HostMissing));
    check("GET", "https://u@a/", &[], Err(HostInvalid));
    check("GET", "https://a/", &["host: u@a"], Err(HostInvalid));
}

#[test]
fn methods_and_targets() {
    check("CONNECT", "a:443", &[], Err(MethodConnect));
    // Extended CONNECT (RFC 8441) has scheme, path and authority.
    check("CONNECT", "https://a/chat", &[], Err(MethodConnect));
    check("TRACE", "https://a/", &[], Err(MethodTrace));
    check("get", "https://a/", &[], Err(MethodLowerCase));
    check("FOO", "https://a/", &[], Ok("FOO / at a"));
    check("GET", "ftp://a/", &[], Err(TargetForm));
    check("GET", "*", &["host: a"], Err(TargetForm));
    check("OPTIONS", "*", &["host: a"], Ok("OPTIONS / at a"));
    check("GET", "https://a/b%2fc", &[], Err(EncodedSlash));
    check("GET", "https://a/b/../../c", &[], Err(UnresolvedDotDot));
    check("GET", "https://a/?%", &[], Err(MalformedEscape));
    let long = format!("https://a/{}", "b".repeat(8192));
    check("GET", &long, &[], Err(TargetTooLong));
}

#[test]
fn a_name_is_a_token() {
    check("GET", "https://a/", &["a\"b: c"], Err(HeaderNameInvalid));
    check("GET", "https://a/", &["a!b_c: c"], Ok("GET / at a"));
}

#[test]
fn connection_specific_fields() {
    for field in [
        "connection: close",
        "proxy-connection: close",
        "keep-alive: timeout=5",
        "transfer-encoding: chunked",
        "upgrade: websocket",
        "te: gzip",
        "te: trailers, gzip",
    ] {
        check("GET", "https://a/", &[field], Err(ConnectionHeader));
    }
    check("GET", "https://a/", &["te: trailers"], Ok("GET / at a"));
}

#[test]
fn lengths() {
    let post =
        |fields: &[&str], end_stream| judge(&parts("POST", "https://a/", fields), end_stream);
    assert!(post(&["content-length: 3"], false).is_ok());
    assert!(post(&["content-length: 0"], true).is_ok());
    assert_eq!(post(&["content-length: 3"], true), Err(BodyLengthMismatch));
    assert_eq!(
        post(&["content-length: 3", "content-length: 3"], false),
        Err(ContentLengthRepeated)
    );
    assert_eq!(
        post(&["content-length: 3, 3"], false),
        Err(ContentLengthInvalid)
    );
    assert_eq!(
        post(&["content-length: +3"], false),
        Err(ContentLengthInvalid)
    );

    let parts = parts(
        "POST",
        "https://a/",
        &["content-length: 3", "expect: 100-continue"],
    );
    let mut head = check_parts(&parts, false, &HeadLimits::default()).unwrap();
    assert!(head.has_body && head.expects_continue);
    assert!(head.length.data(3).is_ok());
    assert!(head.length.end().is_ok());
    assert!(head.length.data(1).is_err());
}

#[test]
fn expectations_and_sizes() {
    check(
        "POST",
        "https://a/",
        &["expect: 200"],
        Err(ExpectationFailed),
    );
    check("GET", "https://a/", &["x: y"; 101], Err(TooManyHeaders));
    check("GET", "https://a/", &["x: y"; 100], Ok("GET / at a"));
    let large = format!("x: {}", "y".repeat(33_000));
    check("GET", "https://a/", &[&large], Err(HeadTooLarge));
}

#[test]
fn cookie_crumbs_are_one_cookie() {
    let joined = |fields: &[&str]| {
        let mut parts = parts("GET", "https://a/", fields);
        join_cookies(&mut parts.headers);
        let cookies = parts.headers.get_all("cookie").iter();
        cookies
            .map(|c| String::from_utf8_lossy(c.as_bytes()).into_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        joined(&["cookie: a=b", "x: y", "cookie: c=d", "cookie: e=ä"]),
        ["a=b; c=d; e=ä"]
    );
    assert_eq!(joined(&["cookie: a=b; c=d"]), ["a=b; c=d"]);
    assert!(joined(&["x: y"]).is_empty());
}

proptest! {
    #[test]
    fn nothing_panics(
        method in "[A-Za-z!]{1,40}",
        uri in "(https?://[a-zA-Z0-9.:@\\[\\]-]{1,12})?/[!-~]{0,30}|\\*",
        fields in prop::collection::vec(("host|te|expect|content-length|x|cookie", "[ -~\\t]{0,12}"), 0..5),
        end_stream: bool,
    ) {
        let Ok(uri) = uri.parse::<Uri>() else { return Ok(()) };
        let mut parts = parts(&method, "/", &[]);
        parts.uri = uri;
        for (name, value) in fields {
            let name = header::HeaderName::from_bytes(name.as_bytes()).unwrap();
            parts.headers.append(name, HeaderValue::from_str(&value).unwrap());
        }
        let _ = judge(&parts, end_stream);
        join_cookies(&mut parts.headers);
        prop_assert!(parts.headers.get_all("cookie").iter().count() <= 1);
    }
}
