//! A string, searched in all forms of a list.
//!
//! Most forms of harmless strings match nothing, and are not looked at again: they are made and searched
//! here, and only what rules ask for becomes a string of its own.

use super::rows::add_row;
use crate::program::{Form, Forms, NodeId, Side};
use crate::{Transformation, UnicodeMap};

/// Memory for it.
#[derive(Debug)]
pub(super) struct Search {
    /// Of all forms but the first, which is the string as it came.
    bytes: Vec<u8>,
    made: Vec<Made>,
    /// For each form of the list, which of `made` it is.
    of_list: Vec<u16>,
    /// What was made of what by which transformation: lists share many.
    applied: Vec<(u16, Transformation, u16)>,
    /// A row of words for each that was searched.
    rows: Vec<u64>,
    row_len: usize,
    /// Of which node which form has candidates.
    candidates: Vec<(NodeId, u16)>,
    /// Filters for which the string isn't searched as it came, since their form is another.
    elsewhere: Vec<u64>,
    buffer: Vec<u8>,
}

/// A form that differs from those before it.
#[derive(Clone, Copy, Debug)]
struct Made {
    start: usize,
    end: usize,
    classes: u64,
    /// Where its row begins, once it is searched.
    row: Option<usize>,
}

/// A form that may match something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'s> {
    pub(super) bytes: &'s [u8],
    /// The filters that may match it.
    pub(super) row: &'s [u64],
}

/// Which of `made` is the string as it came.
const AS_IT_CAME: u16 = 0;

impl Search {
    pub(super) fn new(row_len: usize) -> Self {
        Self {
            bytes: Vec::new(),
            made: Vec::new(),
            of_list: Vec::new(),
            applied: Vec::new(),
            rows: Vec::new(),
            row_len,
            candidates: Vec::new(),
            elsewhere: vec![0; row_len],
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

    /// Searches `value`, which has these classes, in the forms of a list; how many bytes were looked at.
    /// Ends once that are more than `bytes_max`.
    pub(super) fn run(
        &mut self,
        side: &Side,
        unicode: &UnicodeMap,
        (value, classes): (&[u8], u64),
        list: &Forms,
        bytes_max: u64,
    ) -> usize {
        self.begin(classes);
        let (mut at, mut worked) = (0, 0);
        while let Some(form) = list.forms.get(at) {
            if form.grown & classes == 0 {
                at = usize::from(form.end);
                self.of_list.resize(at, AS_IT_CAME);
                continue;
            }
            let made = self.form(side, unicode, value, form, &mut worked);
            self.of_list.push(made);
            if made != AS_IT_CAME && form.searched & classes != 0 {
                self.search(side, form.node, made, &mut worked);
                let alone = list.alone.get(at * self.row_len..(at + 1) * self.row_len);
                add_row(&mut self.elsewhere, alone.unwrap_or_default());
            }
            at += 1;
            if u64::try_from(worked).is_ok_and(|worked| worked > bytes_max) {
                break;
            }
        }
        worked
    }

    fn begin(&mut self, classes: u64) {
        self.bytes.clear();
        self.of_list.clear();
        self.applied.clear();
        self.rows.clear();
        self.candidates.clear();
        self.elsewhere.fill(0);
        self.made.clear();
        self.made.push(Made {
            start: 0,
            end: 0,
            classes,
            row: None,
        });
    }

    /// Which of `made` a form of the list is.
    fn form(
        &mut self,
        side: &Side,
        unicode: &UnicodeMap,
        value: &[u8],
        form: &Form,
        worked: &mut usize,
    ) -> u16 {
        let from = match form.from {
            0 => AS_IT_CAME,
            from => self
                .of_list
                .get(usize::from(from) - 1)
                .copied()
                .unwrap_or(AS_IT_CAME),
        };
        let Some(made) = self.made.get(usize::from(from)) else {
            return from;
        };
        if form.trigger & made.classes == 0 && form.trigger != u64::MAX {
            return from;
        }
        let mut applied = self.applied.iter();
        let known = applied.find(|(of, by, _)| (*of, *by) == (from, form.last));
        if let Some((_, _, known)) = known {
            return *known;
        }
        let input = match from {
            AS_IT_CAME => value,
            _ => self.bytes.get(made.start..made.end).unwrap_or_default(),
        };
        *worked += input.len();
        let is_changed = form.last.apply(input, &mut self.buffer, unicode);
        let result = match is_changed {
            true => self.keep(side, value),
            false => from,
        };
        self.applied.push((from, form.last, result));
        result
    }

    /// Which of `made` is what the buffer has.
    fn keep(&mut self, side: &Side, value: &[u8]) -> u16 {
        if self.buffer == value {
            return AS_IT_CAME;
        }
        let is_it = |made: &Made| self.bytes.get(made.start..made.end) == Some(&self.buffer);
        let mut others = self.made.iter().enumerate().skip(1);
        let known = others.find(|(_, made)| is_it(made));
        if let Some(known) = known.and_then(|(at, _)| u16::try_from(at).ok()) {
            return known;
        }
        let Ok(at) = u16::try_from(self.made.len()) else {
            return AS_IT_CAME;
        };
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&self.buffer);
        self.made.push(Made {
            start,
            end: self.bytes.len(),
            classes: side.prefilter.classes_of(&self.buffer),
            row: None,
        });
        at
    }

    /// Searches a form, and notes whether any filter may match it for which that of a node is searched.
    fn search(&mut self, side: &Side, node: NodeId, made: u16, worked: &mut usize) {
        let Some(one) = self.made.get_mut(usize::from(made)) else {
            return;
        };
        let start = match one.row {
            Some(start) => start,
            None => {
                let start = self.rows.len();
                one.row = Some(start);
                let value = self.bytes.get(one.start..one.end).unwrap_or_default();
                *worked += value.len();
                self.rows.resize(start + self.row_len, 0);
                let row = self.rows.get_mut(start..).unwrap_or_default();
                side.prefilter.candidates(value, one.classes, row);
                start
            }
        };
        let row = self.rows.get(start..start + self.row_len);
        let mut words = row.unwrap_or_default().iter().zip(side.searched(node));
        if words.any(|(word, searched)| word & searched != 0) {
            self.candidates.push((node, made));
        }
    }

    /// The filters for which the string isn't searched as it came, since their form is another.
    pub(super) fn elsewhere(&self) -> &[u64] {
        &self.elsewhere
    }

    /// The forms that may match something, by node.
    pub(super) fn candidates(&self) -> impl Iterator<Item = (NodeId, Candidate<'_>)> {
        self.candidates.iter().filter_map(|(node, made)| {
            let made = self.made.get(usize::from(*made))?;
            let start = made.row?;
            let candidate = Candidate {
                bytes: self.bytes.get(made.start..made.end)?,
                row: self.rows.get(start..start + self.row_len)?,
            };
            Some((*node, candidate))
        })
    }
}
