//! Lists, and mappings whose keys are names of the operator's choice.

use std::collections::BTreeSet;
use std::sync::Arc;

use palisade_yaml::{Content, Entry, Node};

use super::{Context, Kind, Shape};
use crate::problem::{Location, quoted};

/// A value with the place where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) location: Location,
}

/// What `K` reads, with its place.
pub(crate) struct WithLocation<K>(pub(crate) K);

impl<K: Kind> Kind for WithLocation<K> {
    type Value = Located<K::Value>;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<Self::Value> {
        Some(Located {
            value: self.0.read(node, context)?,
            location: node.location.clone(),
        })
    }

    fn shape(&self) -> Shape {
        self.0.shape()
    }
}

/// A list of `min` to `max` values.
pub(crate) struct ListOf<K> {
    pub(crate) of: K,
    pub(crate) min: usize,
    pub(crate) max: usize,
}

impl<K: Kind> Kind for ListOf<K> {
    type Value = Vec<K::Value>;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<Self::Value> {
        read_all(self.items(node, context)?, &self.of, context)
    }

    fn shape(&self) -> Shape {
        Shape::List {
            of: Box::new(self.of.shape()),
            min: self.min,
        }
    }
}

/// A list like [`ListOf`], of which what can be read is kept when something can't.
///
/// For what is compared with other sections, so that one mistake doesn't hide the next. What can't be
/// read was reported, so that the settings as a whole are not used.
pub(crate) struct EachOf<K>(pub(crate) ListOf<K>);

impl<K: Kind> Kind for EachOf<K> {
    type Value = Vec<K::Value>;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<Self::Value> {
        let items = self.0.items(node, context)?;
        Some(
            items
                .iter()
                .filter_map(|item| self.0.of.read(item, context))
                .collect(),
        )
    }

    fn shape(&self) -> Shape {
        self.0.shape()
    }
}

impl<K: Kind> ListOf<K> {
    /// The values as they stand in the file, if there is a list of them.
    fn items<'n>(&self, node: &'n Node, context: &Context<'_>) -> Option<&'n [Node]> {
        let Content::List(items) = &node.content else {
            let none = if matches!(node.content, Content::Null) && self.min == 0 {
                "; write [] for none"
            } else {
                ""
            };
            context.error(
                &node.location,
                format!("got {}; expected {}{none}", node.noun(), self.shape()),
            );
            return None;
        };
        if items.len() < self.min || items.len() > self.max {
            let message = format!(
                "{} values; expected {} to {}: {}",
                items.len(),
                self.min,
                self.max,
                self.of.shape()
            );
            context.error(&node.location, message);
            return None;
        }
        Some(items)
    }
}

/// One value, or a list of 1 to `max`.
pub(crate) struct OneOrList<K> {
    pub(crate) of: K,
    pub(crate) max: usize,
}

impl<K: Kind> Kind for OneOrList<K> {
    type Value = Vec<K::Value>;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<Self::Value> {
        match &node.content {
            Content::List(items) if items.is_empty() || items.len() > self.max => {
                let message = format!(
                    "{} values; expected 1 to {}: {}",
                    items.len(),
                    self.max,
                    self.of.shape()
                );
                context.error(&node.location, message);
                None
            }
            Content::List(items) => read_all(items, &self.of, context),
            _ => Some(vec![self.of.read(node, context)?]),
        }
    }

    fn shape(&self) -> Shape {
        Shape::OneOrList(Box::new(self.of.shape()))
    }
}

/// All values, so that every problem is reported; `None` if there was one.
fn read_all<K: Kind>(items: &[Node], kind: &K, context: &Context<'_>) -> Option<Vec<K::Value>> {
    let values: Vec<Option<K::Value>> = items.iter().map(|item| kind.read(item, context)).collect();
    values.into_iter().collect()
}

/// Names of the operator's choice, each with a value. Keeps what can be read, as [`EachOf`] does.
pub(crate) struct Named<K> {
    pub(crate) of: K,
    pub(crate) max: usize,
}

/// The longest name, in bytes.
const NAME_LEN_MAX: usize = 64;

impl<K: Kind> Kind for Named<K> {
    type Value = Vec<(Located<Arc<str>>, K::Value)>;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<Self::Value> {
        let Content::Mapping(entries) = &node.content else {
            context.error(
                &node.location,
                format!("got {}; expected {}", node.noun(), self.shape()),
            );
            return None;
        };
        if entries.len() > self.max {
            context.error(
                &node.location,
                format!("{} names; at most {} here", entries.len(), self.max),
            );
            return None;
        }
        Some(
            entries
                .iter()
                .filter_map(|entry| self.read_entry(entry, context))
                .collect(),
        )
    }

    fn shape(&self) -> Shape {
        Shape::Named(Box::new(self.of.shape()))
    }
}

impl<K: Kind> Named<K> {
    fn read_entry(
        &self,
        entry: &Entry,
        context: &Context<'_>,
    ) -> Option<(Located<Arc<str>>, K::Value)> {
        let named = is_name(&entry.key);
        if !named {
            let got = quoted(&entry.key);
            context.error(
                &entry.key_location,
                format!("{got} is not a name; expected 1 to {NAME_LEN_MAX} of A-Z a-z 0-9 . _ -"),
            );
        }
        let value = self.of.read(&entry.value, context).filter(|_| named)?;
        let name = Located {
            value: entry.key.clone(),
            location: entry.key_location.clone(),
        };
        Some((name, value))
    }
}

/// The names that a mapping gives, in order (so that suggestions are the same each time), whatever their values are worth.
pub(crate) fn names(node: Option<&Node>) -> BTreeSet<Arc<str>> {
    match node.map(|node| &node.content) {
        Some(Content::Mapping(entries)) => entries.iter().map(|entry| entry.key.clone()).collect(),
        _ => BTreeSet::new(),
    }
}

fn is_name(text: &str) -> bool {
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=NAME_LEN_MAX).contains(&text.len()) && text.bytes().all(valid)
}

/// A mapping is read by `table`, all else by `plain`.
pub(crate) struct Either<A, B> {
    pub(crate) plain: A,
    pub(crate) table: B,
}

impl<A: Kind, B: Kind<Value = A::Value>> Kind for Either<A, B> {
    type Value = A::Value;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<Self::Value> {
        match &node.content {
            Content::Mapping(_) => self.table.read(node, context),
            _ => self.plain.read(node, context),
        }
    }

    fn shape(&self) -> Shape {
        Shape::Either(Box::new(self.plain.shape()), Box::new(self.table.shape()))
    }
}
