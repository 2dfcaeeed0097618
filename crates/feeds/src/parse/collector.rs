//! Gathers the entries of a list within its limits.

use palisade_remote::excerpt;
use palisade_vocabulary::{Cidr, IpFamily};

use super::{BadEntries, BadEntry, Limits, ListError, ParsedList, WIDEST_V4, WIDEST_V6};

/// The longest text that can be an address or range; anything longer is not looked at.
const ENTRY_BYTES_MAX: usize = 64;

/// Gathers the entries of a list.
pub(super) struct Collector {
    limits: Limits,
    ranges: Vec<Cidr>,
    bad: BadEntries,
    entries: u64,
}

impl Collector {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            ranges: Vec::new(),
            bad: BadEntries::default(),
            entries: 0,
        }
    }

    /// An entry: an address or range.
    pub(super) fn entry(&mut self, number: u64, text: &[u8]) -> Result<(), ListError> {
        match self.range(text) {
            Ok(range) => {
                self.entries += 1;
                if self.ranges.len() >= self.limits.entries_max {
                    let max = self.limits.entries_max;
                    return Err(ListError::TooMany { max });
                }
                self.ranges.push(range);
            }
            Err(reason) => self.bad(number, &reason),
        }
        Ok(())
    }

    /// An entry that has no address.
    pub(super) fn bad(&mut self, number: u64, reason: &str) {
        self.entries += 1;
        self.bad.count += 1;
        if self.bad.samples.len() < BadEntries::SAMPLES_MAX {
            let reason = excerpt(reason.as_bytes());
            self.bad.samples.push(BadEntry { number, reason });
        }
    }

    /// Whether `text` is an address or range.
    pub(super) fn is_range(&self, text: &[u8]) -> bool {
        self.range(text).is_ok()
    }

    fn range(&self, text: &[u8]) -> Result<Cidr, String> {
        let text = text.trim_ascii();
        let short = text.len() <= ENTRY_BYTES_MAX;
        let utf8 = std::str::from_utf8(text).ok().filter(|_| short);
        let Some(utf8) = utf8 else {
            let start = text.get(..ENTRY_BYTES_MAX).unwrap_or(text);
            return Err(format!("\"{}\" is not an IP address", excerpt(start)));
        };
        let range: Cidr = utf8.parse().map_err(|error| format!("{error}"))?;
        let widest = match range.network().family() {
            IpFamily::V4 => WIDEST_V4,
            IpFamily::V6 => WIDEST_V6,
        };
        if range.prefix_len() < widest && !self.limits.wide_ranges {
            return Err(format!(
                "{range} is wider than /{widest}; `wide_ranges: true` would believe it"
            ));
        }
        Ok(range)
    }

    /// What was gathered, if it can be a list.
    pub(super) fn finish(mut self) -> Result<ParsedList, ListError> {
        let is_foreign = self.bad.count.saturating_mul(10) > self.entries;
        if let Some(first) = self.bad.samples.first().filter(|_| is_foreign) {
            return Err(ListError::TooManyBad {
                bad: self.bad.count,
                of: self.entries,
                first: first.clone(),
            });
        }
        self.ranges.sort_unstable();
        self.ranges.dedup();
        Ok(ParsedList {
            ranges: self.ranges,
            bad: self.bad,
        })
    }
}
