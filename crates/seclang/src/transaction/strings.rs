//! Strings that rules look at, each once: what was found out about one holds wherever it comes again.
//!
//! A string knows which classes of bytes it has, what each list of transformations makes of it, which
//! filters may match it or one of its forms, and of those that were asked whether they do. All of that
//! depends on the string and the rules alone, so a worker keeps strings from one transaction to the next:
//! most header values and many arguments repeat, and then nothing has to be searched again. That is exact,
//! and bounded: once there are too many, all are forgotten.

mod class_rows;
mod narrowed;
mod rows;
mod search;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::RandomState;
use hashbrown::HashTable;

use crate::UnicodeMap;
use crate::program::{FormsId, NodeId, Side};
use class_rows::ClassRows;
use narrowed::Narrowed;
pub(crate) use rows::Probe;
use rows::{Row, Rows};
pub(super) use rows::{add_row, clear_row};
use search::Search;

/// Which string, until they are forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StringId(u32);

impl StringId {
    /// None yet.
    pub(crate) const UNSET: Self = Self(u32::MAX);

    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The strings of one side.
#[derive(Debug)]
pub(crate) struct Strings {
    bytes: Vec<u8>,
    known: Vec<Known>,
    by_content: HashTable<u32>,
    hasher: RandomState,
    rows: Rows,
    class_rows: ClassRows,
    narrowed: Narrowed,
    search: Search,
    /// A row for each string that was transformed: what each node makes of it.
    transformed: Vec<StringId>,
    nodes: usize,
    /// The bytes that were transformed or searched since somebody asked.
    worked: usize,
    /// How many there may be before the transaction's budget is spent.
    work_max: u64,
    /// How many parts were searched.
    parts: u64,
    /// Another each time that all are forgotten, and no other worker's.
    epoch: u64,
    buffer: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    start: u32,
    len: u32,
    hash: u64,
    classes: u64,
    is_scanned: bool,
    /// Whether a filter has been asked of it.
    is_asked: bool,
    /// Whether no filter may match it; known once it is scanned.
    is_clean: bool,
    /// The lists of forms in which it has been searched.
    searched_in: u64,
    /// Whether a form has been found not to match what it might have.
    is_stale: bool,
    /// Whether no filter may match any form of those lists.
    is_clean_in_all: bool,
    /// Where its row is of what was made of it.
    transformed: Option<NonZeroU32>,
    /// The last part that it came in, of those of which that is asked.
    came_in: u64,
}

/// An epoch that no strings have had: a transaction may go on with another worker, where the ids that it
/// has are of other strings.
fn next_epoch() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What is known of a filter and a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Matches,
    Differs,
    Unknown,
}

impl Strings {
    pub(crate) fn new(side: &Side) -> Self {
        Self {
            bytes: Vec::new(),
            known: Vec::new(),
            by_content: HashTable::new(),
            hasher: RandomState::new(),
            rows: Rows::new(side.words()),
            class_rows: ClassRows::new(side.words()),
            narrowed: Narrowed::new(),
            search: Search::new(side.words()),
            transformed: Vec::new(),
            nodes: side.pipelines.len(),
            worked: 0,
            work_max: u64::MAX,
            parts: 0,
            epoch: next_epoch(),
            buffer: Vec::new(),
        }
    }

    /// How many strings there are, and how many bytes they have.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.known.len(), self.bytes.len())
    }

    /// Which time it is: ids of another are of other strings.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Forgets all of them, and gives memory back beyond `bytes_max` of content, and as much of each table.
    pub(crate) fn forget(&mut self, bytes_max: usize) {
        fn empty<T>(table: &mut Vec<T>, bytes_max: usize) {
            table.clear();
            table.shrink_to(bytes_max / size_of::<T>());
        }
        self.epoch = next_epoch();
        empty(&mut self.bytes, bytes_max);
        empty(&mut self.buffer, bytes_max);
        empty(&mut self.known, bytes_max);
        self.by_content.clear();
        let ids_max = bytes_max / size_of::<Known>();
        self.by_content.shrink_to(ids_max, |_| 0);
        self.rows.forget(bytes_max);
        self.search.shrink(bytes_max);
        empty(&mut self.transformed, bytes_max);
    }

    pub(crate) fn get(&self, id: StringId) -> &[u8] {
        self.known
            .get(id.index())
            .and_then(|known| content(&self.bytes, known))
            .unwrap_or_default()
    }

    /// The id of a string.
    pub(crate) fn intern(&mut self, side: &Side, value: &[u8]) -> StringId {
        let hash = self.hasher.hash_one(value);
        match find(&self.by_content, (&self.known, &self.bytes), value, hash) {
            Some(id) => id,
            None => self.add(side, value, hash),
        }
    }

    /// Apart, so that it costs little to find one that is known.
    #[inline(never)]
    fn add(&mut self, side: &Side, value: &[u8], hash: u64) -> StringId {
        let (Ok(id), Ok(start), Ok(len)) = (
            u32::try_from(self.known.len()),
            u32::try_from(self.bytes.len()),
            u32::try_from(value.len()),
        ) else {
            return StringId::UNSET;
        };
        self.bytes.extend_from_slice(value);
        self.known.push(Known {
            start,
            len,
            hash,
            classes: side.prefilter.classes_of(value),
            is_scanned: false,
            is_asked: false,
            is_clean: false,
            searched_in: 0,
            is_stale: false,
            is_clean_in_all: false,
            transformed: None,
            came_in: 0,
        });
        self.rows.push();
        let known = &self.known;
        self.by_content.insert_unique(hash, id, |id| {
            known.get(*id as usize).map_or(0, |known| known.hash)
        });
        StringId(id)
    }

    /// The bytes that were transformed or searched since this was last asked: what a budget is for.
    pub(crate) fn take_worked(&mut self) -> usize {
        std::mem::take(&mut self.worked)
    }

    /// Whether any byte was.
    pub(crate) fn has_worked(&self) -> bool {
        self.worked > 0
    }

    /// Says how many bytes there may be before the transaction's budget is spent.
    pub(crate) fn limit_work(&mut self, bytes_max: u64) {
        self.work_max = bytes_max;
    }

    /// What a list of transformations makes of a string.
    #[inline]
    pub(crate) fn transformed(
        &mut self,
        side: &Side,
        unicode: &UnicodeMap,
        id: StringId,
        node: NodeId,
    ) -> StringId {
        match node {
            0 => id,
            node => self.transformed_by(side, unicode, id, node),
        }
    }

    fn transformed_by(
        &mut self,
        side: &Side,
        unicode: &UnicodeMap,
        id: StringId,
        node: NodeId,
    ) -> StringId {
        let Some((pipeline, known)) = side.pipelines.node(node).zip(self.known.get(id.index()))
        else {
            return id;
        };
        if pipeline
            .triggers
            .is_some_and(|all| all & known.classes == 0)
        {
            return id;
        }
        let Some(row) = self.transformed_row(id) else {
            return id;
        };
        let cell = row + usize::from(node);
        match self.transformed.get(cell) {
            Some(&StringId::UNSET) => {}
            Some(done) => return *done,
            None => return id,
        }
        let before = self.transformed(side, unicode, id, pipeline.parent);
        let after = self.apply(side, unicode, before, node);
        if let Some(cell) = self.transformed.get_mut(cell) {
            *cell = after;
        }
        after
    }

    /// Where the row of a string is of what was made of it.
    fn transformed_row(&mut self, id: StringId) -> Option<usize> {
        let known = self.known.get_mut(id.index())?;
        if let Some(row) = known.transformed {
            return Some(row.get() as usize - 1);
        }
        let row = self.transformed.len();
        known.transformed = NonZeroU32::new(u32::try_from(row + 1).ok()?);
        self.transformed.resize(row + self.nodes, StringId::UNSET);
        Some(row)
    }

    /// What the last transformation of a list makes of what those before it made.
    fn apply(&mut self, side: &Side, unicode: &UnicodeMap, id: StringId, node: NodeId) -> StringId {
        let Some((pipeline, known)) = side.pipelines.node(node).zip(self.known.get(id.index()))
        else {
            return id;
        };
        let is_untouched = pipeline
            .trigger
            .is_some_and(|class| known.classes & 1_u64.checked_shl(class).unwrap_or(0) == 0);
        if is_untouched {
            return id;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let value = content(&self.bytes, known).unwrap_or_default();
        self.worked += value.len();
        let is_changed = pipeline.last.apply(value, &mut buffer, unicode);
        let after = match is_changed {
            true => self.intern(side, &buffer),
            false => id,
        };
        self.buffer = buffer;
        after
    }

    /// The number of another part, of whose values it is asked whether they repeat.
    pub(crate) fn begin_part(&mut self) -> u64 {
        self.parts += 1;
        self.parts
    }

    /// Whether a string has come in that part before.
    pub(crate) fn has_come(&mut self, id: StringId, part: u64) -> bool {
        let known = self.known.get_mut(id.index());
        known.is_some_and(|known| std::mem::replace(&mut known.came_in, part) == part)
    }

    /// The filters that may match a string in one of the forms of a list, and maybe of others; `None`
    /// where there are none.
    pub(crate) fn candidates_in(
        &mut self,
        side: &Side,
        unicode: &UnicodeMap,
        id: StringId,
        forms: FormsId,
    ) -> Option<&[u64]> {
        let known = self.known.get(id.index())?;
        if known.is_stale || known.searched_in & forms.bit() == 0 {
            self.search_in(side, unicode, id, forms);
        }
        match self.known.get(id.index())?.is_clean_in_all {
            true => None,
            false => self.rows.get(id, Row::InForms),
        }
    }

    /// Where it is told of strings whether a filter may match them.
    pub(crate) fn probe(&self, filter: u32) -> Probe {
        self.rows.probe(Row::InForms, filter)
    }

    /// The same of strings as they came.
    pub(crate) fn probe_as_it_came(&self, filter: u32) -> Probe {
        self.rows.probe(Row::Candidates, filter)
    }

    /// Whether a string has been searched already, and a filter that requires something can't match it as
    /// it came. Hot path.
    #[inline]
    pub(crate) fn is_searched_without(&self, id: StringId, probe: Probe) -> bool {
        let known = self.known.get(id.index());
        known.is_some_and(|known| known.is_scanned) && !self.rows.is_set(id, probe)
    }

    /// Whether a filter may match a string in one of the forms in which it has been searched. Hot path.
    #[inline]
    pub(crate) fn is_candidate_in(&self, id: StringId, probe: Probe) -> bool {
        self.rows.is_set(id, probe)
    }

    /// Searches a string in the forms of a list: and, where what was found of others isn't right any
    /// more, in theirs again, which are known.
    #[inline(never)]
    fn search_in(&mut self, side: &Side, unicode: &UnicodeMap, id: StringId, forms: FormsId) {
        let as_it_came = self.candidates(side, id).is_some();
        let Some(known) = self.known.get_mut(id.index()) else {
            return;
        };
        let mut lists = forms.bit();
        if known.is_stale {
            lists |= known.searched_in;
            self.rows.clear(id, Row::InForms);
        }
        known.searched_in |= lists;
        known.is_stale = false;
        let known = *known;
        while lists != 0 {
            self.search_forms(side, unicode, id, &known, FormsId::first(lists));
            let list = side.forms.get(lists.trailing_zeros() as usize);
            if let Some(list) = list.filter(|_| as_it_came) {
                let elsewhere = self.search.elsewhere();
                self.rows.add_candidates(id, &list.filters, elsewhere);
            }
            lists &= lists - 1;
        }
        let is_cut_short = u64::try_from(self.worked).is_ok_and(|worked| worked > self.work_max);
        if let Some(known) = self.known.get_mut(id.index()) {
            known.is_clean_in_all = self.rows.is_empty(id, Row::InForms);
            if is_cut_short {
                // Another transaction has a budget of its own, and may have the string as well.
                known.searched_in = 0;
                known.is_stale = true;
            }
        }
    }

    fn search_forms(
        &mut self,
        side: &Side,
        unicode: &UnicodeMap,
        id: StringId,
        known: &Known,
        list: FormsId,
    ) {
        let list = self.narrowed.get(side, list, known.classes);
        let value = content(&self.bytes, known).unwrap_or_default();
        let value = (value, known.classes);
        let bytes_max = self.work_max.saturating_sub(self.worked as u64);
        self.worked += self.search.make(side, unicode, value, list, bytes_max);
        let mut number = 1;
        while let Some(wanted) = self.search.next_wanted(number) {
            number = wanted + 1;
            let (bytes, candidate) = self.search.search(side, &mut self.class_rows, wanted);
            self.worked += bytes;
            if let Some(form) = candidate {
                // Of a form that rules have looked at, more is known.
                let hash = self.hasher.hash_one(form.bytes);
                let strings = (&*self.known, &*self.bytes);
                let known = find(&self.by_content, strings, form.bytes, hash);
                self.rows
                    .add_of_form(id, known, form.row, &side.in_their_case);
            }
        }
        self.search.forget_large();
    }

    /// The filters that may match a string as it is, as a row of words; `None` where there are none.
    pub(crate) fn candidates(&mut self, side: &Side, id: StringId) -> Option<&[u64]> {
        let known = self.known.get_mut(id.index())?;
        if !known.is_scanned {
            known.is_scanned = true;
            let value = content(&self.bytes, known).unwrap_or_default();
            self.worked += value.len();
            let of_classes = self.class_rows.get(&side.prefilter, known.classes);
            known.is_clean = self.rows.scan(id, side, value, of_classes, known.is_asked);
        }
        match known.is_clean {
            true => None,
            false => self.rows.get(id, Row::Candidates),
        }
    }

    /// Whether a string, which has been searched already, doesn't have what a filter requires.
    #[inline]
    pub(crate) fn is_ruled_out(&self, side: &Side, id: StringId, filter: u32) -> bool {
        side.is_required(filter)
            && self
                .known
                .get(id.index())
                .is_some_and(|known| known.is_scanned)
            && !self.rows.has(id, Row::Candidates, filter)
    }

    /// What is known of a filter and a string.
    pub(crate) fn verdict(&self, id: StringId, filter: u32) -> Verdict {
        match (
            self.rows.has(id, Row::Decided, filter),
            self.rows.has(id, Row::Matching, filter),
        ) {
            (false, _) => Verdict::Unknown,
            (true, true) => Verdict::Matches,
            (true, false) => Verdict::Differs,
        }
    }

    /// Notes what came of asking.
    pub(crate) fn decide(&mut self, side: &Side, id: StringId, filter: u32, is_match: bool) {
        self.rows.set(id, Row::Decided, filter);
        if let Some(known) = self.known.get_mut(id.index()) {
            known.is_asked = true;
        }
        if is_match {
            self.rows.set(id, Row::Matching, filter);
            return;
        }
        if !side.is_in_their_case(filter) {
            return;
        }
        self.rows.unset(id, Row::Candidates, filter);
        let is_clean = self.rows.is_empty(id, Row::Candidates);
        if let Some(known) = self.known.get_mut(id.index()) {
            known.is_clean |= known.is_scanned && is_clean;
        }
        // What a filter is looked for in other forms too is to be searched anew.
        if !side.is_in_one_form(filter)
            && self.rows.has(id, Row::InForms, filter)
            && let Some(known) = self.known.get_mut(id.index())
        {
            known.is_stale = true;
        }
    }

    /// Notes that a filter that might have matched a string in the form in which a rule looks at it
    /// doesn't: so that it isn't looked at the next time.
    pub(crate) fn differs(&mut self, side: &Side, id: StringId, filter: u32) {
        if side.is_in_one_form(filter) {
            self.rows.unset(id, Row::InForms, filter);
        } else if let Some(known) = self.known.get_mut(id.index()) {
            known.is_stale = true;
        }
    }
}

/// The id of a string, if it has one.
fn find(
    by_content: &HashTable<u32>,
    (known, bytes): (&[Known], &[u8]),
    value: &[u8],
    hash: u64,
) -> Option<StringId> {
    let is_it = |id: &u32| {
        let known = known.get(*id as usize);
        known.is_some_and(|known| known.hash == hash && content(bytes, known) == Some(value))
    };
    by_content.find(hash, is_it).map(|id| StringId(*id))
}

fn content<'b>(bytes: &'b [u8], known: &Known) -> Option<&'b [u8]> {
    let start = known.start as usize;
    bytes.get(start..start + known.len as usize)
}
