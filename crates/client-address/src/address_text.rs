//! Addresses and ports as text, written straight into a buffer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use palisade_vocabulary::Ip;

/// The most bytes that [`push_ip`] writes: eight groups of four digits and seven colons.
pub(crate) const IP_BYTES_MAX: usize = 39;

/// The most bytes of an IPv4 address: four groups of three digits and three dots.
const IPV4_BYTES_MAX: usize = 15;

/// Appends `ip` as dotted decimal or in the form of RFC 5952.
///
/// Hot path: runs per request, allocates nothing but room in `out`.
pub(crate) fn push_ip(ip: Ip, out: &mut Vec<u8>) {
    match ip.as_std() {
        IpAddr::V4(v4) => push_ipv4(v4, out),
        IpAddr::V6(v6) => push_ipv6(v6, out),
    }
}

/// Appends `number` in decimal.
pub(crate) fn push_decimal(number: u16, out: &mut Vec<u8>) {
    if number >= 10 {
        push_decimal(number / 10, out);
    }
    out.push(b'0' + (number % 10) as u8);
}

fn push_ipv4(address: Ipv4Addr, out: &mut Vec<u8>) {
    // Put together here: whether `out` has room is asked once.
    let mut text = [0_u8; IPV4_BYTES_MAX];
    let mut length = 0;
    let mut put = |byte| {
        if let Some(place) = text.get_mut(length) {
            *place = byte;
            length += 1;
        }
    };
    for (octet, at) in address.octets().into_iter().zip(0..) {
        if at > 0 {
            put(b'.');
        }
        if octet >= 100 {
            put(b'0' + octet / 100);
        }
        if octet >= 10 {
            put(b'0' + octet / 10 % 10);
        }
        put(b'0' + octet % 10);
    }
    out.extend_from_slice(text.get(..length).unwrap_or_default());
}

/// Appends `address` in hexadecimal groups, an IPv4-mapped one too.
pub(crate) fn push_ipv6(address: Ipv6Addr, out: &mut Vec<u8>) {
    let groups = address.segments();
    let zeros = longest_zero_run(&groups);
    let mut after_colon = true;
    for (index, group) in groups.into_iter().enumerate() {
        if zeros.contains(&index) {
            if index == zeros.start {
                out.extend_from_slice(b"::");
                after_colon = true;
            }
            continue;
        }
        if !after_colon {
            out.push(b':');
        }
        push_hexadecimal(group, out);
        after_colon = false;
    }
}

/// Lower case and without leading zeros (RFC 5952 sections 4.1 and 4.3).
fn push_hexadecimal(group: u16, out: &mut Vec<u8>) {
    if group >= 16 {
        push_hexadecimal(group / 16, out);
    }
    let digit = (group % 16) as u8;
    out.push(if digit < 10 {
        b'0' + digit
    } else {
        b'a' + digit - 10
    });
}

/// The groups that `::` stands for: the longest run of zeros, the first of equals, and never a
/// single group (RFC 5952 section 4.2).
fn longest_zero_run(groups: &[u16; 8]) -> Range<usize> {
    let (mut longest, mut current) = (0..0, 0..0);
    for (index, group) in groups.iter().enumerate() {
        current = match group {
            0 => current.start..index + 1,
            _ => index + 1..index + 1,
        };
        if current.len() > longest.len() {
            longest = current.clone();
        }
    }
    if longest.len() < 2 { 0..0 } else { longest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(address: Ipv6Addr, expected: &str) {
        let mut out = Vec::new();
        push_ipv6(address, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn ipv6_is_written_as_rfc_5952_says() {
        check(Ipv6Addr::UNSPECIFIED, "::");
        check(Ipv6Addr::LOCALHOST, "::1");
        check(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), "2001:db8::");
        check(
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 1, 0, 0, 1),
            "2001:db8::1:0:0:1",
        );
        check(
            Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 1, 1, 1, 1),
            "2001:db8:0:1:1:1:1:1",
        );
        check(
            Ipv6Addr::new(0xabcd, 0, 0, 1, 0, 0, 0, 0x10),
            "abcd:0:0:1::10",
        );
        check(
            Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped(),
            "::ffff:c000:201",
        );
    }

    proptest! {
        #[test]
        fn text_is_what_the_standard_library_writes(address: IpAddr) {
            let ip = Ip::new(address);
            let mut out = Vec::new();
            push_ip(ip, &mut out);
            prop_assert!(out.len() <= IP_BYTES_MAX);
            prop_assert_eq!(String::from_utf8(out).unwrap(), ip.to_string());
        }

        // Random addresses seldom have runs of zeros.
        #[test]
        fn zero_runs_are_what_the_standard_library_writes(groups in prop::array::uniform8(0_u16..2)) {
            let address = Ipv6Addr::from(groups);
            let mut out = Vec::new();
            push_ipv6(address, &mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), address.to_string());
        }

        #[test]
        fn decimals_are_what_the_standard_library_writes(number: u16) {
            let mut out = Vec::new();
            push_decimal(number, &mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }
}
