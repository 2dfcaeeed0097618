//! Test support: crowds of clients, what the kernel knows of a process, allocations, geo databases, and what
//! benchmarks of more than one crate have in common.

pub mod alloc;
pub mod crowd;
pub mod mmdb;
pub mod orders;
pub mod process;
pub mod rule_language;
pub mod values;
