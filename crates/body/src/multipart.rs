//! `multipart/form-data` (RFC 7578), as strictly as ModSecurity 2 reads it.
//!
//! Servers differ in what they take for a boundary, a header or a name, and each difference hides a
//! part from somebody. So this parser follows ModSecurity 2 (`msc_multipart.c`) line by line: it
//! reads what browsers write, is an [error](MultipartError) where it doesn't understand, and sets a
//! [flag](MultipartFlags) where others may understand something else. Rules refuse both.
//!
//! Where we tell more than ModSecurity 2 does:
//!
//! * Before an error or a cut, the part that isn't over is told with what there is of it; under an
//!   empty name where its headers aren't over.
//! * A part that has `filename*` alone is a file and an argument, as backends take it for either.
//! * Data that resembles a boundary sets [`MultipartFlags::UNMATCHED_BOUNDARY`] however long its
//!   line is.
//! * A repeated parameter of `Content-Disposition` is an error even if the first was empty.

mod boundary;
mod disposition;
mod error;
mod flags;
mod header;
#[cfg(test)]
mod tests;

use std::mem;
use std::ops::Range;

use crate::sink::Arguments;
use crate::syntax::{is_space, trim_space_start, without_line_end};
use crate::{Body, Error, File, Limits, Outcome, Scratch, Sink};
use boundary::{Boundary, Delimiter};
use disposition::Disposition;
pub use error::MultipartError;
pub use flags::MultipartFlags;
use header::Headers;

/// Memory of the multipart parser.
#[derive(Debug, Default)]
pub(crate) struct MultipartScratch {
    delimiter: Vec<u8>,
    headers: Headers,
    disposition: Disposition,
}

impl MultipartScratch {
    pub(crate) fn bytes(&self) -> usize {
        self.delimiter.capacity() + self.headers.bytes() + self.disposition.bytes()
    }
}

/// Tells `sink` the parts of a multipart body, whose boundary the value of its `Content-Type` says.
///
/// Hot path: one pass; contents aren't copied.
pub fn parse<S: Sink>(
    body: Body<'_>,
    content_type: &[u8],
    limits: &Limits,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Outcome {
    let mut flags = MultipartFlags::default();
    let boundary = match Boundary::of(content_type, &mut flags) {
        Ok(boundary) => boundary,
        Err(error) => {
            flags.insert(MultipartFlags::ERROR);
            return Outcome {
                multipart: flags,
                ..Outcome::of(body, Err(error.into()))
            };
        }
    };
    let scratch = &mut scratch.multipart;
    let mut parser = Parser {
        body: body.bytes,
        at: 0,
        flags,
        delimiter: Delimiter::new(boundary, body.bytes, &mut scratch.delimiter),
        headers: &mut scratch.headers,
        disposition: &mut scratch.disposition,
        state: State::Preamble,
        boundaries: 0,
        has_data: false,
        follows_bare_line_feed: false,
        parts: 0,
        files: 0,
        no_files_bytes: 0,
        limits,
        arguments: Arguments::new(limits, sink),
    };
    let result = parser.document();
    Outcome {
        multipart: parser.flags,
        no_files_bytes: parser.no_files_bytes,
        ..Outcome::of(body, result)
    }
}

struct Parser<'a, S> {
    body: &'a [u8],
    /// Where the line that is read begins.
    at: usize,
    flags: MultipartFlags,
    delimiter: Delimiter<'a>,
    headers: &'a mut Headers,
    disposition: &'a mut Disposition,
    state: State,
    /// How many boundaries there were.
    boundaries: usize,
    /// Whether a line of data was read since the last boundary.
    has_data: bool,
    /// Whether the line before ended with LF alone.
    follows_bare_line_feed: bool,
    parts: usize,
    files: usize,
    no_files_bytes: usize,
    limits: &'a Limits,
    arguments: Arguments<'a, S>,
}

/// Where in the body a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first boundary.
    Preamble,
    /// In the headers of a part.
    Headers,
    /// In the data of a part, which begin at the offset.
    Data(usize),
    /// Behind the last boundary.
    Epilogue,
}

impl<S: Sink> Parser<'_, S> {
    fn document(&mut self) -> Result<(), Error> {
        let result = self.lines();
        if let Err(error) = &result {
            let is_early_end = error.is_early_end();
            // As in ModSecurity 2, an early end is an error of the body, and not a strict one.
            if !is_early_end {
                self.flags.insert(MultipartFlags::ERROR);
            }
            let end = if is_early_end {
                self.body.len()
            } else {
                self.at
            };
            self.tell_unfinished(end);
        }
        result
    }

    fn lines(&mut self) -> Result<(), Error> {
        while self.state != State::Epilogue {
            let rest = self.body.get(self.at..).unwrap_or_default();
            let Some(line_feed) = memchr::memchr(b'\n', rest) else {
                return self.last_line(rest);
            };
            let end = self.at + line_feed + 1;
            self.line(self.at..end)?;
            self.at = end;
        }
        if self.at < self.body.len() {
            self.flags.insert(MultipartFlags::DATA_AFTER);
        }
        Ok(())
    }

    /// What has no line end: the last boundary, or a body that ends too early.
    fn last_line(&mut self, line: &[u8]) -> Result<(), Error> {
        if self.body.is_empty() {
            return Ok(());
        }
        if self.boundaries == 0 {
            return Err(MultipartError::NoBoundary.into());
        }
        if line.strip_prefix(self.delimiter.text()) != Some(b"--".as_slice()) {
            return Err(MultipartError::NoLastBoundary.into());
        }
        self.note_line_end_before_boundary();
        if !self.has_data {
            self.flags.insert(MultipartFlags::INVALID_PART);
        }
        self.finish_part(self.at)
    }

    fn line(&mut self, line: Range<usize>) -> Result<(), Error> {
        let text = self.body.get(line.clone()).unwrap_or_default();
        if !self.boundary(&line, text)? {
            match self.state {
                State::Preamble => self.flags.insert(MultipartFlags::DATA_BEFORE),
                State::Headers => self.header_line(&line, text)?,
                State::Data(_) => self.has_data = true,
                State::Epilogue => {}
            }
        }
        self.follows_bare_line_feed = !text.ends_with(b"\r\n");
        Ok(())
    }

    /// Whether the line is a boundary.
    fn boundary(&mut self, line: &Range<usize>, text: &[u8]) -> Result<bool, Error> {
        // A line of `--` and nothing else is data.
        let is_candidate = matches!(text, [b'-', b'-', 1..=255, 1..=255, ..]);
        if !is_candidate {
            if !self.flags.contains(MultipartFlags::UNMATCHED_BOUNDARY)
                && self.delimiter.is_within(line)
            {
                self.flags.insert(MultipartFlags::UNMATCHED_BOUNDARY);
            }
            return Ok(false);
        }
        let Some(rest) = text.strip_prefix(self.delimiter.text()) else {
            self.check_near_miss(text)?;
            self.flags.insert(MultipartFlags::UNMATCHED_BOUNDARY);
            return Ok(false);
        };
        self.note_line_end_before_boundary();
        if !self.has_data && self.boundaries > 0 {
            self.flags.insert(MultipartFlags::INVALID_PART);
            return Ok(false);
        }
        self.take_boundary(rest)?;
        Ok(true)
    }

    /// What stands behind the boundary in its line.
    fn take_boundary(&mut self, rest: &[u8]) -> Result<(), Error> {
        let (is_last, line_end) = match rest.strip_prefix(b"--") {
            Some(line_end) => (true, line_end),
            None => (false, rest),
        };
        match line_end {
            b"\r\n" => self.flags.insert(MultipartFlags::CRLF_LINE),
            b"\n" => self.flags.insert(MultipartFlags::LF_LINE),
            _ => return Err(MultipartError::BoundaryLine { at: self.at }.into()),
        }
        self.finish_part(self.at)?;
        self.boundaries += 1;
        if !is_last {
            self.headers.clear();
            self.has_data = false;
            self.state = State::Headers;
        }
        Ok(())
    }

    fn note_line_end_before_boundary(&mut self) {
        if self.follows_bare_line_feed {
            self.flags.insert(MultipartFlags::LF_LINE);
        }
    }

    /// A line that begins like a boundary, and that some parsers take for one.
    fn check_near_miss(&self, text: &[u8]) -> Result<(), MultipartError> {
        let at = self.at;
        let boundary = self.delimiter.boundary();
        let behind_hyphens = text.get(2..).unwrap_or_default();
        let quoted = behind_hyphens.strip_prefix(b"\"");
        let is_quoted = quoted.is_some_and(|text| text.starts_with(boundary));
        if is_quoted && self.flags.contains(MultipartFlags::BOUNDARY_QUOTED) {
            return Err(MultipartError::QuotedBoundaryLine { at });
        }
        let is_spaced = behind_hyphens.first().copied().is_some_and(is_space);
        if is_spaced && trim_space_start(behind_hyphens).starts_with(boundary) {
            return Err(MultipartError::SpaceInBoundaryLine { at });
        }
        Ok(())
    }

    fn header_line(&mut self, line: &Range<usize>, text: &[u8]) -> Result<(), Error> {
        let at = self.at;
        let limit = header::LINE_BYTES_MAX;
        if text.len() >= limit {
            return Err(MultipartError::HeaderTooLong { limit, at }.into());
        }
        if let Some(nul) = memchr::memchr(0, text) {
            let at = at + nul;
            return Err(MultipartError::NulInHeader { at }.into());
        }
        self.no_files_bytes += text.len();
        self.flags.insert(match text.ends_with(b"\r\n") {
            true => MultipartFlags::CRLF_LINE,
            false => MultipartFlags::LF_LINE,
        });
        let content = without_line_end(text);
        match content.first() {
            None => self.end_headers(line.end)?,
            Some(first) if is_space(*first) => {
                self.headers.fold(text, self.body, at, &mut self.flags)?;
            }
            Some(_) => {
                self.headers.add(content, self.body, at, &mut self.flags)?;
            }
        }
        Ok(())
    }

    /// The headers of a part are over, and its data begin.
    fn end_headers(&mut self, data: usize) -> Result<(), MultipartError> {
        let at = self.at;
        let value = self.headers.value(b"content-disposition", self.body);
        let value = value.ok_or(MultipartError::NoDisposition { at })?;
        self.disposition.read(value, at, &mut self.flags)?;
        self.has_data = false;
        self.state = State::Data(data);
        Ok(())
    }

    /// Tells the sink of the part whose data end at the boundary at `end`.
    fn finish_part(&mut self, end: usize) -> Result<(), Error> {
        match mem::replace(&mut self.state, State::Epilogue) {
            State::Data(start) => {
                let data = self.body.get(start..end).unwrap_or_default();
                self.tell(without_line_end(data))
            }
            State::Headers => {
                self.flags.insert(MultipartFlags::INVALID_PART);
                self.tell_headers(false);
                Ok(())
            }
            State::Preamble | State::Epilogue => Ok(()),
        }
    }

    /// Tells the sink what there is of a part before an error, or at the end of the body.
    fn tell_unfinished(&mut self, end: usize) {
        match mem::replace(&mut self.state, State::Epilogue) {
            State::Data(start) => {
                let data = self.body.get(start..end).unwrap_or_default();
                // The body's own error is what counts.
                let _ = self.tell(data);
            }
            State::Headers => self.tell_headers(false),
            State::Preamble | State::Epilogue => {}
        }
    }

    fn tell(&mut self, content: &[u8]) -> Result<(), Error> {
        let limit = self.limits.parts;
        if self.parts == limit {
            return Err(MultipartError::TooManyParts { limit }.into());
        }
        self.parts += 1;
        self.tell_headers(true);
        let disposition = &*self.disposition;
        let field = disposition.name();
        if disposition.is_file() {
            self.files += 1;
            if self.files > self.limits.upload_files {
                self.flags.insert(MultipartFlags::FILE_LIMIT_EXCEEDED);
            }
            self.arguments.sink.file(File {
                field,
                name: disposition.file_name(),
                extended_name: disposition.extended_name(),
                content,
            });
        }
        if disposition.file_name().is_some() {
            return Ok(());
        }
        self.no_files_bytes += content.len();
        self.arguments.give(field, content)
    }

    fn tell_headers(&mut self, is_named: bool) {
        let part = if is_named {
            self.disposition.name()
        } else {
            b""
        };
        for line in self.headers.lines(self.body) {
            self.arguments.sink.part_header(part, line);
        }
    }
}
