//! OWASP CRS, where it is at hand: a folder named by `PALISADE_CRS`; and the rules that Palisade ships.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and tells what it found"
)]

/// Says it where tests that pass are seen too: what is printed by them is not.
macro_rules! say {
    ($($said:tt)*) => {{
        use std::io::Write;
        let line = format!($($said)*) + "\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }};
}

mod blocking;
mod corpus;
mod engines;
mod files;
mod mutation;
mod prefilter;
mod rules;
mod sent;
mod shipped;
mod suite;
