//! What is to be done about a client.

use std::fmt;

/// How strong a remedy is: a later one wins over an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RemedyKind {
    /// A type that this version doesn't know.
    Other,
    /// Slow the client down.
    Throttle,
    /// Have the client prove that it is a person.
    Captcha,
    /// Refuse the client.
    Ban,
}

impl RemedyKind {
    /// CrowdSec's name of the type; `other` for what this version doesn't know.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Throttle => "throttle",
            Self::Captcha => "captcha",
            Self::Ban => "ban",
        }
    }
}

impl fmt::Display for RemedyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is to be done about a client: the `type` of a CrowdSec decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Remedy {
    /// A type that this version doesn't know, by its name.
    Other(RemedyName),
    /// Slow the client down.
    Throttle,
    /// Have the client prove that it is a person.
    Captcha,
    /// Refuse the client.
    Ban,
}

impl Remedy {
    /// The remedy of that name, in any case. Every text names one: CrowdSec lets operators make up
    /// their own types.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let known = [Self::Ban, Self::Captcha, Self::Throttle];
        let named = |remedy: &Self| text.eq_ignore_ascii_case(remedy.kind().as_str());
        match known.into_iter().find(named) {
            Some(remedy) => remedy,
            None => Self::Other(RemedyName::new(text)),
        }
    }

    /// How strong it is.
    #[must_use]
    pub fn kind(self) -> RemedyKind {
        match self {
            Self::Other(_) => RemedyKind::Other,
            Self::Throttle => RemedyKind::Throttle,
            Self::Captcha => RemedyKind::Captcha,
            Self::Ban => RemedyKind::Ban,
        }
    }

    /// Its name, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(name) => name.as_str(),
            Self::Throttle | Self::Captcha | Self::Ban => self.kind().as_str(),
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of a remedy that this version doesn't know: the first 22 characters, in lower case;
/// what isn't printable ASCII is `?`. Held inline, so that remedies are `Copy`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RemedyName {
    text: [u8; RemedyName::LEN_MAX],
    len: u8,
}

impl RemedyName {
    /// The longest name, in bytes.
    pub const LEN_MAX: usize = 22;

    fn new(name: &str) -> Self {
        let (mut text, mut len) = ([0; Self::LEN_MAX], 0);
        for (slot, letter) in text.iter_mut().zip(name.chars()) {
            let printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
            let byte = u8::try_from(letter).ok().filter(printable).unwrap_or(b'?');
            *slot = byte.to_ascii_lowercase();
            len += 1;
        }
        Self { text, len }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.text.get(..usize::from(self.len)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Debug for RemedyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(input: &str, kind: RemedyKind, name: &str) {
        let got = Remedy::parse(input);
        assert_eq!((got.kind(), got.as_str()), (kind, name), "{input}");
    }

    #[test]
    fn remedies_are_read_in_any_case() {
        check("ban", RemedyKind::Ban, "ban");
        check("Ban", RemedyKind::Ban, "ban");
        check("CAPTCHA", RemedyKind::Captcha, "captcha");
        check("throttle", RemedyKind::Throttle, "throttle");
        check("MFA", RemedyKind::Other, "mfa");
        check("", RemedyKind::Other, "");
        check("ban ", RemedyKind::Other, "ban ");
        check("schläfrig\n", RemedyKind::Other, "schl?frig?");
        check(
            "abcdefghijklmnopqrstuvwxyz",
            RemedyKind::Other,
            "abcdefghijklmnopqrstuv",
        );
    }

    #[test]
    fn a_ban_is_the_strongest() {
        let order = [
            RemedyKind::Ban,
            RemedyKind::Captcha,
            RemedyKind::Throttle,
            RemedyKind::Other,
        ];
        assert!(order.is_sorted_by(|stronger, weaker| stronger > weaker));
    }

    proptest! {
        #[test]
        fn every_text_is_a_remedy_and_its_name_is_it_again(text in ".{0,40}") {
            let remedy = Remedy::parse(&text);
            prop_assert_eq!(Remedy::parse(remedy.as_str()), remedy);
        }
    }
}
