//! HTTP/2 heads, as the framing layer decodes them. Input: a line `METHOD URI` (and a word more where
//! a body follows), then `name: value` lines.

use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Uri};
use palisade_hygiene::h1::check_head;
use palisade_hygiene::h2::{H2Head, check_parts, join_cookies};
use palisade_hygiene::{HeadLimits, Target};

use crate::Outcome;

/// Small, so that small inputs meet them.
const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 1024,
    headers: 16,
    target_bytes: 128,
};

/// A head that is clean over HTTP/2 is clean when it is written as HTTP/1, and means the same there.
pub fn check(data: &[u8]) -> Outcome {
    let Some((mut parts, end_stream)) = parts(data) else {
        return Outcome::Refused;
    };
    join_cookies(&mut parts.headers);
    let head = match check_parts(&parts, end_stream, &LIMITS) {
        Ok(head) => head,
        Err(refusal) => {
            assert!((400..=599).contains(&refusal.status()));
            return Outcome::Refused;
        }
    };
    assert_eq!(head.has_body, !end_stream);
    assert!(parts.headers.len() <= LIMITS.headers);
    check_agreement(&head, &parts.headers);
    Outcome::Accepted
}

/// What the `h2` crate would hand over; nothing where it would refuse the frame itself.
fn parts(data: &[u8]) -> Option<(Parts, bool)> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut words = lines.next()?.split(|byte| *byte == b' ');
    let mut parts = Request::new(()).into_parts().0;
    parts.method = Method::from_bytes(words.next()?).ok()?;
    parts.uri = Uri::try_from(words.next()?).ok()?;
    let end_stream = words.next().is_none();
    for line in lines {
        let at = line.windows(2).position(|window| window == b": ")?;
        let (name, value) = (line.get(..at)?, line.get(at + 2..)?);
        let name = HeaderName::from_lowercase(name).ok()?;
        parts
            .headers
            .try_append(name, HeaderValue::from_bytes(value).ok()?)
            .ok()?;
    }
    Some((parts, end_stream))
}

fn check_agreement(head: &H2Head<'_>, headers: &HeaderMap) {
    let mut bytes = format!("{} ", head.method).into_bytes();
    head.target.write_as_sent(&mut bytes);
    bytes.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    bytes.extend_from_slice(head.host.as_sent().as_bytes());
    bytes.extend_from_slice(b"\r\n");
    for (name, value) in headers.iter().filter(|(name, _)| *name != HOST) {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    let limits = HeadLimits {
        head_bytes: bytes.len(),
        headers: LIMITS.headers + 1,
        target_bytes: LIMITS.target_bytes,
    };
    let there = check_head(&bytes, &limits);
    assert!(there.is_ok(), "{there:?}: {}", bytes.escape_ascii());
    let Ok(there) = there else { return };
    assert_eq!(there.method, head.method);
    assert_eq!(sent(&there.target), sent(&head.target));
    assert_eq!(there.target.query(), head.target.query());
    let names = (
        there.host.as_ref().map(|host| host.name()),
        Some(head.host.name()),
    );
    assert_eq!(names.0, names.1);
    assert_eq!(
        there.expects_continue && head.has_body,
        head.expects_continue
    );
}

fn sent(target: &Target<'_>) -> Vec<u8> {
    let mut sent = Vec::new();
    target.write_as_sent(&mut sent);
    sent
}
