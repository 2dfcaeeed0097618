//! The values of a mapping whose keys are known.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use palisade_yaml::{Content, Entry, Location, Node, quoted};

use crate::problem::Problems;

/// A mapping of which every key is one of those that its reader knows.
pub(crate) struct Fields<'n> {
    entries: &'n [Entry],
    pub(crate) location: &'n Location,
}

impl<'n> Fields<'n> {
    /// The fields of `node`; `None` if it is no mapping. Keys other than `known` are reported.
    pub(crate) fn read(node: &'n Node, known: &[&str], problems: &mut Problems) -> Option<Self> {
        let Content::Mapping(entries) = &node.content else {
            let known = known.join(", ");
            let message = format!("got {}; expected a mapping of {known}", node.noun());
            problems.add(&node.location, message);
            return None;
        };
        for entry in entries {
            if !known.contains(&&*entry.key) {
                let (key, known) = (quoted(&entry.key), known.join(", "));
                let message = format!("{key} is not known here; expected {known}");
                problems.add(&entry.key_location, message);
            }
        }
        Some(Self {
            entries,
            location: &node.location,
        })
    }

    /// What `name` is given; `None` where it is given nothing.
    pub(crate) fn node(&self, name: &str) -> Option<&'n Node> {
        let entry = self.entries.iter().find(|entry| &*entry.key == name)?;
        (entry.value.content != Content::Null).then_some(&entry.value)
    }

    /// A text as it is written, whatever else YAML takes it for.
    pub(crate) fn text(&self, name: &str, problems: &mut Problems) -> Option<&'n str> {
        text(self.node(name)?, problems)
    }

    /// A number of the type that is asked for.
    pub(crate) fn number<T: FromStr>(&self, name: &str, problems: &mut Problems) -> Option<T> {
        number(self.node(name)?, problems)
    }

    /// Numbers; one alone may stand without a list. Empty where there are none.
    pub(crate) fn numbers(&self, name: &str, problems: &mut Problems) -> Vec<u64> {
        let items = match self.node(name) {
            None => &[],
            Some(node) => match &node.content {
                Content::List(items) => &items[..],
                _ => std::slice::from_ref(node),
            },
        };
        let read = |item| number(item, problems);
        items.iter().filter_map(read).collect()
    }

    /// Yes or no, in the words of YAML 1.1.
    pub(crate) fn flag(&self, name: &str, problems: &mut Problems) -> Option<bool> {
        let node = self.node(name)?;
        let text = text(node, problems)?;
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "1" => Some(true),
            "false" | "no" | "off" | "n" | "0" => Some(false),
            _ => {
                let message = format!("{} is neither true nor false", quoted(text));
                problems.add(&node.location, message);
                None
            }
        }
    }

    /// Bytes in Base64, which may be broken into lines.
    pub(crate) fn base64(&self, name: &str, problems: &mut Problems) -> Option<Vec<u8>> {
        let node = self.node(name)?;
        let mut encoded = text(node, problems)?.to_owned();
        encoded.retain(|character| !character.is_ascii_whitespace());
        match STANDARD.decode(encoded) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                problems.add(&node.location, format!("not Base64: {error}"));
                None
            }
        }
    }

    /// The values of a list; empty where there is none.
    pub(crate) fn list(&self, name: &str, problems: &mut Problems) -> &'n [Node] {
        match self.node(name) {
            None => &[],
            Some(node) => match &node.content {
                Content::List(items) => items,
                _ => {
                    problems.add(
                        &node.location,
                        format!("got {}; expected a list", node.noun()),
                    );
                    &[]
                }
            },
        }
    }
}

/// The text of a scalar.
pub(crate) fn text<'n>(node: &'n Node, problems: &mut Problems) -> Option<&'n str> {
    if let Content::Scalar(scalar) = &node.content {
        return Some(&scalar.text);
    }
    problems.add(
        &node.location,
        format!("got {}; expected a text", node.noun()),
    );
    None
}

fn number<T: FromStr>(node: &Node, problems: &mut Problems) -> Option<T> {
    let text = text(node, problems)?;
    let number = text.trim().parse().ok();
    if number.is_none() {
        let message = format!("{} is not a number that can stand here", quoted(text));
        problems.add(&node.location, message);
    }
    number
}
