//! Decisions as their sources bring them.

use std::num::NonZeroU64;
use std::sync::Arc;

use palisade_vocabulary::Tick;

use crate::{Remedy, Scope};

/// The number that a source gave a decision. Means nothing outside that source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DecisionId(NonZeroU64);

impl DecisionId {
    /// The id `number`; none where it is 0 (LAPI leaves an `id` of 0 out).
    #[must_use]
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl std::fmt::Display for DecisionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Who put a decision there. Each source has its own ids, and only it can take its decisions back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SourceId {
    /// The operator, through `palisade decisions`.
    Local,
    /// CrowdSec's LAPI.
    CrowdSec,
    /// A block list of the settings.
    List(ListId),
}

/// Which list. Means nothing in another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListId(pub u16);

impl SourceId {
    /// Every source but lists.
    pub const ALL: [SourceId; 2] = [SourceId::Local, SourceId::CrowdSec];

    /// The name in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::CrowdSec => "crowdsec",
            Self::List(_) => "list",
        }
    }

    /// Whether the source is known to name every decision that it holds, so that a deletion says
    /// nothing about any other decision (see the crate's documentation).
    pub(crate) fn names_all(self) -> bool {
        match self {
            Self::Local | Self::List(_) => true,
            Self::CrowdSec => false,
        }
    }
}

/// What a source says about a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The source's id for it. Without one, a source has one decision for each scope and remedy.
    pub id: Option<DecisionId>,
    /// Whom it is about.
    pub scope: Scope,
    /// What is to be done.
    pub remedy: Remedy,
    /// Who decided: CrowdSec's `cscli`, `crowdsec`, `CAPI`, `lists`, or `local`. The table keeps
    /// [`Decision::ORIGIN_BYTES_MAX`] of it.
    pub origin: Arc<str>,
    /// Why: a scenario, the name of a list (origin `lists`), or the operator's words. The table
    /// keeps [`Decision::SCENARIO_BYTES_MAX`] of it.
    pub scenario: Arc<str>,
    /// When it ends: it holds before this tick. The table's resolution is a millisecond, its
    /// horizon 2,200 years.
    pub expires: Tick,
}

impl Decision {
    /// The most that is kept of an origin, in bytes.
    pub const ORIGIN_BYTES_MAX: usize = 64;
    /// The most that is kept of a scenario, in bytes.
    pub const SCENARIO_BYTES_MAX: usize = 256;
    /// When a decision ends that holds as long as its source says so.
    pub const NO_END: Tick = Tick::from_millis(u64::MAX);
}

/// What a source takes back.
///
/// `id` and `remedy` narrow it: with neither, everything that the source says about `scope`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Whom the decision was about.
    pub scope: Scope,
    /// Only the decision of this id.
    pub id: Option<DecisionId>,
    /// Only decisions of this remedy.
    pub remedy: Option<Remedy>,
}

/// One document of a source: what it takes back, and what it says.
///
/// Deletions come first, whatever their order was in the document: what is in `added` is there
/// afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// What is taken back.
    pub deleted: Vec<Deletion>,
    /// What is said.
    pub added: Vec<Decision>,
}

/// What became of a document. All numbers are decisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// New ones.
    pub added: usize,
    /// Ones that were held already; time, remedy and reason are now as the document says.
    pub updated: usize,
    /// Ones that were over when they came, and were left out.
    pub stale: usize,
    /// Ones left out because the source holds as many as it may.
    pub refused: usize,
    /// Ones lost because one scope has as many of one source as it may: the weakest that ends
    /// first gives way.
    pub crowded: usize,
    /// Ones taken back.
    pub deleted: usize,
    /// Deletions of what was not held: repeated ones, or of what had ended already.
    pub not_held: usize,
    /// Ones in doubt among all that the document spoke of: the next snapshot settles them, so take
    /// one soon (see the crate's documentation).
    pub doubted: usize,
    /// Ones in doubt that the snapshot doesn't hold: gone.
    pub dropped: usize,
    /// Ones that had ended, of any source, and were cleared away in passing.
    pub expired: usize,
}

impl Applied {
    /// Whether the table is another than before.
    pub(crate) fn changed_anything(&self) -> bool {
        self.added + self.updated + self.doubted + self.crowded > 0 || self.made_room()
    }

    /// Whether any decision is gone, but for those that made room for stronger ones.
    pub(crate) fn made_room(&self) -> bool {
        self.deleted + self.dropped + self.expired > 0
    }
}
