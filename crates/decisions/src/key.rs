//! Scopes as the index stores them: compact, ordered, each with a home in the index.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_vocabulary::{Asn, Cidr, Country, Ip};

use crate::Scope;

/// Where the index keeps a key: one of 65,536 slots, and cells of the slot's filter, all of which
/// are marked if the key is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) slot: u16,
    /// One bit each.
    pub(crate) cells: u128,
}

impl Home {
    /// Spreads `number` over all slots, and over two cells of the filter. The factor is Knuth's for
    /// multiplicative hashing, from the golden ratio. Whoever finds numbers that share a slot gains
    /// nothing: a slot is a sorted array, so a full one costs a look-up a few comparisons more.
    fn spread(number: u64) -> Self {
        let spread = (number ^ number >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self {
            slot: u16::try_from(spread >> 48).unwrap_or_default(),
            cells: 1 << (spread >> 41 & 127) | 1 << (spread >> 34 & 127),
        }
    }
}

/// What an index is made of.
pub(crate) trait Key: Copy + Ord {
    /// Where it is kept.
    fn home(self) -> Home;

    /// The bit of its prefix length in a set of lengths; none for a single address, which is
    /// always looked for, and for what has no length.
    fn length_bit(self) -> u128;

    /// The scope that it stands for.
    fn scope(self) -> Scope;
}

/// A range of addresses of one family.
///
/// A look-up must find all ranges around an address, and there may be one of each length. So that
/// it needn't visit a slot for each length, lengths are in levels: all ranges of one level that
/// begin with the same bits share a slot.
pub(crate) trait AddressKey: Key {
    /// From the longest lengths to the shortest. On the first level are the addresses themselves.
    const LEVELS: &'static [Level];

    /// The range of `prefix_len` bits around the range; `prefix_len` is at most the range's own.
    fn widened(self, prefix_len: u8) -> Self;
}

/// Prefix lengths whose ranges share a slot with others of the same first `group_bits` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    /// The shortest of the lengths.
    pub(crate) group_bits: u8,
    /// One bit each.
    pub(crate) lengths: u128,
}

impl Level {
    /// The lengths from `group_bits` up to, not including, `end`.
    const fn new(group_bits: u8, end: u8) -> Self {
        let below_end = match 1_u128.checked_shl(end as u32) {
            Some(bit) => bit - 1,
            None => u128::MAX,
        };
        Self {
            group_bits,
            lengths: below_end & (u128::MAX << group_bits),
        }
    }
}

/// The first bits that ranges of `prefix_len` share with the others of their level.
fn group_bits<K: AddressKey>(prefix_len: u8) -> u8 {
    let mut levels = K::LEVELS.iter().map(|level| level.group_bits);
    levels.find(|bits| *bits <= prefix_len).unwrap_or(0)
}

/// An IPv4 range: 32 bits of address, 8 bits of length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct V4Key(u64);

impl V4Key {
    pub(crate) fn new(address: Ipv4Addr, prefix_len: u8) -> Self {
        Self::masked(u64::from(u32::from(address)), prefix_len)
    }

    fn masked(bits: u64, prefix_len: u8) -> Self {
        let bits = bits & u64::MAX << 32_u8.saturating_sub(prefix_len);
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
    /// No hashing: a slot is a /16, a cell of its filter a /23. A range wider than a /16 is in the
    /// first slot of its group, and in the first cell.
    fn home(self) -> Home {
        let prefix_len = self.prefix_len();
        let group = self.widened(group_bits::<Self>(prefix_len));
        let (first_cell, cells) = match prefix_len {
            0..16 => (0, 1),
            16..23 => (self.bits() >> 9 & 127, 1_u32 << (23 - prefix_len)),
            _ => (self.bits() >> 9 & 127, 1),
        };
        Home {
            slot: u16::try_from(group.bits() >> 16).unwrap_or_default(),
            cells: u128::MAX >> (128 - cells) << first_cell,
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
    const LEVELS: &'static [Level] = &[Level::new(16, 32), Level::new(8, 16), Level::new(0, 8)];

    fn widened(self, prefix_len: u8) -> Self {
        Self::masked(self.bits(), prefix_len)
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
        Self::masked(u128::from(address), prefix_len)
    }

    fn masked(bits: u128, prefix_len: u8) -> Self {
        let keep = u128::MAX.checked_shl(u32::from(128_u8.saturating_sub(prefix_len)));
        let bits = bits & keep.unwrap_or(0);
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
        Self {
            high: half(bits >> 64),
            low: half(bits),
            prefix_len,
        }
    }

    fn bits(self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }
}

impl Key for V6Key {
    fn home(self) -> Home {
        Home::spread(self.widened(group_bits::<Self>(self.prefix_len)).high)
    }

    fn length_bit(self) -> u128 {
        1_u128.checked_shl(u32::from(self.prefix_len)).unwrap_or(0)
    }

    fn scope(self) -> Scope {
        range(Ip::from(Ipv6Addr::from(self.bits())), self.prefix_len)
    }
}

impl AddressKey for V6Key {
    /// A /64 is what one client can fill with addresses, a /48 a site, a /32 a provider.
    const LEVELS: &'static [Level] = &[
        Level::new(64, 128),
        Level::new(48, 64),
        Level::new(32, 48),
        Level::new(16, 32),
        Level::new(0, 16),
    ];

    fn widened(self, prefix_len: u8) -> Self {
        Self::masked(self.bits(), prefix_len)
    }
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
        #[track_caller]
        fn check(range: &str, slot: u16, cells: u128) {
            match AnyKey::from(Scope::parse("range", range).unwrap()) {
                AnyKey::V4(key) => assert_eq!(key.home(), Home { slot, cells }, "{range}"),
                other => panic!("{other:?}"),
            }
        }
        check("10.1.0.1", 0x0a01, 1);
        check("10.1.2.1", 0x0a01, 2);
        check("10.1.255.255", 0x0a01, 1 << 127);
        check("10.1.4.0/22", 0x0a01, 0b1100);
        check("10.1.0.0/16", 0x0a01, u128::MAX);
        check("10.2.0.0/15", 0x0a00, 1);
        check("11.0.0.0/8", 0x0b00, 1);
        check("10.0.0.0/7", 0, 1);
        check("0.0.0.0/0", 0, 1);
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
        fn a_range_is_where_its_level_is_looked_for(bits: u32, v6: u128, len in 0_u8..=128) {
            let address = V4Key::new(bits.into(), 32);
            let (inside, around) = (address.home(), address.widened(16 + len % 16).home());
            prop_assert_eq!(inside.slot, around.slot);
            prop_assert_eq!(inside.cells & around.cells, inside.cells);
            prop_assert_eq!(address.widened(8 + len % 8).home(), address.widened(8).home());
            prop_assert_eq!(address.widened(len % 8).home(), address.widened(0).home());

            let address = V6Key::new(v6.into(), 128);
            let group = if len < 64 { address.widened(len / 16 * 16) } else { address };
            prop_assert_eq!(address.widened(len).home(), group.home());
        }

        #[test]
        fn each_length_is_on_one_level(len in 0_u8..128) {
            let on = |levels: &[Level]| levels.iter().filter(|level| level.lengths & 1 << len != 0).count();
            prop_assert_eq!(on(V6Key::LEVELS), 1);
            prop_assert_eq!(on(V4Key::LEVELS), usize::from(len < 32));
        }
    }
}
