//! SQL injection. Input: a value. `good-*` are harmless, `bad-*` are injections.

use palisade_injection::sqli;

use crate::Outcome;

/// A value is told twice the same, as letters of kinds; in small letters and capitals, but for texts
/// whose case says something; and behind a space, but for a number and a comment, as numbers are
/// looked for at the beginning.
pub fn check(data: &[u8]) -> Outcome {
    let found = sqli::detect(data);
    assert_eq!(found, sqli::detect(data));
    let (small, large) = (data.to_ascii_lowercase(), data.to_ascii_uppercase());
    let is_log_word = small.windows(11).any(|word| word == b"sp_password");
    if !data.contains(&b'\\') && !is_log_word {
        assert_eq!(sqli::detect(&small), sqli::detect(&large));
    }
    let behind_space = sqli::detect(&[b" ", data].concat());
    let is_number =
        |found: Option<sqli::Fingerprint>| found.is_some_and(|found| found.as_bytes() == b"1c");
    assert!(behind_space == found || is_number(found) || is_number(behind_space));
    let Some(found) = found else {
        return Outcome::Accepted;
    };
    let letters = found.as_bytes();
    assert!(matches!(letters.len(), 1..=5), "{found}");
    assert!(
        letters.iter().all(|letter| LETTERS.contains(letter)),
        "{found}"
    );
    assert!(letters.len() > 1 || letters == b"X", "{found}");
    assert!(
        letters == b"X" || !letters.contains(&b'X'),
        "{found} is evil, and that is all to say"
    );
    Outcome::Refused
}

/// Of kinds that fingerprints are made of.
const LETTERS: &[u8] = b"&(),1:;ABETUXcfknostv";
