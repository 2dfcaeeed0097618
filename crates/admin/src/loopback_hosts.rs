//! Which Host a request to the loopback door may have.

use std::net::IpAddr;

use http::header::HOST;
use http::{HeaderMap, Uri};
use palisade_hygiene::Host;

/// The names by which the loopback door may be asked.
///
/// A web page in a browser on this machine can send requests to 127.0.0.1 and read the answers, if
/// its own name was made to point there after it was loaded (DNS rebinding). What it can't do is
/// send another Host than its own name.
#[derive(Clone, Debug)]
pub(crate) struct LoopbackHosts {
    /// In the canonical form of [`Host::name`].
    configured: Vec<Box<str>>,
}

/// Why a request was not meant for this door.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HostRefusal {
    #[error("the request needs one Host; expected a name like localhost or 127.0.0.1")]
    NotOne,
    #[error(
        "this is not \"{0}\"; ask for localhost or 127.0.0.1, or add the name to `admin: {{ hosts: }}`"
    )]
    Foreign(String),
}

impl LoopbackHosts {
    pub(crate) fn new(configured: &[Box<str>]) -> Self {
        Self {
            configured: configured.to_vec(),
        }
    }

    /// Whether a request with this target and these fields may be answered.
    pub(crate) fn check(&self, target: &Uri, headers: &HeaderMap) -> Result<(), HostRefusal> {
        let mut values = headers.get_all(HOST).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(HostRefusal::NotOne);
        };
        self.check_name(value.as_bytes())?;
        // An absolute target wins over Host (RFC 9112 section 3.2.2).
        match target.authority() {
            Some(authority) => self.check_name(authority.as_str().as_bytes()),
            None => Ok(()),
        }
    }

    fn check_name(&self, sent: &[u8]) -> Result<(), HostRefusal> {
        let is_known = Host::parse(sent).is_ok_and(|host| self.knows(host.name()));
        if is_known {
            return Ok(());
        }
        let sent = String::from_utf8_lossy(sent);
        let sent = sent.chars().take(100).flat_map(char::escape_default);
        Err(HostRefusal::Foreign(sent.collect()))
    }

    fn knows(&self, name: &str) -> bool {
        let unbracketed = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let address: Option<IpAddr> = unbracketed.unwrap_or(name).parse().ok();
        match address {
            Some(address) if address.to_canonical().is_loopback() => true,
            _ => name == "localhost" || self.configured.iter().any(|known| **known == *name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[track_caller]
    fn check(target: &str, hosts: &[&str], expected: bool) {
        let known = LoopbackHosts::new(&["admin.example.com".into(), "[2001:db8::1]".into()]);
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap());
        }
        let got = known.check(&target.parse().unwrap(), &headers);
        assert_eq!(got.is_ok(), expected, "{target} {hosts:?}: {got:?}");
    }

    #[test]
    fn loopback_and_configured_names_are_known() {
        for host in [
            "localhost",
            "LOCALHOST:9901",
            "localhost.",
            "127.0.0.1",
            "127.0.0.1:9901",
            "127.8.9.10",
            "[::1]",
            "[0:0::1]:9901",
            "[::ffff:127.0.0.1]",
            "admin.example.com",
            "Admin.Example.com:9901",
            "[2001:DB8::1]:80",
        ] {
            check("/status", &[host], true);
        }
    }

    #[test]
    fn any_other_name_is_not() {
        for host in [
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "127.1",
            "0.0.0.0",
            "[::]",
            "[2001:db8::2]",
            "localhost:",
            "localhost@evil.example",
            "",
            "loc\u{e4}lhost",
        ] {
            check("/status", &[host], false);
        }
    }

    #[test]
    fn there_is_one_host_and_the_target_agrees() {
        check("/status", &[], false);
        check("/status", &["localhost", "localhost"], false);
        check("http://evil.example/status", &["localhost"], false);
        check("http://localhost:9901/status", &["localhost"], true);
        check("http://localhost/status", &["evil.example"], false);
    }

    #[test]
    fn a_refusal_says_how_to_be_let_in() {
        let refusal = LoopbackHosts::new(&[]).check_name(b"evil\x1b.example");
        assert_eq!(
            refusal.unwrap_err().to_string(),
            "this is not \"evil\\u{1b}.example\"; ask for localhost or 127.0.0.1, or add the name to `admin: { hosts: }`"
        );
    }
}
