//! Addresses and ranges of addresses.

use std::net::SocketAddr;

use palisade_vocabulary::Cidr;

use super::{ScalarKind, Shape};
use crate::problem::quoted;

/// An IP address or a range in CIDR notation.
pub(crate) struct Range;

impl ScalarKind for Range {
    type Value = Cidr;

    fn parse(&self, text: &str) -> Result<Cidr, String> {
        text.parse()
            .map_err(|error: palisade_vocabulary::AddressError| error.to_string())
    }

    fn shape(&self) -> Shape {
        Shape::Text("an IP address or a range like 10.0.0.0/8")
    }
}

/// An address and a port to listen on.
pub(crate) struct Socket;

impl ScalarKind for Socket {
    type Value = SocketAddr;

    fn parse(&self, text: &str) -> Result<SocketAddr, String> {
        text.parse().map_err(|_| {
            let example = "expected one like 0.0.0.0:8000 or [::]:8000";
            format!("{} is not an address with a port; {example}", quoted(text))
        })
    }

    fn shape(&self) -> Shape {
        Shape::Text("an IP address with a port, like 0.0.0.0:8000 or [::]:8000")
    }
}
