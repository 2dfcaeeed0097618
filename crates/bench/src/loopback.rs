//! Addresses that load may be sent to.

use std::net::{AddrParseError, SocketAddr};
use std::str::FromStr;

/// An address with a port on this machine's loopback: the only ones that the harness sends anything to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loopback(SocketAddr);

/// Why an address may not be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoopbackError {
    /// It isn't one.
    #[error("{given:?} is no address with a port, like 127.0.0.1:8000: {error}")]
    NotAnAddress {
        /// What was given.
        given: String,
        /// What is wrong with it.
        error: AddrParseError,
    },
    /// It may be somebody else's.
    #[error("{0} isn't on loopback: load is sent to 127.0.0.0/8 and [::1] alone")]
    NotLoopback(SocketAddr),
}

impl Loopback {
    /// The address.
    #[must_use]
    pub fn address(self) -> SocketAddr {
        self.0
    }
}

impl FromStr for Loopback {
    type Err = LoopbackError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address: SocketAddr = text.parse().map_err(|error| LoopbackError::NotAnAddress {
            given: text.to_owned(),
            error,
        })?;
        match address.ip().to_canonical().is_loopback() {
            true => Ok(Self(address)),
            false => Err(LoopbackError::NotLoopback(address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, is_loopback: bool) {
        assert_eq!(text.parse::<Loopback>().is_ok(), is_loopback, "{text}");
    }

    #[test]
    fn nothing_but_loopback_is_loaded() {
        check("127.0.0.1:8000", true);
        check("127.9.9.9:8000", true);
        check("[::1]:8000", true);
        check("[::ffff:127.0.0.1]:8000", true);
        check("0.0.0.0:8000", false);
        check("10.0.0.1:8000", false);
        check("203.0.113.7:80", false);
        check("[::]:80", false);
        check("[::ffff:203.0.113.7]:80", false);
        check("127.0.0.1", false);
        check("localhost:8000", false);
        check("", false);
    }
}
