//! The settings file: YAML to validated settings, all errors at once.
//!
//! Layer 6. Knows the file format, and lowers it into the settings types that the other crates own;
//! `palisade_yaml` reads the text. Builds no matcher that outlives the checking.
//!
//! The way of a file: `palisade_yaml` parses bytes to a tree whose values know their places, `load`
//! joins what is included, `reader` has the kinds of values, `sections` says which keys there
//! are and what is made of them. Everything wrong ends up in [`Problems`].

mod closest;
mod environment;
pub mod files;
mod load;
mod problem;
mod reader;
mod reference;
mod sections;
mod settings;
mod source;

pub use environment::EnvironmentError;
pub use load::{LoadError, Loaded};
pub use problem::{Location, Problem, Problems, Severity};
pub use reference::{json_schema, reference};
pub use settings::{AdminSettings, MetricsSettings, Places, Settings, WafSettings};
pub use source::{Source, SourceHash, Sources};
