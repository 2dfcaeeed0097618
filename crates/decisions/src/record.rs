//! A decision as the table stores it, beside its key: 16 bytes.

use palisade_vocabulary::Tick;

use crate::DecisionId;
use crate::label::LabelIndex;

const LABEL_BITS: u32 = u16::BITS;
const DOUBTED: u64 = 1 << LABEL_BITS;
const SEEN: u64 = 1 << (LABEL_BITS + 1);
const EXPIRY_SHIFT: u32 = LABEL_BITS + 2;
const EXPIRY_MILLIS_MAX: u64 = u64::MAX >> EXPIRY_SHIFT;

/// All of a decision but its scope. Expiry, two marks and the label share one word, so that a
/// million decisions fit the cache better: from the top 46 bits of milliseconds, seen, doubted,
/// 16 bits of label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    /// 0 is none.
    id: u64,
    word: u64,
}

impl Record {
    pub(crate) fn new(id: Option<DecisionId>, expires: Tick, label: LabelIndex) -> Self {
        let millis = expires.as_millis().min(EXPIRY_MILLIS_MAX);
        Self {
            id: id.map_or(0, DecisionId::get),
            word: millis << EXPIRY_SHIFT | u64::from(label.0),
        }
    }

    pub(crate) fn id(self) -> Option<DecisionId> {
        DecisionId::new(self.id)
    }

    pub(crate) fn expires(self) -> Tick {
        Tick::from_millis(self.word >> EXPIRY_SHIFT)
    }

    pub(crate) fn is_live(self, now: Tick) -> bool {
        self.expires() > now
    }

    pub(crate) fn label(self) -> LabelIndex {
        LabelIndex(u16::try_from(self.word & u64::from(u16::MAX)).unwrap_or_default())
    }

    /// Whether the source gave reason to think that it has taken the decision back.
    pub(crate) fn is_doubted(self) -> bool {
        self.word & DOUBTED != 0
    }

    pub(crate) fn doubt(&mut self) {
        self.word |= DOUBTED;
    }

    /// Whether the document at hand holds the decision; set only while it is applied.
    pub(crate) fn is_seen(self) -> bool {
        self.word & SEEN != 0
    }

    pub(crate) fn seen(self) -> Self {
        Self {
            word: self.word | SEEN,
            ..self
        }
    }

    pub(crate) fn unseen(self) -> Self {
        Self {
            word: self.word & !SEEN,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_decision_without_end_ends_in_two_thousand_years() {
        let record = Record::new(None, Tick::from_millis(u64::MAX), LabelIndex(7));
        assert_eq!(record.expires().as_millis() / 1000 / 3600 / 24 / 365, 2231);
        assert_eq!(record.label(), LabelIndex(7));
    }

    proptest! {
        #[test]
        fn fields_do_not_touch_each_other(id: u64, millis in 0..=EXPIRY_MILLIS_MAX, label: u16) {
            let (id, expires, label) = (DecisionId::new(id), Tick::from_millis(millis), LabelIndex(label));
            let mut record = Record::new(id, expires, label);
            prop_assert!(!record.is_doubted() && !record.is_seen());
            record.doubt();
            prop_assert!(record.is_doubted() && !record.is_seen());
            record = record.seen();
            prop_assert!(record.is_doubted() && record.is_seen());
            prop_assert_eq!((record.id(), record.expires(), record.label()), (id, expires, label));
            prop_assert!(!record.unseen().is_seen() && record.unseen().is_doubted());
        }
    }
}
