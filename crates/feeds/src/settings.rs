//! What an operator chose for a list: plain data.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use palisade_decisions::Remedy;
use palisade_remote::BoundedDuration;
use palisade_vocabulary::ByteSize;

use crate::list_url::ListUrl;
use crate::parse::{Format, Limits};

/// How often a server is asked for a list: 1 second to 30 days.
pub type RefreshInterval = BoundedDuration<1_000, 2_592_000_000>;

/// How long an answer may take, from the connection to its last byte: 100 milliseconds to 1 hour.
pub type FetchTimeout = BoundedDuration<100, 3_600_000>;

/// How long an entry holds after the last good answer that named it: 1 second to a year.
pub type HoldTime = BoundedDuration<1_000, 31_536_000_000>;

/// A list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListSettings {
    /// Its name; each purpose has names of its own.
    pub name: ListName,
    /// What it is for.
    pub purpose: Purpose,
    /// Where it comes from.
    pub source: ListSource,
    /// How it is written.
    pub format: Format,
    /// The most that is read of it.
    pub bytes_max: ByteSize,
    /// What it may say.
    pub limits: Limits,
    /// Whether a copy without entries is believed though the last one had some.
    pub may_be_empty: bool,
}

impl ListSettings {
    /// The least and the most that `bytes_max` can be.
    pub const BYTES: (ByteSize, ByteSize) = (ByteSize::kib(1), ByteSize::mib(256));
    /// The least and the most entries that a list may be allowed to have.
    pub const ENTRIES: (usize, usize) = (1, 4_000_000);
}

/// What a list is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Its addresses are decided about.
    Block(BlockSettings),
    /// No block list, and no decision of CrowdSec, is about its addresses.
    Allow,
    /// Access rules and other settings use it by name: only its copy on disk is kept.
    Named,
}

impl Purpose {
    /// The word in metrics, `/status` and names of files.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Block(_) => "block",
            Self::Allow => "allow",
            Self::Named => "access",
        }
    }
}

/// What a block list does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSettings {
    /// What is done with clients on it.
    pub remedy: Remedy,
    /// How long an entry holds after the last good answer that named it; none = as long as the list
    /// has it, while its server is away too.
    pub hold: Option<HoldTime>,
}

/// Where a list comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListSource {
    /// A file of this machine, which is read again when it changes.
    File(PathBuf),
    /// A server.
    Url(UrlSettings),
}

/// A server that has a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlSettings {
    /// Where.
    pub url: ListUrl,
    /// How often it is asked; each time moved by up to a tenth either way.
    pub refresh: RefreshInterval,
    /// How long its answer may take.
    pub timeout: FetchTimeout,
}

impl fmt::Display for ListSource {
    /// Safe to show: what may be a key in a URL is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(settings) => settings.url.fmt(f),
        }
    }
}

/// The name of a list: 1 to 64 letters, digits, `-`, `_` and `.`, not beginning with a dot. It
/// names a file too.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListName(Arc<str>);

impl ListName {
    /// The longest, in bytes.
    pub const LEN_MAX: usize = 64;

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, shared.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl FromStr for ListName {
    type Err = ListNameError;

    fn from_str(text: &str) -> Result<Self, ListNameError> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let fits = (1..=Self::LEN_MAX).contains(&text.len()) && !text.starts_with('.');
        if fits && text.bytes().all(known) {
            return Ok(Self(text.into()));
        }
        let got = text.chars().take(Self::LEN_MAX);
        Err(ListNameError(got.flat_map(char::escape_default).collect()))
    }
}

impl fmt::Display for ListName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is no name of a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no name for a list; expected 1 to 64 letters, digits, `-`, `_` and `.`, not beginning with a dot"
)]
pub struct ListNameError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, valid: bool) {
        assert_eq!(text.parse::<ListName>().is_ok(), valid, "{text:?}");
    }

    #[test]
    fn names_are_names_of_files_too() {
        check("firehol_level1", true);
        check("tor-exit.v2", true);
        check("", false);
        check(".", false);
        check("..", false);
        check("a/b", false);
        check("a b", false);
        check("ä", false);
        check(&"x".repeat(64), true);
        check(&"x".repeat(65), false);
    }
}
