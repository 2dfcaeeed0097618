//! Version 1: one line of text (section 2.1).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use palisade_vocabulary::Ip;

use super::{Decoded, Endpoint, ProxyError, ProxyHeader, Tlvs};

/// The longest line there can be, CRLF included (section 2.1, "worst case").
pub const V1_BYTES_MAX: usize = 107;

/// The shortest line there can be: `PROXY UNKNOWN` and CRLF.
pub(super) const BYTES_MIN: usize = 15;

/// "Seeing this string indicates that this is version 1 of the protocol."
pub(super) const SIGNATURE: &[u8] = b"PROXY";

const CRLF_BYTES: usize = 2;

/// Reads a line from `buf`, which starts with [`SIGNATURE`].
pub(super) fn decode(buf: &[u8]) -> Result<Decoded, ProxyError> {
    let after_signature = buf.get(SIGNATURE.len()..).unwrap_or_default();
    match after_signature.first() {
        None | Some(b' ') => {}
        Some(&byte) => return Err(ProxyError::BadSignature(byte)),
    }
    // "The receiver must wait for the CRLF sequence before starting to decode the addresses."
    let Some(end) = line_end(buf)? else {
        return Ok(Decoded::NeedMore {
            at_least: bytes_needed(buf),
        });
    };
    let fields = buf.get(SIGNATURE.len() + 1..end).unwrap_or_default();
    Ok(Decoded::Header {
        header: parse_fields(fields)?,
        len: end + CRLF_BYTES,
    })
}

/// Where the CRLF starts, if it is there yet.
fn line_end(buf: &[u8]) -> Result<Option<usize>, ProxyError> {
    let last_start = V1_BYTES_MAX - CRLF_BYTES;
    let found = buf
        .iter()
        .take(last_start + 1)
        .position(|byte| matches!(byte, b'\r' | b'\n'));
    match found {
        // "If the CRLF sequence is not found in the first 107 characters, the receiver should
        // declare the line invalid."
        None if buf.len() > last_start => Err(ProxyError::LineTooLong),
        None => Ok(None),
        // "The receiver must not tolerate a single CR or LF character to end the line."
        Some(end) => match buf.get(end..) {
            Some([b'\r', b'\n', ..]) => Ok(Some(end)),
            Some([b'\r']) => Ok(None),
            _ => Err(ProxyError::BadLineEnd),
        },
    }
}

/// The least length of a line that goes on from `buf`.
fn bytes_needed(buf: &[u8]) -> usize {
    let missing = if buf.ends_with(b"\r") { 1 } else { CRLF_BYTES };
    (buf.len() + missing).max(BYTES_MIN)
}

/// Everything between `PROXY ` and CRLF.
fn parse_fields(fields: &[u8]) -> Result<ProxyHeader, ProxyError> {
    let (protocol, rest) = match fields.iter().position(|byte| *byte == b' ') {
        Some(space) => fields.split_at_checked(space).unwrap_or_default(),
        None => (fields, [].as_slice()),
    };
    match protocol {
        b"TCP4" => parse_addresses::<Ipv4Addr>(rest),
        b"TCP6" => parse_addresses::<Ipv6Addr>(rest),
        // "The receiver must ignore anything presented before the CRLF is found", and "use the real
        // connection's parameters".
        b"UNKNOWN" => Ok(ProxyHeader::Local),
        _ => Err(ProxyError::BadProtocol(excerpt(protocol))),
    }
}

/// Addresses and ports with exactly one space before each. `Address` is the family's own type, so
/// that "the advertised protocol family dictates what format to use".
fn parse_addresses<Address: FromStr + Into<Ip>>(text: &[u8]) -> Result<ProxyHeader, ProxyError> {
    let mut fields = text.split(|byte| *byte == b' ');
    let (
        Some(b""),
        Some(source),
        Some(destination),
        Some(source_port),
        Some(destination_port),
        None,
    ) = (
        fields.next(),
        fields.next(),
        fields.next(),
        fields.next(),
        fields.next(),
        fields.next(),
    )
    else {
        return Err(ProxyError::BadFields);
    };
    Ok(ProxyHeader::Proxied {
        source: Endpoint {
            ip: parse_address::<Address>(source)?,
            port: parse_port(source_port)?,
        },
        destination: Endpoint {
            ip: parse_address::<Address>(destination)?,
            port: parse_port(destination_port)?,
        },
        tlvs: Tlvs::default(),
    })
}

/// The standard library's grammar is the specification's (no leading zeros, no zone, all 128 bits)
/// but for one thing: IPv6 may end in dotted decimal, as haproxy writes an IPv4-mapped client.
fn parse_address<Address: FromStr + Into<Ip>>(text: &[u8]) -> Result<Ip, ProxyError> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<Address>().ok())
        .map(Into::into)
        .ok_or_else(|| ProxyError::BadAddress(excerpt(text)))
}

/// "A decimal integer in the range [0..65535] inclusive. Heading zeroes are not permitted."
fn parse_port(text: &[u8]) -> Result<u16, ProxyError> {
    let canonical = match text {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    std::str::from_utf8(text)
        .ok()
        .filter(|_| canonical)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| ProxyError::BadPort(excerpt(text)))
}

/// What was got, safe to print; a line bounds it.
fn excerpt(text: &[u8]) -> String {
    text.escape_ascii().to_string()
}
