//! Scopes as the index stores them: compact, ordered, each with a home in the index.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_vocabulary::{Asn, Cidr, Country, Ip};

use crate::Scope;

/// Where the index keeps a key: one of 65,536 slots, and in the slot's filter the cells whose bits
/// say that there may be something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) slot: u16,
    pub(crate) cells: u64,
}

impl Home {
    /// Spreads `number` over all slots and cells. The constants are Knuth's (golden ratio,
    /// multiplicative hashing). Whoever finds numbers that share a slot gains nothing: a slot is
    /// a sorted array, so a full one costs a look-up a few comparisons more.
    fn spread(number: u64) -> Self {
        let spread = (number ^ number >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self {
            slot: u16::try_from(spread >> 48).unwrap_or_default(),
            cells: 1 << (spread >> 42 & 63),
        }
    }
}

/// What an index is made of.
pub(crate) trait Key: Copy + Ord {
    /// Where it is kept. Two keys of one scope's address share a slot where a look-up of an
    /// address must find both (see [`AddressKey::GROUP_BITS`]).
    fn home(self) -> Home;

    /// The bit of its prefix length in a set of lengths; none for a single address, which is
    /// always looked for, and for what has no length.
    fn length_bit(self) -> u128;

    /// The scope that it stands for.
    fn scope(self) -> Scope;
}

/// A range of addresses of one family.
pub(crate) trait AddressKey: Key {
    /// Ranges of this many bits and more share the slot of the addresses in them ("near"); wider
    /// ones ("wide") have slots of their own.
    const GROUP_BITS: u8;

    /// The range of `prefix_len` bits around the range; `prefix_len` is at most the range's own.
    fn widened(self, prefix_len: u8) -> Self;
}

/// An IPv4 range: 32 bits of address, 8 bits of length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct V4Key(u64);

impl V4Key {
    pub(crate) fn new(address: Ipv4Addr, prefix_len: u8) -> Self {
        let bits = u64::from(u32::from(address)) & u64::MAX << 32_u8.saturating_sub(prefix_len);
        Self(bits << 8 | u64::from(prefix_len))
    }

    fn bits(self) -> u64 {
        self.0 >> 8
    }

    fn prefix_len(self) -> u8 {
        u8::try_from(self.0 & 0xff).unwrap_or(u8::MAX)
    }
}

impl Key for V4Key {
    /// A slot is a /16, a cell of its filter a /22: no hashing. A wide range is in the slot and
    /// cell of its first address.
    fn home(self) -> Home {
        let cell = self.bits() >> 10 & 63;
        let near_bits = self.prefix_len().clamp(16, 22);
        let cells_held = if self.prefix_len() < 16 {
            1
        } else {
            1_u32 << (22 - near_bits)
        };
        Home {
            slot: u16::try_from(self.bits() >> 16).unwrap_or_default(),
            cells: u64::MAX >> (64 - cells_held) << cell,
        }
    }

    fn length_bit(self) -> u128 {
        if self.prefix_len() == 32 {
            0
        } else {
            1 << self.prefix_len()
        }
    }

    fn scope(self) -> Scope {
        let address = Ip::from(Ipv4Addr::from(
            u32::try_from(self.bits()).unwrap_or_default(),
        ));
        range(address, self.prefix_len())
    }
}

impl AddressKey for V4Key {
    const GROUP_BITS: u8 = 16;

    fn widened(self, prefix_len: u8) -> Self {
        let bits = self.bits() & u64::MAX << 32_u8.saturating_sub(prefix_len);
        Self(bits << 8 | u64::from(prefix_len))
    }
}

/// An IPv6 range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct V6Key {
    high: u64,
    low: u64,
    prefix_len: u8,
}

impl V6Key {
    pub(crate) fn new(address: Ipv6Addr, prefix_len: u8) -> Self {
        let (high, low) = halves(u128::from(address), prefix_len);
        Self {
            high,
            low,
            prefix_len,
        }
    }

    fn bits(self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }
}

impl Key for V6Key {
    fn home(self) -> Home {
        Home::spread(self.high)
    }

    fn length_bit(self) -> u128 {
        1_u128.checked_shl(u32::from(self.prefix_len)).unwrap_or(0)
    }

    fn scope(self) -> Scope {
        range(Ip::from(Ipv6Addr::from(self.bits())), self.prefix_len)
    }
}

impl AddressKey for V6Key {
    /// A /64 is what one client can fill with addresses.
    const GROUP_BITS: u8 = 64;

    fn widened(self, prefix_len: u8) -> Self {
        let (high, low) = halves(self.bits(), prefix_len);
        Self {
            high,
            low,
            prefix_len,
        }
    }
}

/// The halves of an IPv6 address, bits behind the prefix cleared.
fn halves(bits: u128, prefix_len: u8) -> (u64, u64) {
    let keep = u128::MAX.checked_shl(u32::from(128_u8.saturating_sub(prefix_len)));
    let bits = bits & keep.unwrap_or(0);
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
    (half(bits >> 64), half(bits))
}

fn range(address: Ip, prefix_len: u8) -> Scope {
    Scope::Address(Cidr::new(address, prefix_len).unwrap_or(Cidr::single(address)))
}

/// A country or autonomous system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PlaceKey {
    Country(Country),
    As(Asn),
}

impl Key for PlaceKey {
    fn home(self) -> Home {
        match self {
            Self::Country(country) => Home::spread(1 << 32 | country.index() as u64),
            Self::As(asn) => Home::spread(u64::from(asn.0)),
        }
    }

    fn length_bit(self) -> u128 {
        0
    }

    fn scope(self) -> Scope {
        match self {
            Self::Country(country) => Scope::Country(country),
            Self::As(asn) => Scope::As(asn),
        }
    }
}

/// A scope, told apart by the index that holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AnyKey {
    V4(V4Key),
    V6(V6Key),
    Place(PlaceKey),
}

impl From<Scope> for AnyKey {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Address(range) => match range.network().as_std() {
                IpAddr::V4(address) => Self::V4(V4Key::new(address, range.prefix_len())),
                IpAddr::V6(address) => Self::V6(V6Key::new(address, range.prefix_len())),
            },
            Scope::Country(country) => Self::Place(PlaceKey::Country(country)),
            Scope::As(asn) => Self::Place(PlaceKey::As(asn)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scope_of(key: AnyKey) -> Scope {
        match key {
            AnyKey::V4(key) => key.scope(),
            AnyKey::V6(key) => key.scope(),
            AnyKey::Place(key) => key.scope(),
        }
    }

    #[test]
    fn keys_are_small() {
        assert_eq!(size_of::<V4Key>(), 8);
        assert_eq!(size_of::<V6Key>(), 24);
        assert_eq!(size_of::<PlaceKey>(), 8);
    }

    #[test]
    fn an_ipv4_range_marks_the_cells_of_its_addresses() {
        let home = |text: &str| match AnyKey::from(Scope::parse("ip", text).unwrap()) {
            AnyKey::V4(key) => key.home(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            home("10.1.0.1"),
            Home {
                slot: 0x0a01,
                cells: 1
            }
        );
        assert_eq!(
            home("10.1.4.1"),
            Home {
                slot: 0x0a01,
                cells: 2
            }
        );
        assert_eq!(
            home("10.1.255.255"),
            Home {
                slot: 0x0a01,
                cells: 1 << 63
            }
        );
        assert_eq!(
            home("10.1.8.0/21"),
            Home {
                slot: 0x0a01,
                cells: 0b1100
            }
        );
        assert_eq!(
            home("10.1.0.0/16"),
            Home {
                slot: 0x0a01,
                cells: u64::MAX
            }
        );
        assert_eq!(
            home("10.0.0.0/15"),
            Home {
                slot: 0x0a00,
                cells: 1
            }
        );
        assert_eq!(home("0.0.0.0/0"), Home { slot: 0, cells: 1 });
    }

    proptest! {
        #[test]
        fn a_key_stands_for_its_scope(v4: u32, v6: u128, len in 0_u8..=128, asn: u32) {
            let v4 = Cidr::new(Ip::from(Ipv4Addr::from(v4)), len % 33).unwrap();
            let v6 = Cidr::new(Ip::from(Ipv6Addr::from(v6)), len).ok();
            let scopes = [Some(Scope::from(v4)), v6.map(Scope::from), Some(Scope::As(Asn(asn)))];
            for scope in scopes.into_iter().flatten() {
                prop_assert_eq!(scope_of(scope.into()), scope);
            }
        }

        #[test]
        fn a_near_range_is_where_its_addresses_are(bits: u32, v6: u128, len in 0_u8..=128) {
            let v4_len = 16 + len % 17;
            let address = V4Key::new(bits.into(), 32);
            let (inside, around) = (address.home(), address.widened(v4_len).home());
            prop_assert_eq!(inside.slot, around.slot);
            prop_assert_eq!(inside.cells & around.cells, inside.cells);

            let address = V6Key::new(v6.into(), 128);
            prop_assert_eq!(address.home(), address.widened(len.max(64)).home());
        }
    }
}
