//! What the backend is told about the client.
//!
//! Nothing here passes on what a client made up. X-Forwarded-For starts with the resolved client,
//! whatever stood left of it in the request is dropped; so a backend comes to the same client
//! whether it takes the first value (as the careless do) or walks from the right through the hops
//! that it trusts. All functions append to a buffer of the caller; none allocates anything else.
//!
//! Hot path: runs per forwarded request.

#[cfg(test)]
mod tests;

use http::header::{HeaderMap, HeaderName};
use palisade_vocabulary::{ClientAddr, Ip, Provenance, Scheme};

use crate::address_text::{IP_BYTES_MAX, push_ip};
use crate::forwarded::{Node, Nodes};
use crate::resolve::{HOPS_MAX, HopRule, X_FORWARDED_FOR};

/// The most bytes that [`write_x_forwarded_for`] writes: an address for each hop that can have been
/// read and one for the connection, with `, ` between.
pub const X_FORWARDED_FOR_BYTES_MAX: usize = (HOPS_MAX as usize + 1) * (IP_BYTES_MAX + 2) - 2;

/// Appends the value of X-Forwarded-For: the client, the hops between, the connection's address.
///
/// `client` is what [`resolve`](crate::resolve()) made of `connection` and `headers`. Where the client was
/// found in X-Forwarded-For itself, its values from the client's on are kept: each was an address,
/// and each was written by a listed hop. Where it came from elsewhere, nothing that the request says
/// in X-Forwarded-For was believed, and nothing is kept. Addresses are written in canonical form,
/// without ports.
pub fn write_x_forwarded_for(
    client: &ClientAddr,
    connection: &ClientAddr,
    headers: &HeaderMap,
    out: &mut Vec<u8>,
) {
    match &client.provenance {
        // The one value that was believed is the client, as with a single hop.
        Provenance::Header { name, hop: 1 } if **name == *X_FORWARDED_FOR => {
            push_ip(client.ip, out);
            out.extend_from_slice(b", ");
        }
        Provenance::Header { name, hop } if **name == *X_FORWARDED_FOR => {
            write_believed_values(*hop, headers, out);
        }
        Provenance::Header { .. } if client.ip != connection.ip => {
            push_ip(client.ip, out);
            out.extend_from_slice(b", ");
        }
        _ => {}
    }
    push_ip(connection.ip, out);
}

/// The last `count` values of X-Forwarded-For in their order.
fn write_believed_values(count: u8, headers: &HeaderMap, out: &mut Vec<u8>) {
    let mut values: [Option<Ip>; HOPS_MAX as usize] = [None; HOPS_MAX as usize];
    let nodes = Nodes::x_forwarded_for(headers, &HeaderName::from_static(X_FORWARDED_FOR));
    for (value, node) in values.iter_mut().zip(nodes.take(count.into())) {
        if let Node::Address { ip, .. } = node {
            *value = Some(ip);
        }
    }
    for ip in values.into_iter().rev().flatten() {
        push_ip(ip, out);
        out.extend_from_slice(b", ");
    }
}

/// Appends the value of X-Real-IP: the client.
pub fn write_x_real_ip(client: &ClientAddr, out: &mut Vec<u8>) {
    push_ip(client.ip, out);
}

/// Appends the value of `Forwarded` (RFC 7239): one element for the resolved client, with the host
/// that it asked for and the scheme that it came by.
///
/// IPv6 and the host are quoted, as their colons and brackets need (sections 4 and 6). A host that
/// can't stand in a quoted string is left out.
pub fn write_forwarded(client: &ClientAddr, host: Option<&str>, scheme: Scheme, out: &mut Vec<u8>) {
    if client.ip.is_ipv4() {
        out.extend_from_slice(b"for=");
        push_ip(client.ip, out);
    } else {
        out.extend_from_slice(b"for=\"[");
        push_ip(client.ip, out);
        out.extend_from_slice(b"]\"");
    }
    if let Some(host) = host.filter(|host| is_plain(host)) {
        out.extend_from_slice(b";host=\"");
        out.extend_from_slice(host.as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b";proto=");
    out.extend_from_slice(scheme.as_str().as_bytes());
}

/// Whether `host` means itself between quotes; any valid host does.
fn is_plain(host: &str) -> bool {
    host.bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

/// The headers of `rules` that must not reach the backend with this request.
///
/// A backend may trust a header that Palisade is told to trust, CF-Connecting-IP say. From a client
/// that did not come that way it is the client's own word. So only the one header that told the
/// client stays. X-Forwarded-For, Forwarded and X-Real-IP are among them: remove first, then set.
/// A header that several rules name comes as often.
pub fn unbelieved_headers<'a>(
    client: &'a ClientAddr,
    rules: &'a [HopRule],
) -> impl Iterator<Item = &'a HeaderName> {
    let believed = match &client.provenance {
        Provenance::Header { name, .. } => Some(&**name),
        Provenance::Peer | Provenance::Proxy => None,
    };
    rules
        .iter()
        .map(|rule| rule.header.name())
        .filter(move |name| Some(name.as_str()) != believed)
}
