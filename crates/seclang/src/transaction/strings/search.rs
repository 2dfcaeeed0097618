//! A string, searched in all forms of a list.
//!
//! Most forms of harmless strings match nothing, and are not looked at again: they are made and searched
//! here, and only what rules ask for becomes a string of its own.

use super::class_rows::ClassRows;
use super::rows::{add_row, is_empty, keep_row, set_row};
use crate::program::{Form, Forms, Side};
use crate::{Transformation, UnicodeMap};

/// Memory for it.
#[derive(Debug)]
pub(super) struct Search {
    /// Of all forms but the first, which is the string as it came.
    bytes: Vec<u8>,
    /// Forms that are too large to be moved about.
    large: Vec<Vec<u8>>,
    made: Vec<Made>,
    /// For each form of the list, which of `made` it is.
    of_list: Vec<u16>,
    /// What was made of what by which transformation: where one leaves what it came from as it is, what
    /// comes next may be the same as elsewhere in the list.
    applied: Vec<(u16, Transformation, u16)>,
    /// A row of words for each of `made`: the filters that it is searched for. That of the first: those
    /// that it isn't searched for, since their form is another.
    wanted: Vec<u64>,
    /// Those of the first of `made`, a bit each, that are searched for any filter; all of those behind.
    is_wanted: u64,
    row_len: usize,
    /// The row of the form that is searched.
    found: Vec<u64>,
    buffer: Vec<u8>,
}

/// A form that differs from those before it.
#[derive(Clone, Copy, Debug)]
struct Made {
    place: Place,
    len: usize,
    classes: u64,
}

/// Where the bytes of a form are.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// It is the string as it came.
    AsItCame,
    /// Where they begin among those of all.
    At(usize),
    /// Which of the large ones.
    Large(usize),
}

/// A form that may match something.
#[derive(Debug)]
pub(super) struct Candidate<'s> {
    pub(super) bytes: &'s [u8],
    /// The filters that may match it, of those that it is searched for.
    pub(super) row: &'s mut [u64],
}

/// From so many bytes on a form is kept where it was made: to move it would take as much again.
const LARGE: usize = 256 * 1024;
/// From so many bytes on it is remembered what was made of what: a list makes most forms once.
const REMEMBERED: usize = 512;
/// Which of `made` is the string as it came.
const AS_IT_CAME: u16 = 0;

impl Search {
    pub(super) fn new(row_len: usize) -> Self {
        Self {
            bytes: Vec::new(),
            large: Vec::new(),
            made: Vec::new(),
            of_list: Vec::new(),
            applied: Vec::new(),
            wanted: Vec::new(),
            is_wanted: 0,
            row_len,
            found: vec![0; row_len],
            buffer: Vec::new(),
        }
    }

    /// Gives memory back beyond so many bytes of each.
    pub(super) fn shrink(&mut self, bytes_max: usize) {
        for bytes in [&mut self.bytes, &mut self.buffer] {
            bytes.clear();
            bytes.shrink_to(bytes_max);
        }
    }

    /// Makes all forms of a list of `value`, which has these classes, to which the list is narrowed; how
    /// many bytes were looked at. Ends once that are more than `bytes_max`.
    pub(super) fn make(
        &mut self,
        side: &Side,
        unicode: &UnicodeMap,
        (value, classes): (&[u8], u64),
        list: &Forms,
        bytes_max: u64,
    ) -> usize {
        self.begin(value, classes);
        let (mut at, mut worked) = (0, 0);
        self.of_list.resize(list.forms.len(), AS_IT_CAME);
        while let Some(form) = list.forms.get(at) {
            let from = match form.from {
                0 => AS_IT_CAME,
                from => self.made_of(usize::from(from) - 1),
            };
            let Some(source) = self.made.get(usize::from(from)).copied() else {
                break;
            };
            let mut made = from;
            if form.trigger & source.classes != 0 {
                if source.len < form.len_before {
                    at = usize::from(form.end);
                    continue;
                }
                let applied = self.apply(side, unicode, value, form, (from, source), &mut worked);
                if u64::try_from(worked).is_ok_and(|worked| worked > bytes_max) {
                    break;
                }
                let Some(applied) = applied else {
                    at = usize::from(form.end);
                    continue;
                };
                made = applied;
            }
            if made != AS_IT_CAME {
                if let Some(place) = self.of_list.get_mut(at) {
                    *place = made;
                }
                if form.searched != 0 && (made != from || !form.adds_nothing) {
                    self.want(made, list, (at, form));
                }
            }
            at += 1;
        }
        worked
    }

    /// Which of `made` a form of the list is.
    fn made_of(&self, at: usize) -> u16 {
        self.of_list.get(at).copied().unwrap_or(AS_IT_CAME)
    }

    fn begin(&mut self, value: &[u8], classes: u64) {
        self.bytes.clear();
        self.of_list.clear();
        self.applied.clear();
        self.made.clear();
        self.made.push(Made {
            place: Place::AsItCame,
            len: value.len(),
            classes,
        });
        self.wanted.clear();
        self.wanted.resize(self.row_len, 0);
        self.is_wanted = 0;
    }

    /// Notes for which filters one of `made` is searched.
    fn want(&mut self, made: u16, list: &Forms, (at, form): (usize, &Form)) {
        let from = at * 2 * self.row_len;
        let rows = list.rows.get(from..from + 2 * self.row_len);
        let Some((searched, alone)) = rows.and_then(|rows| rows.split_at_checked(self.row_len))
        else {
            return;
        };
        let classes = self.made.get(usize::from(made)).map(|made| made.classes);
        if classes.is_some_and(|classes| classes & form.needs.classes != 0) {
            self.is_wanted |= 1 << made.min(63);
            let to = usize::from(made) * self.row_len;
            let wanted = self.wanted.get_mut(to..to + self.row_len);
            add_row(wanted.unwrap_or_default(), searched);
        }
        let as_it_came = self.wanted.get_mut(..self.row_len);
        add_row(as_it_came.unwrap_or_default(), alone);
    }

    /// Which of `made` the last transformation of a form makes of one of them; `None` where that is too
    /// short for any filter, of what grows from it neither.
    fn apply(
        &mut self,
        side: &Side,
        unicode: &UnicodeMap,
        value: &[u8],
        form: &Form,
        (from, source): (u16, Made),
        worked: &mut usize,
    ) -> Option<u16> {
        let transformation = form.last;
        let is_remembered = source.len >= REMEMBERED;
        if is_remembered {
            let mut applied = self.applied.iter();
            let known = applied.find(|(of, by, _)| (*of, *by) == (from, transformation));
            if let Some((_, _, known)) = known {
                return Some(*known);
            }
        }
        let input = bytes_of(&self.bytes, &self.large, source, value);
        *worked += input.len();
        let is_changed = transformation.apply(input, &mut self.buffer, unicode);
        let len = if is_changed {
            self.buffer.len()
        } else {
            source.len
        };
        if len < form.len_min {
            return None;
        }
        let result = match is_changed {
            true => self.keep(side, value),
            false => from,
        };
        if is_remembered {
            self.applied.push((from, transformation, result));
        }
        Some(result)
    }

    /// Which of `made` is what the buffer has.
    fn keep(&mut self, side: &Side, value: &[u8]) -> u16 {
        if self.buffer == value {
            return AS_IT_CAME;
        }
        let classes = side.prefilter.classes_of(&self.buffer);
        let len = self.buffer.len();
        let is_it = |made: &Made| {
            (made.len, made.classes) == (len, classes)
                && bytes_of(&self.bytes, &self.large, *made, value) == self.buffer
        };
        let mut others = self.made.iter().enumerate().skip(1);
        let known = others.find(|(_, made)| is_it(made));
        if let Some(known) = known.and_then(|(at, _)| u16::try_from(at).ok()) {
            return known;
        }
        let Ok(at) = u16::try_from(self.made.len()) else {
            return AS_IT_CAME;
        };
        let place = match len < LARGE {
            true => {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(&self.buffer);
                Place::At(start)
            }
            false => {
                self.large.push(std::mem::take(&mut self.buffer));
                Place::Large(self.large.len() - 1)
            }
        };
        self.made.push(Made {
            place,
            len,
            classes,
        });
        let words = self.wanted.len() + self.row_len;
        self.wanted.resize(words, 0);
        at
    }

    /// The next form that is to be searched, of those from `number` on.
    #[inline]
    pub(super) fn next_wanted(&self, number: usize) -> Option<usize> {
        let rest = self.is_wanted.checked_shr(u32::try_from(number).ok()?);
        match rest {
            Some(0) => None,
            Some(rest) => Some(number + rest.trailing_zeros() as usize),
            None => Some(number),
        }
        .filter(|number| *number < self.made.len())
    }

    /// Searches one of them; how many bytes were looked at, and what was found.
    pub(super) fn search(
        &mut self,
        side: &Side,
        class_rows: &mut ClassRows,
        number: usize,
    ) -> (usize, Option<Candidate<'_>>) {
        let from = number * self.row_len;
        let Some((made, wanted)) = self
            .made
            .get(number)
            .zip(self.wanted.get(from..from + self.row_len))
        else {
            return (0, None);
        };
        if is_empty(wanted) {
            return (0, None);
        }
        let bytes = bytes_of(&self.bytes, &self.large, *made, &[]);
        let of_classes = class_rows.get(&side.prefilter, made.classes);
        set_row(&mut self.found, of_classes);
        side.prefilter.scan(bytes, &mut self.found);
        keep_row(&mut self.found, wanted);
        if is_empty(&self.found) {
            return (bytes.len(), None);
        }
        let candidate = Candidate {
            bytes,
            row: &mut self.found,
        };
        (bytes.len(), Some(candidate))
    }

    /// Gives the memory of large forms back, which are searched now.
    pub(super) fn forget_large(&mut self) {
        self.large.clear();
    }

    /// The filters for which the string isn't searched as it came, since their form is another.
    pub(super) fn elsewhere(&self) -> &[u64] {
        self.wanted.get(..self.row_len).unwrap_or_default()
    }
}

/// The bytes of a form of `value`.
fn bytes_of<'b>(bytes: &'b [u8], large: &'b [Vec<u8>], made: Made, value: &'b [u8]) -> &'b [u8] {
    match made.place {
        Place::AsItCame => value,
        Place::At(start) => bytes.get(start..start + made.len).unwrap_or_default(),
        Place::Large(at) => large.get(at).map(Vec::as_slice).unwrap_or_default(),
    }
}
