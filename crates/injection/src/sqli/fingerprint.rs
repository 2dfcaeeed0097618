//! What a detection is reported as.

use std::fmt;

use super::fingerprints::TOKENS_MAX;
use super::kind::Kind;

/// The kinds of tokens that an injection is made of, at most five, a letter each, as libinjection
/// writes them: `s&1` is a string, a logical operator and a number. CRS logs it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    letters: [u8; TOKENS_MAX],
    len: u8,
}

impl Fingerprint {
    /// Of what is an injection whatever else is there.
    pub(super) const EVIL: Self = Self {
        letters: [Kind::Evil.letter(), 0, 0, 0, 0],
        len: 1,
    };

    pub(super) fn of(kinds: impl Iterator<Item = Kind>) -> Self {
        let mut fingerprint = Self {
            letters: [0; TOKENS_MAX],
            len: 0,
        };
        for (slot, kind) in fingerprint.letters.iter_mut().zip(kinds) {
            *slot = kind.letter();
            fingerprint.len += 1;
        }
        fingerprint
    }

    /// Its letters, ASCII, one to five.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.letters
            .get(..usize::from(self.len))
            .unwrap_or_default()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_bytes().escape_ascii())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}
