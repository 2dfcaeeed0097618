//! The port through which `@geoLookup` asks where an address is.

use std::fmt;
use std::net::IpAddr;

use palisade_vocabulary::Country;

/// Knows where addresses are. Asked while a request waits: an answer has to be at hand.
pub trait Countries: fmt::Debug + Send + Sync {
    /// Where `address` is; `None` where that isn't known.
    fn country(&self, address: IpAddr) -> Option<Location>;
}

/// Where an address is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// `GEO:COUNTRY_CODE`
    pub country: Country,
    /// `GEO:COUNTRY_NAME`, where it is known.
    pub country_name: Option<Box<str>>,
    /// `GEO:COUNTRY_CONTINENT`, such as `EU`, where it is known.
    pub continent: Option<[u8; 2]>,
}
