//! Who is counted as one client.

use std::net::{IpAddr, Ipv6Addr};

use palisade_vocabulary::Ip;

/// The bits of an IPv6 address that tell one client from another: a subscriber has at least a /64
/// (RFC 6177), and could take a new address of it for every request.
const IPV6_PREFIX_BITS: u32 = 64;

/// Who is counted as one client: an IPv4 address, or the /64 of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(Ip);

impl Network {
    /// The network of a client.
    #[must_use]
    pub fn of(client: Ip) -> Self {
        match client.as_std() {
            IpAddr::V4(_) => Self(client),
            IpAddr::V6(address) => {
                let network = address.to_bits() & (u128::MAX << IPV6_PREFIX_BITS);
                Self(Ip::new(IpAddr::V6(Ipv6Addr::from_bits(network))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(one: &str, other: &str, are_one_client: bool) {
        let of = |text: &str| Network::of(Ip::new(text.parse().unwrap()));
        assert_eq!(of(one) == of(other), are_one_client, "{one} {other}");
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_a_64() {
        check("192.0.2.1", "192.0.2.1", true);
        check("192.0.2.1", "192.0.2.2", false);
        check("192.0.2.1", "::ffff:192.0.2.1", true);
        check("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true);
        check("2001:db8:0:1::1", "2001:db8:0:2::1", false);
    }
}
