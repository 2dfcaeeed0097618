//! Test support: backend, site builder, allocation counter

pub mod alloc;
pub mod mmdb;
