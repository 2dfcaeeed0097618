//! Users files. Input: a file.

use palisade_authentication::{Credentials, Users};

use crate::Outcome;

/// The most users that are looked up again.
const LOOKED_UP_MAX: usize = 100;

/// A file is users, each found by the name on its line, or lines that are bad: those that are told are in
/// order and in the file, and no message shows what stands behind a colon.
pub fn check(data: &[u8]) -> Outcome {
    match Users::parse(data) {
        Ok(users) => {
            let mut found = 0;
            for line in lines(data).take(LOOKED_UP_MAX) {
                let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
                let name = std::str::from_utf8(name).unwrap_or_default();
                assert!(users.name(name).is_some(), "{name:?} is lost");
                assert!(
                    Credentials::new(name, b"x").is_some(),
                    "{name:?} can't be sent"
                );
                found += 1;
            }
            assert!(found > 0 && users.len() >= found, "{found}");
            Outcome::Accepted
        }
        Err(bad_lines) => {
            assert!(!bad_lines.is_empty());
            let numbers: Vec<u32> = bad_lines.iter().map(|bad| bad.number).collect();
            assert!(numbers.is_sorted(), "{numbers:?}");
            let all = data.split(|byte| *byte == b'\n').count();
            for bad in &bad_lines {
                assert!((1..=all).contains(&(bad.number as usize)), "{}", bad.number);
                assert_hidden(data, bad.number, &bad.error.to_string());
            }
            Outcome::Refused
        }
    }
}

/// The lines that stand for users.
fn lines(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = data.split(|byte| *byte == b'\n');
    lines.filter(|line| !line.trim_ascii().is_empty() && !line.starts_with(b"#"))
}

/// A message doesn't hold what may be a password. A short one may be part of any message.
fn assert_hidden(data: &[u8], number: u32, message: &str) {
    const LONG: usize = 24;
    let mut lines = data.split(|byte| *byte == b'\n');
    let line = lines
        .nth(number.saturating_sub(1) as usize)
        .unwrap_or_default();
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return;
    };
    let (name, hash) = line.split_at(colon);
    let hash = std::str::from_utf8(hash.get(1..).unwrap_or_default()).unwrap_or_default();
    let is_of_name = String::from_utf8_lossy(name).contains(hash);
    assert!(
        hash.len() < LONG || is_of_name || !message.contains(hash),
        "{message}"
    );
}
