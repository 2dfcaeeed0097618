//! What a form must have for any of the filters that it is searched for to match it.

use std::collections::BTreeMap;

use crate::ByteSet;
use crate::prefilter::{Prefilter, Requirement};
use crate::program::{FormNeeds, NodeId};

/// Of the forms of all nodes.
#[derive(Debug, Default)]
pub(super) struct Needs {
    by_node: BTreeMap<NodeId, Need>,
}

#[derive(Debug)]
struct Need {
    len_min: usize,
    /// Bytes of which it has at least one.
    witnesses: ByteSet,
}

impl Needs {
    /// Notes that the form of a node is searched for a filter of this requirement, if it has any.
    pub(super) fn add(&mut self, node: NodeId, requirement: Option<&(usize, ByteSet)>) {
        let (len_min, witnesses) = requirement.copied().unwrap_or((0, ByteSet::ALL));
        let need = self
            .by_node
            .entry(node)
            .or_insert(Need { len_min, witnesses });
        need.len_min = need.len_min.min(len_min);
        need.witnesses = need.witnesses.union(witnesses);
    }

    /// The same in classes of bytes, which get numbers as far as there are any left.
    pub(super) fn in_classes(self, prefilter: &mut Prefilter) -> BTreeMap<NodeId, FormNeeds> {
        let needs = self.by_node.into_iter();
        let needs = needs.map(|(node, need)| {
            let needs = FormNeeds {
                len_min: need.len_min,
                classes: prefilter.class_of(need.witnesses),
            };
            (node, needs)
        });
        needs.collect()
    }
}

/// The shortest value of which it holds, and bytes of which each has one.
pub(super) fn least(requirement: &Requirement) -> (usize, ByteSet) {
    (requirement.len_min(), requirement.witnesses())
}
