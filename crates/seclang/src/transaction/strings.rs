//! Strings that rules look at, each once: what was found out about one holds wherever it comes again.
//!
//! A string knows which classes of bytes it has, what each list of transformations makes of it, which
//! filters may match it, and of those that were asked whether they do. All of that depends on the string
//! and the rules alone, so a worker keeps strings from one transaction to the next: most header values
//! and many arguments repeat, and then nothing has to be searched again. That is exact, and bounded: once
//! there are too many, all are forgotten.

use std::sync::atomic::{AtomicU64, Ordering};

use ahash::RandomState;
use hashbrown::HashTable;

use crate::UnicodeMap;
use crate::program::{NodeId, ROW_STEP, Side};

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
    /// A row of words for each string: filters that may match it.
    maybe: Vec<u64>,
    /// Those of which it is known whether they match.
    decided: Vec<u64>,
    /// Those that match, among them.
    matching: Vec<u64>,
    /// A row for each string: what each node makes of it.
    transformed: Vec<StringId>,
    words: usize,
    nodes: usize,
    /// Whether they are kept from one transaction to the next.
    is_kept: bool,
    /// The bytes that were transformed or searched since somebody asked.
    worked: usize,
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
    /// Whether no filter may match it; known once it is scanned.
    is_clean: bool,
    /// The nodes whose forms are known to add no filter to those that may match the string as it is.
    adds_nothing: u128,
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
    pub(crate) fn new(side: &Side, is_kept: bool) -> Self {
        Self {
            bytes: Vec::new(),
            known: Vec::new(),
            by_content: HashTable::new(),
            hasher: RandomState::new(),
            maybe: Vec::new(),
            decided: Vec::new(),
            matching: Vec::new(),
            transformed: Vec::new(),
            words: side.words(),
            nodes: side.pipelines.len(),
            is_kept,
            worked: 0,
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
        for rows in [&mut self.maybe, &mut self.decided, &mut self.matching] {
            empty(rows, bytes_max);
        }
        empty(&mut self.transformed, bytes_max);
    }

    /// The classes of which a string has a byte.
    pub(crate) fn classes(&self, id: StringId) -> u64 {
        self.known.get(id.index()).map_or(0, |known| known.classes)
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
        let (known, bytes) = (&self.known, &self.bytes);
        let is_it = |id: &u32| {
            let known = known.get(*id as usize);
            known.is_some_and(|known| known.hash == hash && content(bytes, known) == Some(value))
        };
        if let Some(id) = self.by_content.find(hash, is_it) {
            return StringId(*id);
        }
        self.add(side, value, hash)
    }

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
            is_clean: false,
            adds_nothing: 0,
        });
        let rows = self.known.len();
        self.maybe.resize(rows * self.words, 0);
        self.decided.resize(rows * self.words, 0);
        self.matching.resize(rows * self.words, 0);
        self.transformed.resize(rows * self.nodes, StringId::UNSET);
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

    /// What a list of transformations makes of a string.
    pub(crate) fn transformed(
        &mut self,
        side: &Side,
        unicode: &UnicodeMap,
        id: StringId,
        node: NodeId,
    ) -> StringId {
        if node == 0 {
            return id;
        }
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
        let cell = id.index() * self.nodes + usize::from(node);
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

    /// Adds to `row` the filters that may match what a list makes of a string. Those that may match the
    /// string as it is are in `row` already.
    pub(crate) fn add_form(
        &mut self,
        side: &Side,
        unicode: &UnicodeMap,
        id: StringId,
        node: NodeId,
        row: &mut [u64],
    ) {
        let bit = 1_u128.checked_shl(u32::from(node)).unwrap_or(0);
        let known = self.known.get(id.index());
        if known.is_some_and(|known| known.adds_nothing & bit != 0) {
            return;
        }
        let form = self.transformed(side, unicode, id, node);
        if !self.is_kept {
            if let Some(more) = self.candidates(side, form).filter(|_| form != id) {
                add_row(row, more);
            }
            return;
        }
        let adds = match form == id {
            true => false,
            false => self.adds(side, id, form, side.searched(node)),
        };
        if !adds {
            if let Some(known) = self.known.get_mut(id.index()) {
                known.adds_nothing |= bit;
            }
        } else if let Some(more) = self.candidates(side, form) {
            add_row(row, more);
        }
    }

    /// Whether one of the filters that are `searched` may match a form that can't match the string
    /// itself.
    fn adds(&mut self, side: &Side, id: StringId, form: StringId, searched: &[u64]) -> bool {
        // So that both are scanned.
        self.candidates(side, id);
        if self.candidates(side, form).is_none() {
            return false;
        }
        let row = |id| self.maybe.get(self.row(id)).unwrap_or_default();
        let mut rows = row(form).iter().zip(row(id)).zip(searched);
        rows.any(|((form, id), searched)| form & searched & !id != 0)
    }

    /// The filters that may match a string, as a row of words; `None` where there are none.
    pub(crate) fn candidates(&mut self, side: &Side, id: StringId) -> Option<&[u64]> {
        let row = self.row(id);
        let known = self.known.get_mut(id.index())?;
        if !known.is_scanned {
            known.is_scanned = true;
            let value = content(&self.bytes, known).unwrap_or_default();
            self.worked += value.len();
            let maybe = self.maybe.get_mut(row.clone()).unwrap_or_default();
            for (word, always) in maybe.iter_mut().zip(side.prefilter.always()) {
                *word |= always;
            }
            side.prefilter.scan(value, maybe);
            side.prefilter.add_of_classes(known.classes, maybe);
            let decided = self.decided.get(row.clone()).unwrap_or_default();
            let matching = self.matching.get(row.clone()).unwrap_or_default();
            for ((maybe, decided), matching) in maybe.iter_mut().zip(decided).zip(matching) {
                *maybe &= !(decided & !matching);
            }
            known.is_clean = maybe.iter().all(|word| *word == 0);
        }
        match known.is_clean {
            true => None,
            false => self.maybe.get(row),
        }
    }

    /// What is known of a filter and a string.
    pub(crate) fn verdict(&self, id: StringId, filter: u32) -> Verdict {
        let word = id.index() * self.words + filter as usize / 64;
        let bit = 1_u64 << (filter % 64);
        let is_set = |row: &[u64]| row.get(word).is_some_and(|word| word & bit != 0);
        match (is_set(&self.decided), is_set(&self.matching)) {
            (false, _) => Verdict::Unknown,
            (true, true) => Verdict::Matches,
            (true, false) => Verdict::Differs,
        }
    }

    /// Notes what came of asking.
    pub(crate) fn decide(&mut self, id: StringId, filter: u32, is_match: bool) {
        let word = id.index() * self.words + filter as usize / 64;
        let bit = 1_u64 << (filter % 64);
        if let Some(decided) = self.decided.get_mut(word) {
            *decided |= bit;
        }
        if is_match {
            if let Some(matching) = self.matching.get_mut(word) {
                *matching |= bit;
            }
            return;
        }
        let Some(maybe) = self.maybe.get_mut(word) else {
            return;
        };
        *maybe &= !bit;
        let is_empty = *maybe == 0;
        // Its forms may add that filter now.
        if let Some(known) = self.known.get_mut(id.index()) {
            known.adds_nothing = 0;
        }
        if is_empty {
            let row = self.row(id);
            let is_clean = self
                .maybe
                .get(row)
                .unwrap_or_default()
                .iter()
                .all(|word| *word == 0);
            if let Some(known) = self.known.get_mut(id.index()) {
                known.is_clean = is_clean;
            }
        }
    }

    fn row(&self, id: StringId) -> std::ops::Range<usize> {
        let start = id.index() * self.words;
        start..start + self.words
    }
}

/// Hot path: rows are joined by steps, which are one or two instructions each.
pub(super) fn add_row(row: &mut [u64], more: &[u64]) {
    let (row, _) = row.as_chunks_mut::<ROW_STEP>();
    let (more, _) = more.as_chunks::<ROW_STEP>();
    for (row, more) in row.iter_mut().zip(more) {
        let ([a, b, c, d], [e, f, g, h]) = (*row, more);
        *row = [a | e, b | f, c | g, d | h];
    }
}

fn content<'b>(bytes: &'b [u8], known: &Known) -> Option<&'b [u8]> {
    let start = known.start as usize;
    bytes.get(start..start + known.len as usize)
}
