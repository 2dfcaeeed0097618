//! What rules look at, ready to be looked up.

use super::tx_names::Slot;
use crate::Rx;
use crate::syntax::VariableName;

/// Which set of targets, as an index of [`Program::target_sets`](super::Program).
pub(crate) type TargetSetId = u32;

/// Which part, as an index of [`Program::parts`](super::Program).
pub(crate) type PartId = u32;

/// The targets of a link. What several sets name is one part, whose values are looked up once a phase.
#[derive(Clone, Debug)]
pub(crate) struct TargetSet {
    pub(crate) parts: Box<[PartId]>,
    pub(crate) exclusions: Box<[Exclusion]>,
    /// Whether its values stay the same throughout a phase.
    pub(crate) is_static: bool,
}

/// What one target names.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) name: VariableName,
    pub(crate) pick: Pick,
    pub(crate) use_: PlannedUse,
    /// Whether it stays the same from phase 1 to phase 2.
    pub(crate) is_of_head: bool,
    /// Of `TX`, the slots whose names `pick` means.
    pub(crate) slots: Box<[Slot]>,
}

/// Whether values are looked at, or how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlannedUse {
    Values,
    Count,
}

/// Which members.
#[derive(Clone, Debug)]
pub(crate) enum Pick {
    All,
    /// Those of this name, in lower case.
    Name(Box<[u8]>),
    /// The variable of `TX` that has this slot.
    Slot(Slot),
    /// Those whose name it finds, compiled with its case ignored; and which cache its searches have.
    Regex(Rx, u32),
    /// `XML:/*`
    XmlText,
    /// `XML://@*`
    XmlAttributes,
}

/// Members that are left out of what the other targets of a set name.
#[derive(Clone, Debug)]
pub(crate) struct Exclusion {
    pub(crate) name: VariableName,
    pub(crate) pick: Pick,
}
