//! Mappings with known keys.

use super::key::{AnyKey, Key, Presence};
use super::{Context, Kind, Shape};
use crate::closest::{closest, did_you_mean};
use crate::document::{Content, Entry, Node};
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

/// The keys that one mapping of a file gives.
pub(crate) struct Fields<'n> {
    entries: &'n [Entry],
    location: &'n Location,
    context: &'n Context<'n>,
    /// Whether all keys are known.
    known: bool,
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
        let unknown = entries
            .iter()
            .filter(|entry| info.keys.iter().all(|key| key.name() != &*entry.key));
        let known = unknown
            .map(|entry| report_unknown(entry, info, context))
            .count()
            == 0;
        Some(Self {
            entries,
            location: &node.location,
            context,
            known,
        })
    }

    /// What `key` says, or what holds without it; `None` means that a problem has been reported.
    pub(crate) fn get<K: Kind, P: Presence>(&self, key: &Key<K, P>) -> Option<P::Output<K::Value>> {
        match self.entry(key) {
            Some(entry) => key.kind.read(&entry.value, self.context).map(P::present),
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

    /// Where the mapping starts.
    pub(crate) fn location(&self) -> &'n Location {
        self.location
    }

    pub(crate) fn context(&self) -> &'n Context<'n> {
        self.context
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
    let names = || info.keys.iter().map(|key| key.name());
    let hint = match closest(got, names()) {
        Some(_) => did_you_mean(got, names()),
        None => format!("; expected {}", names().collect::<Vec<_>>().join(", ")),
    };
    format!("unknown key {}{hint}", quoted(got))
}
