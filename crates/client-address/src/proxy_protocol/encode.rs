//! Headers that Palisade sends to a backend.

use std::net::{IpAddr, Ipv6Addr};

use palisade_vocabulary::Ip;

use super::{Endpoint, v1, v2};
use crate::address_text::{push_decimal, push_ip, push_ipv6};

/// Appends a version 1 header (section 2.1): at most 104 bytes.
///
/// Where the families differ, both addresses are written as IPv6, the IPv4 one mapped, since the
/// line names one family. For a health check of our own give the connection's own two ends, as the
/// specification asks: version 1 has no LOCAL.
pub fn encode_v1(source: Endpoint, destination: Endpoint, out: &mut Vec<u8>) {
    out.extend_from_slice(v1::SIGNATURE);
    if source.ip.is_ipv4() && destination.ip.is_ipv4() {
        out.extend_from_slice(b" TCP4 ");
        push_ip(source.ip, out);
        out.push(b' ');
        push_ip(destination.ip, out);
    } else {
        // Always hexadecimal groups, also for a mapped address: the grammar knows no others.
        out.extend_from_slice(b" TCP6 ");
        push_ipv6(as_ipv6(source.ip), out);
        out.push(b' ');
        push_ipv6(as_ipv6(destination.ip), out);
    }
    out.push(b' ');
    push_decimal(source.port, out);
    out.push(b' ');
    push_decimal(destination.port, out);
    out.extend_from_slice(b"\r\n");
}

/// Appends a version 2 header without TLVs (section 2.2): 28 or 52 bytes.
///
/// Where the families differ, both addresses are written as IPv6, the IPv4 one mapped.
pub fn encode_v2(source: Endpoint, destination: Endpoint, out: &mut Vec<u8>) {
    out.extend_from_slice(v2::SIGNATURE);
    out.push(VERSION_2 | COMMAND_PROXY);
    match (source.ip.as_std(), destination.ip.as_std()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            out.extend_from_slice(&[TCP_OVER_IPV4, 0, 12]);
            out.extend_from_slice(&source.octets());
            out.extend_from_slice(&destination.octets());
        }
        _ => {
            out.extend_from_slice(&[TCP_OVER_IPV6, 0, 36]);
            out.extend_from_slice(&as_ipv6(source.ip).octets());
            out.extend_from_slice(&as_ipv6(destination.ip).octets());
        }
    }
    out.extend_from_slice(&source.port.to_be_bytes());
    out.extend_from_slice(&destination.port.to_be_bytes());
}

/// Appends the version 2 header of a connection of our own, such as a health check: LOCAL, without
/// addresses (section 2.2), 16 bytes.
pub fn encode_v2_local(out: &mut Vec<u8>) {
    out.extend_from_slice(v2::SIGNATURE);
    out.extend_from_slice(&[VERSION_2 | COMMAND_LOCAL, UNSPEC, 0, 0]);
}

fn as_ipv6(ip: Ip) -> Ipv6Addr {
    match ip.as_std() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

const VERSION_2: u8 = 0x20;
const COMMAND_LOCAL: u8 = 0x00;
const COMMAND_PROXY: u8 = 0x01;
const UNSPEC: u8 = 0x00;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;
