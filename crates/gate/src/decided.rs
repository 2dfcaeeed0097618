//! What decisions mean for a client, under the operator's policy.

use palisade_decisions::{Match, RemedyKind, SourceId, Version};
use palisade_vocabulary::{Ip, Mode, Place, Tick};

use crate::Snapshot;
use crate::settings::FallbackRemediation;

/// What decisions mean for a client.
#[derive(Debug, Default)]
pub struct Decided {
    /// The decision that refuses it.
    pub refuses: Option<Match>,
    /// A decision that would, were CrowdSec's not only to be recorded.
    pub would_refuse: Option<Match>,
}

impl Snapshot {
    /// What decisions mean for a client now. Hot path: runs per request, allocates nothing.
    #[must_use]
    pub fn decided(&self, decisions: &Version, client: Ip, place: &Place, now: Tick) -> Decided {
        let strongest = |is_asked: fn(SourceId) -> bool| {
            let found = decisions.lookup_among(is_asked, client, place, now)?;
            self.refuses(&found).then_some(found)
        };
        let Some(found) = strongest(|_| true) else {
            return Decided::default();
        };
        let own = |source| source == SourceId::Local;
        if !own(found.source()) && decisions.is_allowed(client) {
            return Decided {
                refuses: strongest(own),
                would_refuse: None,
            };
        }
        if found.source() != SourceId::CrowdSec || self.decisions.mode == Mode::Block {
            return Decided {
                refuses: Some(found),
                would_refuse: None,
            };
        }
        // What is only recorded hides no ban of the operator's own, nor of their lists.
        Decided {
            refuses: strongest(|source| source != SourceId::CrowdSec),
            would_refuse: (self.decisions.mode == Mode::Detect).then_some(found),
        }
    }

    /// Whether a decision's remedy refuses here.
    fn refuses(&self, found: &Match) -> bool {
        found.remedy().kind() == RemedyKind::Ban
            || self.decisions.fallback_remediation == FallbackRemediation::Ban
    }
}
