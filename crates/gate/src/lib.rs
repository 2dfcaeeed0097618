//! The checks of a request, the snapshot that they read and the state that they touch.
//!
//! Layer 2, sans-I/O: bytes and ticks come in, a [`Verdict`] goes out. What order the checks have
//! is not known here: the proxy lists them, and `explain` walks the same list.

mod decided;
mod exchange;
mod rules;
pub mod settings;
mod sites;
mod snapshot;
mod state;
mod usage;
mod verdict;

pub use decided::Decided;
pub use exchange::{Exchange, Scratch};
pub use rules::Rules;
pub use sites::{Site, Sites};
pub use snapshot::Snapshot;
pub use state::{FeedHealth, State};
pub use usage::{DroppedBy, OwnOrigin, Usage};
pub use verdict::{Cause, Record, RecordKind, Refusal, Verdict};
