//! The strings of JSON.

use super::{JsonError, Parser, Text};
use crate::syntax::{Stops, hex_digit};
use crate::{Byte, Error, Sink};

/// What doesn't stand for itself.
const STOPS: Stops<2> = Stops::new([b'"', b'\\'], b' ');

/// What half of a surrogate pair becomes, as in ModSecurity 2's parser.
const LONE_SURROGATE: u8 = b'?';

impl<S: Sink> Parser<'_, S> {
    /// A string whose opening quote has been read.
    pub(super) fn string(&mut self) -> Result<Text, Error> {
        let start = self.at;
        let end = self.plain_end(start);
        match self.bytes.get(end) {
            Some(b'\\') => self.escaped_string(start, end),
            Some(b'"') => {
                self.check_utf8(start, end, false)?;
                self.at = end + 1;
                Ok(Text {
                    plain: Some(start..end),
                    is_cut: false,
                })
            }
            None => {
                let end = self.cut(start)?;
                Ok(Text {
                    plain: Some(start..end),
                    is_cut: true,
                })
            }
            Some(got) => Err(control(*got, end)),
        }
    }

    /// A string with an escape at `at`.
    fn escaped_string(&mut self, start: usize, mut at: usize) -> Result<Text, Error> {
        self.text.clear();
        self.copy(start, at);
        let is_cut = loop {
            at = match self.bytes.get(at) {
                Some(b'"') => break false,
                Some(b'\\') => match self.escape(at)? {
                    Some(next) => next,
                    None => break true,
                },
                Some(got) => return Err(control(*got, at)),
                None => break true,
            };
            let end = self.plain_end(at);
            self.copy(at, end);
            at = end;
        };
        if is_cut {
            let end = self.cut(start)?;
            // What is left of a character goes.
            let kept = self.text.len() - (self.bytes.len() - end).min(self.text.len());
            self.text.truncate(kept);
        } else {
            self.check_utf8(start, at, false)?;
            self.at = at + 1;
        }
        Ok(Text {
            plain: None,
            is_cut,
        })
    }

    /// The escape at `at` is decoded; what follows it. `None`: the body ends within.
    fn escape(&mut self, at: usize) -> Result<Option<usize>, Error> {
        let Some(letter) = self.bytes.get(at + 1) else {
            return Ok(None);
        };
        let byte = match letter {
            b'"' | b'\\' | b'/' => *letter,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode_escape(at),
            letter => return Err(bad_escape(*letter, at + 1)),
        };
        self.text.push(byte);
        Ok(Some(at + 2))
    }

    fn unicode_escape(&mut self, at: usize) -> Result<Option<usize>, Error> {
        let Some(unit) = self.code_unit(at + 2)? else {
            return Ok(None);
        };
        let next = at + 6;
        let follows = self.bytes.get(next..).unwrap_or_default();
        if !(0xd800..0xdc00).contains(&unit) || !follows.starts_with(b"\\u") {
            self.push(u32::from(unit));
            return Ok(Some(next));
        }
        let Some(low) = self.code_unit(next + 2)? else {
            return Ok(None);
        };
        if !(0xdc00..0xe000).contains(&low) {
            self.text.push(LONE_SURROGATE);
            return Ok(Some(next));
        }
        let code = 0x1_0000 + ((u32::from(unit) & 0x3ff) << 10 | u32::from(low) & 0x3ff);
        self.push(code);
        Ok(Some(next + 6))
    }

    fn push(&mut self, code: u32) {
        match char::from_u32(code) {
            Some(character) => {
                let mut buffer = [0; 4];
                let encoded = character.encode_utf8(&mut buffer);
                self.text.extend_from_slice(encoded.as_bytes());
            }
            None => self.text.push(LONE_SURROGATE),
        }
    }

    /// The four hexadecimal digits at `at`.
    fn code_unit(&self, at: usize) -> Result<Option<u16>, Error> {
        let mut unit = 0;
        for at in at..at + 4 {
            let Some(byte) = self.bytes.get(at) else {
                return Ok(None);
            };
            let digit = hex_digit(*byte).ok_or_else(|| bad_escape(*byte, at))?;
            unit = unit << 4 | u16::from(digit);
        }
        Ok(Some(unit))
    }

    /// Where the bytes that stand for themselves end.
    fn plain_end(&self, start: usize) -> usize {
        let rest = self.bytes.get(start..).unwrap_or_default();
        start + STOPS.find(rest)
    }

    fn copy(&mut self, start: usize, end: usize) {
        let plain = self.bytes.get(start..end).unwrap_or_default();
        self.text.extend_from_slice(plain);
    }

    /// The body ends within the string from `start` on; where its last whole character ends.
    fn cut(&mut self, start: usize) -> Result<usize, Error> {
        if !self.is_partial {
            return Err(self.early_end());
        }
        self.at = self.bytes.len();
        self.check_utf8(start, self.at, true)
    }

    /// Where the last whole character of `start..end` ends: at `end`, unless the body was cut there.
    fn check_utf8(&self, start: usize, end: usize, is_cut: bool) -> Result<usize, Error> {
        let bytes = self.bytes.get(start..end).unwrap_or_default();
        if bytes.is_ascii() {
            return Ok(end);
        }
        match std::str::from_utf8(bytes) {
            Ok(_) => Ok(end),
            Err(error) if is_cut && error.error_len().is_none() => Ok(start + error.valid_up_to()),
            Err(error) => {
                let at = start + error.valid_up_to();
                Err(JsonError::NotUtf8 { at }.into())
            }
        }
    }
}

fn control(got: u8, at: usize) -> Error {
    let got = Byte(got);
    JsonError::Control { got, at }.into()
}

fn bad_escape(got: u8, at: usize) -> Error {
    JsonError::Unexpected {
        got: Byte(got),
        expected: "an escape of RFC 8259 section 7",
        at,
    }
    .into()
}
