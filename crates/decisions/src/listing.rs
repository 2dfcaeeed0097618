//! What operators ask the table: which decisions there are, and how many.

use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use palisade_vocabulary::{Cidr, Ip, IpFamily, Place, Tick};

use crate::key::Key;
use crate::label::{Label, LabelIndex};
use crate::record::Record;
use crate::table::Root;
use crate::{Decision, DecisionId, DecisionTable, RemedyKind, Scope, SourceId};

/// Which decisions to list. What is `None` doesn't narrow the list.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Only those of this source.
    pub source: Option<SourceId>,
    /// Only those on exactly this scope.
    pub scope: Option<Scope>,
    /// Only those on this address or a range around it.
    pub address: Option<Ip>,
    /// Only those of this kind of remedy.
    pub remedy: Option<RemedyKind>,
    /// Only those of this origin, as [`Match::origin_label`](crate::Match::origin_label) has it.
    pub origin_label: Option<String>,
    /// At most this many.
    pub limit: usize,
}

impl Filter {
    /// The most decisions that are listed unless told otherwise.
    pub const LIMIT: usize = 1000;
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            source: None,
            scope: None,
            address: None,
            remedy: None,
            origin_label: None,
            limit: Self::LIMIT,
        }
    }
}

/// Some of the decisions that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The first, by source, scope and id; at most the filter's limit.
    pub decisions: Vec<ListedDecision>,
    /// How many there are in all.
    pub total: usize,
}

/// A decision and who put it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDecision {
    /// Who put it there.
    pub source: SourceId,
    /// What it says.
    pub decision: Decision,
    /// The origin for metrics and logs (`lists:NAME` for a block list).
    pub origin_label: Arc<str>,
    /// How long it still holds.
    pub remaining: Duration,
    /// Whether the source gave reason to think that it has taken the decision back: its next
    /// snapshot settles it.
    pub is_doubted: bool,
}

/// How many decisions have something in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionCount {
    /// Who put them there.
    pub source: SourceId,
    /// Their origin, as [`Match::origin_label`](crate::Match::origin_label) has it.
    pub origin_label: Arc<str>,
    /// Their kind of remedy.
    pub remedy: RemedyKind,
    /// How many there are.
    pub decisions: usize,
}

/// How many decisions of one origin are about addresses of one family.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActiveCount {
    /// Their origin, as [`Match::origin_label`](crate::Match::origin_label) has it.
    pub origin_label: Arc<str>,
    /// The family; none for those on a country or an autonomous system.
    pub family: Option<IpFamily>,
    /// How many there are.
    pub decisions: u64,
}

impl DecisionTable {
    /// How many decisions have not ended, by origin and family of addresses, in that order. Reads
    /// the whole table.
    #[must_use]
    pub fn active(&self, now: Tick) -> Vec<ActiveCount> {
        let root = self.root.load_full();
        let mut sums = BTreeMap::new();
        let mut count = |family: Option<IpFamily>, record: Record| {
            if let Some(label) = root.label(record.label()).filter(|_| record.is_live(now)) {
                *sums.entry((&label.origin_label, family)).or_insert(0) += 1;
            }
        };
        let (v4, v6) = (Some(IpFamily::V4), Some(IpFamily::V6));
        root.v4.iter().for_each(|(_, record)| count(v4, record));
        root.v6.iter().for_each(|(_, record)| count(v6, record));
        root.places
            .iter()
            .for_each(|(_, record)| count(None, record));
        let counts = sums.into_iter();
        counts
            .map(|((origin_label, family), decisions)| ActiveCount {
                origin_label: Arc::clone(origin_label),
                family,
                decisions,
            })
            .collect()
    }

    /// The names of all origins that were ever shown, by [`OriginId::index`](crate::OriginId).
    #[must_use]
    pub fn origin_names(&self) -> Arc<Vec<Arc<str>>> {
        Arc::clone(&self.root.load().origins)
    }

    /// The decisions that have not ended and that `filter` asks for. Reads the whole table.
    #[must_use]
    pub fn list(&self, filter: &Filter, now: Tick) -> Listing {
        let root = self.root.load_full();
        let mut first: BinaryHeap<Row> = BinaryHeap::new();
        let mut total = 0;
        for row in root
            .rows()
            .filter(|row| row.record.is_live(now) && root.passes(row, filter))
        {
            total += 1;
            first.push(row);
            if first.len() > filter.limit {
                first.pop();
            }
        }
        let rows = first.into_sorted_vec().into_iter();
        Listing {
            decisions: rows.filter_map(|row| root.listed(&row, now)).collect(),
            total,
        }
    }

    /// The addresses and ranges on which `source` has decisions that have not ended, sorted, each
    /// once. Reads the whole table.
    #[must_use]
    pub fn ranges(&self, source: SourceId, now: Tick) -> Vec<Cidr> {
        let root = self.root.load_full();
        let is_meant = |record: Record| {
            let label = root.label(record.label());
            record.is_live(now) && label.is_some_and(|label| label.reason.source == source)
        };
        let v4 = root.v4.iter().filter(|(_, record)| is_meant(*record));
        let v6 = root.v6.iter().filter(|(_, record)| is_meant(*record));
        let scopes = v4.map(|(key, _)| key.scope());
        let scopes = scopes.chain(v6.map(|(key, _)| key.scope()));
        let ranges = scopes.filter_map(|scope| match scope {
            Scope::Address(range) => Some(range),
            Scope::Country(_) | Scope::As(_) => None,
        });
        let mut ranges: Vec<Cidr> = ranges.collect();
        ranges.sort_unstable();
        ranges.dedup();
        ranges
    }

    /// All decisions of `source` that have not ended, each with how long it still holds: what is
    /// to be saved, since ticks mean nothing to another process.
    #[must_use]
    pub fn export(&self, source: SourceId, now: Tick) -> Vec<(Decision, Duration)> {
        let root = self.root.load_full();
        let rows = root
            .rows()
            .filter(|row| row.source == source && row.record.is_live(now));
        let listed = rows.filter_map(|row| root.listed(&row, now));
        listed
            .map(|listed| (listed.decision, listed.remaining))
            .collect()
    }

    /// How many decisions there are by source, origin and kind of remedy, in that order. Ended
    /// ones count until they are cleared away. Cheap: counts are kept up to date.
    #[must_use]
    pub fn counts(&self) -> Vec<DecisionCount> {
        let root = self.root.load_full();
        let mut counts: BTreeMap<(SourceId, &Arc<str>, RemedyKind), usize> = BTreeMap::new();
        for (label, count) in root.labels.iter().zip(&root.label_counts) {
            if *count > 0 {
                let reason = &label.reason;
                let group = (reason.source, &label.origin_label, reason.remedy.kind());
                *counts.entry(group).or_default() += *count as usize;
            }
        }
        let counts = counts.into_iter();
        counts
            .map(
                |((source, origin_label, remedy), decisions)| DecisionCount {
                    source,
                    origin_label: Arc::clone(origin_label),
                    remedy,
                    decisions,
                },
            )
            .collect()
    }
}

/// A decision while a listing is made; its order is the listing's.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    source: SourceId,
    scope: Scope,
    id: Option<DecisionId>,
    record: Record,
}

impl Root {
    fn rows(&self) -> impl Iterator<Item = Row> {
        let v4 = self.v4.iter().map(|(key, record)| (key.scope(), record));
        let v6 = self.v6.iter().map(|(key, record)| (key.scope(), record));
        let places = self
            .places
            .iter()
            .map(|(key, record)| (key.scope(), record));
        v4.chain(v6).chain(places).filter_map(|(scope, record)| {
            Some(Row {
                source: self.label(record.label())?.reason.source,
                scope,
                id: record.id(),
                record,
            })
        })
    }

    fn passes(&self, row: &Row, filter: &Filter) -> bool {
        let Some(label) = self.label(row.record.label()) else {
            return false;
        };
        let covers = |address| row.scope.covers(address, &Place::UNAVAILABLE);
        let is_origin = |origin: &String| **origin == *label.origin_label;
        filter.source.is_none_or(|source| source == row.source)
            && filter.scope.is_none_or(|scope| scope == row.scope)
            && filter.address.is_none_or(covers)
            && filter
                .remedy
                .is_none_or(|kind| kind == label.reason.remedy.kind())
            && filter.origin_label.as_ref().is_none_or(is_origin)
    }

    fn listed(&self, row: &Row, now: Tick) -> Option<ListedDecision> {
        let label = self.label(row.record.label())?;
        let decision = Decision {
            id: row.id,
            scope: row.scope,
            remedy: label.reason.remedy,
            origin: Arc::clone(&label.reason.origin),
            scenario: Arc::clone(&label.reason.scenario),
            expires: row.record.expires(),
        };
        Some(ListedDecision {
            source: row.source,
            remaining: decision.expires.since(now),
            decision,
            origin_label: Arc::clone(&label.origin_label),
            is_doubted: row.record.is_doubted(),
        })
    }

    fn label(&self, index: LabelIndex) -> Option<&Label> {
        self.labels.get(usize::from(index.0)).map(Arc::as_ref)
    }
}
