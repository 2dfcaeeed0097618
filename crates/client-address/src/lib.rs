//! PROXY protocol, forwarded headers and trust, resolved to one client address.
//!
//! Layer 1, sans-I/O: bytes and headers come in, addresses and refusals go out.
//!
//! The way of an address:
//! 1. [`proxy_protocol`]: the TCP peer, or the source that a trusted peer's PROXY header names;
//! 2. [`forwarded`]: what the request's headers say about hops before that, value by value;
//! 3. [`mod@resolve`]: whose word counts, and so which address the request counts for;
//! 4. [`outbound`]: what the backend is told.

mod address_text;
pub mod forwarded;
pub mod outbound;
pub mod proxy_protocol;
pub mod resolve;

pub use proxy_protocol::{
    Decoded, Endpoint, ForPeer, ProxyError, ProxyHeader, ProxyMode, ProxyPolicy, ProxyRefusal, Tlvs,
};
pub use resolve::{HopHeader, HopHeaderError, HopRule, HopStep, explain, resolve};
