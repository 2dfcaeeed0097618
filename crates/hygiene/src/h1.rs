//! HTTP/1 heads and chunks, judged as the bytes that were sent (RFC 9112).
//!
//! The declared answer to each malformed request is the table of this module's tests.

mod chunks;
mod glimpse;
mod head;
mod search;

pub use chunks::ChunkCheck;
pub use glimpse::Glimpse;
pub use head::{Head, Upgrade, check_head};
pub use search::HeadSearch;

#[cfg(test)]
mod tests;
