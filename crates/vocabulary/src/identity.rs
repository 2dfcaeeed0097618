//! Names of rules and requests.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a rule: 1 to 64 of `A-Z a-z 0-9 . _ -`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(Arc<str>);

impl RuleId {
    /// The longest name, in bytes.
    pub const LEN_MAX: usize = 64;

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for RuleId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for RuleId {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if text.is_empty() || text.len() > Self::LEN_MAX || !text.bytes().all(valid) {
            let got = text.chars().take(80).flat_map(char::escape_default);
            return Err(IdentityError::RuleId(got.collect()));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a request, in the refusal page, the logs and `X-Request-Id`: 1 to 64 of
/// `A-Z a-z 0-9 -`. Holds its text inline, so that making one allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId {
    text: [u8; RequestId::LEN_MAX],
    len: u8,
}

impl RequestId {
    /// The longest id, in bytes.
    pub const LEN_MAX: usize = 64;

    /// A fresh id: `bits` as 32 hexadecimal digits.
    #[must_use]
    pub fn from_bits(bits: u128) -> Self {
        let mut text = [0_u8; Self::LEN_MAX];
        for (index, slot) in text.iter_mut().take(32).enumerate() {
            let shift = 124_u32.saturating_sub(u32::try_from(index * 4).unwrap_or(0));
            let digit = u8::try_from((bits >> shift) & 0xf).unwrap_or(0);
            *slot = if digit < 10 {
                b'0' + digit
            } else {
                b'a' + digit - 10
            };
        }
        Self { text, len: 32 }
    }

    /// A client's own id, if it is one.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let valid = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-';
        if bytes.is_empty() || !bytes.iter().all(valid) {
            return None;
        }
        let mut text = [0_u8; Self::LEN_MAX];
        text.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self {
            text,
            len: u8::try_from(bytes.len()).ok()?,
        })
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.text.get(..usize::from(self.len)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wrong with a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Not the name of a rule.
    #[error("\"{0}\" is not a rule id; expected 1 to 64 of A-Z a-z 0-9 . _ -")]
    RuleId(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_ids_are_bounded() {
        assert!("bad-ua.scanners_1".parse::<RuleId>().is_ok());
        for bad in ["", "a b", "ä", &"x".repeat(65)] {
            assert!(bad.parse::<RuleId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn request_ids_are_hexadecimal_or_the_clients_own() {
        assert_eq!(
            RequestId::from_bits(0xab).as_str(),
            "000000000000000000000000000000ab"
        );
        assert_eq!(RequestId::from_bits(u128::MAX).as_str(), "f".repeat(32));
        assert_eq!(RequestId::parse(b"Abc-9").unwrap().as_str(), "Abc-9");
        assert_eq!(RequestId::parse(&[b'a'; 64]).unwrap().as_str().len(), 64);
        for bad in [&b""[..], b"a b", b"a\n", &[b'a'; 65]] {
            assert!(RequestId::parse(bad).is_none());
        }
    }
}
