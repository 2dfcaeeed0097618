//! A value of a YAML document, with its place.

use std::sync::Arc;

use crate::Location;

/// A value with the place where it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it starts.
    pub location: Location,
    /// What it is.
    pub content: Content,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// No value: nothing behind the key, `~` or `null`.
    Null,
    /// A text.
    Scalar(Scalar),
    /// Values in the order of the file.
    List(Vec<Node>),
    /// In the order of the file; no key twice.
    Mapping(Vec<Entry>),
}

/// A text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text, without quotes and with escapes replaced.
    pub text: Arc<str>,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Arc<str>,
    /// Where the key stands.
    pub key_location: Location,
    /// What it is given.
    pub value: Node,
}

impl Node {
    /// A default: what a file would hold as `text`, which is `{}`, `[]` or a scalar.
    #[must_use]
    pub fn from_default(text: &'static str, location: Location) -> Self {
        let content = match text {
            "{}" => Content::Mapping(Vec::new()),
            "[]" => Content::List(Vec::new()),
            _ => Content::Scalar(Scalar { text: text.into() }),
        };
        Self { location, content }
    }

    /// What this is, for a message that says what was got.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match &self.content {
            Content::Null => "nothing",
            Content::Scalar(_) => "a single value",
            Content::List(_) => "a list",
            Content::Mapping(_) => "a mapping (key: value)",
        }
    }
}
