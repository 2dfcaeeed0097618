//! One value of a forwarded header.

use std::net::{Ipv4Addr, Ipv6Addr};

use palisade_vocabulary::Ip;

use super::quoted;

/// The longest value that is looked at: an address in brackets with the longest zone and a port,
/// twice over.
pub const NODE_BYTES_MAX: usize = 128;

/// What one value of a forwarded header says about who was at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// An address.
    Address {
        /// The address, without its zone.
        ip: Ip,
        /// The port, where one is told.
        port: Option<u16>,
    },
    /// Deliberately no address: `unknown`, an obfuscated identifier (RFC 7239 sections 6.2 and
    /// 6.3), or an element of `Forwarded` that does not tell whom it is for.
    Hidden,
    /// Garbage.
    Malformed,
}

impl Node {
    /// Reads an address as hops write it: `192.0.2.1`, `192.0.2.1:8080`, `2001:db8::1`,
    /// `[2001:db8::1]`, `[2001:db8::1]:8080`; IPv6 also with a zone (`fe80::1%eth0`), which is
    /// dropped. White space around it does not matter.
    ///
    /// The grammar is `node` of RFC 7239 section 6, and IPv6 also without brackets, as
    /// X-Forwarded-For has it.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let text = text.trim_ascii();
        if text.len() > NODE_BYTES_MAX {
            return Self::Malformed;
        }
        std::str::from_utf8(text)
            .ok()
            .and_then(parse_node)
            .unwrap_or(Self::Malformed)
    }

    /// Reads one element of `Forwarded`: pairs with semicolons between (RFC 7239 section 4).
    pub(super) fn parse_forwarded_element(element: &[u8]) -> Self {
        let mut node = None;
        for pair in quoted::SplitOutsideQuotes::new(element, b';') {
            let pair = pair.trim_ascii();
            if pair.is_empty() {
                continue;
            }
            let Some((name, value)) = split_pair(pair) else {
                return Self::Malformed;
            };
            if name.eq_ignore_ascii_case(b"for") {
                // "Each parameter MUST NOT occur more than once per field-value" element.
                if node.is_some() {
                    return Self::Malformed;
                }
                node = Some(quoted::with_unquoted(value, Self::parse));
            }
        }
        node.unwrap_or(Self::Hidden)
    }
}

/// `token "=" value`. Colons and brackets are let through without quotes, as many hops forget them.
fn split_pair(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    let (name, rest) = pair.split_at_checked(equals)?;
    let value = rest.get(1..)?;
    let sound = if value.starts_with(b"\"") {
        quoted::is_quoted_string(value)
    } else {
        !value.is_empty()
            && value
                .iter()
                .all(|byte| is_token(*byte) || b":[]".contains(byte))
    };
    (sound && !name.is_empty() && name.iter().copied().all(is_token)).then_some((name, value))
}

/// `tchar` of RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn parse_node(text: &str) -> Option<Node> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, after) = bracketed.split_once(']')?;
        let ip = parse_ipv6(address)?;
        return match after.strip_prefix(':') {
            Some(port) => address_with_port(ip, port),
            None if after.is_empty() => Some(Node::Address { ip, port: None }),
            None => None,
        };
    }
    match text.split_once(':') {
        None => parse_name(text, None),
        // Two colons or more: IPv6 without brackets, which leaves no room for a port.
        Some((_, rest)) if rest.contains(':') => Some(Node::Address {
            ip: parse_ipv6(text)?,
            port: None,
        }),
        Some((name, port)) => parse_name(name, Some(port)),
    }
}

/// What may stand before a port without brackets: IPv4, `unknown`, or an obfuscated identifier.
fn parse_name(name: &str, port: Option<&str>) -> Option<Node> {
    if name.eq_ignore_ascii_case("unknown") || is_obfuscated(name) {
        return Some(Node::Hidden);
    }
    let ip = name.parse::<Ipv4Addr>().ok()?.into();
    match port {
        Some(port) => address_with_port(ip, port),
        None => Some(Node::Address { ip, port: None }),
    }
}

/// `port` is 1 to 5 digits or obfuscated (RFC 7239 section 6).
fn address_with_port(ip: Ip, port: &str) -> Option<Node> {
    if is_obfuscated(port) {
        return Some(Node::Address { ip, port: None });
    }
    let digits = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|_| digits)?;
    Some(Node::Address {
        ip,
        port: Some(port),
    })
}

/// `"_" 1*( ALPHA / DIGIT / "." / "_" / "-")` (RFC 7239 section 6.3).
fn is_obfuscated(text: &str) -> bool {
    text.strip_prefix('_').is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    })
}

/// IPv6 with or without a zone (RFC 4007 section 11). The zone means something on the machine of
/// the hop alone, so it is dropped.
fn parse_ipv6(text: &str) -> Option<Ip> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    let sound_zone = zone.is_none_or(|zone| {
        !zone.is_empty()
            && zone
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte))
    });
    address
        .parse::<Ipv6Addr>()
        .ok()
        .filter(|_| sound_zone)
        .map(Ip::from)
}
