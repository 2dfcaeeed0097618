//! All address ranges of a rule set, nested as they are.

use std::net::IpAddr;

use palisade_vocabulary::{Cidr, Ip};

use super::Atom;

/// Where a chain of enclosing ranges ends.
const NONE: Atom = Atom::MAX;

/// An index from an address to every range that holds it.
///
/// Ranges of CIDR form either nest or are disjoint. So the addresses fall into intervals, each with
/// one innermost range, and each range has at most one parent that directly encloses it. A look-up
/// is one binary search and then a walk outwards over the ranges that hold the address.
#[derive(Debug)]
pub(crate) struct AddressIndex {
    v4: Intervals<u32>,
    v6: Intervals<u128>,
    /// By atom: the range that directly encloses it.
    parents: Box<[Atom]>,
}

impl AddressIndex {
    /// An index of distinct ranges; the atom of each is its position.
    pub(crate) fn new(ranges: &[Cidr]) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (range, atom) in ranges.iter().zip(0..) {
            let host_bits = u32::from(range.network().bits().saturating_sub(range.prefix_len()));
            match range.network().as_std() {
                IpAddr::V4(first) => {
                    let first = u32::from(first);
                    let hosts = u32::MAX.checked_shr(32 - host_bits).unwrap_or(0);
                    v4.push((first, first | hosts, atom));
                }
                IpAddr::V6(first) => {
                    let first = u128::from(first);
                    let hosts = u128::MAX.checked_shr(128 - host_bits).unwrap_or(0);
                    v6.push((first, first | hosts, atom));
                }
            }
        }
        let mut parents = vec![NONE; ranges.len()].into_boxed_slice();
        Self {
            v4: Intervals::new(v4, |last| last.checked_add(1), &mut parents),
            v6: Intervals::new(v6, |last| last.checked_add(1), &mut parents),
            parents,
        }
    }

    /// The atoms of all ranges that hold `address`, innermost first.
    ///
    /// Hot path: runs per request, allocates nothing.
    pub(crate) fn find(&self, address: Ip) -> impl Iterator<Item = Atom> {
        let innermost = match address.as_std() {
            IpAddr::V4(address) => self.v4.innermost(u32::from(address)),
            IpAddr::V6(address) => self.v6.innermost(u128::from(address)),
        };
        std::iter::successors(innermost, |atom| {
            let parent = self.parents.get(*atom as usize).copied();
            parent.filter(|&parent| parent != NONE)
        })
    }
}

/// Disjoint intervals that cover all addresses from the first start on: where each starts, and the
/// innermost range there.
#[derive(Debug)]
struct Intervals<N> {
    starts: Box<[N]>,
    innermost: Box<[Atom]>,
}

impl<N: Copy + Ord> Intervals<N> {
    /// From `(first, last, atom)`; `after` is the address that follows another, if any. Fills in the
    /// parents of the atoms.
    fn new(
        mut ranges: Vec<(N, N, Atom)>,
        after: impl Fn(N) -> Option<N>,
        parents: &mut [Atom],
    ) -> Self {
        // Of ranges with one start, the outer comes first.
        ranges.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        let mut cuts: Vec<(N, Atom)> = Vec::with_capacity(ranges.len().saturating_mul(2));
        let mut open: Vec<(N, Atom)> = Vec::new();
        for (first, last, atom) in ranges {
            close(&mut open, &mut cuts, Some(first), &after);
            if let Some(parent) = parents.get_mut(atom as usize) {
                *parent = open.last().map_or(NONE, |(_, outer)| *outer);
            }
            cut(&mut cuts, first, atom);
            open.push((last, atom));
        }
        close(&mut open, &mut cuts, None, &after);
        Self {
            starts: cuts.iter().map(|(start, _)| *start).collect(),
            innermost: cuts.iter().map(|(_, atom)| *atom).collect(),
        }
    }

    fn innermost(&self, address: N) -> Option<Atom> {
        let after = self.starts.partition_point(|start| *start <= address);
        let atom = self.innermost.get(after.checked_sub(1)?).copied();
        atom.filter(|&atom| atom != NONE)
    }
}

/// Ends the open ranges that end before `until` (all of them if there is none).
fn close<N: Copy + Ord>(
    open: &mut Vec<(N, Atom)>,
    cuts: &mut Vec<(N, Atom)>,
    until: Option<N>,
    after: &impl Fn(N) -> Option<N>,
) {
    while let Some((last, _)) = open.pop_if(|(last, _)| until.is_none_or(|until| *last < until)) {
        let outer = open.last().map_or(NONE, |(_, outer)| *outer);
        if let Some(next) = after(last) {
            cut(cuts, next, outer);
        }
    }
}

/// From `start` on, `atom` is innermost; a later word on the same start wins.
fn cut<N: Copy + Ord>(cuts: &mut Vec<(N, Atom)>, start: N, atom: Atom) {
    match cuts.last_mut() {
        Some(last) if last.0 == start => last.1 = atom,
        _ => cuts.push((start, atom)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(ranges: &[&str], address: &str, expected: &[Atom]) {
        let ranges: Vec<Cidr> = ranges.iter().map(|range| range.parse().unwrap()).collect();
        let got: Vec<Atom> = AddressIndex::new(&ranges)
            .find(address.parse().unwrap())
            .collect();
        assert_eq!(got, expected, "{address}");
    }

    #[test]
    fn ranges_nest() {
        let nested = [
            "10.0.0.0/8",
            "10.1.0.0/16",
            "10.1.0.0/24",
            "0.0.0.0/0",
            "::/0",
        ];
        check(&nested, "10.1.0.5", &[2, 1, 0, 3]);
        check(&nested, "10.1.1.0", &[1, 0, 3]);
        check(&nested, "10.2.0.0", &[0, 3]);
        check(&nested, "11.0.0.0", &[3]);
        check(&nested, "255.255.255.255", &[3]);
        check(&nested, "2001:db8::1", &[4]);
        check(&["192.0.2.0/31", "192.0.2.2"], "192.0.2.2", &[1]);
        check(&["192.0.2.0/31", "192.0.2.2"], "192.0.2.3", &[]);
        check(&["192.0.2.0/31"], "192.0.1.255", &[]);
        check(&[], "192.0.2.3", &[]);
        check(&["::/0", "ffff::/16"], "ffff:ffff::", &[1, 0]);
    }

    fn any_range() -> impl Strategy<Value = Cidr> {
        (0_u8..4, 0_u8..4, 0_u8..=32, any::<bool>()).prop_map(|(a, b, len, v6)| {
            let text = if v6 {
                format!("{a:x}::{b:x}")
            } else {
                format!("10.{a}.0.{b}")
            };
            Cidr::new(text.parse().unwrap(), if v6 { len * 4 } else { len }).unwrap()
        })
    }

    proptest! {
        #[test]
        fn agrees_with_a_scan(ranges in prop::collection::btree_set(any_range(), 0..20), a in 0_u8..5, b in 0_u8..5, v6: bool) {
            let text = if v6 { format!("{a:x}::{b:x}") } else { format!("10.{a}.0.{b}") };
            let address: Ip = text.parse().unwrap();
            let ranges: Vec<Cidr> = ranges.into_iter().collect();
            let mut got: Vec<Atom> = AddressIndex::new(&ranges).find(address).collect();
            got.sort_unstable();
            let expected: Vec<Atom> = (0..).zip(&ranges).filter(|(_, r)| r.contains(address)).map(|(i, _)| i).collect();
            prop_assert_eq!(got, expected);
        }
    }
}
