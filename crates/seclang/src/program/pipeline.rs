//! Lists of transformations as a tree: what several rules begin with is done once.

use crate::{ByteSet, Transformation};

/// Which node of the tree; 0 is the root, where a value is as it came.
pub(crate) type NodeId = u16;

/// Beyond any list that anyone writes.
pub(crate) const NODES_MAX: usize = 1 << 12;

/// The tree.
#[derive(Clone, Debug)]
pub(crate) struct Pipelines {
    nodes: Vec<Node>,
}

/// A list of transformations: its parent's, and one more.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) parent: NodeId,
    pub(crate) last: Transformation,
    /// Which class of bytes a string must have for `last` to change it; `None` where any may.
    pub(crate) trigger: Option<u32>,
    /// The classes of which a string must have one for any of the list to change it; `None` where any
    /// string may.
    pub(crate) triggers: Option<u64>,
    /// The same, where letters that only change their case are no change: filters are found in either
    /// case.
    pub(crate) searched_triggers: Option<u64>,
    /// The nodes from the root's child down to this one.
    pub(crate) path: Box<[NodeId]>,
}

impl Pipelines {
    pub(crate) fn new() -> Self {
        let root = Node {
            parent: 0,
            // Never applied.
            last: Transformation::Length,
            trigger: None,
            triggers: Some(0),
            searched_triggers: Some(0),
            path: Box::default(),
        };
        Self { nodes: vec![root] }
    }

    /// The node of a list; `None` where there are too many.
    pub(crate) fn add(&mut self, list: &[Transformation]) -> Option<NodeId> {
        let mut at: NodeId = 0;
        for transformation in list {
            at = self.child(at, *transformation)?;
        }
        Some(at)
    }

    fn child(&mut self, parent: NodeId, last: Transformation) -> Option<NodeId> {
        let mut children = self.nodes.iter().enumerate().skip(1);
        let is_it = |node: &Node| node.parent == parent && node.last == last;
        if let Some((id, _)) = children.find(|(_, node)| is_it(node)) {
            return NodeId::try_from(id).ok();
        }
        if self.nodes.len() == NODES_MAX {
            return None;
        }
        let id = NodeId::try_from(self.nodes.len()).ok()?;
        let above = self.path(parent).iter().copied();
        let path = above.chain([id]).collect();
        self.nodes.push(Node {
            parent,
            last,
            trigger: None,
            triggers: None,
            searched_triggers: None,
            path,
        });
        Some(id)
    }

    /// Sets which classes of bytes each transformation needs, from the answers of `classes_of`: to change a
    /// string, and to change more than the case of its letters.
    pub(crate) fn set_triggers(
        &mut self,
        classes_of: impl Fn(Transformation) -> (Option<u32>, Option<u64>),
    ) {
        for id in 1..self.nodes.len() {
            let Some(node) = self.nodes.get(id) else {
                return;
            };
            let above = self.node(node.parent);
            let (trigger, searched) = classes_of(node.last);
            let all = above.and_then(|above| above.triggers).zip(trigger);
            let triggers = all.map(|(above, class)| above | 1_u64.checked_shl(class).unwrap_or(0));
            let all = above
                .and_then(|above| above.searched_triggers)
                .zip(searched);
            let searched_triggers = all.map(|(above, classes)| above | classes);
            if let Some(node) = self.nodes.get_mut(id) {
                node.trigger = trigger;
                node.triggers = triggers;
                node.searched_triggers = searched_triggers;
            }
        }
    }

    /// The node; a parent's number is always below its children's.
    pub(crate) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(usize::from(id))
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The transformations of all nodes but the root.
    pub(crate) fn transformations(&self) -> impl Iterator<Item = Transformation> {
        self.nodes.iter().skip(1).map(|node| node.last)
    }

    /// Whether letters may have changed their case in the form of a node, and nothing else.
    pub(crate) fn changes_case(&self, id: NodeId) -> bool {
        let mut path = self.path(id).iter();
        path.any(|id| self.node(*id).is_some_and(|node| node.last.changes_case()))
    }

    /// What the transformation of a list takes out that leaves seams, if one does.
    pub(crate) fn removed(&self, id: NodeId) -> Option<ByteSet> {
        let mut path = self.path(id).iter();
        path.find_map(|id| Some(self.node(*id)?.last.seams()?.0))
    }

    /// The node without `lowercase` at the end of its list.
    pub(crate) fn without_lowercase(&self, id: NodeId) -> NodeId {
        let mut at = id;
        while let Some(node) = self.node(at).filter(|_| at != 0)
            && node.last == Transformation::Lowercase
        {
            at = node.parent;
        }
        at
    }

    /// The nodes from the root's child down to `id`.
    pub(crate) fn path(&self, id: NodeId) -> &[NodeId] {
        self.node(id).map_or(&[], |node| &node.path)
    }
}
