//! A value of a YAML document, with its place.

use std::sync::Arc;

use crate::problem::Location;

/// A value with the place where it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) location: Location,
    pub(crate) content: Content,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// No value: nothing behind the key, `~` or `null`.
    Null,
    Scalar(Scalar),
    List(Vec<Node>),
    /// In the order of the file; no key twice.
    Mapping(Vec<Entry>),
}

/// A text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(crate) text: Arc<str>,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Arc<str>,
    pub(crate) key_location: Location,
    pub(crate) value: Node,
}

impl Node {
    /// A default: what a file would hold as `text`, which is `{}`, `[]` or a scalar.
    pub(crate) fn from_default(text: &'static str, location: Location) -> Self {
        let content = match text {
            "{}" => Content::Mapping(Vec::new()),
            "[]" => Content::List(Vec::new()),
            _ => Content::Scalar(Scalar { text: text.into() }),
        };
        Self { location, content }
    }

    /// What this is, for a message that says what was got.
    pub(crate) fn noun(&self) -> &'static str {
        match &self.content {
            Content::Null => "nothing",
            Content::Scalar(_) => "a single value",
            Content::List(_) => "a list",
            Content::Mapping(_) => "a mapping (key: value)",
        }
    }
}
