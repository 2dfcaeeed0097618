//! Searches in values. Whatever looks at more than a few bytes of a value goes through here, so that
//! tests can count them.

#[cfg(test)]
pub(crate) mod tests;

use memchr::{memchr, memchr_iter, memchr2};

/// Where `byte` is.
pub(crate) fn find(text: &[u8], byte: u8) -> Option<usize> {
    looked_until(memchr(byte, text), text)
}

/// Where the first of two bytes is.
pub(crate) fn find_either(text: &[u8], one: u8, other: u8) -> Option<usize> {
    looked_until(memchr2(one, other, text), text)
}

/// Where the first byte is that is so.
pub(crate) fn find_by(text: &[u8], is_so: impl Fn(u8) -> bool) -> Option<usize> {
    looked_until(text.iter().position(|byte| is_so(*byte)), text)
}

/// How many bytes at the beginning are so.
pub(crate) fn span(text: &[u8], is_so: impl Fn(u8) -> bool) -> usize {
    find_by(text, |byte| !is_so(byte)).unwrap_or(text.len())
}

/// Where `sequence` begins. It is short, or has no second byte like its first: so no byte is compared
/// often.
pub(crate) fn find_sequence(text: &[u8], sequence: &[u8]) -> Option<usize> {
    let mut begins = memchr_iter(*sequence.first()?, text);
    let found = begins.find(|at| behind(text, *at).starts_with(sequence));
    looked_until(found, text)
}

/// How many bytes at the end are `byte`.
pub(crate) fn trailing(text: &[u8], byte: u8) -> usize {
    let end = text.iter().rev().take_while(|other| **other == byte);
    let count = end.count();
    #[cfg(test)]
    tests::looked_at(count);
    count
}

/// What is behind the first `len` bytes.
pub(crate) fn behind(text: &[u8], len: usize) -> &[u8] {
    text.get(len..).unwrap_or_default()
}

/// `found`, for which no byte of `text` behind it was looked at.
fn looked_until(found: Option<usize>, text: &[u8]) -> Option<usize> {
    #[cfg(test)]
    tests::looked_at(found.map_or(text.len(), |at| at + 1));
    #[cfg(not(test))]
    let _ = text;
    found
}
