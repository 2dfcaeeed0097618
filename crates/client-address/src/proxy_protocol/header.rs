//! What a PROXY header says.

use std::net::SocketAddr;

use palisade_vocabulary::{ClientAddr, Ip, Provenance};

use super::Tlvs;

/// One end of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The address.
    pub ip: Ip,
    /// The TCP port; 0 where it is not known.
    pub port: u16,
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self {
            ip: address.into(),
            port: address.port(),
        }
    }
}

impl From<&ClientAddr> for Endpoint {
    fn from(client: &ClientAddr) -> Self {
        Self {
            ip: client.ip,
            port: client.port.unwrap_or(0),
        }
    }
}

/// What a PROXY header says about the connection that it precedes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// Nothing about another connection: the TCP peer stays the client.
    ///
    /// Version 2 LOCAL (a proxy's own health check), version 2 PROXY with an unspecified family or
    /// transport, and version 1 UNKNOWN.
    Local,
    /// The connection was made on behalf of a TCP client.
    Proxied {
        /// The client's end.
        source: Endpoint,
        /// The end that the client connected to.
        destination: Endpoint,
        /// What else version 2 tells; empty for version 1.
        tlvs: Tlvs,
    },
    /// The connection was made on behalf of a client on a UNIX socket, which has no IP address: the
    /// TCP peer stays the client.
    Unix {
        /// What else the header tells.
        tlvs: Tlvs,
    },
}

impl ProxyHeader {
    /// The client of a connection from `peer` that started with this header.
    ///
    /// Ask only when [`ProxyPolicy::may_send`](super::ProxyPolicy::may_send) holds for `peer`.
    #[must_use]
    pub fn client(&self, peer: ClientAddr) -> ClientAddr {
        match self {
            Self::Local | Self::Unix { .. } => peer,
            Self::Proxied { source, .. } => ClientAddr {
                ip: source.ip,
                port: Some(source.port),
                provenance: Provenance::Proxy,
            },
        }
    }

    /// The type-length-values of the header, if it can carry any.
    #[must_use]
    pub fn tlvs(&self) -> Option<&Tlvs> {
        match self {
            Self::Local => None,
            Self::Proxied { tlvs, .. } | Self::Unix { tlvs } => Some(tlvs),
        }
    }
}
