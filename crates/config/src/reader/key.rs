//! A key of the settings file: name, meaning, kind and default in one place.

use palisade_yaml::Node;

use super::{Context, Kind, Shape};
use crate::problem::Location;

/// A key of a mapping in the settings file.
pub(crate) struct Key<K, P> {
    pub(crate) name: &'static str,
    pub(crate) kind: K,
    pub(crate) presence: P,
    /// What it means, in Markdown, for the reference.
    pub(crate) about: &'static str,
}

impl<K, P> Key<K, P> {
    pub(crate) const fn new(name: &'static str, kind: K, presence: P, about: &'static str) -> Self {
        Self {
            name,
            kind,
            presence,
            about,
        }
    }
}

/// Whether a key must be there, and what holds where it isn't.
pub(crate) trait Presence: Sync {
    /// What reading the key gives.
    type Output<V>;

    fn present<V>(value: V) -> Self::Output<V>;

    /// What holds where the key, of the mapping at `location`, isn't there.
    fn absent<K: Kind>(
        &self,
        key: &str,
        kind: &K,
        location: &Location,
        context: &Context<'_>,
    ) -> Option<Self::Output<K::Value>>;

    /// The default as a file would have it.
    fn default(&self) -> Option<&'static str> {
        None
    }

    fn is_required(&self) -> bool {
        false
    }
}

/// The key must be there.
pub(crate) struct Required;

/// The key may be missing, which means something of its own.
pub(crate) struct Optional;

/// Where the key is missing, this holds: written as in a file.
pub(crate) struct Defaulted(pub(crate) &'static str);

impl Presence for Required {
    type Output<V> = V;

    fn present<V>(value: V) -> V {
        value
    }

    fn absent<K: Kind>(
        &self,
        key: &str,
        kind: &K,
        location: &Location,
        context: &Context<'_>,
    ) -> Option<K::Value> {
        context.error(
            location,
            format!("`{key}` is missing here; expected {}", kind.shape()),
        );
        None
    }

    fn is_required(&self) -> bool {
        true
    }
}

impl Presence for Optional {
    type Output<V> = Option<V>;

    fn present<V>(value: V) -> Option<V> {
        Some(value)
    }

    fn absent<K: Kind>(
        &self,
        _: &str,
        _: &K,
        _: &Location,
        _: &Context<'_>,
    ) -> Option<Option<K::Value>> {
        Some(None)
    }
}

impl Presence for Defaulted {
    type Output<V> = V;

    fn present<V>(value: V) -> V {
        value
    }

    fn absent<K: Kind>(
        &self,
        _: &str,
        kind: &K,
        location: &Location,
        context: &Context<'_>,
    ) -> Option<K::Value> {
        kind.read(&Node::from_default(self.0, location.clone()), context)
    }

    fn default(&self) -> Option<&'static str> {
        Some(self.0)
    }
}

/// A key of any kind, for what goes through all of them: unknown keys, the reference, the schema.
pub(crate) trait AnyKey: Sync {
    fn name(&self) -> &'static str;
    fn about(&self) -> &'static str;
    fn shape(&self) -> Shape;
    fn default(&self) -> Option<&'static str>;
    fn is_required(&self) -> bool;
    /// Reads `node` for its problems alone.
    #[cfg(test)]
    fn check(&self, node: &Node, context: &Context<'_>);
}

impl<K: Kind, P: Presence> AnyKey for Key<K, P> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn shape(&self) -> Shape {
        self.kind.shape()
    }

    fn default(&self) -> Option<&'static str> {
        self.presence.default()
    }

    fn is_required(&self) -> bool {
        self.presence.is_required()
    }

    #[cfg(test)]
    fn check(&self, node: &Node, context: &Context<'_>) {
        let _ = self.kind.read(node, context);
    }
}
