//! Ranges of addresses, written out or as the name of a list (`$office`).

use std::collections::BTreeMap;
use std::sync::Arc;

use palisade_vocabulary::{Cidr, CidrSet};
use palisade_yaml::Node;

use super::{Context, Kind, OneOrList, Range, ScalarKind, Shape};
use crate::closest::did_you_mean;
use crate::problem::quoted;

/// The lists of `access.lists`, by name.
#[derive(Default)]
pub(crate) enum Lists {
    /// They couldn't be read, which has been reported: every name may be one.
    #[default]
    Unread,
    /// `None` for a list that couldn't be read, which has been reported.
    Known(BTreeMap<Arc<str>, Option<Arc<[Cidr]>>>),
}

impl Lists {
    /// The ranges of `name`; `Ok(None)` where they are not known for a reason that was reported.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Arc<[Cidr]>>, String> {
        let Self::Known(lists) = self else {
            return Ok(None);
        };
        lists.get(name).cloned().ok_or_else(|| {
            let hint = did_you_mean(name, lists.keys().map(|name| &**name));
            format!("there is no list {} in access.lists{hint}", quoted(name))
        })
    }
}

/// One range, or a list of ranges by its name.
#[derive(Clone, Debug)]
pub(crate) enum RangeOrList {
    Range(Cidr),
    List { name: Arc<str>, ranges: Arc<[Cidr]> },
}

/// Reads a range, or `$` and the name of a list.
pub(crate) struct RangeItem;

impl Kind for RangeItem {
    type Value = RangeOrList;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<RangeOrList> {
        let text = context.text(node, &self.shape())?;
        match text.strip_prefix('$') {
            Some(name) => Some(RangeOrList::List {
                name: name.into(),
                ranges: context.list(name, &node.location)?,
            }),
            None => context
                .accept(Range.parse(&text), &node.location)
                .map(RangeOrList::Range),
        }
    }

    fn shape(&self) -> Shape {
        Shape::Text("an IP address, a range like 10.0.0.0/8, or the name of a list like $office")
    }
}

/// The most ranges that are written out in one place; longer ones belong in a list file.
pub(crate) const RANGES_INLINE_MAX: usize = 100_000;

/// One or more ranges or lists, as a set: those who are trusted with something.
pub(crate) struct Ranges;

impl Kind for Ranges {
    type Value = CidrSet;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<CidrSet> {
        let items = ITEMS.read(node, context)?;
        let mut all = Vec::new();
        for item in &items {
            match item {
                RangeOrList::Range(range) => all.push(*range),
                RangeOrList::List { ranges, .. } => all.extend_from_slice(ranges),
            }
        }
        if let Some(everybody) = all.iter().find(|range| range.prefix_len() == 0) {
            let message = format!(
                "{everybody} is everybody, and whoever is named here is trusted; name who it is"
            );
            context.warning(&node.location, message);
        }
        Some(all.into_iter().collect())
    }

    fn shape(&self) -> Shape {
        ITEMS.shape()
    }
}

const ITEMS: OneOrList<RangeItem> = OneOrList {
    of: RangeItem,
    max: RANGES_INLINE_MAX,
};
