//! The PROXY protocol, versions 1 and 2, to haproxy's `doc/proxy-protocol.txt`.
//!
//! "Section n" in this module is a section of that document. [`decode`] reads what a proxy in front
//! of us sends, the `encode_*` functions write what our backends get, and [`ProxyPolicy`] says
//! whose header counts.

mod encode;
mod error;
mod header;
mod policy;
mod tlv;
mod v1;
mod v2;

#[cfg(test)]
mod tests;

pub use encode::{encode_v1, encode_v2, encode_v2_local};
pub use error::{ProxyError, ProxyRefusal};
pub use header::{Endpoint, ProxyHeader};
pub use policy::{ForPeer, ProxyMode, ProxyPolicy};
pub use tlv::{Ssl, TLVS_MAX, Tlv, Tlvs, UNIQUE_ID_BYTES_MAX};
pub use v1::V1_BYTES_MAX;
pub use v2::{V2_PAYLOAD_BYTES_MAX, V2_PREFIX_BYTES};

/// The most bytes that a header can have; a buffer of this size is always enough for [`decode`].
pub const HEADER_BYTES_MAX: usize = V2_PREFIX_BYTES + V2_PAYLOAD_BYTES_MAX;

/// What the first bytes of a connection are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// So far this could be a header.
    NeedMore {
        /// The whole buffer must be at least this long before [`decode`] can say more. Always more
        /// than it is now, and never more than the header has: a reader that fills its buffer up to
        /// here and no further never takes a byte that follows the header.
        at_least: usize,
    },
    /// This is no PROXY header, and no further byte can make it one.
    NotProxy,
    /// A whole and valid header.
    Header {
        /// What it says.
        header: ProxyHeader,
        /// How many bytes it took. What follows belongs to the protocol inside.
        len: usize,
    },
}

/// Reads a PROXY header of either version at the start of `buf`.
///
/// Keeps no state: call it again with the same bytes and more after [`Decoded::NeedMore`]. How the
/// bytes were split on the way makes no difference to the answer. No byte behind the header is
/// looked at.
///
/// # Errors
/// When the bytes start as a header does but break its rules. The connection must be closed
/// (section 2.1: "any sequence which does not exactly match the protocol must be discarded and cause
/// the receiver to abort the connection").
pub fn decode(buf: &[u8]) -> Result<Decoded, ProxyError> {
    // Section 2.2, "Identifying the protocol version is easy".
    if buf.starts_with(v2::SIGNATURE) {
        v2::decode(buf)
    } else if buf.starts_with(v1::SIGNATURE) {
        v1::decode(buf)
    } else if v1::SIGNATURE.starts_with(buf) {
        Ok(Decoded::NeedMore {
            at_least: v1::BYTES_MIN,
        })
    } else if v2::SIGNATURE.starts_with(buf) {
        Ok(Decoded::NeedMore {
            at_least: V2_PREFIX_BYTES,
        })
    } else {
        Ok(Decoded::NotProxy)
    }
}
