//! OWASP CRS, where it is at hand: a folder named by `PALISADE_CRS`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test may panic, and tells what it found"
)]

mod blocking;
mod corpus;
mod engines;
mod files;
mod mutation;
mod prefilter;
mod rules;
mod sent;
mod suite;
