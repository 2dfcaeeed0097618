//! The answer of a look-up.

use std::sync::Arc;

use palisade_vocabulary::Tick;

use crate::label::{Label, OriginId};
use crate::record::Record;
use crate::{DecisionId, Remedy, Scope, SourceId};

/// The decision that holds for a client: the strongest of all on its address, the ranges around
/// it, its country and its autonomous system. Enough to tell the operator why.
#[derive(Clone, Debug)]
pub struct Match {
    scope: Scope,
    record: Record,
    label: Arc<Label>,
}

impl Match {
    pub(crate) fn new(scope: Scope, record: Record, label: Arc<Label>) -> Self {
        Self {
            scope,
            record,
            label,
        }
    }

    /// What is to be done.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        self.label.reason.remedy
    }

    /// Whom the decision is about: not always the client's own address.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Who put the decision there.
    #[must_use]
    pub fn source(&self) -> SourceId {
        self.label.reason.source
    }

    /// The source's id for the decision.
    #[must_use]
    pub fn id(&self) -> Option<DecisionId> {
        self.record.id()
    }

    /// Who decided, as the source says it: `cscli`, `crowdsec`, `CAPI`, `lists`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.label.reason.origin
    }

    /// Who decided, for metrics and logs: the origin, or `lists:NAME` for a block list. At most 257
    /// different ones while the process lives; past 256 it is `other`.
    #[must_use]
    pub fn origin_label(&self) -> &str {
        &self.label.origin_label
    }

    /// The number of [`Self::origin_label`]. Hot path: counters are found by it.
    #[must_use]
    pub fn origin_id(&self) -> OriginId {
        self.label.origin_id
    }

    /// Why: a scenario, the name of a list, or the operator's words.
    #[must_use]
    pub fn scenario(&self) -> &str {
        &self.label.reason.scenario
    }

    /// When the decision ends.
    #[must_use]
    pub fn expires(&self) -> Tick {
        self.record.expires()
    }
}
