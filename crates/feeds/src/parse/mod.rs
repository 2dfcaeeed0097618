//! The text of a list to ranges of addresses. Does no I/O.
//!
//! An entry that can't be read is left out, counted and told. A list of which more than a tenth
//! can't be read is not the list that was asked for (a page that says what is wrong, in HTML and
//! with status 200), and is refused whole.

mod collector;
mod csv;
mod ipset;
mod json;
mod text;

#[cfg(test)]
mod tests;

use palisade_vocabulary::Cidr;

use collector::Collector;

/// How a list is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// An address or range a line (a `netset` is that too). Whole lines that begin with `#`, `;` or
    /// `//` are comments, and so is what follows the address behind a space, `#` or `;`.
    Text,
    /// What `ipset save` prints: the addresses of `add NAME ADDRESS`.
    Ipset,
    /// Comma-separated values (RFC 4180), one record a line.
    Csv(CsvFormat),
    /// A JSON array: of texts, or of objects that have the address under `key`.
    Json {
        /// The key of objects.
        key: Option<Box<str>>,
    },
    /// A JSON text or object a line, likewise.
    JsonLines {
        /// The key of objects.
        key: Option<Box<str>>,
    },
}

/// Where the address is in comma-separated values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvFormat {
    /// Which column.
    pub column: Column,
    /// What separates columns: an ASCII character.
    pub separator: u8,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// By number, from 1. The first line may be one of names.
    Number(u16),
    /// By its name in the first line.
    Name(Box<str>),
}

/// What a list may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most entries.
    pub entries_max: usize,
    /// Whether a range may be wider than [`WIDEST_V4`] and [`WIDEST_V6`].
    pub wide_ranges: bool,
}

/// The shortest prefix of an IPv4 range unless the settings allow all: what a registry got at most.
/// `0.0.0.0/0` in a list is somebody's mistake, and would be everybody's.
pub const WIDEST_V4: u8 = 8;
/// The same of an IPv6 range.
pub const WIDEST_V6: u8 = 16;

/// What a list says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedList {
    /// Its addresses and ranges, sorted, each once.
    pub ranges: Vec<Cidr>,
    /// What was left out.
    pub bad: BadEntries,
}

/// Entries that were left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BadEntries {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub samples: Vec<BadEntry>,
}

impl BadEntries {
    /// The most that are kept as samples.
    pub const SAMPLES_MAX: usize = 5;
}

/// An entry that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEntry {
    /// Its line, or its place in a JSON array; from 1.
    pub number: u64,
    /// What is wrong with it, safe to print.
    pub reason: String,
}

impl std::fmt::Display for BadEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "entry {}: {}", self.number, self.reason)
    }
}

/// Why a list is not used at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// More entries than the settings allow.
    #[error("it has more than {max} entries; `entries_max` says how many it may have")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// More than a tenth can't be read.
    #[error(
        "{bad} of its {of} entries can't be read, so it is not the list that was asked for; {first}"
    )]
    TooManyBad {
        /// How many can't be read.
        bad: u64,
        /// How many there are.
        of: u64,
        /// The first of them.
        first: BadEntry,
    },
    /// No column of that name.
    #[error("its first line names no column {name}")]
    NoColumn {
        /// The name, safe to print.
        name: String,
    },
    /// No JSON array.
    #[error("it is no JSON array: line {line}, column {column}: {reason}")]
    Json {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What was expected.
        reason: String,
    },
    /// No entry, where the last good copy had some.
    #[error(
        "it has no entries, and the last good copy had {last}; `may_be_empty: true` would believe it"
    )]
    Empty {
        /// How many that had.
        last: usize,
    },
}

/// Reads a list.
///
/// # Errors
/// When it can't be what was asked for.
pub fn parse(format: &Format, bytes: &[u8], limits: Limits) -> Result<ParsedList, ListError> {
    let mut list = Collector::new(limits);
    match format {
        Format::Text => text::parse(bytes, &mut list),
        Format::Ipset => ipset::parse(bytes, &mut list),
        Format::Csv(format) => csv::parse(format, bytes, &mut list),
        Format::Json { key } => json::parse_array(key.as_deref(), bytes, &mut list),
        Format::JsonLines { key } => json::parse_lines(key.as_deref(), bytes, &mut list),
    }?;
    list.finish()
}

/// The lines of a text with their numbers, without surrounding white space and byte order mark;
/// empty ones are left out.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines = (1..).zip(bytes.split(|byte| *byte == b'\n'));
    let trimmed = lines.map(|(number, line)| (number, line.trim_ascii()));
    trimmed.filter(|(_, line)| !line.is_empty())
}
