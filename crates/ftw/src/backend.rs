//! What stands behind the firewall in a suite's tests: an answer as the request asks for it.
//!
//! `POST /reflect` with a body of JSON (`status`, `headers`, `body` or `encodedBody`, all of them
//! optional) gets that answer; all else gets an empty 200. This is what `albedo`, the backend of CRS's
//! tests, does, a server in Go: an answer that doesn't say what it is gets the `Content-Type` that Go finds
//! for it (<https://mimesniff.spec.whatwg.org/>, without what needs more than a prefix).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::request::{Request, Response};

/// What the backend answers to `request`.
#[must_use]
pub fn answer(request: &Request<'_>) -> Response {
    let asked = request.method == b"POST" && is_reflect(path(request.target));
    let mut response = if asked {
        reflect(&request.body).unwrap_or_else(|refusal| Response {
            body: refusal.into_bytes(),
            ..Response::empty(400)
        })
    } else {
        Response::empty(200)
    };
    complete(&mut response, request.method == b"HEAD");
    response
}

/// The path of a target, be it a path alone or a URL.
fn path(target: &[u8]) -> &[u8] {
    let end = target.iter().position(|byte| *byte == b'?');
    let path = end.and_then(|end| target.get(..end)).unwrap_or(target);
    let rest = path
        .strip_prefix(b"http://")
        .or_else(|| path.strip_prefix(b"https://"));
    let Some(rest) = rest else { return path };
    let slash = rest.iter().position(|byte| *byte == b'/');
    slash.and_then(|slash| rest.get(slash..)).unwrap_or(b"/")
}

fn is_reflect(path: &[u8]) -> bool {
    let below = path.strip_prefix(b"/reflect");
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// The answer that `body` asks for, or why there is none.
fn reflect(body: &[u8]) -> Result<Response, String> {
    let invalid = || "Invalid JSON in request body".to_owned();
    let text = String::from_utf8_lossy(body);
    let asked: Map<String, Value> = serde_json::from_str(&text).map_err(|_| invalid())?;
    let status = match asked.get("status") {
        None | Some(Value::Null) => 0,
        Some(Value::String(text)) if text.is_empty() => 0,
        Some(Value::String(text)) => text.trim().parse().map_err(|_| invalid())?,
        Some(value) => value.as_i64().ok_or_else(invalid)?,
    };
    let status = match u16::try_from(status) {
        Ok(0) => 200,
        Ok(status @ 100..600) => status,
        _ => return Err(format!("Invalid status code: {status}")),
    };
    let headers = match asked.get("headers") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(headers)) => headers.iter().filter_map(header).collect(),
        Some(_) => return Err(invalid()),
    };
    Ok(Response {
        status,
        headers,
        body: reflected_body(&asked).ok_or("invalid base64 encoding of response body")?,
    })
}

/// `None` where `encodedBody` can't be decoded.
fn reflected_body(asked: &Map<String, Value>) -> Option<Vec<u8>> {
    let text = |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default();
    match text("body") {
        "" => STANDARD.decode(text("encodedBody")).ok(),
        body => Some(body.as_bytes().to_vec()),
    }
}

/// A header as Go writes it; `None` for a name that can't be one.
fn header((name, value): (&String, &Value)) -> Option<(String, String)> {
    let breaks = |character: char| " \t\r\n:()<>@,;\\\"/[]?={}".contains(character);
    if name.is_empty() || name.contains(breaks) {
        return None;
    }
    let value = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some((name.clone(), value.replace(['\r', '\n'], " ")))
}

/// What a server in Go adds and takes away.
fn complete(response: &mut Response, is_head: bool) {
    let framing = ["content-length", "transfer-encoding", "connection"];
    response
        .headers
        .retain(|(name, _)| !framing.contains(&&*name.to_ascii_lowercase()));
    if response.status < 200 || matches!(response.status, 204 | 304) {
        response.body.clear();
        return;
    }
    let says_what_it_is =
        response.header("Content-Type").is_some() || response.header("Content-Encoding").is_some();
    let mut add = |name: &str, value: String| response.headers.push((name.to_owned(), value));
    if !response.body.is_empty() && !says_what_it_is {
        add("Content-Type", content_type(&response.body).to_owned());
    }
    add("Content-Length", response.body.len().to_string());
    if is_head {
        response.body.clear();
    }
}

/// How many bytes of a body are looked at.
const SNIFFED_BYTES: usize = 512;

/// In capitals; a blank or `>` must follow.
const HTML: &[&[u8]] = &[
    b"<!DOCTYPE HTML",
    b"<HTML",
    b"<HEAD",
    b"<SCRIPT",
    b"<IFRAME",
    b"<H1",
    b"<DIV",
    b"<FONT",
    b"<TABLE",
    b"<A",
    b"<STYLE",
    b"<TITLE",
    b"<B",
    b"<BODY",
    b"<BR",
    b"<P",
    b"<!--",
];

const PREFIXES: &[(&[u8], &str)] = &[
    (b"%PDF-", "application/pdf"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"\xfe\xff\x00\x00", "text/plain; charset=utf-16be"),
    (b"\xff\xfe\x00\x00", "text/plain; charset=utf-16le"),
    (b"\xef\xbb\xbf\x00", "text/plain; charset=utf-8"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x1f\x8b\x08", "application/x-gzip"),
    (b"PK\x03\x04", "application/zip"),
    (b"Rar!\x1a\x07\x00", "application/x-rar-compressed"),
    (b"\x00asm", "application/wasm"),
];

/// The type that Go finds for a body.
fn content_type(body: &[u8]) -> &'static str {
    let body = body.get(..SNIFFED_BYTES).unwrap_or(body);
    let blank = |byte: &u8| matches!(byte, b'\t' | b'\n' | 0x0c | b'\r' | b' ');
    let start = body.iter().position(|byte| !blank(byte));
    let text = start
        .and_then(|start| body.get(start..))
        .unwrap_or_default();
    if HTML.iter().any(|tag| starts_with_tag(text, tag)) {
        return "text/html; charset=utf-8";
    }
    if text.starts_with(b"<?xml") {
        return "text/xml; charset=utf-8";
    }
    if let Some((_, kind)) = PREFIXES.iter().find(|(prefix, _)| body.starts_with(prefix)) {
        return kind;
    }
    let binary = |byte: &u8| matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    if body.iter().any(binary) {
        "application/octet-stream"
    } else {
        "text/plain; charset=utf-8"
    }
}

fn starts_with_tag(text: &[u8], tag: &[u8]) -> bool {
    let split = text.split_at_checked(tag.len());
    split.is_some_and(|(start, rest)| {
        start.eq_ignore_ascii_case(tag) && matches!(rest.first(), Some(b' ' | b'>'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Status, headers and body of what a body that is posted to `/reflect` gets.
    fn reflected(body: &str) -> String {
        shown(&format!(
            "POST /reflect HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    fn shown(request: &str) -> String {
        let response = answer(&Request::read(request.as_bytes()));
        let bytes = response.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.replacen("HTTP/1.1 ", "", 1)
            .replace(" \r\n", "\n")
            .replace("\r\n", "\n")
    }

    #[track_caller]
    fn check(body: &str, expected: &str) {
        assert_eq!(reflected(body), expected, "{body}");
    }

    #[test]
    fn answers_are_as_they_are_asked_for() {
        check(
            r#"{"status": 404, "headers": {"Content-Type": "a/b", "X": "1\n2", "a b": "c", "N": 7}, "body": "x"}"#,
            "404\nContent-Type: a/b\nN: 7\nX: 1 2\nContent-Length: 1\n\nx",
        );
        check(
            r#"{"encodedBody": "AGE="}"#,
            "200\nContent-Type: application/octet-stream\nContent-Length: 2\n\n\0a",
        );
        check("{}", "200\nContent-Length: 0\n\n");
        check(
            r#"{"status": "201", "body": null}"#,
            "201\nContent-Length: 0\n\n",
        );
        check(r#"{"status": 204, "body": "x"}"#, "204\n\n");
        check(
            r#"{"headers": {"content-length": "9", "Content-Encoding": "br"}, "body": "x"}"#,
            "200\nContent-Encoding: br\nContent-Length: 1\n\nx",
        );
    }

    #[test]
    fn what_can_not_be_asked_for() {
        let refused = |text: &str| {
            let len = text.len();
            format!("400\nContent-Type: text/plain; charset=utf-8\nContent-Length: {len}\n\n{text}")
        };
        let invalid = refused("Invalid JSON in request body");
        for body in ["", "[]", "{", r#"{"status": "x"}"#, r#"{"headers": []}"#] {
            check(body, &invalid);
        }
        for status in ["99", "600", "-1", "70000"] {
            let body = format!(r#"{{"status": {status}}}"#);
            check(&body, &refused(&format!("Invalid status code: {status}")));
        }
        let broken = r#"{"encodedBody": "a"}"#;
        check(broken, &refused("invalid base64 encoding of response body"));
    }

    #[test]
    fn all_else_gets_an_empty_answer() {
        let empty = "200\nContent-Length: 0\n\n";
        for line in [
            "GET /reflect HTTP/1.1",
            "POST /reflected HTTP/1.1",
            "POST http://a HTTP/1.1",
            "JUNK",
            "",
        ] {
            assert_eq!(shown(&format!("{line}\r\n\r\n")), empty, "{line}");
        }
        for target in [
            "/reflect?a",
            "/reflect/a",
            "http://a/reflect",
            "https://a/reflect?",
        ] {
            let asked = shown(&format!("POST {target} HTTP/1.1\r\n\r\n"));
            assert!(asked.starts_with("400"), "{target}");
        }
    }

    #[test]
    fn types_are_found() {
        #[track_caller]
        fn check(body: &[u8], expected: &str) {
            assert_eq!(content_type(body), expected, "{}", body.escape_ascii());
        }
        check(b" \r\n<html>", "text/html; charset=utf-8");
        check(b"<!-- a", "text/html; charset=utf-8");
        check(b"<htmlx>", "text/plain; charset=utf-8");
        check(b"<?xml version", "text/xml; charset=utf-8");
        check(b"PK\x03\x04", "application/zip");
        check(b"\x1f\x8b\x08\0", "application/x-gzip");
        check(b"a\x1bb", "text/plain; charset=utf-8");
        check(b"a\x01", "application/octet-stream");
    }

    proptest! {
        #[test]
        fn any_request_is_answered(body: Vec<u8>) {
            let mut bytes = b"POST /reflect H\r\nContent-Length: 999\r\n\r\n".to_vec();
            bytes.extend_from_slice(&body);
            let _ = answer(&Request::read(&bytes));
        }
    }
}
