//! What rules mean, through the crate's own door: rules as text and requests come in, and matches,
//! variables and interruptions come out. Where engines differ, ModSecurity 2 on Apache is right.
//!
//! A test that is named `point_NN_...` proves a point at which engines differ.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test may panic, and tables are long"
)]

mod absent;
mod audit;
mod bodies;
mod countries;
mod evaluation;
mod exclusions;
mod folding;
mod forms;
mod language;
mod memory;
mod persistence;
mod random;
mod refused;
mod request_data;
mod scoring;
mod site;
mod workers;
