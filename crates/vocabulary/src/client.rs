//! The client of a request, and how we know.

use std::fmt;
use std::sync::Arc;

use crate::Ip;

/// The address that a request counts for, with what told us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAddr {
    /// The address.
    pub ip: Ip,
    /// The client's port, where its source tells it (TCP and PROXY always, headers seldom).
    pub port: Option<u16>,
    /// What told us.
    pub provenance: Provenance,
}

/// What told us a client's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// The other end of the TCP connection.
    Peer,
    /// The source of a PROXY protocol header, sent by a peer that may.
    Proxy,
    /// A forwarded header.
    Header {
        /// The header's name, lower case.
        name: Arc<str>,
        /// Which value it was, counted from the right: 1 is what the nearest hop wrote.
        hop: u8,
    },
}

impl fmt::Display for Provenance {
    /// `peer`, `proxy` or `header x-forwarded-for hop 2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer => f.write_str("peer"),
            Self::Proxy => f.write_str("proxy"),
            Self::Header { name, hop } => write!(f, "header {name} hop {hop}"),
        }
    }
}

impl ClientAddr {
    /// The other end of a TCP connection.
    #[must_use]
    pub fn peer(ip: Ip, port: u16) -> Self {
        Self {
            ip,
            port: Some(port),
            provenance: Provenance::Peer,
        }
    }
}
