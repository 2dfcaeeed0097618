//! Where a backend server listens.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use crate::settings::SettingsError;

/// The longest host name (RFC 1035 section 2.3.4), without a final dot.
const HOST_BYTES_MAX: usize = 253;

/// The longest label of a host name (RFC 1035 section 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// Where a backend server listens: an address or a host name, and a port that is not 0.
///
/// An IPv4-mapped IPv6 address is IPv4, and a host name is in lower case: two texts that mean the
/// same server are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerAddress(Target);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Socket(SocketAddr),
    Name { host: Arc<str>, port: u16 },
}

impl ServerAddress {
    /// The server at `address`.
    ///
    /// # Errors
    /// When the port is 0 or the address is the unspecified one (`0.0.0.0`, `::`): a listener can
    /// have these, a server can't.
    pub fn from_socket(address: SocketAddr) -> Result<Self, SettingsError> {
        let ip = address.ip().to_canonical();
        if address.port() == 0 || ip.is_unspecified() {
            return Err(SettingsError::NoPlaceToConnect(address));
        }
        // The scope of a link-local address is kept: without it there is no route.
        let socket = match address {
            SocketAddr::V6(v6) if ip.is_ipv6() => SocketAddr::V6(v6),
            _ => SocketAddr::new(ip, address.port()),
        };
        Ok(Self(Target::Socket(socket)))
    }

    /// The host without its port; an IPv6 address has no brackets here.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.0 {
            Target::Socket(socket) => socket.ip().to_string(),
            Target::Name { host, .. } => host.to_string(),
        }
    }

    /// The port, never 0.
    #[must_use]
    pub fn port(&self) -> u16 {
        match &self.0 {
            Target::Socket(socket) => socket.port(),
            Target::Name { port, .. } => *port,
        }
    }

    /// Whether the host is a name, which is looked up.
    #[must_use]
    pub fn is_name(&self) -> bool {
        matches!(self.0, Target::Name { .. })
    }

    pub(crate) fn target(&self) -> &Target {
        &self.0
    }
}

impl FromStr for ServerAddress {
    type Err = SettingsError;

    /// `ADDRESS:PORT`, `[IPV6]:PORT` or `HOST:PORT`. A host name is letters, digits, `-`, `_` and
    /// dots (RFC 1123 section 2.1; `_` because container names have it).
    fn from_str(text: &str) -> Result<Self, SettingsError> {
        if let Ok(socket) = text.parse::<SocketAddr>() {
            return Self::from_socket(socket);
        }
        let refused = || SettingsError::NotAServerAddress(excerpt(text));
        let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
        let port = parse_port(port).ok_or_else(refused)?;
        let host = host.strip_suffix('.').unwrap_or(host);
        if !is_host_name(host) {
            return Err(refused());
        }
        Ok(Self(Target::Name {
            host: host.to_ascii_lowercase().into(),
            port,
        }))
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Target::Socket(socket) => socket.fmt(f),
            Target::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// Digits only: `parse` alone would take a sign.
fn parse_port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&port| digits && port != 0)
}

fn is_host_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A name whose last label is a number would be a mistyped address (RFC 1123 section 2.1).
    let last_is_number = host
        .rsplit('.')
        .next()
        .is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    host.len() <= HOST_BYTES_MAX
        && host.split('.').all(is_label)
        && !last_is_number
        && host.parse::<IpAddr>().is_err()
}

/// At most 64 characters of what was got, safe to print.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars()
        .take(64)
        .flat_map(char::escape_default)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(input: &str, expected: &str) {
        let got = match input.parse::<ServerAddress>() {
            Ok(address) => address.to_string(),
            Err(SettingsError::NotAServerAddress(_)) => "not an address".to_owned(),
            Err(SettingsError::NoPlaceToConnect(_)) => "nowhere".to_owned(),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(got, expected, "{input}");
    }

    #[test]
    fn addresses_are_canonical() {
        check("127.0.0.1:9000", "127.0.0.1:9000");
        check("[2001:DB8::1]:80", "[2001:db8::1]:80");
        check("[::ffff:192.0.2.1]:80", "192.0.2.1:80");
        check("App.Internal:9000", "app.internal:9000");
        check("app.internal.:9000", "app.internal:9000");
        check("my_service-1:80", "my_service-1:80");
    }

    #[test]
    fn what_is_no_server_is_refused() {
        check("127.0.0.1:0", "nowhere");
        check("0.0.0.0:80", "nowhere");
        check("[::]:80", "nowhere");
        check("[::ffff:0.0.0.0]:80", "nowhere");
        check("127.0.0.1", "not an address");
        check("app", "not an address");
        check("app:", "not an address");
        check("app:0", "not an address");
        check("app:+80", "not an address");
        check("app:65536", "not an address");
        check(":80", "not an address");
        check("-app:80", "not an address");
        check("app-:80", "not an address");
        check("a..b:80", "not an address");
        check("256.1.1.1:80", "not an address");
        check("::1:80", "not an address");
        check("http://app:80", "not an address");
        check("app/x:80", "not an address");
        check(&format!("{}:80", "a".repeat(64)), "not an address");
        check(&format!("{}:80", ["abc"; 64].join(".")), "not an address");
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_round_trips(text in "[a-z0-9.:_\\[\\]-]{0,40}|.{0,40}") {
            if let Ok(address) = text.parse::<ServerAddress>() {
                prop_assert_ne!(address.port(), 0);
                prop_assert_eq!(address.to_string().parse::<ServerAddress>().unwrap(), address);
            }
        }
    }
}
