//! Lists of addresses from files and servers: block lists, allow lists, lists for access rules.
//!
//! Layer 4. Parses a list (`parse`, which does no I/O), fetches it again and again, keeps the last
//! good copy on disk, and makes the decision table what the list says. Knows nothing of requests.
//!
//! A copy that can't be used changes nothing: the last good one stays in force, on disk and in the
//! table, until a better one comes.

mod copy;
mod event;
mod fetch;
mod fetch_error;
mod list_url;
mod lists;
pub mod parse;
mod settings;
mod status;
mod target;
mod task;

#[cfg(test)]
mod tests;

pub use copy::{CopyError, CopyFile, SavedCopy};
pub use event::{ListEvent, Severity};
pub use fetch_error::FetchError;
pub use list_url::{ListUrl, ListUrlError};
pub use lists::{Lists, ListsChange};
pub use palisade_remote::ClientError;
pub use settings::{
    BlockSettings, FetchTimeout, HoldTime, ListName, ListNameError, ListSettings, ListSource,
    Purpose, RefreshInterval, UrlSettings,
};
pub use status::{LastFailure, ListStatus};
