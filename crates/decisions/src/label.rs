//! What many decisions have in common: source, remedy, origin and scenario, each combination once.

use std::sync::Arc;

use ahash::AHashMap;

use crate::{Decision, Remedy, SourceId};

/// The place of a label in the dictionary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LabelIndex(pub(crate) u16);

/// The most combinations of texts that are kept. A stock LAPI with every list of its hub has a few
/// hundred. Past it, decisions keep their force and lose their texts ([`OTHER`]).
pub(crate) const LABELS_MAX: usize = 8192;

/// The most names of origins that are ever shown while the process lives; they are values of
/// labels in metrics, which must be bounded.
pub(crate) const ORIGIN_LABELS_MAX: usize = 256;

/// The number of an origin's name, for counters by origin: the same while the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OriginId(u16);

impl OriginId {
    /// How many there are at most, with the one of all names past the bound.
    pub const COUNT: usize = ORIGIN_LABELS_MAX + 1;

    /// What names past the bound have in common.
    const OTHER: Self = Self(0);

    /// From 0 to [`Self::COUNT`], which is out.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// What stands for texts past the bounds.
pub(crate) const OTHER: &str = "other";

/// Who decided what, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reason {
    pub(crate) source: SourceId,
    pub(crate) remedy: Remedy,
    pub(crate) origin: Arc<str>,
    pub(crate) scenario: Arc<str>,
}

/// A reason and what is worked out of it when it is first seen.
#[derive(Debug)]
pub(crate) struct Label {
    pub(crate) reason: Reason,
    /// The origin as metrics and the decision log name it; one of [`ORIGIN_LABELS_MAX`].
    pub(crate) origin_label: Arc<str>,
    /// The number of that name.
    pub(crate) origin_id: OriginId,
}

/// All labels by index. Readers hold an old one while the writer makes a new one.
pub(crate) type Labels = Vec<Arc<Label>>;

/// The writer's side of the labels: finds, adds, counts and forgets them.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    labels: Arc<Labels>,
    /// How many decisions have each label.
    counts: Vec<u32>,
    index: AHashMap<Reason, LabelIndex>,
    /// Labels of no decision, for the next new reason.
    unused: Vec<LabelIndex>,
    origins: Origins,
}

/// The names of origins that were ever shown, by their number.
#[derive(Debug)]
struct Origins {
    names: Arc<Vec<Arc<str>>>,
    ids: AHashMap<Arc<str>, OriginId>,
}

impl Default for Origins {
    fn default() -> Self {
        let other: Arc<str> = OTHER.into();
        Self {
            ids: AHashMap::from_iter([(Arc::clone(&other), OriginId::OTHER)]),
            names: Arc::new(vec![other]),
        }
    }
}

impl Origins {
    fn id_of(&mut self, name: &Arc<str>) -> OriginId {
        if let Some(known) = self.ids.get(name) {
            return *known;
        }
        let next = u16::try_from(self.names.len()).ok().map(OriginId);
        match next.filter(|next| next.index() < OriginId::COUNT) {
            Some(next) => {
                Arc::make_mut(&mut self.names).push(Arc::clone(name));
                self.ids.insert(Arc::clone(name), next);
                next
            }
            None => OriginId::OTHER,
        }
    }

    fn name(&self, id: OriginId) -> Arc<str> {
        let name = self.names.get(id.index());
        name.map_or_else(|| OTHER.into(), Arc::clone)
    }
}

impl Dictionary {
    /// The labels as readers need them.
    pub(crate) fn labels(&self) -> Arc<Labels> {
        Arc::clone(&self.labels)
    }

    /// The names of origins as readers need them, by [`OriginId::index`].
    pub(crate) fn origins(&self) -> Arc<Vec<Arc<str>>> {
        Arc::clone(&self.origins.names)
    }

    /// How many decisions have each label, by index.
    pub(crate) fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// How many decisions `source` has.
    pub(crate) fn decisions_of(&self, source: SourceId) -> usize {
        let of_source = |(label, _): &(&Arc<Label>, &u32)| label.reason.source == source;
        let counted = self.labels.iter().zip(&self.counts).filter(of_source);
        counted.map(|(_, count)| *count as usize).sum()
    }

    pub(crate) fn get(&self, index: LabelIndex) -> Option<&Label> {
        self.labels.get(usize::from(index.0)).map(Arc::as_ref)
    }

    /// Counts one decision more.
    pub(crate) fn enter(&mut self, index: LabelIndex) {
        if let Some(count) = self.counts.get_mut(usize::from(index.0)) {
            *count = count.saturating_add(1);
        }
    }

    /// Counts one decision less.
    pub(crate) fn leave(&mut self, index: LabelIndex) {
        if let Some(count) = self.counts.get_mut(usize::from(index.0)) {
            *count = count.saturating_sub(1);
        }
    }

    /// The label of a reason, a new one if need be.
    pub(crate) fn label_of(&mut self, reason: Reason) -> LabelIndex {
        if let Some(index) = self.index.get(&reason) {
            return *index;
        }
        let mut reason = Reason {
            origin: bounded(&reason.origin, Decision::ORIGIN_BYTES_MAX),
            scenario: bounded(&reason.scenario, Decision::SCENARIO_BYTES_MAX),
            ..reason
        };
        let is_full = self.unused.is_empty() && self.labels.len() >= LABELS_MAX;
        if is_full && !self.index.contains_key(&reason) {
            reason = without_texts(reason);
        }
        match self.index.get(&reason) {
            Some(index) => *index,
            None => self.add(reason),
        }
    }

    fn add(&mut self, reason: Reason) -> LabelIndex {
        let origin_id = self.origin_id(&reason);
        let label = Arc::new(Label {
            origin_label: self.origins.name(origin_id),
            origin_id,
            reason: reason.clone(),
        });
        let labels = Arc::make_mut(&mut self.labels);
        let reused = self.unused.pop();
        let index =
            match reused.and_then(|index| Some((index, labels.get_mut(usize::from(index.0))?))) {
                Some((index, slot)) => {
                    *slot = label;
                    index
                }
                None => {
                    labels.push(label);
                    self.counts.push(0);
                    LabelIndex(u16::try_from(labels.len() - 1).unwrap_or(u16::MAX))
                }
            };
        self.index.insert(reason, index);
        index
    }

    /// CrowdSec names a block list by its scenario: `lists:firehol_voipbl`.
    fn origin_id(&mut self, reason: &Reason) -> OriginId {
        let name: Arc<str> = if &*reason.origin == "lists" {
            format!("lists:{}", reason.scenario).into()
        } else {
            Arc::clone(&reason.origin)
        };
        self.origins.id_of(&name)
    }

    /// Makes room of labels that no decision has any more.
    pub(crate) fn forget_unused(&mut self) {
        self.unused.clear();
        for (number, (label, count)) in self.labels.iter().zip(&self.counts).enumerate() {
            let Ok(index) = u16::try_from(number).map(LabelIndex) else {
                return;
            };
            if *count > 0 {
                continue;
            }
            // The reason may have another place by now: it came back and got the next one free.
            if self.index.get(&label.reason) == Some(&index) {
                self.index.remove(&label.reason);
            }
            self.unused.push(index);
        }
    }
}

/// One of few: a source, a kind of remedy, no texts.
fn without_texts(reason: Reason) -> Reason {
    let remedy = match reason.remedy {
        Remedy::Other(_) => Remedy::parse(OTHER),
        known => known,
    };
    Reason {
        source: reason.source,
        remedy,
        origin: OTHER.into(),
        scenario: OTHER.into(),
    }
}

/// At most `bytes_max` of `text`, without control characters: it is printed on terminals.
fn bounded(text: &Arc<str>, bytes_max: usize) -> Arc<str> {
    if text.len() <= bytes_max && !text.contains(char::is_control) {
        return Arc::clone(text);
    }
    let mut kept = String::new();
    for letter in text.chars() {
        let letter = if letter.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            letter
        };
        if kept.len() + letter.len_utf8() > bytes_max {
            break;
        }
        kept.push(letter);
    }
    kept.into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn reason(source: SourceId, origin: &str, scenario: &str) -> Reason {
        Reason {
            source,
            remedy: Remedy::Ban,
            origin: origin.into(),
            scenario: scenario.into(),
        }
    }

    fn add(dictionary: &mut Dictionary, origin: &str, scenario: &str) -> LabelIndex {
        let index = dictionary.label_of(reason(SourceId::CrowdSec, origin, scenario));
        dictionary.enter(index);
        index
    }

    #[test]
    fn a_reason_is_kept_once() {
        let mut dictionary = Dictionary::default();
        let first = add(&mut dictionary, "cscli", "manual");
        assert_ne!(add(&mut dictionary, "CAPI", "http:scan"), first);
        assert_eq!(add(&mut dictionary, "cscli", "manual"), first);
        let local = dictionary.label_of(reason(SourceId::Local, "cscli", "manual"));
        assert_ne!(local, first);
        assert_eq!(dictionary.decisions_of(SourceId::CrowdSec), 3);
    }

    #[test]
    fn lists_are_named_by_their_scenario() {
        let mut dictionary = Dictionary::default();
        let index = add(&mut dictionary, "lists", "tor-exit");
        let label = dictionary.get(index).unwrap();
        assert_eq!(
            (&*label.origin_label, &*label.reason.origin),
            ("lists:tor-exit", "lists")
        );
    }

    #[test]
    fn texts_are_cut_and_safe_to_print() {
        assert_eq!(
            &*bounded(&"a\u{1b}[2Jb\n".into(), 64),
            "a\u{fffd}[2Jb\u{fffd}"
        );
        assert_eq!(&*bounded(&"ääää".into(), 5), "ää");
        assert_eq!(&*bounded(&"abc".into(), 3), "abc");
    }

    #[test]
    fn labels_are_bounded_and_used_again() {
        let mut dictionary = Dictionary::default();
        for number in 0..LABELS_MAX {
            add(&mut dictionary, "cscli", &number.to_string());
        }
        let full = add(&mut dictionary, "cscli", "one too many");
        assert_eq!(&*dictionary.get(full).unwrap().reason.scenario, OTHER);
        assert_eq!(add(&mut dictionary, "cscli", "and another"), full);
        assert_eq!(add(&mut dictionary, "cscli", "17").0, 17);

        dictionary.leave(LabelIndex(23));
        dictionary.forget_unused();
        assert_eq!(
            add(&mut dictionary, "cscli", "one too many"),
            LabelIndex(23)
        );
        assert_eq!(dictionary.labels().len(), LABELS_MAX + 1);
    }

    #[test]
    fn a_reason_that_comes_back_is_kept_once() {
        let mut dictionary = Dictionary::default();
        let first = add(&mut dictionary, "cscli", "comes back");
        let second = add(&mut dictionary, "cscli", "goes");
        dictionary.leave(first);
        dictionary.leave(second);
        dictionary.forget_unused();
        let back = add(&mut dictionary, "cscli", "comes back");
        assert_eq!(back, second, "the next place free is another's");
        dictionary.forget_unused();
        assert_eq!(add(&mut dictionary, "cscli", "comes back"), back);
    }

    #[test]
    fn names_of_origins_are_bounded() {
        let mut dictionary = Dictionary::default();
        let mut names = BTreeSet::new();
        for number in 0..2 * ORIGIN_LABELS_MAX {
            let index = add(&mut dictionary, "lists", &number.to_string());
            names.insert(Arc::clone(&dictionary.get(index).unwrap().origin_label));
            dictionary.leave(index);
            dictionary.forget_unused();
        }
        assert_eq!(names.len(), ORIGIN_LABELS_MAX + 1);
        assert!(names.contains(OTHER));
        assert_eq!(dictionary.origins().len(), OriginId::COUNT);
    }

    #[test]
    fn an_origin_keeps_its_number() {
        let mut dictionary = Dictionary::default();
        let first = add(&mut dictionary, "cscli", "a");
        let id = dictionary.get(first).unwrap().origin_id;
        dictionary.leave(first);
        dictionary.forget_unused();
        add(&mut dictionary, "CAPI", "b");
        let again = add(&mut dictionary, "cscli", "c");
        assert_eq!(dictionary.get(again).unwrap().origin_id, id);
        assert_eq!(&*dictionary.origins()[id.index()], "cscli");
    }
}
