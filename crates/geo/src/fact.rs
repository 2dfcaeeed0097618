//! What a database tells of an address, and in which field.

use palisade_vocabulary::{Asn, Country};

/// What a database tells of an address. Implemented for [`Country`] and [`Asn`] only.
pub trait Fact: Copy + sealed::Sealed {
    /// The fact's name, for errors.
    const NAME: &'static str;
    /// The fields in which it may be, each by the names that lead to it. The first that is text or
    /// a number counts.
    const FIELDS: &'static [&'static [&'static str]];

    /// The fact that a field's text tells; `None` where it tells none.
    fn from_text(text: &str) -> Option<Self>;

    /// The fact that a field's number tells; `None` where it tells none.
    fn from_number(number: u32) -> Option<Self>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Country {}
    impl Sealed for super::Asn {}
}

impl Fact for Country {
    const NAME: &'static str = "country";

    /// MaxMind's layout, ip-location-db's and IPinfo's. MaxMind's `registered_country` is not
    /// asked: where a network is registered is not where its users are.
    const FIELDS: &'static [&'static [&'static str]] =
        &[&["country", "iso_code"], &["country_code"], &["country"]];

    /// Two letters. Other codes, such as the `A1` that once stood for anonymous proxies, are no
    /// country.
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn from_number(_: u32) -> Option<Self> {
        None
    }
}

impl Fact for Asn {
    const NAME: &'static str = "autonomous system";

    /// MaxMind's layout and IPinfo's.
    const FIELDS: &'static [&'static [&'static str]] = &[&["autonomous_system_number"], &["asn"]];

    /// With or without `AS`.
    fn from_text(text: &str) -> Option<Self> {
        let asn: Asn = text.parse().ok()?;
        Self::from_number(asn.0)
    }

    /// 0 is reserved (RFC 7607): it means that there is none.
    fn from_number(number: u32) -> Option<Self> {
        (number != 0).then_some(Self(number))
    }
}
