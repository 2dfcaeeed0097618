//! Version 2: a binary header (section 2.2).

use std::net::{Ipv4Addr, Ipv6Addr};

use palisade_vocabulary::Ip;

use super::{Decoded, Endpoint, ProxyError, ProxyHeader, Tlvs};

/// The constant part of a header: signature, version and command, family and transport, length.
pub const V2_PREFIX_BYTES: usize = 16;

/// The most bytes of addresses and TLVs that are read.
///
/// The specification allows 65535, and wants the whole header to fit into 536 ("the smallest TCP
/// segment that any TCP/IP host is required to support", section 2). Client certificates' names and
/// a cloud's own TLVs need more than that, nothing known needs more than this.
pub const V2_PAYLOAD_BYTES_MAX: usize = 4096;

/// "A constant 12 bytes block containing the protocol signature."
pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

const PORT_BYTES: usize = 2;

/// "AF_UNIX: the addresses are exactly 108 bytes each."
const UNIX_BYTES: usize = 2 * 108;

/// Reads a header from `buf`, which starts with [`SIGNATURE`].
pub(super) fn decode(buf: &[u8]) -> Result<Decoded, ProxyError> {
    let Some(prefix) = buf.first_chunk::<V2_PREFIX_BYTES>() else {
        return Ok(Decoded::NeedMore {
            at_least: V2_PREFIX_BYTES,
        });
    };
    let [
        ..,
        version_and_command,
        family_and_transport,
        length_high,
        length_low,
    ] = *prefix;
    let addresses = addresses(version_and_command, family_and_transport)?;
    let payload_len = u16::from_be_bytes([length_high, length_low]);
    if usize::from(payload_len) > V2_PAYLOAD_BYTES_MAX {
        return Err(ProxyError::PayloadTooLong(payload_len));
    }
    // "The length of the protocol header in bytes is always exactly 16 + this value."
    let len = V2_PREFIX_BYTES + usize::from(payload_len);
    let Some(whole) = buf.get(..len) else {
        return Ok(Decoded::NeedMore { at_least: len });
    };
    Ok(Decoded::Header {
        header: parse_payload(addresses, whole)?,
        len,
    })
}

/// What the address block holds.
#[derive(Clone, Copy)]
enum Addresses {
    /// Nothing that is read.
    Ignored,
    Ipv4,
    Ipv6,
    Unix,
}

/// Bytes 13 and 14.
fn addresses(version_and_command: u8, family_and_transport: u8) -> Result<Addresses, ProxyError> {
    let (version, command) = (version_and_command >> 4, version_and_command & 0x0f);
    // "The receiver must only accept this value."
    if version != 2 {
        return Err(ProxyError::BadVersion(version));
    }
    match command {
        // LOCAL: "must use the real connection endpoints and discard the protocol block including
        // the family which is ignored".
        0 => Ok(Addresses::Ignored),
        1 => proxied_addresses(family_and_transport),
        // "Receivers must drop connections presenting unexpected values here."
        _ => Err(ProxyError::BadCommand(command)),
    }
}

/// Byte 14 of a PROXY command.
fn proxied_addresses(family_and_transport: u8) -> Result<Addresses, ProxyError> {
    match (family_and_transport >> 4, family_and_transport & 0x0f) {
        // "Other values are unspecified [...] and must be rejected as invalid by receivers."
        (family @ 4.., _) => Err(ProxyError::BadFamily(family)),
        (_, transport @ 3..) => Err(ProxyError::BadTransport(transport)),
        // UNSPEC: "the receiver is free to accept the connection anyway and use the real endpoint
        // addresses". The length of its addresses is not defined, so neither is where TLVs start.
        (0, _) | (_, 0) => Ok(Addresses::Ignored),
        // A receiver may treat what it does not support as UNSPEC, and reject that: a UDP client
        // can't be behind a stream of HTTP, so the sender is not the proxy that was meant here.
        (_, 2) => Err(ProxyError::Datagram),
        (1, _) => Ok(Addresses::Ipv4),
        (2, _) => Ok(Addresses::Ipv6),
        (_, _) => Ok(Addresses::Unix),
    }
}

/// `header` is the whole header.
fn parse_payload(addresses: Addresses, header: &[u8]) -> Result<ProxyHeader, ProxyError> {
    match addresses {
        Addresses::Ignored => Ok(ProxyHeader::Local),
        Addresses::Ipv4 => parse_proxied::<4, Ipv4Addr>(header),
        Addresses::Ipv6 => parse_proxied::<16, Ipv6Addr>(header),
        Addresses::Unix => parse_unix(header),
    }
}

fn parse_proxied<const ADDRESS_BYTES: usize, Address>(
    header: &[u8],
) -> Result<ProxyHeader, ProxyError>
where
    Address: From<[u8; ADDRESS_BYTES]> + Into<Ip>,
{
    let block_bytes = 2 * ADDRESS_BYTES + 2 * PORT_BYTES;
    let (source, destination) = header
        .get(V2_PREFIX_BYTES..)
        .and_then(parse_endpoints::<ADDRESS_BYTES, Address>)
        .ok_or_else(|| truncated(header, block_bytes))?;
    Ok(ProxyHeader::Proxied {
        source,
        destination,
        tlvs: Tlvs::parse(header, V2_PREFIX_BYTES + block_bytes)?,
    })
}

/// "The address order is always the same": both addresses, then both ports, in network byte order.
fn parse_endpoints<const ADDRESS_BYTES: usize, Address>(
    block: &[u8],
) -> Option<(Endpoint, Endpoint)>
where
    Address: From<[u8; ADDRESS_BYTES]> + Into<Ip>,
{
    let (source, rest) = block.split_first_chunk()?;
    let (destination, rest) = rest.split_first_chunk()?;
    let (&[source_high, source_low], rest) = rest.split_first_chunk()?;
    let &[destination_high, destination_low] = rest.first_chunk()?;
    let endpoint = |address: [u8; ADDRESS_BYTES], port| Endpoint {
        ip: Address::from(address).into(),
        port: u16::from_be_bytes(port),
    };
    Some((
        endpoint(*source, [source_high, source_low]),
        endpoint(*destination, [destination_high, destination_low]),
    ))
}

/// Paths of UNIX sockets name no client that a rule could speak about: they are skipped.
fn parse_unix(header: &[u8]) -> Result<ProxyHeader, ProxyError> {
    let tlvs_start = V2_PREFIX_BYTES + UNIX_BYTES;
    if header.len() < tlvs_start {
        return Err(truncated(header, UNIX_BYTES));
    }
    Ok(ProxyHeader::Unix {
        tlvs: Tlvs::parse(header, tlvs_start)?,
    })
}

fn truncated(header: &[u8], expected: usize) -> ProxyError {
    ProxyError::TruncatedAddresses {
        got: header.len().saturating_sub(V2_PREFIX_BYTES),
        expected,
    }
}
