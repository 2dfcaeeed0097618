//! A set of address ranges with one question: is this address in it?

use std::net::IpAddr;

use crate::{Cidr, Ip};

/// An immutable set of address ranges.
///
/// Overlapping and adjacent ranges are merged, so that a look-up is one binary search over the
/// ends of disjoint intervals. Hot path: runs per request, allocates nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CidrSet {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl CidrSet {
    /// Whether the set holds no address.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether `address` is in one of the ranges.
    #[must_use]
    pub fn contains(&self, address: Ip) -> bool {
        match address.as_std() {
            IpAddr::V4(v4) => holds(&self.v4, u32::from(v4)),
            IpAddr::V6(v6) => holds(&self.v6, u128::from(v6)),
        }
    }
}

impl FromIterator<Cidr> for CidrSet {
    fn from_iter<I: IntoIterator<Item = Cidr>>(ranges: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for range in ranges {
            let host_bits = u32::from(range.network().bits().saturating_sub(range.prefix_len()));
            match range.network().as_std() {
                IpAddr::V4(first) => {
                    let first = u32::from(first);
                    let hosts = u32::MAX.checked_shr(32 - host_bits).unwrap_or(0);
                    v4.push((first, first | hosts));
                }
                IpAddr::V6(first) => {
                    let first = u128::from(first);
                    let hosts = u128::MAX.checked_shr(128 - host_bits).unwrap_or(0);
                    v6.push((first, first | hosts));
                }
            }
        }
        Self {
            v4: merged(v4),
            v6: merged(v6),
        }
    }
}

fn merged<N: Ord + Copy>(mut intervals: Vec<(N, N)>) -> Vec<(N, N)> {
    intervals.sort_unstable();
    let mut merged: Vec<(N, N)> = Vec::with_capacity(intervals.len());
    for (first, last) in intervals {
        match merged.last_mut() {
            Some(previous) if first <= previous.1 => previous.1 = previous.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

fn holds<N: Ord + Copy>(intervals: &[(N, N)], address: N) -> bool {
    let after = intervals.partition_point(|(first, _)| *first <= address);
    after
        .checked_sub(1)
        .and_then(|index| intervals.get(index))
        .is_some_and(|(_, last)| address <= *last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(ranges: &[&str], address: &str, expected: bool) {
        let set: CidrSet = ranges.iter().map(|r| r.parse::<Cidr>().unwrap()).collect();
        assert_eq!(
            set.contains(address.parse().unwrap()),
            expected,
            "{address} in {ranges:?}"
        );
    }

    #[test]
    fn membership() {
        check(&[], "192.0.2.1", false);
        check(&["10.0.0.0/8", "192.0.2.1"], "10.255.255.255", true);
        check(&["10.0.0.0/8", "192.0.2.1"], "11.0.0.0", false);
        check(&["0.0.0.0/0"], "255.255.255.255", true);
        check(&["0.0.0.0/0"], "::1", false);
        check(&["::/0"], "2001:db8::1", true);
        check(&["::/0"], "::ffff:192.0.2.1", false);
        check(&["10.0.0.0/8", "10.1.0.0/16"], "10.200.0.1", true);
    }

    fn any_range() -> impl Strategy<Value = Cidr> {
        (any::<u8>(), any::<u8>(), 0_u8..=32, any::<bool>()).prop_map(|(a, b, len, v6)| {
            let address = if v6 {
                format!("2001:db8:{a:x}:{b:x}::")
            } else {
                format!("10.{a}.{b}.0")
            };
            Cidr::new(address.parse().unwrap(), if v6 { len + 32 } else { len }).unwrap()
        })
    }

    proptest! {
        #[test]
        fn agrees_with_a_scan(ranges in prop::collection::vec(any_range(), 0..20), a: u8, b: u8, v6: bool) {
            let address: Ip = if v6 { format!("2001:db8:{a:x}:{b:x}::1") } else { format!("10.{a}.{b}.9") }.parse().unwrap();
            let set: CidrSet = ranges.iter().copied().collect();
            prop_assert_eq!(set.contains(address), ranges.iter().any(|r| r.contains(address)));
        }
    }
}
