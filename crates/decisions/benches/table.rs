//! What the decision table costs.

fn main() {}
