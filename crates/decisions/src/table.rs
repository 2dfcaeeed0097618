//! The decision table.

use std::sync::Arc;

use arc_swap::ArcSwap;
use palisade_vocabulary::{CidrSet, Ip, Place, Tick};
use parking_lot::Mutex;

use crate::allowed::AllowLists;
use crate::document::{Document, Sweep, Withdrawal};
use crate::index::Index;
use crate::key::{AnyKey, PlaceKey, V4Key, V6Key};
use crate::label::{Dictionary, Label, Labels, Reason};
use crate::matched::Match;
use crate::merge::Changes;
use crate::record::Record;
use crate::version::Version;
use crate::{Applied, Delta, ListId, SourceId};

/// All decisions of all sources. Share it by `Arc`.
///
/// Readers take no lock and see either all of a document or nothing of it. Writers wait for each
/// other. See the crate's documentation for what a document does.
pub struct DecisionTable {
    pub(crate) root: ArcSwap<Root>,
    writer: Mutex<Writer>,
    decisions_max: usize,
}

/// One version of the table, immutable.
#[derive(Debug, Default)]
pub(crate) struct Root {
    pub(crate) v4: Index<V4Key>,
    pub(crate) v6: Index<V6Key>,
    pub(crate) places: Index<PlaceKey>,
    pub(crate) labels: Arc<Labels>,
    /// The names of origins, by number.
    pub(crate) origins: Arc<Vec<Arc<str>>>,
    /// How many decisions have each label.
    pub(crate) label_counts: Box<[u32]>,
    /// Clients whom only the operator's own decisions are about.
    pub(crate) allowed: AllowLists,
    /// How many documents changed the table.
    pub(crate) generation: u64,
}

#[derive(Debug, Default)]
struct Writer {
    dictionary: Dictionary,
    /// Sources known to name every decision that they hold.
    sources_that_name_all: Vec<SourceId>,
    /// Versions that a reader still held when they were replaced.
    retired: Vec<Arc<Root>>,
}

impl Default for DecisionTable {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for DecisionTable {
    /// The number of decisions, not a million of them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut table = f.debug_struct("DecisionTable");
        table.field("len", &self.len()).finish_non_exhaustive()
    }
}

impl DecisionTable {
    /// How many decisions each source may have unless told otherwise. The largest block lists that
    /// CrowdSec sells come to one million.
    pub const DECISIONS_MAX: usize = 4_000_000;

    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(Self::DECISIONS_MAX)
    }

    /// An empty table in which each source may have `decisions_max` decisions. The limit is each
    /// source's own, so that a feed can't crowd out the operator.
    #[must_use]
    pub fn with_limit(decisions_max: usize) -> Self {
        Self {
            root: ArcSwap::default(),
            writer: Mutex::default(),
            decisions_max,
        }
    }

    /// The version of now, for all that one request asks.
    ///
    /// Hot path: runs per request, allocates nothing, takes no lock.
    #[must_use]
    pub fn version(&self) -> Version {
        Version(self.root.load())
    }

    /// As [`Version::lookup`], in the version of now.
    #[must_use]
    pub fn lookup(&self, ip: Ip, place: &Place, now: Tick) -> Option<Match> {
        self.version().lookup(ip, place, now)
    }

    /// Applies a document of `source` that says what changed.
    pub fn apply(&self, source: SourceId, delta: Delta, now: Tick) -> Applied {
        self.write(source, Sweep::Nothing, delta, now)
    }

    /// Makes `ranges` all that the allow list `list` names; none = the list is forgotten. See
    /// [`Version::is_allowed`].
    pub fn allow(&self, list: ListId, ranges: CidrSet) {
        let mut writer = self.writer.lock();
        let old = self.root.load_full();
        let root = Root {
            v4: old.v4.clone(),
            v6: old.v6.clone(),
            places: old.places.clone(),
            labels: Arc::clone(&old.labels),
            origins: Arc::clone(&old.origins),
            label_counts: old.label_counts.clone(),
            allowed: old.allowed.with(list, ranges),
            generation: old.generation + 1,
        };
        self.root.store(Arc::new(root));
        writer.retire(old);
    }

    /// Applies a document of `source` that names all decisions that it has (LAPI's answer to
    /// `startup=true`). It is merged: a decision of the source that the document doesn't name is
    /// put in doubt, and dropped if it was in doubt already.
    pub fn apply_snapshot(&self, source: SourceId, snapshot: Delta, now: Tick) -> Applied {
        self.write(source, Sweep::Unnamed, snapshot, now)
    }

    /// Takes back all decisions of `source`; says how many.
    pub fn flush(&self, source: SourceId, now: Tick) -> usize {
        self.write(source, Sweep::All, Delta::default(), now)
            .deleted
    }

    /// Clears away decisions that have ended; says how many. They hold for nobody either way: this
    /// gives their memory back. Once a minute is plenty.
    pub fn purge_expired(&self, now: Tick) -> usize {
        self.write(SourceId::Local, Sweep::Ended, Delta::default(), now)
            .expired
    }

    /// How many decisions there are; ended ones count until they are cleared away.
    #[must_use]
    pub fn len(&self) -> usize {
        let root = self.root.load();
        root.label_counts.iter().map(|count| *count as usize).sum()
    }

    /// Whether there is no decision.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many documents changed the table. A connection that outlives a change may be looked up
    /// again.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.root.load().generation
    }

    /// An estimate of the memory that the decisions take, in bytes.
    #[must_use]
    pub fn bytes_resident(&self) -> usize {
        let root = self.root.load();
        let labels = root.labels.len() * (size_of::<Label>() + size_of::<u32>());
        root.v4.heap_bytes() + root.v6.heap_bytes() + root.places.heap_bytes() + labels
    }

    fn write(&self, source: SourceId, sweep: Sweep, delta: Delta, now: Tick) -> Applied {
        if sweep == Sweep::Nothing && delta.deleted.is_empty() && delta.added.is_empty() {
            return Applied::default();
        }
        let mut writer = self.writer.lock();
        let old = self.root.load_full();
        let (root, applied) =
            writer.root_with_room(&old, source, sweep, delta, now, self.decisions_max);
        if applied.changed_anything() {
            self.root.store(Arc::new(root));
            writer.retire(old);
        }
        applied
    }
}

impl Writer {
    /// What a document takes back makes room for what it brings, wherever in the table either is: a
    /// document that was refused room before it had given some back is tried once more.
    fn root_with_room(
        &mut self,
        old: &Root,
        source: SourceId,
        sweep: Sweep,
        delta: Delta,
        now: Tick,
        decisions_max: usize,
    ) -> (Root, Applied) {
        let len_max = self.dictionary.decisions_of(source) + delta.added.len();
        let added_again = (len_max > decisions_max).then(|| delta.added.clone());
        let (root, applied) = self.root_after(old, source, sweep, delta, now, decisions_max);
        let Some(added) = added_again.filter(|_| applied.refused > 0 && applied.made_room()) else {
            return (root, applied);
        };
        let again = Delta {
            deleted: Vec::new(),
            added,
        };
        let (root, more) =
            self.root_after(&root, source, Sweep::Nothing, again, now, decisions_max);
        let root = Root {
            generation: old.generation + 1,
            ..root
        };
        let applied = Applied {
            added: applied.added + more.added,
            refused: more.refused,
            crowded: applied.crowded + more.crowded,
            ..applied
        };
        (root, applied)
    }

    fn root_after(
        &mut self,
        old: &Root,
        source: SourceId,
        sweep: Sweep,
        delta: Delta,
        now: Tick,
        decisions_max: usize,
    ) -> (Root, Applied) {
        let room = decisions_max.saturating_sub(self.dictionary.decisions_of(source));
        let changes = ChangesByIndex::new(source, delta, &mut self.dictionary);
        let mut document = Document::new(source, sweep, now, &mut self.dictionary);
        document.room = room;
        document.deletions_raise_doubt &= !self.sources_that_name_all.contains(&source);

        let v4 = old.v4.after(changes.v4, &mut document);
        let v6 = old.v6.after(changes.v6, &mut document);
        let places = old.places.after(changes.places, &mut document);
        let (applied, names_overlaps) = (document.applied, document.names_overlaps);

        self.note_overlaps(source, sweep, names_overlaps);
        self.dictionary.forget_unused();
        let root = Root {
            v4,
            v6,
            places,
            labels: self.dictionary.labels(),
            origins: self.dictionary.origins(),
            allowed: old.allowed.clone(),
            label_counts: self.dictionary.counts().into(),
            generation: old.generation + 1,
        };
        (root, applied)
    }

    /// Each snapshot proves anew whether the source names all: LAPI may have been replaced.
    fn note_overlaps(&mut self, source: SourceId, sweep: Sweep, names_overlaps: bool) {
        if sweep == Sweep::Unnamed {
            self.sources_that_name_all.retain(|other| *other != source);
        }
        if names_overlaps && !self.sources_that_name_all.contains(&source) {
            self.sources_that_name_all.push(source);
        }
    }

    /// Drops the version that was replaced here, and not in the reader that lets go of it last: to
    /// free a million decisions takes milliseconds. A reader holds a version while it judges one
    /// request; what one still holds waits for the next document.
    fn retire(&mut self, old: Arc<Root>) {
        self.retired.push(old);
        self.retired.retain(|root| Arc::strong_count(root) > 1);
    }
}

/// The content of a document, by the index that it concerns.
#[derive(Default)]
struct ChangesByIndex {
    v4: Changes<V4Key>,
    v6: Changes<V6Key>,
    places: Changes<PlaceKey>,
}

impl ChangesByIndex {
    fn new(source: SourceId, delta: Delta, dictionary: &mut Dictionary) -> Self {
        let mut changes = Self::default();
        for deletion in delta.deleted {
            let withdrawal = Withdrawal {
                id: deletion.id,
                remedy: deletion.remedy,
            };
            match deletion.scope.into() {
                AnyKey::V4(key) => changes.v4.withdraw(key, withdrawal),
                AnyKey::V6(key) => changes.v6.withdraw(key, withdrawal),
                AnyKey::Place(key) => changes.places.withdraw(key, withdrawal),
            }
        }
        for decision in delta.added {
            let label = dictionary.label_of(Reason {
                source,
                remedy: decision.remedy,
                origin: decision.origin,
                scenario: decision.scenario,
            });
            let record = Record::new(decision.id, decision.expires, label);
            match decision.scope.into() {
                AnyKey::V4(key) => changes.v4.add(key, record),
                AnyKey::V6(key) => changes.v6.add(key, record),
                AnyKey::Place(key) => changes.places.add(key, record),
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decision, Remedy, Scope};

    const NOW: Tick = Tick::from_millis(1_000);

    #[track_caller]
    fn check_asks_for_places(scope: &str, value: &str, expected: bool) {
        let table = DecisionTable::new();
        let asks = || table.version().asks_for_places();
        assert!(!asks(), "nobody asks yet");
        let added = vec![Decision {
            id: None,
            scope: Scope::parse(scope, value).unwrap(),
            remedy: Remedy::Ban,
            origin: "cscli".into(),
            scenario: "manual".into(),
            expires: Tick::from_millis(5_000),
        }];
        let delta = Delta {
            deleted: Vec::new(),
            added,
        };
        table.apply(SourceId::Local, delta, NOW);
        assert_eq!(asks(), expected, "{scope} {value}");
        table.flush(SourceId::Local, NOW);
        assert!(!asks(), "nobody asks any more");
    }

    #[test]
    fn only_decisions_about_places_ask_for_places() {
        check_asks_for_places("ip", "192.0.2.1", false);
        check_asks_for_places("range", "2001:db8::/32", false);
        check_asks_for_places("country", "NZ", true);
        check_asks_for_places("as", "64496", true);
    }
}
