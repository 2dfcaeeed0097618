//! What one document of a source does to the decisions on one scope.

use palisade_vocabulary::Tick;

use crate::label::{Dictionary, LabelIndex};
use crate::record::Record;
use crate::{Applied, DecisionId, Remedy, RemedyKind, SourceId};

/// The most decisions of one source on one scope: what a look-up may have to read. An address that
/// is banned anew each minute for four hours has 240.
pub(crate) const PER_SCOPE_MAX: usize = 256;

/// How far the ends of two decisions must be apart to be different: LAPI rounds durations to
/// seconds, so that equal ends may look a second apart.
const DIFFERENT_ENDS_MILLIS: u64 = 2000;

/// Which decisions that the document doesn't name it affects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sweep {
    /// None.
    Nothing,
    /// Ones that have ended, of any source.
    Ended,
    /// The source's, which it no longer has if it did not name them in two snapshots.
    Unnamed,
    /// All of the source's.
    All,
}

/// A decision to take back, but for its scope.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Withdrawal {
    pub(crate) id: Option<DecisionId>,
    pub(crate) remedy: Option<Remedy>,
}

/// A document while it is applied, scope by scope.
pub(crate) struct Document<'a> {
    pub(crate) source: SourceId,
    pub(crate) now: Tick,
    pub(crate) sweep: Sweep,
    /// Whether deleting one decision puts others on the same value in doubt.
    pub(crate) deletions_raise_doubt: bool,
    /// How many more decisions the source may have.
    pub(crate) room: usize,
    pub(crate) dictionary: &'a mut Dictionary,
    pub(crate) applied: Applied,
    /// Whether the document named two decisions on one value, as a source does that names all.
    pub(crate) names_overlaps: bool,
    /// The decisions on the scope at hand, of all sources.
    run: Vec<Record>,
}

impl<'a> Document<'a> {
    pub(crate) fn new(
        source: SourceId,
        sweep: Sweep,
        now: Tick,
        dictionary: &'a mut Dictionary,
    ) -> Self {
        Self {
            source,
            now,
            sweep,
            deletions_raise_doubt: !source.names_all(),
            room: 0,
            dictionary,
            applied: Applied::default(),
            names_overlaps: false,
            run: Vec::new(),
        }
    }

    /// The decisions on a scope after the document, given those before it and what the document
    /// says of the scope.
    pub(crate) fn settle(
        &mut self,
        held: &[Record],
        withdrawals: &[impl AsRef<Withdrawal>],
        additions: &[impl AsRef<Record>],
    ) -> &[Record] {
        let mut run = std::mem::take(&mut self.run);
        run.clear();
        run.extend_from_slice(held);
        run.retain(|record| {
            let ended = !record.is_live(self.now);
            self.keep_unless(ended, *record, |applied| &mut applied.expired)
        });
        let is_named = !withdrawals.is_empty() || !additions.is_empty();
        if is_named || matches!(self.sweep, Sweep::Unnamed | Sweep::All) {
            self.settle_live(&mut run, withdrawals, additions);
        }
        self.run = run;
        &self.run
    }

    fn settle_live(
        &mut self,
        run: &mut Vec<Record>,
        withdrawals: &[impl AsRef<Withdrawal>],
        additions: &[impl AsRef<Record>],
    ) {
        for withdrawal in withdrawals {
            self.withdraw(run, *withdrawal.as_ref());
        }
        for addition in additions {
            self.add(run, *addition.as_ref());
        }
        self.note_overlaps(additions);
        run.retain_mut(|record| self.keep_in_sweep(record));
        for record in run {
            *record = record.unseen();
            self.applied.doubted += usize::from(record.is_doubted() && self.is_mine(*record));
        }
    }

    fn withdraw(&mut self, run: &mut Vec<Record>, withdrawal: Withdrawal) {
        let before = run.len();
        run.retain(|record| {
            let meant = self.is_mine(*record) && self.is_meant(*record, withdrawal);
            self.keep_unless(meant, *record, |applied| &mut applied.deleted)
        });
        self.applied.not_held += usize::from(run.len() == before);
        if !self.deletions_raise_doubt || withdrawal.id.is_none() {
            return;
        }
        for record in run {
            let same_value = withdrawal
                .remedy
                .is_none_or(|remedy| self.remedy(record.label()) == Some(remedy));
            if same_value && self.is_mine(*record) {
                record.doubt();
            }
        }
    }

    /// By id, the kind of remedy must agree too: an id that LAPI gave twice (its database was
    /// wiped) is not the same decision.
    fn is_meant(&self, record: Record, withdrawal: Withdrawal) -> bool {
        let remedy = self.remedy(record.label());
        match withdrawal.id {
            Some(id) => {
                let same_kind =
                    |wanted: Remedy| remedy.is_some_and(|remedy| remedy.kind() == wanted.kind());
                record.id() == Some(id) && withdrawal.remedy.is_none_or(same_kind)
            }
            None => withdrawal
                .remedy
                .is_none_or(|wanted| remedy == Some(wanted)),
        }
    }

    fn add(&mut self, run: &mut Vec<Record>, addition: Record) {
        if !addition.is_live(self.now) {
            self.applied.stale += 1;
        } else if let Some(held) = run.iter_mut().find(|held| self.is_same(**held, addition)) {
            self.applied.updated += 1;
            self.dictionary.leave(held.label());
            self.dictionary.enter(addition.label());
            *held = updated(*held, addition).seen();
        } else if self.room == 0 {
            self.applied.refused += 1;
        } else {
            self.enter(addition);
            self.applied.added += 1;
            run.push(addition.seen());
            self.thin_out(run);
        }
    }

    /// Whether both are one decision: the same id, or none and the same remedy.
    fn is_same(&self, held: Record, addition: Record) -> bool {
        held.id() == addition.id()
            && self.is_mine(held)
            && (held.id().is_some() || self.remedy(held.label()) == self.remedy(addition.label()))
    }

    /// Drops the weakest decision that ends first, if there are too many of the source.
    fn thin_out(&mut self, run: &mut Vec<Record>) {
        if run.len() <= PER_SCOPE_MAX
            || run.iter().filter(|record| self.is_mine(**record)).count() <= PER_SCOPE_MAX
        {
            return;
        }
        let mine = run
            .iter()
            .enumerate()
            .filter(|(_, record)| self.is_mine(**record));
        let rank = |record: &Record| (self.kind(record.label()), record.expires());
        if let Some((weakest, _)) = mine.min_by_key(|(_, record)| rank(record)) {
            let record = run.swap_remove(weakest);
            self.leave(record);
            self.applied.crowded += 1;
        }
    }

    /// A source that hides all but the longest of several decisions on one value can't name two
    /// that end at different times in one document.
    fn note_overlaps(&mut self, additions: &[impl AsRef<Record>]) {
        for pair in additions.windows(2) {
            let [first, second] = pair else { continue };
            let (first, second) = (*first.as_ref(), *second.as_ref());
            let apart = first
                .expires()
                .as_millis()
                .abs_diff(second.expires().as_millis());
            self.names_overlaps |= first.id().is_some()
                && second.id().is_some()
                && first.id() != second.id()
                && apart >= DIFFERENT_ENDS_MILLIS
                && first.is_live(self.now)
                && second.is_live(self.now)
                && self.remedy(first.label()) == self.remedy(second.label());
        }
    }

    fn keep_in_sweep(&mut self, record: &mut Record) -> bool {
        let unnamed = self.is_mine(*record) && !record.is_seen();
        match self.sweep {
            Sweep::Nothing | Sweep::Ended => true,
            Sweep::All => self.keep_unless(self.is_mine(*record), *record, |applied| {
                &mut applied.deleted
            }),
            Sweep::Unnamed if unnamed && record.is_doubted() => {
                self.keep_unless(true, *record, |applied| &mut applied.dropped)
            }
            Sweep::Unnamed => {
                if unnamed {
                    record.doubt();
                }
                true
            }
        }
    }

    /// Keeps a decision, or counts it out.
    fn keep_unless(
        &mut self,
        gone: bool,
        record: Record,
        counter: impl FnOnce(&mut Applied) -> &mut usize,
    ) -> bool {
        if gone {
            *counter(&mut self.applied) += 1;
            self.leave(record);
        }
        !gone
    }

    fn enter(&mut self, record: Record) {
        self.room = self.room.saturating_sub(1);
        self.dictionary.enter(record.label());
    }

    fn leave(&mut self, record: Record) {
        self.room += usize::from(self.is_mine(record));
        self.dictionary.leave(record.label());
    }

    fn is_mine(&self, record: Record) -> bool {
        let label = self.dictionary.get(record.label());
        label.is_some_and(|label| label.reason.source == self.source)
    }

    fn remedy(&self, label: LabelIndex) -> Option<Remedy> {
        self.dictionary.get(label).map(|label| label.reason.remedy)
    }

    fn kind(&self, label: LabelIndex) -> Option<RemedyKind> {
        self.remedy(label).map(Remedy::kind)
    }
}

/// With an id, the source's last word counts. Without, the two may be different decisions on one
/// value: the longer one counts.
fn updated(held: Record, addition: Record) -> Record {
    let expires = match addition.id() {
        Some(_) => addition.expires(),
        None => addition.expires().max(held.expires()),
    };
    Record::new(addition.id(), expires, addition.label())
}
