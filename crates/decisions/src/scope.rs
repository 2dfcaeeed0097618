//! Whom a decision is about.

use std::fmt;

use palisade_vocabulary::{AddressError, Asn, Cidr, Country, Ip, Place, PlaceError};

/// Whom a decision is about, in canonical form.
///
/// CrowdSec's scopes `Ip` and `Range` are one here: an address is a range of one, and both are
/// written in many ways (`::ffff:192.0.2.1`, `10.1.2.3/16`, `192.0.2.1/32` under scope `Ip`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// An address or a range of addresses.
    Address(Cidr),
    /// Every address of a country.
    Country(Country),
    /// Every address of an autonomous system.
    As(Asn),
}

impl Scope {
    /// Reads a scope and its value as CrowdSec's LAPI writes them.
    ///
    /// Names of scopes are compared without case: LAPI before 1.6.4 passes on what an agent sent
    /// (`ip`). Either kind of address takes an address or a range; `AS` takes `1234` and `AS1234`;
    /// a country may be in lower case.
    ///
    /// # Errors
    /// [`ScopeError::Unsupported`] for every other scope (CrowdSec allows any, such as `Username`);
    /// else what is wrong with the value.
    pub fn parse(scope: &str, value: &str) -> Result<Self, ScopeError> {
        let is = |name: &str| scope.eq_ignore_ascii_case(name);
        if is("ip") || is("range") {
            Ok(Self::Address(value.parse()?))
        } else if is("country") {
            Ok(Self::Country(value.parse()?))
        } else if is("as") {
            Ok(Self::As(value.parse()?))
        } else {
            let got = scope.chars().take(64).flat_map(char::escape_default);
            Err(ScopeError::Unsupported(got.collect()))
        }
    }

    /// CrowdSec's name of the scope: `Ip`, `Range`, `Country` or `AS`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Address(range) if range.is_single() => "Ip",
            Self::Address(_) => "Range",
            Self::Country(_) => "Country",
            Self::As(_) => "AS",
        }
    }

    /// Whether a client at `ip` in `place` is meant. What isn't known of a place is never meant.
    #[must_use]
    pub fn covers(self, ip: Ip, place: &Place) -> bool {
        match self {
            Self::Address(range) => range.contains(ip),
            Self::Country(country) => place.country.value() == Some(country),
            Self::As(asn) => place.asn.value() == Some(asn),
        }
    }
}

impl From<Ip> for Scope {
    fn from(address: Ip) -> Self {
        Self::Address(Cidr::single(address))
    }
}

impl From<Cidr> for Scope {
    fn from(range: Cidr) -> Self {
        Self::Address(range)
    }
}

impl fmt::Display for Scope {
    /// The value alone: `192.0.2.1`, `10.0.0.0/8`, `DE`, `AS64496`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(range) => range.fmt(f),
            Self::Country(country) => country.fmt(f),
            Self::As(asn) => asn.fmt(f),
        }
    }
}

/// Why a scope and value name nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// A scope that says nothing about a client's address.
    #[error("scope \"{0}\" is not supported; expected Ip, Range, Country or AS")]
    Unsupported(String),
    /// Not an address or range.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Not a country or autonomous system.
    #[error(transparent)]
    Place(#[from] PlaceError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use palisade_vocabulary::Known;
    use proptest::prelude::*;

    #[track_caller]
    fn check(scope: &str, value: &str, expected: &str) {
        let got = match Scope::parse(scope, value) {
            Ok(scope) => format!("{} {scope}", scope.name()),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, expected, "{scope} {value}");
    }

    #[test]
    fn scopes_are_canonical() {
        check("Ip", "192.0.2.1", "Ip 192.0.2.1");
        check("ip", "::ffff:192.0.2.1", "Ip 192.0.2.1");
        check("IP", "192.0.2.1/32", "Ip 192.0.2.1");
        check("Ip", "10.20.30.40/16", "Range 10.20.0.0/16");
        check("Range", "10.20.30.40/16", "Range 10.20.0.0/16");
        check("range", "192.0.2.1", "Ip 192.0.2.1");
        check("Range", "2001:DB8:0:0::1/48", "Range 2001:db8::/48");
        check("Range", "::ffff:10.0.0.0/104", "Range 10.0.0.0/8");
        check("Country", "de", "Country DE");
        check("COUNTRY", "FR", "Country FR");
        check("AS", "1234", "AS AS1234");
        check("as", "AS1234", "AS AS1234");
    }

    #[test]
    fn what_is_no_scope_is_said() {
        let unsupported =
            "error: scope \"Username\" is not supported; expected Ip, Range, Country or AS";
        check("Username", "root", unsupported);
        check(
            "Ip",
            "root",
            "error: \"root\" is not an IP address; expected one like 192.0.2.1 or 2001:db8::1",
        );
        check(
            "Range",
            "10.0.0.0/33",
            "error: prefix length 33 is too long; at most 32 here",
        );
        check(
            "Country",
            "DEU",
            "error: \"DEU\" is not a country; expected two letters like DE",
        );
        check(
            "AS",
            "ten",
            "error: \"ten\" is not an autonomous system; expected a number like 64496 or AS64496",
        );
    }

    #[test]
    fn what_is_unknown_is_not_covered() {
        let ip: Ip = "192.0.2.1".parse().unwrap();
        let germany = Scope::Country("DE".parse().unwrap());
        let network = Scope::As(Asn(64496));
        assert!(!germany.covers(ip, &Place::UNAVAILABLE));
        assert!(!network.covers(ip, &Place::UNAVAILABLE));
        let place = Place {
            country: Known::Is("DE".parse().unwrap()),
            asn: Known::Is(Asn(64496)),
        };
        assert!(germany.covers(ip, &place));
        assert!(network.covers(ip, &place));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(scope in "(?i)(ip|range|country|as|.{0,8})", value in ".{0,40}") {
            let _ = Scope::parse(&scope, &value);
        }

        #[test]
        fn what_is_shown_is_read_back(v4: u32, v6: u128, len in 0_u8..=128, asn: u32) {
            let v4 = Cidr::new(Ip::from(std::net::Ipv4Addr::from(v4)), len % 33).unwrap();
            let v6 = Cidr::new(Ip::from(std::net::Ipv6Addr::from(v6)), len).ok();
            let scopes = [Some(Scope::from(v4)), v6.map(Scope::from), Some(Scope::As(Asn(asn)))];
            for scope in scopes.into_iter().flatten() {
                prop_assert_eq!(Scope::parse(scope.name(), &scope.to_string()).unwrap(), scope);
            }
        }
    }
}
