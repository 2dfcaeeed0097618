//! What a form must have for any of the filters that it is searched for to match it.

use std::collections::BTreeMap;

use crate::prefilter::{Prefilter, Requirement};
use crate::program::{FormNeeds, NodeId};
use crate::{ByteSet, Transformation};

/// Of the forms of all nodes.
#[derive(Debug, Default)]
pub(super) struct Needs {
    by_node: BTreeMap<NodeId, Least>,
}

/// What a form has at least that a filter matches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Least {
    len_min: usize,
    /// Bytes of which it has at least one.
    witnesses: ByteSet,
    /// The same where nothing matches that is between the seams of the last transformation.
    at_seams: ByteSet,
}

impl Least {
    const ANY: Self = Self {
        len_min: 0,
        witnesses: ByteSet::ALL,
        at_seams: ByteSet::ALL,
    };

    /// Of what a requirement holds of.
    pub(super) fn of(requirement: &Requirement) -> Self {
        let (_, seams) = Transformation::CmdLine.seams().unwrap_or_default();
        Self {
            len_min: requirement.len_min(),
            witnesses: requirement.witnesses(),
            at_seams: requirement.witnesses_at(seams),
        }
    }
}

impl Needs {
    /// Notes that the form of a node is searched for a filter that takes so much, if that is known.
    pub(super) fn add(&mut self, node: NodeId, least: Option<&Least>) {
        let least = least.copied().unwrap_or(Least::ANY);
        let all = self.by_node.entry(node).or_insert(least);
        all.len_min = all.len_min.min(least.len_min);
        all.witnesses = all.witnesses.union(least.witnesses);
        all.at_seams = all.at_seams.union(least.at_seams);
    }

    /// The same in classes of bytes, which get numbers as far as there are any left; what the list of a node
    /// takes out that leaves seams says `removed`.
    pub(super) fn in_classes(
        self,
        prefilter: &mut Prefilter,
        removed: impl Fn(NodeId) -> Option<ByteSet>,
    ) -> BTreeMap<NodeId, FormNeeds> {
        let needs = self.by_node.into_iter();
        let needs = needs.map(|(node, least)| {
            let classes = prefilter.class_of(least.witnesses);
            let (removed, at_seams) = match removed(node) {
                Some(removed) => (
                    prefilter.class_of(removed),
                    prefilter.class_of(least.at_seams),
                ),
                None => (u64::MAX, classes),
            };
            let needs = FormNeeds {
                len_min: least.len_min,
                classes,
                removed,
                at_seams,
            };
            (node, needs)
        });
        needs.collect()
    }
}
