//! Classes of bytes that several formats share.

/// What C's `isspace` is, in its own locale.
pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// `bytes` without the white space at its start.
pub(crate) fn trim_space_start(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !is_space(*byte));
    start.and_then(|at| bytes.get(at..)).unwrap_or_default()
}

/// `bytes` without the tabs and blanks at its start.
pub(crate) fn trim_blanks_start(bytes: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b'\t' | b' ');
    let start = bytes.iter().position(|byte| !is_blank(byte));
    start.and_then(|at| bytes.get(at..)).unwrap_or_default()
}

/// A line without its LF or CR LF.
pub(crate) fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Bytes that end a run of those that stand for themselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stops<const N: usize> {
    /// Each of them, in all bytes of a word.
    words: [u64; N],
    /// What bytes are below, in all bytes of a word; at most 0x80.
    floor: u64,
}

const LOW_BITS: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; 8]);

impl<const N: usize> Stops<N> {
    /// Each of `bytes`, and what is below `floor`, which is at most 0x80.
    pub(crate) const fn new(bytes: [u8; N], floor: u8) -> Self {
        let mut words = [0; N];
        let (mut from, mut to) = (bytes.as_slice(), words.as_mut_slice());
        while let ([byte, bytes @ ..], [word, words @ ..]) = (from, to) {
            *word = LOW_BITS * (*byte as u64);
            (from, to) = (bytes, words);
        }
        Self {
            words,
            floor: LOW_BITS * (floor as u64),
        }
    }

    /// Where the first of them is; the length of `bytes` where none is.
    ///
    /// Hot path: eight bytes at a time.
    pub(crate) fn find(&self, bytes: &[u8]) -> usize {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut at = 0;
        for word in words {
            let found = self.found_in(u64::from_le_bytes(*word));
            if found != 0 {
                return at + found.trailing_zeros() as usize / 8;
            }
            at += 8;
        }
        let mut last = [0xff; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let found = self.found_in(u64::from_le_bytes(last)).trailing_zeros() as usize / 8;
        at + found.min(rest.len())
    }

    /// The high bit of the first byte that is one of them, and maybe of others behind it.
    const fn found_in(&self, word: u64) -> u64 {
        let mut found = word.wrapping_sub(self.floor);
        let mut words = self.words.as_slice();
        // A byte less than another borrows, but only from those behind it.
        found &= !word;
        while let [stop, rest @ ..] = words {
            let difference = word ^ *stop;
            found |= difference.wrapping_sub(LOW_BITS) & !difference;
            words = rest;
        }
        found & HIGH_BITS
    }
}

/// The value of a hexadecimal digit.
pub(crate) const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Both sides of the first `separator`; all of `bytes` and nothing where there is none.
pub(crate) fn split_at_first(bytes: &[u8], separator: u8) -> (&[u8], &[u8]) {
    match memchr::memchr(separator, bytes) {
        Some(at) => (
            bytes.get(..at).unwrap_or_default(),
            bytes.get(at + 1..).unwrap_or_default(),
        ),
        None => (bytes, &[]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn stops_are_found_as_byte_by_byte(
            bytes in prop::collection::vec(
                prop_oneof![Just(b'x'), any::<u8>(), prop::sample::select(b"\"\\#!]\x1f\x20".to_vec())],
                0..40,
            ),
            floor in 0..=0x80_u8,
        ) {
            let wanted = [b'"', b'\\', 0x80];
            let is_stop = |byte: &u8| wanted.contains(byte) || *byte < floor;
            let expected = bytes.iter().position(is_stop).unwrap_or(bytes.len());
            prop_assert_eq!(Stops::new(wanted, floor).find(&bytes), expected);
        }
    }
}
