//! The settings file: YAML to validated settings, all errors at once.

mod closest;
mod document;
mod environment;
pub mod files;
mod problem;
mod reader;
mod source;

pub use environment::EnvironmentError;
pub use problem::{Location, Problem, Problems, Severity};
pub use source::{Source, SourceHash, Sources};
