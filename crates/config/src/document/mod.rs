//! YAML as a tree in which every value knows its place.
//!
//! A strict subset of YAML 1.2: one document of mappings, lists and scalars. Anchors, aliases, tags
//! and further documents are refused, and so is a key that is given twice: each of them makes a
//! file mean something else than it seems to say. Scalars stay text; what a text means is decided
//! by the key that it is written for (`NO` is Norway where a country is expected).

mod node;
mod parse;

pub(crate) use node::{Content, Entry, Node, Scalar};
pub(crate) use parse::parse;

#[cfg(test)]
mod tests;
