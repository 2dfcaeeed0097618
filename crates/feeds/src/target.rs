//! Where the entries of a list go.

use std::sync::Arc;

use palisade_decisions::{Decision, DecisionTable, Deletion, Delta, ListId, Scope, SourceId};
use palisade_vocabulary::{Cidr, CidrSet, Tick};
use parking_lot::Mutex;

use crate::settings::{ListName, Purpose};

/// What a list says, in the decision table. Closed once the list is gone from the settings, so that
/// a copy that is on its way then is too late.
pub(crate) struct Target {
    table: Arc<DecisionTable>,
    id: ListId,
    name: ListName,
    state: Mutex<State>,
}

struct State {
    is_open: bool,
    /// Whether what is held was said in other words (another remedy) and is to be said again.
    rewrites: bool,
}

/// What a new copy changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) added: usize,
    pub(crate) removed: usize,
    /// Entries that the table has no room for.
    pub(crate) refused: usize,
}

impl Target {
    /// `rewrites`: what the list has in the table already is to be said anew, with another remedy
    /// for instance.
    pub(crate) fn new(
        table: Arc<DecisionTable>,
        id: ListId,
        name: ListName,
        rewrites: bool,
    ) -> Self {
        Self {
            table,
            id,
            name,
            state: Mutex::new(State {
                is_open: true,
                rewrites,
            }),
        }
    }

    /// Makes `ranges`, sorted, all that the list says: what it doesn't name any more goes, what is
    /// new comes, in one swap; what is in both is left alone, unless it `ends`: then its time begins
    /// anew. None where the list is gone.
    pub(crate) fn replace(
        &self,
        purpose: &Purpose,
        ranges: &[Cidr],
        ends: Option<Tick>,
        now: Tick,
    ) -> Option<Changed> {
        let mut state = self.state.lock();
        if !state.is_open {
            return None;
        }
        Some(match purpose {
            Purpose::Block(block) => {
                let origin: Arc<str> = "lists".into();
                let expires = ends.unwrap_or(Decision::NO_END);
                let decision = |range: &Cidr| Decision {
                    id: None,
                    scope: Scope::from(*range),
                    remedy: block.remedy,
                    origin: Arc::clone(&origin),
                    scenario: self.name.shared(),
                    expires,
                };
                let rewrites = std::mem::take(&mut state.rewrites);
                self.block(ranges, decision, (rewrites, ends.is_some()), now)
            }
            Purpose::Allow => {
                self.table.allow(self.id, ranges.iter().copied().collect());
                Changed::default()
            }
            Purpose::Named => Changed::default(),
        })
    }

    fn block(
        &self,
        ranges: &[Cidr],
        decision: impl Fn(&Cidr) -> Decision,
        (rewrites, begins_anew): (bool, bool),
        now: Tick,
    ) -> Changed {
        let source = SourceId::List(self.id);
        let held = self.table.ranges(source, now);
        let is_new = |range: &&Cidr| held.binary_search(range).is_err();
        let is_gone = |range: &&Cidr| ranges.binary_search(range).is_err();
        let added = ranges
            .iter()
            .filter(|range| rewrites || begins_anew || is_new(range))
            .map(decision);
        let deleted = held.iter().filter(|range| rewrites || is_gone(range));
        let deleted = deleted.map(|range| Deletion {
            scope: Scope::from(*range),
            id: None,
            remedy: None,
        });
        let delta = Delta {
            deleted: deleted.collect(),
            added: added.collect(),
        };
        let applied = self.table.apply(source, delta, now);
        Changed {
            added: applied.added,
            removed: applied.deleted,
            refused: applied.refused,
        }
    }

    /// How many ranges the list has in the table.
    pub(crate) fn ranges(&self, now: Tick) -> Vec<Cidr> {
        self.table.ranges(SourceId::List(self.id), now)
    }

    /// Nothing of this list is applied from now on. What it said stays.
    pub(crate) fn close(&self) {
        self.state.lock().is_open = false;
    }

    /// Takes back what the list said.
    pub(crate) fn flush(&self, now: Tick) {
        self.table.flush(SourceId::List(self.id), now);
        self.table.allow(self.id, CidrSet::default());
    }
}
