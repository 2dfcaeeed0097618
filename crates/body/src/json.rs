//! JSON bodies, every value an argument under the path of its keys.
//!
//! Names are those that ModSecurity 2 makes (`msc_json.c`):
//!
//! * the keys around a value, joined by dots: `{"a":{"b":1}}` is `a.b`;
//! * an array adds the name it is known by once more, for all of its elements:
//!   `{"a":[1,[2]]}` is `a.a` and `a.a.a`, and an outermost array is called `array`: `[1]` is
//!   `array.array`;
//! * a lone value has the empty name.
//!
//! Strings are decoded, numbers and booleans stand as they were written, `null` is empty. Values are
//! told in their order, and those of a key that repeats are all told.
//!
//! We differ where ModSecurity 2 goes wrong: a dot in a key doesn't shift the names that follow it,
//! and an escaped surrogate without its other half is one `?`, which eats nothing of what follows.
//!
//! RFC 8259 to the letter, and UTF-8 only; no byte order mark, no comments, nothing behind the value.
//! An empty body is nothing to read, and no error.

mod path;
mod string;
#[cfg(test)]
mod tests;

use std::ops::Range;

use thiserror::Error;

use crate::sink::Arguments;
use crate::{Body, Byte, Error, Limits, Outcome, Scratch, Sink};
pub(crate) use path::JsonScratch;
use path::Path;

/// Why a body isn't JSON, or more of it than is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JsonError {
    /// Something else belongs there.
    #[error("{got} at offset {at}, where {expected} was expected")]
    Unexpected {
        /// What stands there.
        got: Byte,
        /// What may.
        expected: &'static str,
        /// Where.
        at: usize,
    },
    /// It ends too early.
    #[error("premature end at offset {at}: the value is incomplete")]
    EarlyEnd {
        /// Where it ends.
        at: usize,
    },
    /// A control byte in a string that should be escaped.
    #[error("control {got} in a string at offset {at}: write it as an escape")]
    Control {
        /// The byte.
        got: Byte,
        /// Where.
        at: usize,
    },
    /// A string isn't UTF-8.
    #[error("a string is not UTF-8 at offset {at}")]
    NotUtf8 {
        /// Its first byte that isn't.
        at: usize,
    },
    /// It nests too deep.
    #[error(
        "JSON depth limit exceeded at offset {at}: deeper than {limit} (SecRequestBodyJsonDepthLimit)"
    )]
    TooDeep {
        /// How deep it may.
        limit: usize,
        /// What is one too deep.
        at: usize,
    },
    /// Its names are too long.
    #[error("the names of the values are longer than {limit} bytes together at offset {at}")]
    NamesTooLong {
        /// The most bytes.
        limit: usize,
        /// Where that was reached.
        at: usize,
    },
}

impl JsonError {
    pub(crate) const fn is_early_end(&self) -> bool {
        matches!(self, Self::EarlyEnd { .. })
    }
}

/// Tells `sink` the values of a JSON body.
///
/// Hot path: one pass; what has no escapes isn't copied.
pub fn parse<S: Sink>(
    body: Body<'_>,
    limits: &Limits,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Outcome {
    if body.bytes.is_empty() {
        return Outcome::of(body, Ok(()));
    }
    let mut parser = Parser {
        bytes: body.bytes,
        at: 0,
        is_partial: body.is_partial,
        path: Path::new(&mut scratch.json, limits),
        text: &mut scratch.value,
        arguments: Arguments::new(limits, sink),
    };
    let result = parser.document();
    Outcome::of(body, result)
}

struct Parser<'a, S> {
    bytes: &'a [u8],
    /// What is read next.
    at: usize,
    is_partial: bool,
    path: Path<'a>,
    /// A string that had escapes.
    text: &'a mut Vec<u8>,
    arguments: Arguments<'a, S>,
}

/// A string that was read.
struct Text {
    /// Where it stands in the body; `None`: decoded, in the parser's `text`.
    plain: Option<Range<usize>>,
    /// Whether the end of a partial body cut it.
    is_cut: bool,
}

impl<S: Sink> Parser<'_, S> {
    fn document(&mut self) -> Result<(), Error> {
        self.value()?;
        while let Some((is_array, is_fresh)) = self.path.innermost() {
            self.next_in(is_array, is_fresh)?;
        }
        match self.peek() {
            None => Ok(()),
            Some(got) => Err(self.unexpected(got, "the end of the body")),
        }
    }

    /// The next element, member or end of the innermost array or object.
    fn next_in(&mut self, is_array: bool, is_fresh: bool) -> Result<(), Error> {
        let (end, expected) = match is_array {
            true => (b']', "',' or ']'"),
            false => (b'}', "',' or '}'"),
        };
        let got = self.peek().ok_or_else(|| self.early_end())?;
        if got == end {
            self.at += 1;
            self.path.close();
            return Ok(());
        }
        if !is_fresh {
            if got != b',' {
                return Err(self.unexpected(got, expected));
            }
            self.at += 1;
        }
        self.path.has_begun();
        if !is_array {
            self.key()?;
        }
        self.value()
    }

    /// A member's key and the colon behind it.
    fn key(&mut self) -> Result<(), Error> {
        match self.peek() {
            Some(b'"') => self.at += 1,
            Some(got) => return Err(self.unexpected(got, "'\"' of a key")),
            None => return Err(self.early_end()),
        }
        let text = self.string()?;
        self.path.key(resolve(&text, self.bytes, self.text));
        if text.is_cut {
            self.give(b"")?;
            return Err(self.early_end());
        }
        match self.peek() {
            Some(b':') => self.at += 1,
            Some(got) => return Err(self.unexpected(got, "':'")),
            None if self.is_partial => {
                self.give(b"")?;
                return Err(self.early_end());
            }
            None => return Err(self.early_end()),
        }
        Ok(())
    }

    /// A value, or the beginning of one that holds others.
    fn value(&mut self) -> Result<(), Error> {
        let got = self.peek().ok_or_else(|| self.early_end())?;
        match got {
            b'"' => self.string_value(),
            b'{' | b'[' => self.open(got == b'['),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true", b"true"),
            b'f' => self.literal(b"false", b"false"),
            b'n' => self.literal(b"null", b""),
            got => Err(self.unexpected(got, "a value")),
        }
    }

    fn open(&mut self, is_array: bool) -> Result<(), Error> {
        let at = self.at;
        self.at += 1;
        self.path.open(is_array, at).map_err(Error::from)
    }

    fn string_value(&mut self) -> Result<(), Error> {
        self.at += 1;
        let text = self.string()?;
        let name = self.path.name(self.at)?;
        let value = resolve(&text, self.bytes, self.text);
        self.arguments.give(name, value)?;
        match text.is_cut {
            true => Err(self.early_end()),
            false => Ok(()),
        }
    }

    fn literal(&mut self, word: &'static [u8], value: &[u8]) -> Result<(), Error> {
        for expected in word {
            match self.bytes.get(self.at) {
                Some(got) if got == expected => self.at += 1,
                Some(got) => return Err(self.unexpected(*got, "true, false or null")),
                None => return Err(self.early_end()),
            }
        }
        self.give(value)
    }

    fn number(&mut self) -> Result<(), Error> {
        let start = self.at;
        self.skip_one_of(b"-");
        if !self.skip_one_of(b"0") {
            self.digits()?;
        }
        if self.skip_one_of(b".") {
            self.digits()?;
        }
        if self.skip_one_of(b"eE") {
            self.skip_one_of(b"+-");
            self.digits()?;
        }
        let bytes = self.bytes;
        self.give(bytes.get(start..self.at).unwrap_or_default())
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        loop {
            match self.bytes.get(self.at) {
                Some(b'0'..=b'9') => self.at += 1,
                _ if self.at > start => return Ok(()),
                Some(got) => return Err(self.unexpected(*got, "a digit")),
                None => return Err(self.early_end()),
            }
        }
    }

    fn skip_one_of(&mut self, wanted: &[u8]) -> bool {
        let next = self.bytes.get(self.at);
        let is_wanted = next.is_some_and(|byte| wanted.contains(byte));
        self.at += usize::from(is_wanted);
        is_wanted
    }

    fn give(&mut self, value: &[u8]) -> Result<(), Error> {
        let name = self.path.name(self.at)?;
        self.arguments.give(name, value)
    }

    /// The next byte that isn't white space; it isn't taken.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    fn unexpected(&self, got: u8, expected: &'static str) -> Error {
        let (got, at) = (Byte(got), self.at);
        JsonError::Unexpected { got, expected, at }.into()
    }

    fn early_end(&self) -> Error {
        let at = self.bytes.len();
        JsonError::EarlyEnd { at }.into()
    }
}

/// The bytes of a string, wherever they are.
fn resolve<'t>(text: &Text, body: &'t [u8], decoded: &'t [u8]) -> &'t [u8] {
    match &text.plain {
        Some(range) => body.get(range.clone()).unwrap_or_default(),
        None => decoded,
    }
}
