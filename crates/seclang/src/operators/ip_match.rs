//! `ipMatch`, `ipMatchFromFile` and `ipMatchF`.

use std::net::IpAddr;

use palisade_vocabulary::{Cidr, CidrSet, Ip};

use super::error::{Found, Problem, excerpt};
use super::files::files;
use crate::Sources;

/// Addresses and ranges. Canonical: an IPv4-mapped IPv6 address is the IPv4 address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressSet(CidrSet);

impl AddressSet {
    /// Addresses and ranges separated by commas, white space around them ignored.
    pub(super) fn parse(argument: &[u8]) -> Result<Self, Found> {
        let (mut ranges, mut offset) = (Vec::new(), 0);
        for part in argument.split(|byte| *byte == b',') {
            let begin = offset + part.len() - part.trim_ascii_start().len();
            ranges.push(range(part.trim_ascii()).map_err(|problem| (begin, problem))?);
            offset += part.len() + 1;
        }
        Ok(Self(ranges.into_iter().collect()))
    }

    /// One a line; lines that are empty or begin with `#` are none.
    pub(super) fn from_files(argument: &[u8], sources: &dyn Sources) -> Result<Self, Found> {
        let mut ranges = Vec::new();
        for file in files(argument, sources)? {
            for line in file.lines() {
                let range = range(line.text).map_err(|problem| {
                    let problem = Problem::InFile {
                        file: file.name.clone(),
                        line: line.number,
                        problem: Box::new(problem),
                    };
                    (file.offset, problem)
                })?;
                ranges.push(range);
            }
        }
        Ok(Self(ranges.into_iter().collect()))
    }

    /// Whether `value` is an address that is in it.
    pub(super) fn holds(&self, value: &[u8]) -> bool {
        // The standard library's, since its error takes no memory.
        let address = std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.parse::<IpAddr>().ok());
        address.is_some_and(|address| self.0.contains(Ip::new(address)))
    }
}

fn range(text: &[u8]) -> Result<Cidr, Problem> {
    let parsed = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| Problem::Address { got: excerpt(text) })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, parse_error};

    #[test]
    fn addresses_and_ranges() {
        check("ipMatch", b"127.0.0.1,::1", b"::1", true);
        check(
            "ipMatch",
            b" 192.0.2.0/24 , 2001:db8::/32",
            b"192.0.2.77",
            true,
        );
        check("ipMatch", b"192.0.2.1/24", b"192.0.2.77", true);
        check("ipMatch", b"192.0.2.0/24", b"::ffff:192.0.2.77", true);
        check("ipMatch", b"192.0.2.0/24", b"192.0.3.77", false);
        check("ipMatch", b"0.0.0.0/0", b"192.0.2.1x", false);
        check("ipMatch", b"0.0.0.0/0,::/0", b"\xff", false);
        check("ipMatchFromFile", b"addresses.data", b"198.51.100.7", true);
        check("ipMatchF", b"addresses.data", b"203.0.113.7", false);
    }

    #[test]
    fn errors_say_where() {
        assert_eq!(
            parse_error("ipMatch", b"192.0.2.1, 192.0.2.0/33"),
            "@ipMatch: `192.0.2.0/33` is no address; expected one as 192.0.2.1, 2001:db8::1, 192.0.2.0/24 or \
            2001:db8::/32 (at byte 11 of the argument)"
        );
        assert!(parse_error("ipMatch", b"").starts_with("@ipMatch: `` is no address"));
        assert!(parse_error("ipMatch", b"10.0.0.1,").ends_with("(at byte 9 of the argument)"));
        assert!(
            parse_error("ipMatchFromFile", b"phrases.data")
                .starts_with("@ipMatchFromFile: phrases.data, line 2: `a b` is no address")
        );
    }
}
