//! HTTP/1 heads. Input: the first bytes of a request.

use std::ops::Range;

use palisade_hygiene::h1::{Glimpse, Head, HeadSearch, check_head};
use palisade_hygiene::{Framing, HeadLimits, Refusal};
use palisade_vocabulary::HttpVersion;

use crate::{Outcome, prefix};

/// Small, so that small inputs meet them.
const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 512,
    headers: 16,
    target_bytes: 128,
};

/// A head is found in the same place however its bytes arrive, no part of it is a head, and an
/// accepted one says the same to another parser.
pub fn check(data: &[u8]) -> Outcome {
    let _ = Glimpse::of(data);
    let found = HeadSearch::default().find(data, &LIMITS);
    assert_eq!(find_byte_by_byte(data), found);
    let Ok(Some(range)) = found else {
        return Outcome::Refused;
    };
    let bytes = data.get(range).unwrap_or_default();
    let head = match check_head(bytes, &LIMITS) {
        Ok(head) => head,
        Err(refusal) => {
            assert!((400..=599).contains(&refusal.status()));
            return Outcome::Refused;
        }
    };
    assert_eq!(head.len, bytes.len());
    for len in 0..bytes.len() {
        assert!(
            check_head(prefix(bytes, len), &LIMITS).is_err(),
            "{len} bytes are a head"
        );
    }
    check_agreement(&head, bytes);
    Outcome::Accepted
}

fn find_byte_by_byte(data: &[u8]) -> Result<Option<Range<usize>>, Refusal> {
    let mut search = HeadSearch::default();
    let mut answers = (0..=data.len()).map(|len| search.find(prefix(data, len), &LIMITS));
    answers
        .find(|answer| *answer != Ok(None))
        .unwrap_or(Ok(None))
}

/// What httparse reads in `bytes` is what `head` says.
fn check_agreement(head: &Head<'_>, bytes: &[u8]) {
    let mut fields = [httparse::EMPTY_HEADER; LIMITS.headers];
    let mut theirs = httparse::Request::new(&mut fields);
    assert_eq!(
        theirs.parse(bytes),
        Ok(httparse::Status::Complete(bytes.len()))
    );
    assert_eq!(theirs.method, Some(head.method));
    let minor = u8::from(head.version == HttpVersion::Http11);
    assert_eq!(theirs.version, Some(minor));
    let mut target = Vec::new();
    head.target.write_as_sent(&mut target);
    let path = theirs.path.unwrap_or_default().as_bytes();
    // An absolute target loses its authority, and an empty path there is `/` or `*`.
    let is_same = path == target
        || (path.contains(&b':')
            && (path.ends_with(&target) || target.starts_with(b"/") || target == b"*"));
    assert!(
        is_same,
        "{} is {}",
        path.escape_ascii(),
        target.escape_ascii()
    );

    check_framing(head, theirs.headers);
    assert!(values(theirs.headers, "host").len() <= 1);
    assert!(head.host.is_some() || head.version == HttpVersion::Http10);
}

fn check_framing(head: &Head<'_>, fields: &[httparse::Header<'_>]) {
    let lengths = values(fields, "content-length");
    let codings = values(fields, "transfer-encoding");
    match head.framing {
        Framing::None => assert!(lengths.is_empty() && codings.is_empty()),
        Framing::Length(length) => {
            assert!(codings.is_empty());
            let digits = length.to_string();
            assert!(matches!(lengths.as_slice(), [sent] if sent.ends_with(digits.as_bytes())));
        }
        Framing::Chunked => {
            assert!(lengths.is_empty() && head.version == HttpVersion::Http11);
            assert!(
                matches!(codings.as_slice(), [coding] if coding.eq_ignore_ascii_case(b"chunked"))
            );
        }
    }
}

fn values<'a>(fields: &[httparse::Header<'a>], name: &str) -> Vec<&'a [u8]> {
    let named = fields
        .iter()
        .filter(|field| field.name.eq_ignore_ascii_case(name));
    named.map(|field| field.value.trim_ascii()).collect()
}
