//! The host of a request: the value of Host, `:authority`, or the authority of an absolute target.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::net::Ipv6Addr;

use crate::{Refusal, RefusalReason};

/// The longest host with its port, in bytes. A DNS name has at most 253 (RFC 1035 section 3.1).
pub const LEN_MAX: usize = 255;

/// A host that is a name or address, and its port.
///
/// Narrower than RFC 3986 section 3.2.2: a name is labels of letters, digits, `-` and `_`, so
/// neither percent-escapes nor user information nor sub-delimiters can hide a second reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host<'a> {
    name: Cow<'a, str>,
    port: Option<u16>,
    as_sent: &'a str,
}

impl<'a> Host<'a> {
    /// Reads `name`, `name:port`, `192.0.2.1`, `[2001:db8::1]`, `[2001:db8::1]:port`.
    ///
    /// A port is 1 to 5 digits up to 65535; an empty one (`name:`), which RFC 3986 section 3.2.3
    /// permits, is refused: no client sends it and servers disagree about it. A single trailing
    /// dot is taken off. Hot path: runs per request, allocates only where the name has capital
    /// letters or an IPv6 address is not in the form of RFC 5952.
    ///
    /// # Errors
    /// [`RefusalReason::HostEmpty`] and [`RefusalReason::HostInvalid`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        if bytes.is_empty() {
            return Err(RefusalReason::HostEmpty.into());
        }
        Self::read(bytes).ok_or_else(|| RefusalReason::HostInvalid.into())
    }

    fn read(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > LEN_MAX {
            return None;
        }
        let as_sent = std::str::from_utf8(bytes).ok()?;
        let (name, port) = match as_sent.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                (
                    canonical_ipv6(as_sent.get(..address.len() + 2)?, address)?,
                    port,
                )
            }
            None => {
                let name_len = as_sent.find(':').unwrap_or(as_sent.len());
                let (name, port) = as_sent.split_at_checked(name_len)?;
                (canonical_name(name)?, port)
            }
        };
        let port = match port {
            "" => None,
            _ => Some(parse_port(port.strip_prefix(':')?)?),
        };
        Some(Self {
            name,
            port,
            as_sent,
        })
    }

    /// The canonical name: lower case, no port, no trailing dot; brackets around IPv6.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port, where one was sent.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The host and port as the client sent them.
    #[must_use]
    pub fn as_sent(&self) -> &'a str {
        self.as_sent
    }

    /// Whether both name the same host and port, where no port means `default_port`
    /// (RFC 9110 section 4.2.3).
    #[must_use]
    pub fn is_same_as(&self, other: &Host<'_>, default_port: u16) -> bool {
        self.name == other.name
            && self.port.unwrap_or(default_port) == other.port.unwrap_or(default_port)
    }
}

fn parse_port(digits: &str) -> Option<u16> {
    if digits.is_empty() || digits.len() > 5 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// A reg-name of labels, or an IPv4 address, which is one too as far as bytes go.
fn canonical_name(sent: &str) -> Option<Cow<'_, str>> {
    let name = sent.strip_suffix('.').unwrap_or(sent);
    let (mut label_is_empty, mut has_capital) = (true, false);
    for byte in name.bytes() {
        match byte {
            b'.' if label_is_empty => return None,
            b'.' => label_is_empty = true,
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => label_is_empty = false,
            b'A'..=b'Z' => (label_is_empty, has_capital) = (false, true),
            _ => return None,
        }
    }
    if label_is_empty {
        return None;
    }
    Some(match has_capital {
        true => Cow::Owned(name.to_ascii_lowercase()),
        false => Cow::Borrowed(name),
    })
}

/// An IPv6 address in the one form of RFC 5952; zone identifiers are refused with all else that
/// is no address.
fn canonical_ipv6<'a>(bracketed: &'a str, address: &str) -> Option<Cow<'a, str>> {
    let parsed: Ipv6Addr = address.parse().ok()?;
    let mut unmatched = Unmatched(address);
    let is_canonical = write!(unmatched, "{parsed}").is_ok() && unmatched.0.is_empty();
    Some(match is_canonical {
        true => Cow::Borrowed(bracketed),
        false => Cow::Owned(format!("[{parsed}]")),
    })
}

/// Compares text with what is formatted, without a buffer.
struct Unmatched<'a>(&'a str);

impl fmt::Write for Unmatched<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(text).ok_or(fmt::Error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(input: &str, expected: Option<(&str, Option<u16>)>) {
        let got = Host::parse(input.as_bytes()).ok();
        let got = got.as_ref().map(|host| (host.name(), host.port()));
        assert_eq!(got, expected, "{input:?}");
    }

    #[test]
    fn names_and_addresses_are_canonical() {
        check("example.com", Some(("example.com", None)));
        check("EXAMPLE.com.", Some(("example.com", None)));
        check("example.com.:8080", Some(("example.com", Some(8080))));
        check("a_b-c.example", Some(("a_b-c.example", None)));
        check("localhost:0", Some(("localhost", Some(0))));
        check("localhost:65535", Some(("localhost", Some(65535))));
        check("192.0.2.1:80", Some(("192.0.2.1", Some(80))));
        check("[::1]", Some(("[::1]", None)));
        check("[2001:DB8:0:0::1]:443", Some(("[2001:db8::1]", Some(443))));
        check("[::ffff:192.0.2.1]", Some(("[::ffff:192.0.2.1]", None)));
    }

    #[test]
    fn all_else_is_refused() {
        for bad in [
            "",
            " ",
            ".",
            "..",
            "a..b",
            ".a",
            "a..",
            ":80",
            "a:",
            "a:65536",
            "a:+1",
            "a:x",
            "a:000080",
            "a:80:80",
            "user@a",
            "a/b",
            "a b",
            "a\tb",
            "a%41",
            "a,b",
            "a;b",
            "ä",
            "[::1",
            "::1",
            "[::1]x",
            "[::1]:",
            "[::1%25eth0]",
            "[v1.x]",
            "[192.0.2.1]",
            "[]",
            "a]",
            "a\0",
            "*.example.com",
            "http://a",
        ] {
            check(bad, None);
        }
        check(&"a".repeat(255), Some((&"a".repeat(255), None)));
        check(&"a".repeat(256), None);
    }

    #[test]
    fn the_usual_host_is_borrowed() {
        for usual in ["example.com:443", "example.com.", "[2001:db8::1]:443"] {
            let host = Host::parse(usual.as_bytes()).unwrap();
            assert!(matches!(host.name, Cow::Borrowed(_)), "{usual}");
        }
    }

    #[test]
    fn a_missing_port_is_the_default_one() {
        let same = |a: &str, b: &str| {
            let (a, b) = (
                Host::parse(a.as_bytes()).unwrap(),
                Host::parse(b.as_bytes()).unwrap(),
            );
            a.is_same_as(&b, 80)
        };
        assert!(same("a:80", "A"));
        assert!(same("a.", "a"));
        assert!(!same("a:8080", "a"));
        assert!(!same("a", "b"));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Host::parse(&bytes);
        }

        #[test]
        fn a_canonical_name_is_its_own_canonical_name(text in "[A-Za-z0-9._:\\[\\]-]{0,20}") {
            if let Ok(host) = Host::parse(text.as_bytes()) {
                let again = Host::parse(host.name().as_bytes()).unwrap();
                prop_assert_eq!(again.name(), host.name());
                prop_assert_eq!(again.port(), None);
            }
        }

        #[test]
        fn every_ipv6_address_is_itself(bits: u128) {
            let text = format!("[{}]", Ipv6Addr::from(bits));
            let host = Host::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(host.name(), text.as_str());
            prop_assert!(matches!(host.name, Cow::Borrowed(_)));
        }
    }
}
