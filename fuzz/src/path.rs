//! The path canonicaliser. Input: a byte whose low six bits are the policy (`@` allows nothing, `?`
//! everything), then a path.

use palisade_hygiene::h1::check_head;
use palisade_hygiene::path::canonicalise;
use palisade_hygiene::{HeadLimits, PathPolicy, PathScratch, TargetForm, write_canonical_target};

use crate::Outcome;

/// A canonical path is resolved, no longer than what was sent, its own canonical form, and the same
/// under every policy that accepts it and by whichever way it is computed.
pub fn check(data: &[u8]) -> Outcome {
    let Some((bits, raw)) = data.split_first() else {
        return Outcome::Refused;
    };
    let policy = policy(*bits);
    check_target(raw, &policy);
    let mut scratch = PathScratch::default();
    let view = match canonicalise(raw, &policy, &mut scratch) {
        Ok(view) => view,
        Err(refusal) => {
            assert_eq!(refusal.status(), 400);
            return Outcome::Refused;
        }
    };
    if raw.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
        // No target holds these: they need not be judged, only survived.
        return Outcome::Refused;
    }
    assert_eq!(view.raw, raw);
    assert!(
        is_resolved(view.canonical),
        "not resolved: {}",
        view.canonical.escape_ascii()
    );
    assert!(view.canonical.len() <= raw.len());
    if let Some(bare) = view.without_params {
        assert!(is_resolved(bare), "not resolved: {}", bare.escape_ascii());
        assert!(!bare.contains(&b';') && bare.len() <= raw.len());
        assert_ne!(bare, view.canonical);
    }
    assert!(view.without_params.is_some() || !view.canonical.contains(&b';'));

    let mut written = Vec::new();
    write_canonical_target(view.canonical, None, &mut written);
    assert_same(&written, &policy, view.canonical);
    assert_same(raw, &EVERYTHING, view.canonical);
    // Not plain, so that it takes the long way.
    assert_same(&[b"/.", raw].concat(), &EVERYTHING, view.canonical);
    Outcome::Accepted
}

const EVERYTHING: PathPolicy = PathPolicy {
    encoded_slash: true,
    backslash: true,
    encoded_nul: true,
    malformed_escapes: true,
    double_encoding: true,
    unresolved_dot_dot: true,
};

fn policy(bits: u8) -> PathPolicy {
    PathPolicy {
        encoded_slash: bits & 1 != 0,
        backslash: bits & 2 != 0,
        encoded_nul: bits & 4 != 0,
        malformed_escapes: bits & 8 != 0,
        double_encoding: bits & 16 != 0,
        unresolved_dot_dot: bits & 32 != 0,
    }
}

#[track_caller]
fn assert_same(raw: &[u8], policy: &PathPolicy, expected: &[u8]) {
    let mut scratch = PathScratch::default();
    let canonical = canonicalise(raw, policy, &mut scratch)
        .map(|view| view.canonical.escape_ascii().to_string());
    assert_eq!(
        canonical,
        Ok(expected.escape_ascii().to_string()),
        "{}",
        raw.escape_ascii()
    );
}

/// Begins with a slash; no segment but the last is empty, none is made of dots.
fn is_resolved(path: &[u8]) -> bool {
    let Some(rest) = path.strip_prefix(b"/") else {
        return false;
    };
    let mut segments = rest.split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        if matches!(segment, b"." | b"..") || (segment.is_empty() && !is_last) {
            return false;
        }
    }
    true
}

/// The target of a request with this path has the same canonical path.
fn check_target(raw: &[u8], policy: &PathPolicy) {
    let head = [b"GET ", raw, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
    let Ok(head) = check_head(&head, &HeadLimits::default()) else {
        return;
    };
    let mut scratch = PathScratch::default();
    let Ok(view) = head.target.view(policy, &mut scratch) else {
        return;
    };
    if head.target.form() != TargetForm::Asterisk {
        assert_same(head.target.path(), policy, view.canonical);
    }
    let mut as_sent = Vec::new();
    head.target.write_as_sent(&mut as_sent);
    assert!(
        raw.ends_with(&as_sent) || as_sent.starts_with(b"/"),
        "{}",
        as_sent.escape_ascii()
    );
}
