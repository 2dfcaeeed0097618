//! YAML as a tree in which every value knows its place.
//!
//! Layer 1, sans-I/O: bytes come in, a [`Node`] goes out, or what is wrong and where. A strict subset
//! of YAML 1.2: one document of mappings, lists and scalars. Anchors, aliases, tags and further
//! documents are refused, and so is a key that is given twice: each of them makes a file mean
//! something else than it seems to say. Scalars stay text; what a text means is decided by the key
//! that it is written for (`NO` is Norway where a country is expected).

mod location;
mod node;
mod parse;

pub use location::{Location, quoted};
pub use node::{Content, Entry, Node, Scalar};
pub use parse::{DEPTH_MAX, NODES_MAX, parse};

#[cfg(test)]
mod tests;
