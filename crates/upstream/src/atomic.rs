//! The atomics of this crate, by a name for which `tests/loom.rs` has others.

pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
