//! The listed addresses in the forms that servers read.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

/// Text that is made of the listed addresses.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// The placeholder that stands for it.
    pub name: &'static str,
    /// What a range becomes: `{{address}}` is its first address, `{{number}}` the same as a number, `{{length}}` that
    /// of its prefix.
    pub line: &'static str,
    /// What is between two. Equal lines come once.
    pub between: &'static str,
}

/// A range; an address is one of length 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    first: Ipv4Addr,
    length: u8,
}

/// Reads a file with an address or a range a line.
pub(super) fn read(path: &Path) -> io::Result<Vec<Range>> {
    let lines = fs::read_to_string(path)?;
    (lines.lines().map(str::trim))
        .filter(|line| !line.is_empty())
        .map(|line| {
            let expected = || {
                format!(
                    "{}: {line}: expected an IPv4 address or range",
                    path.display()
                )
            };
            Range::parse(line).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, expected()))
        })
        .collect()
}

impl Range {
    fn parse(line: &str) -> Option<Self> {
        let (address, length) = line.split_once('/').unwrap_or((line, "32"));
        let length: u8 = length.parse().ok().filter(|length| *length <= 32)?;
        let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
        let address: Ipv4Addr = address.parse().ok()?;
        Some(Self {
            first: Ipv4Addr::from_bits(address.to_bits() & mask),
            length,
        })
    }
}

impl List {
    pub(super) fn of(&self, ranges: &[Range]) -> String {
        let mut seen = HashSet::new();
        let lines = ranges.iter().filter_map(|range| {
            let line = (self.line)
                .replace("{{address}}", &range.first.to_string())
                .replace("{{number}}", &range.first.to_bits().to_string())
                .replace("{{length}}", &range.length.to_string());
            seen.insert(line.clone()).then_some(line)
        });
        lines.collect::<Vec<_>>().join(self.between)
    }
}
