//! What was measured, for people and for programs.

mod csv;
mod plot;
mod table;
mod tables;

pub use csv::csv;
pub use plot::svg;
pub use tables::markdown;
