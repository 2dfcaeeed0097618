//! The headers of a part.

use std::ops::Range;

use super::{MultipartError, MultipartFlags};
use crate::Byte;
use crate::syntax::{is_space, trim_blanks_start, without_line_end};

/// A header line is shorter, its end included; so is the value that folded lines make together.
pub(super) const LINE_BYTES_MAX: usize = 4096;

/// The most headers of a part: each is compared with all before it.
const HEADERS_MAX: usize = 64;

/// The headers of one part, in order.
#[derive(Debug, Default)]
pub(super) struct Headers {
    headers: Vec<Header>,
    /// Lines that were put together from folded ones.
    unfolded: Vec<u8>,
}

#[derive(Debug)]
struct Header {
    line: Range<usize>,
    /// Whether the line is in `unfolded`, and not in the body.
    is_unfolded: bool,
    /// How long the name is, at the start of the line.
    name_len: usize,
    /// Where in the line the value begins.
    value_start: usize,
}

impl Headers {
    pub(super) fn clear(&mut self) {
        self.headers.clear();
        self.unfolded.clear();
    }

    pub(super) fn bytes(&self) -> usize {
        self.headers.capacity() * size_of::<Header>() + self.unfolded.capacity()
    }

    /// Adds the header line that begins at the offset `at`, without its end. One that is wrong is
    /// added too, since rules look at what there was.
    pub(super) fn add(
        &mut self,
        line: &[u8],
        body: &[u8],
        at: usize,
        flags: &mut MultipartFlags,
    ) -> Result<(), MultipartError> {
        let limit = HEADERS_MAX;
        if self.headers.len() == limit {
            return Err(MultipartError::TooManyHeaders { limit, at });
        }
        let colon = memchr::memchr(b':', line);
        let name_len = colon.unwrap_or(line.len());
        let behind = line.get(name_len + 1..).unwrap_or_default();
        let name = line.get(..name_len).unwrap_or_default();
        let is_duplicate = self.value(name, body).is_some();
        self.headers.push(Header {
            line: at..at + line.len(),
            is_unfolded: false,
            name_len,
            value_start: line.len() - trim_blanks_start(behind).len(),
        });
        if colon.is_none() {
            return Err(MultipartError::NoColon { at });
        }
        check_name(name, at)?;
        if is_duplicate {
            flags.insert(MultipartFlags::DUPLICATE_PART_HEADER);
            return Err(MultipartError::DuplicateHeader { at });
        }
        Ok(())
    }

    /// Joins a folded line, its end included, to the header before it.
    pub(super) fn fold(
        &mut self,
        line: &[u8],
        body: &[u8],
        at: usize,
        flags: &mut MultipartFlags,
    ) -> Result<(), MultipartError> {
        flags.insert(MultipartFlags::HEADER_FOLDING);
        let space = line.iter().take_while(|byte| is_space(**byte)).count();
        let (space, content) = line.split_at_checked(space).unwrap_or((line, &[]));
        if !space.iter().all(|byte| matches!(byte, b' ' | b'\t')) {
            flags.insert(MultipartFlags::INVALID_HEADER_FOLDING);
        }
        let Some(header) = self.headers.last_mut() else {
            return Err(MultipartError::FoldedFirstHeader { at });
        };
        if !header.is_unfolded {
            header.unfold(body, &mut self.unfolded);
        }
        self.unfolded.push(b' ');
        self.unfolded.extend_from_slice(without_line_end(content));
        header.line.end = self.unfolded.len();
        let limit = LINE_BYTES_MAX;
        if header.line.len() - header.value_start > limit {
            return Err(MultipartError::HeaderTooLong { limit, at });
        }
        Ok(())
    }

    /// The value of the header of that name, in any case.
    pub(super) fn value<'h>(&'h self, name: &[u8], body: &'h [u8]) -> Option<&'h [u8]> {
        self.headers.iter().find_map(|header| {
            let line = header.line(body, &self.unfolded);
            let its_name = line.get(..header.name_len)?;
            let value = line.get(header.value_start..)?;
            its_name.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// All lines, those that were folded put together.
    pub(super) fn lines<'h>(&'h self, body: &'h [u8]) -> impl Iterator<Item = &'h [u8]> {
        let line = |header: &'h Header| header.line(body, &self.unfolded);
        self.headers.iter().map(line)
    }
}

impl Header {
    fn line<'h>(&self, body: &'h [u8], unfolded: &'h [u8]) -> &'h [u8] {
        let text = if self.is_unfolded { unfolded } else { body };
        text.get(self.line.clone()).unwrap_or_default()
    }

    /// Moves the line to `unfolded`, where it can grow: `name: value`.
    fn unfold(&mut self, body: &[u8], unfolded: &mut Vec<u8>) {
        let line = body.get(self.line.clone()).unwrap_or_default();
        let start = unfolded.len();
        unfolded.extend_from_slice(line.get(..self.name_len).unwrap_or_default());
        unfolded.extend_from_slice(b": ");
        unfolded.extend_from_slice(line.get(self.value_start..).unwrap_or_default());
        self.line = start..unfolded.len();
        self.is_unfolded = true;
        self.value_start = self.name_len + 2;
    }
}

fn check_name(name: &[u8], at: usize) -> Result<(), MultipartError> {
    if name.is_empty() {
        return Err(MultipartError::NoHeaderName { at });
    }
    match name.iter().position(|byte| !byte.is_ascii_graphic()) {
        Some(wrong) => Err(MultipartError::HeaderName {
            got: Byte(name.get(wrong).copied().unwrap_or_default()),
            at: at + wrong,
        }),
        None => Ok(()),
    }
}
