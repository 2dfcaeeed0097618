//! The forms in which the values of a part are searched, for all rules at once.

use std::collections::BTreeSet;

use super::pipeline::{NodeId, Pipelines};
use crate::Transformation;

/// Which list of forms, as an index of [`Side::forms`](super::Side).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FormsId(pub(crate) u8);

/// Each string has a bit for each list. What would be another is part of the last.
pub(crate) const LISTS_MAX: usize = 64;

impl FormsId {
    /// The values of the part are not searched.
    pub(crate) const NONE: Self = Self(u8::MAX);

    /// The first of those whose bits these are.
    pub(crate) fn first(bits: u64) -> Self {
        u8::try_from(bits.trailing_zeros()).map_or(Self::NONE, Self)
    }

    /// The bit of it; none for [`FormsId::NONE`].
    pub(crate) fn bit(self) -> u64 {
        1_u64.checked_shl(u32::from(self.0)).unwrap_or(0)
    }
}

/// A list of forms, beside that in which values came: some of the tree of lists of transformations, each
/// followed by what grows from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forms {
    pub(crate) forms: Box<[Form]>,
    /// The classes of which a string must have one to have another form; all ones where any may.
    pub(crate) triggers: u64,
    /// The classes that tell strings apart: of those that have the same of these, the same forms differ.
    pub(crate) classes: u64,
    /// A row of words: the filters that any of them, or what came, is searched for.
    pub(crate) filters: Box<[u64]>,
    /// For each form two rows of words: the filters that it is searched for, and those of them that
    /// nothing else of the list is.
    pub(crate) rows: Box<[u64]>,
}

/// What one more transformation makes of another form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) node: NodeId,
    /// One more than the index of the form that it comes from; 0 for that in which a value came.
    pub(crate) from: u16,
    pub(crate) last: Transformation,
    /// The classes of which what it comes from must have one for `last` to change it; all ones where
    /// anything may.
    pub(crate) trigger: u64,
    /// The classes of which a string must have one for it, or one that grows from it, to be searched.
    pub(crate) grown: u64,
    /// The classes of which a string must have one for it to be searched; none where it isn't. Letters
    /// that only change their case are no other form, since filters are found in either case.
    pub(crate) searched: u64,
    /// The index behind what grows from it.
    pub(crate) end: u16,
    /// What it has where any filter matches it that it is searched for.
    pub(crate) needs: FormNeeds,
    /// The classes of which it may have a byte where what it comes from had none; all ones where it may
    /// have any.
    pub(crate) written: u64,
    /// Whether all filters that it is searched for are those of what it comes from too.
    pub(crate) adds_nothing: bool,
    /// The length that it has at least where any filter matches it, or one that grows from it.
    pub(crate) len_min: usize,
    /// That which what it comes from then has.
    pub(crate) len_before: usize,
}

/// What a form has at least where any filter matches it that it is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FormNeeds {
    pub(crate) len_min: usize,
    /// The classes of which it has a byte of at least one; all ones where that may be any byte or none.
    pub(crate) classes: u64,
    /// The class of which a string must have one for its form to differ elsewhere than at seams, which is
    /// seen to where it was made of the string as it came; all ones where it may in any case.
    pub(crate) removed: u64,
    /// The same as `classes`, if what is between seams isn't meant: that is found in the string as it came.
    pub(crate) at_seams: u64,
}

impl FormNeeds {
    /// Nothing.
    pub(crate) const ANY: Self = Self {
        len_min: 0,
        classes: u64::MAX,
        removed: u64::MAX,
        at_seams: u64::MAX,
    };
    /// What no form has.
    pub(crate) const NEVER: Self = Self {
        len_min: usize::MAX,
        classes: 0,
        removed: u64::MAX,
        at_seams: 0,
    };

    /// What a form has at least of which one of both holds.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            len_min: self.len_min.min(other.len_min),
            classes: self.classes | other.classes,
            removed: u64::MAX,
            at_seams: self.at_seams | other.at_seams,
        }
    }
}

impl Forms {
    /// Those of `nodes`, and those that they come from. For which filters each node is searched says
    /// `searched_for`, and what a form has that one of them matches, `needs`; of which classes a
    /// transformation may write bytes, `written`.
    pub(crate) fn new<'s>(
        nodes: &BTreeSet<NodeId>,
        pipelines: &Pipelines,
        searched_for: impl Fn(NodeId) -> &'s [u64],
        needs: &impl Fn(NodeId) -> FormNeeds,
        written: &impl Fn(Transformation) -> u64,
    ) -> Self {
        let searched = |node: NodeId| {
            let triggers = pipelines.node(node)?.searched_triggers;
            Some(triggers.unwrap_or(u64::MAX)).filter(|_| nodes.contains(&node))
        };
        let mut needed: BTreeSet<NodeId> = BTreeSet::new();
        for node in nodes.iter().filter(|node| searched(**node) != Some(0)) {
            needed.extend(pipelines.path(*node));
        }
        let tree = Tree {
            needed,
            pipelines,
            searched,
            needs,
            written,
        };
        let mut forms = Vec::with_capacity(tree.needed.len());
        tree.grow(0, 0, &mut forms);
        let rows = forms.iter().flat_map(|form: &Form| {
            let others = nodes.iter().filter(|other| **other != form.node);
            let searched = searched_for(form.node);
            let others = union(others.map(|other| searched_for(*other)), searched.len());
            let alone = searched.iter().zip(others);
            let alone: Vec<u64> = alone.map(|(word, others)| word & !others).collect();
            searched.iter().copied().chain(alone)
        });
        Self {
            triggers: forms.iter().fold(0, |all, form| all | form.searched),
            classes: forms.iter().fold(EVERY, |all, form| {
                let needs = form.needs;
                let needs = [needs.classes, needs.removed, needs.at_seams];
                let classes = [form.trigger, form.searched].into_iter().chain(needs);
                let told = classes.filter(|classes| *classes != u64::MAX);
                told.fold(all, |all, classes| all | classes)
            }),
            filters: union(
                nodes.iter().map(|node| searched_for(*node)),
                searched_for(0).len(),
            )
            .into(),
            rows: rows.collect(),
            forms: forms.into(),
        }
    }
}

/// What strings of any class have.
const EVERY: u64 = 1 << 63;

/// All of some rows, in as many words as any may have.
fn union<'s>(rows: impl Iterator<Item = &'s [u64]>, words: usize) -> Vec<u64> {
    rows.fold(vec![0; words], |mut all, row| {
        for (all, word) in all.iter_mut().zip(row) {
            *all |= word;
        }
        all
    })
}

/// What a list is made of.
struct Tree<'p, S, N, W> {
    needed: BTreeSet<NodeId>,
    pipelines: &'p Pipelines,
    /// The classes that a string needs for the form of a node to be searched; `None` where it isn't.
    searched: S,
    needs: N,
    written: W,
}

/// What any form needs of some.
struct Needed {
    classes: u64,
    len_before: usize,
}

impl<S, N, W> Tree<'_, S, N, W>
where
    S: Fn(NodeId) -> Option<u64>,
    N: Fn(NodeId) -> FormNeeds,
    W: Fn(Transformation) -> u64,
{
    /// Appends what grows from a node, whose form is at `from`.
    fn grow(&self, parent: NodeId, from: u16, forms: &mut Vec<Form>) -> Needed {
        let mut all = Needed {
            classes: 0,
            len_before: usize::MAX,
        };
        for id in self.needed.iter().copied() {
            let Some(node) = self.pipelines.node(id) else {
                continue;
            };
            if node.parent != parent {
                continue;
            }
            let at = forms.len();
            let searched = (self.searched)(id);
            let needs = searched.map_or(FormNeeds::NEVER, |_| (self.needs)(id));
            forms.push(Form {
                node: id,
                from,
                last: node.last,
                trigger: match node.trigger {
                    Some(class) => 1_u64.checked_shl(class).unwrap_or(0),
                    None => u64::MAX,
                },
                grown: 0,
                searched: searched.unwrap_or(0),
                end: 0,
                needs,
                written: (self.written)(node.last),
                adds_nothing: false,
                len_min: 0,
                len_before: 0,
            });
            let number = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
            let grown = self.grow(id, number(at + 1), forms);
            let end = number(forms.len());
            if let Some(form) = forms.get_mut(at) {
                form.grown = form.searched | grown.classes;
                form.end = end;
                form.len_min = needs.len_min.min(grown.len_before);
                form.len_before = form.last.len_before(form.len_min);
                all.classes |= form.grown;
                all.len_before = all.len_before.min(form.len_before);
            }
        }
        all
    }
}
