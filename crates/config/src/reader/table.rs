//! Mappings with known keys.

use palisade_yaml::{Content, Entry, Node};

use super::key::{AnyKey, Key, Presence};
use super::{Context, Kind, Shape};
use crate::closest::{closest, did_you_mean};
use crate::problem::{Location, quoted};

/// A mapping with known keys, and what is made of their values.
pub(crate) struct Table<T> {
    pub(crate) info: &'static TableInfo,
    /// Reads all keys, then makes the value; `None` means that a problem has been reported.
    pub(crate) lower: fn(&Fields<'_>) -> Option<T>,
}

/// What is known about a mapping.
pub(crate) struct TableInfo {
    /// Its name in the reference and the JSON Schema: the path to it, like `listeners.tls`.
    pub(crate) name: &'static str,
    /// What it is for, in Markdown.
    pub(crate) about: &'static str,
    pub(crate) keys: &'static [&'static dyn AnyKey],
    pub(crate) later: &'static [Later],
}

/// A key that a later version will know.
pub(crate) struct Later {
    pub(crate) key: &'static str,
    /// What it will do.
    pub(crate) what: &'static str,
}

impl<T> Kind for Table<T> {
    type Value = T;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<T> {
        let fields = Fields::new(node, self.info, context)?;
        let value = (self.lower)(&fields);
        if fields.known { value } else { None }
    }

    fn shape(&self) -> Shape {
        Shape::Table(self.info)
    }
}

/// A table that may hold itself.
pub(crate) struct Nested<T: 'static>(pub(crate) &'static Table<T>);

impl<T> Kind for Nested<T> {
    type Value = T;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<T> {
        self.0.read(node, context)
    }

    fn shape(&self) -> Shape {
        self.0.shape()
    }
}

/// The most unknown keys of one mapping that are told one by one.
const UNKNOWN_SHOWN_MAX: usize = 20;

/// The keys that one mapping of a file gives.
pub(crate) struct Fields<'n> {
    entries: &'n [Entry],
    location: &'n Location,
    context: &'n Context<'n>,
    /// Whether all keys are known.
    known: bool,
    /// Whether a key of a later version is there: it may take the place of what is missing.
    replaced: bool,
    /// Keys that an unknown one is probably meant to be: they aren't missing.
    mistyped: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// The keys of `node`, each of which is a key of `info` or has been reported.
    pub(crate) fn new(
        node: &'n Node,
        info: &'static TableInfo,
        context: &'n Context<'n>,
    ) -> Option<Self> {
        let Content::Mapping(entries) = &node.content else {
            let keys: Vec<&str> = info.keys.iter().map(|key| key.name()).collect();
            let expected = format!(
                "got {}; expected a mapping with {}",
                node.noun(),
                keys.join(", ")
            );
            context.error(&node.location, expected);
            return None;
        };
        let is_unknown = |entry: &&Entry| info.keys.iter().all(|key| key.name() != &*entry.key);
        let mut unknown: Vec<&Entry> = entries.iter().filter(is_unknown).collect();
        let (known, omitted) = (
            unknown.is_empty(),
            unknown.split_off(unknown.len().min(UNKNOWN_SHOWN_MAX)),
        );
        unknown
            .iter()
            .for_each(|entry| report_unknown(entry, info, context));
        if let Some(entry) = omitted.first() {
            context.error(
                &entry.key_location,
                format!("{} more unknown keys here", omitted.len()),
            );
        }
        let is_later = |entry: &&Entry| info.later.iter().any(|later| *later.key == *entry.key);
        let meant = |entry: &&Entry| closest(&entry.key, info.keys.iter().map(|key| key.name()));
        Some(Self {
            entries,
            location: &node.location,
            context,
            known,
            replaced: unknown.iter().any(is_later),
            mistyped: unknown.iter().filter_map(meant).collect(),
        })
    }

    /// What `key` says, or what holds without it; `None` means that a problem has been reported.
    pub(crate) fn get<K: Kind, P: Presence>(&self, key: &Key<K, P>) -> Option<P::Output<K::Value>> {
        match self.entry(key) {
            Some(entry) => key.kind.read(&entry.value, self.context).map(P::present),
            None if self.mistyped.contains(&key.name) => None,
            None if self.replaced && key.presence.is_required() => None,
            None => key
                .presence
                .absent(key.name, &key.kind, self.location, self.context),
        }
    }

    /// Whether the file gives `key`.
    pub(crate) fn has(&self, key: &dyn AnyKey) -> bool {
        self.entry(key).is_some()
    }

    /// Where the value of `key` stands; where the mapping starts if it isn't given.
    pub(crate) fn location_of(&self, key: &dyn AnyKey) -> &'n Location {
        self.entry(key)
            .map_or(self.location, |entry| &entry.value.location)
    }

    /// The value of `key` as it was read from the file.
    pub(crate) fn node(&self, key: &dyn AnyKey) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Whether the mapping behind `key` gives `inner`.
    pub(crate) fn names_inside(&self, key: &dyn AnyKey, inner: &str) -> bool {
        let content = self.node(key).map(|node| &node.content);
        matches!(content, Some(Content::Mapping(entries)) if entries.iter().any(|entry| &*entry.key == inner))
    }

    /// Where the mapping starts.
    pub(crate) fn location(&self) -> &'n Location {
        self.location
    }

    pub(crate) fn context(&self) -> &'n Context<'n> {
        self.context
    }

    /// What `made` holds; what is wrong with it is reported at `key`.
    pub(crate) fn accept<T, E: std::fmt::Display>(
        &self,
        made: Result<T, E>,
        key: &dyn AnyKey,
    ) -> Option<T> {
        self.context.accept(made, self.location_of(key))
    }

    fn entry(&self, key: &dyn AnyKey) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| *entry.key == *key.name())
    }
}

fn report_unknown(entry: &Entry, info: &TableInfo, context: &Context<'_>) {
    let message = match info.later.iter().find(|later| *later.key == *entry.key) {
        Some(later) => format!(
            "`{}` ({}): this version can't do it yet; remove it",
            later.key, later.what
        ),
        None => unknown_key(&entry.key, info),
    };
    context.error(&entry.key_location, message);
}

fn unknown_key(got: &str, info: &TableInfo) -> String {
    // `api_key:SECRET` without a space is a key to YAML: what is behind it is not to be shown.
    if let Some((name, _)) = got.split_once([':', '=']) {
        return format!(
            "unknown key that begins with {}; a value follows its key after a colon and a space",
            quoted(name)
        );
    }
    let names = || info.keys.iter().map(|key| key.name());
    let hint = match closest(got, names()) {
        Some(_) => did_you_mean(got, names()),
        None => format!("; expected {}", names().collect::<Vec<_>>().join(", ")),
    };
    format!("unknown key {}{hint}", quoted(got))
}
