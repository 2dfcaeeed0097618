//! Clients whom no decision is about but the operator's own.

use std::sync::Arc;

use palisade_vocabulary::{CidrSet, Ip};

use crate::ListId;

/// Allow lists, each by itself: one that goes takes nothing of another's along.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllowLists(Vec<(ListId, Arc<CidrSet>)>);

impl AllowLists {
    /// These lists with `ranges` in the place of what `list` had.
    pub(crate) fn with(&self, list: ListId, ranges: CidrSet) -> Self {
        let others = self.0.iter().filter(|(other, _)| *other != list).cloned();
        let new = (!ranges.is_empty()).then(|| (list, Arc::new(ranges)));
        Self(others.chain(new).collect())
    }

    /// Hot path: runs per request that a decision would refuse, allocates nothing.
    pub(crate) fn contains(&self, client: Ip) -> bool {
        self.0.iter().any(|(_, ranges)| ranges.contains(client))
    }
}
