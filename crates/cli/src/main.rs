//! The palisade binary: arguments, wiring, subcommands.
fn main() {}
