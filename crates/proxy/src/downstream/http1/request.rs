//! A second opinion of a request's head.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use httparse::Status;
use palisade_hygiene::h1::Head;

/// The most fields of a head: no listener can be told to take more (`limits.headers`).
const FIELDS_MAX: usize = 1_000;

/// The header fields of a head that hygiene has found clean, as another parser reads it; `None` where that
/// one finds fault with it, or reads it in another way: then some server behind may too.
///
/// The values are parts of `sent`, no copies.
pub(crate) fn second_opinion(sent: &Bytes, head: &Head<'_>) -> Option<HeaderMap> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(sent, &mut fields);
    if parsed != Ok(Status::Complete(head.len)) || request.method != Some(head.method) {
        return None;
    }
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for field in request.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        let value = HeaderValue::from_maybe_shared(part_of(sent, field.value)).ok()?;
        headers.try_append(name, value).ok()?;
    }
    let is_one = authority(request.path?).is_none_or(|authority| {
        let host = headers.get(header::HOST);
        host.is_none_or(|host| host.as_bytes() == authority.as_bytes())
    });
    is_one.then_some(headers)
}

fn part_of(sent: &Bytes, part: &[u8]) -> Bytes {
    match part.is_empty() {
        true => Bytes::new(),
        false => sent.slice_ref(part),
    }
}

/// The authority of a target in absolute form, to which Host is identical (RFC 9112 section 3.2).
fn authority(target: &str) -> Option<&str> {
    if target.starts_with('/') {
        return None;
    }
    let (_, rest) = target.split_once("://")?;
    rest.split(['/', '?']).next()
}

#[cfg(test)]
mod tests {
    use palisade_hygiene::HeadLimits;
    use palisade_hygiene::h1::check_head;

    use super::*;

    /// The fields of a clean head, a line each, or nothing where the other parser reads something else.
    #[track_caller]
    fn check(sent: &'static str, expected: Option<&str>) {
        let limits = HeadLimits {
            headers: 1_000,
            ..HeadLimits::default()
        };
        let head = check_head(sent.as_bytes(), &limits).unwrap();
        let headers = second_opinion(&Bytes::from_static(sent.as_bytes()), &head);
        let shown = headers.map(|headers| {
            let fields = headers.iter();
            let fields =
                fields.map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()));
            fields.collect::<String>()
        });
        assert_eq!(shown.as_deref(), expected, "{sent}");
    }

    #[test]
    fn fields_are_as_they_were_sent() {
        check(
            "GET /a HTTP/1.1\r\nHost: A\r\nX-B:  b \t\r\nx-b: c\r\nEmpty:\r\n\r\nbody",
            Some("host: A\nx-b: b\nx-b: c\nempty: \n"),
        );
        check("GET / HTTP/1.0\r\n\r\n", Some(""));
    }

    #[test]
    fn the_host_is_that_of_the_target() {
        check(
            "GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n",
            Some("host: a\n"),
        );
        check(
            "GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n",
            Some("host: a\n"),
        );
        check(
            "GET /http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
            Some("host: a\n"),
        );
        check("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", Some("host: a\n"));
        check("GET http://A/b HTTP/1.1\r\nHost: a\r\n\r\n", None);
        check("GET http://a:80/b HTTP/1.1\r\nHost: a\r\n\r\n", None);
    }

    #[test]
    fn a_head_has_so_many_fields() {
        let many = |count| {
            let fields = "a: b\r\n".repeat(count);
            format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").leak()
        };
        let limits = HeadLimits {
            headers: 2_000,
            ..HeadLimits::default()
        };
        for (count, expected) in [(FIELDS_MAX - 1, true), (FIELDS_MAX, false)] {
            let sent: &'static str = many(count);
            let head = check_head(sent.as_bytes(), &limits).unwrap();
            let headers = second_opinion(&Bytes::from_static(sent.as_bytes()), &head);
            assert_eq!(headers.is_some(), expected, "{count}");
        }
    }
}
