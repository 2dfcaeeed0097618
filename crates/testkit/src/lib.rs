//! Test support: backend, site builder, allocation counter

pub mod mmdb;
