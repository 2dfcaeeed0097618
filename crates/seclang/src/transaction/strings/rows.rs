//! Which filters may match a string, and which do: a bit each, in words of 64.

use std::ops::Range;

use super::StringId;
use crate::program::{ROW_STEP, Side};

/// What there is a row of for each string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// Filters that may match it as it is.
    Candidates,
    /// Those that may match it in one of the forms in which it was searched.
    InForms,
    /// Those of which it is known whether they match it as it is.
    Decided,
    /// Those that match, among them.
    Matching,
}

/// How many kinds of rows there are.
const KINDS: usize = 4;

/// The rows of all strings, those of one beside each other.
#[derive(Debug)]
pub(super) struct Rows {
    words: Vec<u64>,
    /// Of one row.
    row_len: usize,
}

/// Where the bit of a filter is in the rows of each string.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    /// Of all rows of one string.
    stride: usize,
    word: usize,
    bit: u64,
}

impl Rows {
    pub(super) fn new(row_len: usize) -> Self {
        Self {
            words: Vec::new(),
            row_len,
        }
    }

    /// Adds the rows of another string.
    pub(super) fn push(&mut self) {
        let len = self.words.len() + KINDS * self.row_len;
        self.words.resize(len, 0);
    }

    /// Forgets all, and gives memory back beyond so many bytes.
    pub(super) fn forget(&mut self, bytes_max: usize) {
        self.words.clear();
        self.words.shrink_to(bytes_max / size_of::<u64>());
    }

    pub(super) fn get(&self, id: StringId, row: Row) -> Option<&[u64]> {
        self.words.get(self.range(id, row))
    }

    pub(super) fn is_empty(&self, id: StringId, row: Row) -> bool {
        is_empty(self.get(id, row).unwrap_or_default())
    }

    pub(super) fn clear(&mut self, id: StringId, row: Row) {
        let range = self.range(id, row);
        self.words.get_mut(range).unwrap_or_default().fill(0);
    }

    #[inline]
    pub(super) fn has(&self, id: StringId, row: Row, filter: u32) -> bool {
        let word = self.words.get(self.word(id, row, filter));
        word.is_some_and(|word| word >> (filter % 64) & 1 == 1)
    }

    pub(super) fn probe(&self, row: Row, filter: u32) -> Probe {
        Probe {
            stride: KINDS * self.row_len,
            word: row as usize * self.row_len + filter as usize / 64,
            bit: 1 << (filter % 64),
        }
    }

    /// Whether the bit of a filter is set. Hot path: of lists of hundreds of values each is asked.
    #[inline]
    pub(super) fn is_set(&self, id: StringId, probe: Probe) -> bool {
        let word = self.words.get(id.index() * probe.stride + probe.word);
        word.is_some_and(|word| word & probe.bit != 0)
    }

    pub(super) fn set(&mut self, id: StringId, row: Row, filter: u32) {
        let at = self.word(id, row, filter);
        if let Some(word) = self.words.get_mut(at) {
            *word |= 1 << (filter % 64);
        }
    }

    pub(super) fn unset(&mut self, id: StringId, row: Row, filter: u32) {
        let at = self.word(id, row, filter);
        if let Some(word) = self.words.get_mut(at) {
            *word &= !(1 << (filter % 64));
        }
    }

    /// Finds which filters may match a value, as it is, besides those of its classes; where any was asked
    /// of it, those that are known not to are left out. Whether there are none.
    pub(super) fn scan(
        &mut self,
        id: StringId,
        side: &Side,
        value: &[u8],
        of_classes: &[u64],
        is_asked: bool,
    ) -> bool {
        let ranges = [Row::Candidates, Row::Decided, Row::Matching].map(|row| self.range(id, row));
        let Ok([candidates, decided, matching]) = self.words.get_disjoint_mut(ranges) else {
            return true;
        };
        set_row(candidates, of_classes);
        side.prefilter.scan(value, candidates);
        if is_asked {
            leave_out(candidates, (decided, matching), &side.in_their_case);
        }
        is_empty(candidates)
    }

    /// Adds those that may match a string as it is to those that may match it in a form: of `filters` only,
    /// and without those that look `elsewhere`.
    pub(super) fn add_candidates(&mut self, id: StringId, filters: &[u64], elsewhere: &[u64]) {
        let ranges = [Row::InForms, Row::Candidates].map(|row| self.range(id, row));
        let Ok([in_forms, candidates]) = self.words.get_disjoint_mut(ranges) else {
            return;
        };
        let (in_forms, _) = in_forms.as_chunks_mut::<ROW_STEP>();
        let (candidates, _) = candidates.as_chunks::<ROW_STEP>();
        let (filters, _) = filters.as_chunks::<ROW_STEP>();
        let (elsewhere, _) = elsewhere.as_chunks::<ROW_STEP>();
        let rows = in_forms.iter_mut().zip(candidates);
        for ((row, candidates), (filters, elsewhere)) in rows.zip(filters.iter().zip(elsewhere)) {
            let words = row.iter_mut().zip(candidates);
            for ((word, candidates), (filters, elsewhere)) in
                words.zip(filters.iter().zip(elsewhere))
            {
                *word |= candidates & filters & !elsewhere;
            }
        }
    }

    /// Adds those that may match a form of a string, `candidates`, without those that are known not to,
    /// where that form is `known`.
    pub(super) fn add_of_form(
        &mut self,
        id: StringId,
        known: Option<StringId>,
        candidates: &mut [u64],
        in_their_case: &[u64],
    ) {
        let Some(known) = known.filter(|known| *known != id) else {
            let range = self.range(id, Row::InForms);
            add_row(self.words.get_mut(range).unwrap_or_default(), candidates);
            return;
        };
        let ranges = [
            self.range(id, Row::InForms),
            self.range(known, Row::Decided),
            self.range(known, Row::Matching),
        ];
        let Ok([in_forms, decided, matching]) = self.words.get_disjoint_mut(ranges) else {
            return;
        };
        leave_out(candidates, (decided, matching), in_their_case);
        add_row(in_forms, candidates);
    }

    fn range(&self, id: StringId, row: Row) -> Range<usize> {
        let start = (id.index() * KINDS + row as usize) * self.row_len;
        start..start + self.row_len
    }

    #[inline]
    fn word(&self, id: StringId, row: Row, filter: u32) -> usize {
        (id.index() * KINDS + row as usize) * self.row_len + filter as usize / 64
    }
}

/// Hot path: most rows are one step, and `fill` would call for each.
pub(in crate::transaction) fn clear_row(row: &mut [u64]) {
    let (row, _) = row.as_chunks_mut::<ROW_STEP>();
    for words in row {
        *words = [0; ROW_STEP];
    }
}

/// Leaves filters out of a row that are decided and don't match, of those `in_their_case`.
fn leave_out(row: &mut [u64], (decided, matching): (&[u64], &[u64]), in_their_case: &[u64]) {
    let (row, _) = row.as_chunks_mut::<ROW_STEP>();
    let (decided, _) = decided.as_chunks::<ROW_STEP>();
    let (matching, _) = matching.as_chunks::<ROW_STEP>();
    let (in_their_case, _) = in_their_case.as_chunks::<ROW_STEP>();
    let known = decided.iter().zip(matching).zip(in_their_case);
    for (row, ((decided, matching), in_their_case)) in row.iter_mut().zip(known) {
        let known = decided.iter().zip(matching).zip(in_their_case);
        for (word, ((decided, matching), in_their_case)) in row.iter_mut().zip(known) {
            *word &= !(decided & !matching & in_their_case);
        }
    }
}

/// Hot path: whether a row has no bit.
pub(super) fn is_empty(row: &[u64]) -> bool {
    let (row, _) = row.as_chunks::<ROW_STEP>();
    let all = row.iter().fold(0, |all, [a, b, c, d]| all | a | b | c | d);
    all == 0
}

/// Hot path: keeps of a row what another has too.
pub(super) fn keep_row(row: &mut [u64], other: &[u64]) {
    let (row, _) = row.as_chunks_mut::<ROW_STEP>();
    let (other, _) = other.as_chunks::<ROW_STEP>();
    for (row, other) in row.iter_mut().zip(other) {
        let ([a, b, c, d], [e, f, g, h]) = (*row, other);
        *row = [a & e, b & f, c & g, d & h];
    }
}

/// Hot path: makes a row another.
pub(super) fn set_row(row: &mut [u64], other: &[u64]) {
    let (row, _) = row.as_chunks_mut::<ROW_STEP>();
    let (other, _) = other.as_chunks::<ROW_STEP>();
    for (row, other) in row.iter_mut().zip(other) {
        *row = *other;
    }
}

/// Hot path: rows are joined by steps, which are one or two instructions each.
pub(in crate::transaction) fn add_row(row: &mut [u64], more: &[u64]) {
    let (row, _) = row.as_chunks_mut::<ROW_STEP>();
    let (more, _) = more.as_chunks::<ROW_STEP>();
    for (row, more) in row.iter_mut().zip(more) {
        let ([a, b, c, d], [e, f, g, h]) = (*row, more);
        *row = [a | e, b | f, c | g, d | h];
    }
}
