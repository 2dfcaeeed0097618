//! Addresses and address ranges in one canonical form.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// An IP address in canonical form: an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) is IPv4.
///
/// There is no other way to hold an address in Palisade, so `::ffff:192.0.2.1` and `192.0.2.1` can
/// never be two clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ip(IpAddr);

impl Ip {
    /// The canonical form of `address`.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// The address as the standard library has it; never an IPv4-mapped one.
    #[must_use]
    pub fn as_std(self) -> IpAddr {
        self.0
    }

    /// Whether this is an IPv4 address.
    #[must_use]
    pub fn is_ipv4(self) -> bool {
        self.0.is_ipv4()
    }

    /// Whether this is a loopback address (127.0.0.0/8 or ::1).
    #[must_use]
    pub fn is_loopback(self) -> bool {
        self.0.is_loopback()
    }

    /// Its family.
    #[must_use]
    pub fn family(self) -> IpFamily {
        match self.0 {
            IpAddr::V4(_) => IpFamily::V4,
            IpAddr::V6(_) => IpFamily::V6,
        }
    }

    /// The number of bits of an address of this family: 32 or 128.
    #[must_use]
    pub fn bits(self) -> u8 {
        if self.is_ipv4() { 32 } else { 128 }
    }
}

impl From<IpAddr> for Ip {
    fn from(address: IpAddr) -> Self {
        Self::new(address)
    }
}

impl From<Ipv4Addr> for Ip {
    fn from(address: Ipv4Addr) -> Self {
        Self(IpAddr::V4(address))
    }
}

impl From<Ipv6Addr> for Ip {
    fn from(address: Ipv6Addr) -> Self {
        Self::new(IpAddr::V6(address))
    }
}

impl From<SocketAddr> for Ip {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.ip())
    }
}

impl FromStr for Ip {
    type Err = AddressError;

    /// Exactly an address: no port, brackets, zone or surrounding space.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        text.parse::<IpAddr>()
            .map(Self::new)
            .map_err(|_| AddressError::NotAnAddress(excerpt(text)))
    }
}

impl fmt::Display for Ip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A family of addresses. An IPv4-mapped one is of [`IpFamily::V4`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IpFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl IpFamily {
    /// Both; `ALL[family as usize]` is `family`.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// `ipv4` or `ipv6`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }
}

/// A range of addresses in canonical form: bits behind the prefix are zero, and a range inside
/// `::ffff:0:0/96` is an IPv4 range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    network: Ip,
    prefix_len: u8,
}

impl Cidr {
    /// The range of `prefix_len` bits that contains `address`; bits behind the prefix are cleared.
    ///
    /// # Errors
    /// When `prefix_len` is over 32 (IPv4) or 128 (IPv6).
    pub fn new(address: Ip, prefix_len: u8) -> Result<Self, AddressError> {
        if prefix_len > address.bits() {
            return Err(AddressError::PrefixTooLong {
                got: prefix_len,
                max: address.bits(),
            });
        }
        Ok(Self {
            network: mask(address, prefix_len),
            prefix_len,
        })
    }

    /// The range that holds `address` alone.
    #[must_use]
    pub fn single(address: Ip) -> Self {
        Self {
            network: address,
            prefix_len: address.bits(),
        }
    }

    /// The first address of the range.
    #[must_use]
    pub fn network(self) -> Ip {
        self.network
    }

    /// The number of leading bits that all addresses of the range share.
    #[must_use]
    pub fn prefix_len(self) -> u8 {
        self.prefix_len
    }

    /// Whether the range holds one address.
    #[must_use]
    pub fn is_single(self) -> bool {
        self.prefix_len == self.network.bits()
    }

    /// Whether `address` is in the range. An IPv6 range never holds an IPv4 address.
    #[must_use]
    pub fn contains(self, address: Ip) -> bool {
        address.is_ipv4() == self.network.is_ipv4()
            && mask(address, self.prefix_len) == self.network
    }

    /// Whether every address of `other` is in this range.
    #[must_use]
    pub fn covers(self, other: Cidr) -> bool {
        other.prefix_len >= self.prefix_len && self.contains(other.network)
    }
}

impl From<Ip> for Cidr {
    fn from(address: Ip) -> Self {
        Self::single(address)
    }
}

impl FromStr for Cidr {
    type Err = AddressError;

    /// `ADDRESS` or `ADDRESS/BITS`. An unmasked range (`10.1.2.3/16`) is masked.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let Some((address, bits)) = text.split_once('/') else {
            return text.parse::<Ip>().map(Self::single);
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| AddressError::NotAnAddress(excerpt(text)))?;
        if bits.is_empty() || bits.len() > 3 || !bits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(AddressError::NotAPrefixLength(excerpt(bits)));
        }
        let bits: u8 = bits
            .parse()
            .map_err(|_| AddressError::NotAPrefixLength(excerpt(bits)))?;
        match address {
            // A range written as IPv4-mapped IPv6 counts its bits from the IPv6 side.
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() && (96..=128).contains(&bits) => {
                Self::new(Ip::new(address), bits - 96)
            }
            IpAddr::V6(v6) => Self::new_v6(v6, bits),
            IpAddr::V4(_) => Self::new(Ip::new(address), bits),
        }
    }
}

impl Cidr {
    /// An IPv6 range shorter than /96 keeps its family though its address may look mapped.
    fn new_v6(address: Ipv6Addr, prefix_len: u8) -> Result<Self, AddressError> {
        if prefix_len > 128 {
            return Err(AddressError::PrefixTooLong {
                got: prefix_len,
                max: 128,
            });
        }
        Ok(Self {
            network: Ip(IpAddr::V6(mask_v6(address, prefix_len))),
            prefix_len,
        })
    }
}

impl fmt::Display for Cidr {
    /// A single address is shown without its prefix length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_single() {
            self.network.fmt(f)
        } else {
            write!(f, "{}/{}", self.network, self.prefix_len)
        }
    }
}

fn mask(address: Ip, prefix_len: u8) -> Ip {
    match address.0 {
        IpAddr::V4(v4) => {
            let keep = u32::MAX.checked_shl(u32::from(32_u8.saturating_sub(prefix_len)));
            Ip(IpAddr::V4(Ipv4Addr::from(
                u32::from(v4) & keep.unwrap_or(0),
            )))
        }
        IpAddr::V6(v6) => Ip(IpAddr::V6(mask_v6(v6, prefix_len))),
    }
}

fn mask_v6(address: Ipv6Addr, prefix_len: u8) -> Ipv6Addr {
    let keep = u128::MAX.checked_shl(u32::from(128_u8.saturating_sub(prefix_len)));
    Ipv6Addr::from(u128::from(address) & keep.unwrap_or(0))
}

/// What is wrong with the text of an address or range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The text is no IP address.
    #[error("\"{0}\" is not an IP address; expected one like 192.0.2.1 or 2001:db8::1")]
    NotAnAddress(String),
    /// What follows the slash is no number of bits.
    #[error("\"{0}\" is not a prefix length; expected a number of bits like /24")]
    NotAPrefixLength(String),
    /// More bits than an address of the family has.
    #[error("prefix length {got} is too long; at most {max} here")]
    PrefixTooLong {
        /// What was got.
        got: u8,
        /// The most that is possible.
        max: u8,
    },
}

/// At most 64 characters of what was got, safe to print.
fn excerpt(text: &str) -> String {
    text.chars()
        .take(64)
        .flat_map(char::escape_default)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(input: &str, expected: &str) {
        let got = match input.parse::<Cidr>() {
            Ok(range) => range.to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, expected, "{input}");
    }

    #[test]
    fn ranges_are_canonical() {
        check("192.0.2.1", "192.0.2.1");
        check("192.0.2.77/24", "192.0.2.0/24");
        check("0.0.0.0/0", "0.0.0.0/0");
        check("::ffff:192.0.2.1", "192.0.2.1");
        check("::ffff:192.0.2.1/120", "192.0.2.0/24");
        check("::ffff:0:0/96", "0.0.0.0/0");
        check("::/0", "::/0");
        check("2001:DB8:0::1/32", "2001:db8::/32");
        check("192.0.2.1/32", "192.0.2.1");
        check(
            "192.0.2.1/33",
            "error: prefix length 33 is too long; at most 32 here",
        );
        check(
            "2001:db8::/129",
            "error: prefix length 129 is too long; at most 128 here",
        );
        check(
            "192.0.2.1/",
            "error: \"\" is not a prefix length; expected a number of bits like /24",
        );
        check(
            "192.0.2.1/+8",
            "error: \"+8\" is not a prefix length; expected a number of bits like /24",
        );
        check(
            "x",
            "error: \"x\" is not an IP address; expected one like 192.0.2.1 or 2001:db8::1",
        );
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        let mapped: Ip = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(mapped, "192.0.2.1".parse().unwrap());
        assert!("192.0.2.0/24".parse::<Cidr>().unwrap().contains(mapped));
        assert!(!"::/0".parse::<Cidr>().unwrap().contains(mapped));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,64}") {
            let _ = text.parse::<Cidr>();
            let _ = text.parse::<Ip>();
        }

        #[test]
        fn a_range_holds_what_it_was_made_from(bits: u128, len in 0_u8..=128) {
            let address = Ip::from(Ipv6Addr::from(bits));
            if let Ok(range) = Cidr::new(address, len) {
                prop_assert!(range.contains(address));
                prop_assert_eq!(range.to_string().parse::<Cidr>().unwrap(), range);
            }
        }
    }
}
