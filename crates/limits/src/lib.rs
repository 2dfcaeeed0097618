//! What a client may do only so often.
//!
//! Layer 1, sans-I/O: the time comes in with each call. Tables are bounded, survive reloads, and
//! take a lock for a moment only.

mod lockout;
mod network;

pub use lockout::{Attempt, Locked, LockoutCounts, LockoutKey, LockoutPolicy, Lockouts};
pub use network::Network;
