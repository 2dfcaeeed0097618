//! Where an address is: country and autonomous system.

use std::fmt;
use std::str::FromStr;

/// A country: two letters of ISO 3166-1 alpha-2, upper case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// A number below 676 (26 x 26), for bit sets.
    #[must_use]
    pub fn index(self) -> usize {
        let [a, b] = self.0;
        usize::from(a - b'A') * 26 + usize::from(b - b'A')
    }
}

impl FromStr for Country {
    type Err = PlaceError;

    /// Two letters in either case.
    fn from_str(text: &str) -> Result<Self, PlaceError> {
        match *text.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => Err(PlaceError::Country(excerpt(text))),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The number of an autonomous system (RFC 6793: 32 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Asn(pub u32);

impl FromStr for Asn {
    type Err = PlaceError;

    /// `1234`, `AS1234` or `as1234`.
    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let digits = match text.get(..2) {
            Some(prefix) if prefix.eq_ignore_ascii_case("as") => text.get(2..).unwrap_or_default(),
            _ => text,
        };
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PlaceError::Asn(excerpt(text)));
        }
        digits
            .parse()
            .map(Self)
            .map_err(|_| PlaceError::Asn(excerpt(text)))
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AS{}", self.0)
    }
}

/// A fact about an address that a database may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known<T> {
    /// The database says so.
    Is(T),
    /// The database has no entry for the address.
    Unlisted,
    /// There is no database, or it can't be read.
    Unavailable,
}

impl<T: Copy> Known<T> {
    /// The fact, if it is known.
    #[must_use]
    pub fn value(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Unlisted | Self::Unavailable => None,
        }
    }
}

/// Where an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its country.
    pub country: Known<Country>,
    /// Its autonomous system.
    pub asn: Known<Asn>,
}

impl Place {
    /// What is known without any database.
    pub const UNAVAILABLE: Place = Place {
        country: Known::Unavailable,
        asn: Known::Unavailable,
    };
}

/// What is wrong with the text of a country or autonomous system.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// Not a country.
    #[error("\"{0}\" is not a country; expected two letters like DE")]
    Country(String),
    /// Not an autonomous system.
    #[error("\"{0}\" is not an autonomous system; expected a number like 64496 or AS64496")]
    Asn(String),
}

fn excerpt(text: &str) -> String {
    text.chars()
        .take(64)
        .flat_map(char::escape_default)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries() {
        assert_eq!("de".parse::<Country>().unwrap().as_str(), "DE");
        assert_eq!("AA".parse::<Country>().unwrap().index(), 0);
        assert_eq!("ZZ".parse::<Country>().unwrap().index(), 675);
        for bad in ["", "D", "DEU", "D1", "é"] {
            assert!(bad.parse::<Country>().is_err(), "{bad}");
        }
    }

    #[test]
    fn autonomous_systems() {
        assert_eq!("AS64496".parse::<Asn>().unwrap(), Asn(64496));
        assert_eq!("as1".parse::<Asn>().unwrap(), Asn(1));
        assert_eq!("4294967295".parse::<Asn>().unwrap(), Asn(u32::MAX));
        for bad in ["", "AS", "ASAS1", "4294967296", "-1", "+1", "1 "] {
            assert!(bad.parse::<Asn>().is_err(), "{bad}");
        }
    }
}
