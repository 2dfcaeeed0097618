//! MaxMind database bytes to country and autonomous system.
//!
//! Layer 1, sans-I/O: bytes come in, a [`GeoDatabase`] that can answer goes out, or a [`GeoError`]
//! that says what is wrong with them. A file is hostile until it is loaded: whatever it holds,
//! loading ends in time linear in its size, and no look-up panics, decodes or allocates.
//!
//! The format is <https://maxmind.github.io/MaxMind-DB/>, version 2.

mod database;
mod error;
mod fact;
mod record;
mod tree;

pub use database::{GeoDatabase, GeoDatabases, UnusableDatabases};
pub use error::GeoError;
pub use fact::Fact;
