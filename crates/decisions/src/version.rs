//! The reader's side of the table: one version of it, and what that says of a client.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::Guard;
use palisade_vocabulary::{Ip, Place, Tick};

use crate::key::{AnyKey, Key, PlaceKey, V4Key, V6Key};
use crate::label::Label;
use crate::matched::Match;
use crate::record::Record;
use crate::table::Root;
use crate::{RemedyKind, SourceId};

/// The table as it was at one moment, whatever is written meanwhile.
///
/// Who asks the table twice about one request must ask one version: between two versions a ban may
/// have moved from the client's address to its country. Hold it no longer than that: the memory of
/// what it has and later versions don't waits for it.
pub struct Version(pub(crate) Guard<Arc<Root>>);

impl Version {
    /// The decision that holds for a client at `ip` in `place`: of all that have not ended, the
    /// strongest; of equally strong ones the one that ends last; of those the operator's.
    ///
    /// Hot path: runs per request, allocates nothing, takes no lock.
    #[must_use]
    pub fn lookup(&self, ip: Ip, place: &Place, now: Tick) -> Option<Match> {
        self.lookup_among(|_| true, ip, place, now)
    }

    /// As [`Self::lookup`], among the decisions of the sources that `is_asked` holds for alone: what
    /// another source says hides nothing.
    #[must_use]
    pub fn lookup_among(
        &self,
        is_asked: impl Fn(SourceId) -> bool,
        ip: Ip,
        place: &Place,
        now: Tick,
    ) -> Option<Match> {
        let root = &*self.0;
        let mut strongest = Strongest::new(root, is_asked, now);
        match ip.as_std() {
            IpAddr::V4(address) => {
                let each = |key: V4Key, run: &[Record]| strongest.consider(AnyKey::V4(key), run);
                root.v4.for_each_around(V4Key::new(address, 32), each);
            }
            IpAddr::V6(address) => {
                let each = |key: V6Key, run: &[Record]| strongest.consider(AnyKey::V6(key), run);
                root.v6.for_each_around(V6Key::new(address, 128), each);
            }
        }
        let country = place.country.value().map(PlaceKey::Country);
        let asn = place.asn.value().map(PlaceKey::As);
        for key in [country, asn].into_iter().flatten() {
            strongest.consider(AnyKey::Place(key), root.places.find(key));
        }
        strongest.into_match()
    }

    /// Whether an allow list names a client: then only the operator's own decisions are about it.
    ///
    /// Hot path: runs per request that a decision would refuse, allocates nothing.
    #[must_use]
    pub fn is_allowed(&self, client: Ip) -> bool {
        self.0.allowed.contains(client)
    }

    /// Whether any decision is about a country or autonomous system: else nobody needs to look up
    /// where a client is. Hot path: runs per request, allocates nothing.
    #[must_use]
    pub fn asks_for_places(&self) -> bool {
        !self.0.places.is_empty()
    }
}

impl std::fmt::Debug for Version {
    /// Which it is, not a million decisions.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Version").field(&self.0.generation).finish()
    }
}

/// The strongest of the decisions seen so far.
struct Strongest<'r, F> {
    root: &'r Root,
    is_asked: F,
    now: Tick,
    found: Option<Candidate<'r>>,
}

struct Candidate<'r> {
    rank: (RemedyKind, Tick, bool),
    key: AnyKey,
    record: Record,
    label: &'r Arc<Label>,
}

impl<'r, F: Fn(SourceId) -> bool> Strongest<'r, F> {
    fn new(root: &'r Root, is_asked: F, now: Tick) -> Self {
        Self {
            root,
            is_asked,
            now,
            found: None,
        }
    }

    fn consider(&mut self, key: AnyKey, run: &[Record]) {
        for record in run.iter().filter(|record| record.is_live(self.now)) {
            let Some(label) = self.root.labels.get(usize::from(record.label().0)) else {
                continue;
            };
            if !(self.is_asked)(label.reason.source) {
                continue;
            }
            let is_local = label.reason.source == SourceId::Local;
            let rank = (label.reason.remedy.kind(), record.expires(), is_local);
            if self.found.as_ref().is_none_or(|found| rank > found.rank) {
                self.found = Some(Candidate {
                    rank,
                    key,
                    record: *record,
                    label,
                });
            }
        }
    }

    fn into_match(self) -> Option<Match> {
        let found = self.found?;
        let scope = match found.key {
            AnyKey::V4(key) => key.scope(),
            AnyKey::V6(key) => key.scope(),
            AnyKey::Place(key) => key.scope(),
        };
        Some(Match::new(scope, found.record, Arc::clone(found.label)))
    }
}
