//! Cross-site scripting. Input: a value. `good-*` are harmless, `bad-*` are injections.

use palisade_injection::xss;

use crate::Outcome;

/// A value is told twice the same; in small letters and capitals, but for `CDATA`; and behind what is
/// text, the beginning of a value, and an attribute that is over.
pub fn check(data: &[u8]) -> Outcome {
    let found = xss::detect(data);
    assert_eq!(found, xss::detect(data));
    let (small, large) = (data.to_ascii_lowercase(), data.to_ascii_uppercase());
    if !small.windows(7).any(|text| text == b"[cdata[") {
        assert_eq!(xss::detect(&small), xss::detect(&large));
    }
    assert_eq!(found, xss::detect(&[b"x/", data].concat()));
    let is_possible = data.iter().any(|byte| matches!(byte, b'<' | b'='));
    assert!(is_possible || !found);
    if found {
        return Outcome::Refused;
    }
    Outcome::Accepted
}
