//! Character data, references, and the values of attributes.

use memchr::memmem;

use super::{Parser, XmlError};
use crate::Sink;
use crate::syntax::Stops;

/// What doesn't stand for itself in character data.
const CHARACTER_STOPS: Stops<4> = Stops::new([b'<', b'&', b'\r', b']'], 0);

impl<S: Sink> Parser<'_, S> {
    /// Character data up to the next markup.
    pub(super) fn characters(&mut self) -> Result<(), XmlError> {
        loop {
            let run = self.character_run()?;
            self.tell(self.at, run);
            self.at = run;
            match self.text.get(self.at) {
                None => return Err(self.end),
                Some(b'&') => {
                    let character = self.reference()?;
                    let mut buffer = [0; 4];
                    self.tell_text(character.encode_utf8(&mut buffer).as_bytes());
                }
                Some(b'\r') => self.carriage_return(),
                Some(_) => return Ok(()),
            }
        }
    }

    /// Where the characters that stand for themselves end.
    fn character_run(&self) -> Result<usize, XmlError> {
        let mut at = self.at;
        loop {
            let rest = self.text.get(at..).unwrap_or_default();
            let run = CHARACTER_STOPS.find(rest);
            at += run;
            let rest = rest.get(run..).unwrap_or_default();
            if rest.first() != Some(&b']') {
                return Ok(at);
            }
            if rest.starts_with(b"]]>") {
                return Err(XmlError::Unexpected {
                    got: crate::Byte(b']'),
                    expected: "no ']]>' in character data",
                    at,
                });
            }
            at += 1;
        }
    }

    /// A CDATA section.
    pub(super) fn cdata(&mut self) -> Result<(), XmlError> {
        self.at += b"<![CDATA[".len();
        let length = memmem::find(self.rest(), b"]]>");
        let end = length.map_or(self.text.len(), |length| self.at + length);
        while self.at < end {
            let section = self.text.get(self.at..end).unwrap_or_default();
            let run = memchr::memchr(b'\r', section).unwrap_or(section.len());
            self.tell(self.at, self.at + run);
            self.at += run;
            if self.at < end {
                self.carriage_return();
            }
        }
        match length {
            Some(_) => {
                self.at = end + b"]]>".len();
                Ok(())
            }
            None => Err(self.end),
        }
    }

    /// A line's end, however it is written, is LF (XML section 2.11).
    fn carriage_return(&mut self) {
        self.at += 1;
        if self.text.get(self.at) != Some(&b'\n') {
            self.tell_text(b"\n");
        }
    }

    fn tell(&mut self, start: usize, end: usize) {
        let text = self.text.get(start..end).unwrap_or_default();
        if !text.is_empty() {
            self.tell_text(text);
        }
    }

    fn tell_text(&mut self, text: &[u8]) {
        self.sink.text(text);
        if let Some(leaves) = &mut self.leaves {
            leaves.text(text);
        }
    }

    /// What the reference that begins here is replaced by.
    pub(super) fn reference(&mut self) -> Result<char, XmlError> {
        /// Longer than any reference, leading zeros aside.
        const BYTES_MAX: usize = 64;
        let at = self.at;
        let rest = self.rest();
        let rest = rest.get(..BYTES_MAX).unwrap_or(rest);
        let Some(length) = memchr::memchr(b';', rest) else {
            let is_cut = at + rest.len() == self.text.len();
            return Err(match is_cut && rest.len() < BYTES_MAX {
                true => self.end,
                false => XmlError::Reference { at },
            });
        };
        let name = rest.get(1..length).unwrap_or_default();
        let character = match name {
            b"amp" => Some('&'),
            b"lt" => Some('<'),
            b"gt" => Some('>'),
            b"quot" => Some('"'),
            b"apos" => Some('\''),
            [b'#', b'x', digits @ ..] => numbered(digits, 16),
            [b'#', digits @ ..] => numbered(digits, 10),
            _ => None,
        };
        self.at += length + 1;
        character.ok_or(XmlError::Reference { at })
    }

    /// An attribute's value, from its quote on.
    pub(super) fn attribute_value(&mut self, is_told: bool) -> Result<(), XmlError> {
        let quote = match self.text.get(self.at) {
            Some(quote @ (b'"' | b'\'')) => *quote,
            Some(got) => return Err(self.unexpected(*got, "'\"' or '\\'' of an attribute's value")),
            None => return Err(self.end),
        };
        self.at += 1;
        let start = self.at;
        let run = self.value_run(quote);
        if self.text.get(run) == Some(&quote) {
            self.at = run + 1;
            if is_told {
                self.sink
                    .attribute(self.text.get(start..run).unwrap_or_default());
            }
            return Ok(());
        }
        self.value.clear();
        let result = self.replaced_value(quote);
        let is_whole = result.is_ok();
        let is_cut = self.is_partial && result.is_err_and(|error| error.is_early_end());
        if is_told && (is_whole || is_cut) {
            self.sink.attribute(self.value);
        }
        result
    }

    /// A value that something is replaced in, or that ends too early.
    fn replaced_value(&mut self, quote: u8) -> Result<(), XmlError> {
        loop {
            let run = self.value_run(quote);
            let plain = self.text.get(self.at..run).unwrap_or_default();
            self.value.extend_from_slice(plain);
            self.at = run;
            match self.text.get(run) {
                None => return Err(self.end),
                Some(b'&') => {
                    let character = self.reference()?;
                    let mut buffer = [0; 4];
                    let encoded = character.encode_utf8(&mut buffer);
                    self.value.extend_from_slice(encoded.as_bytes());
                }
                Some(b'<') => return Err(self.unexpected(b'<', "no '<' in an attribute's value")),
                Some(got) => {
                    self.at += 1;
                    if *got == quote {
                        return Ok(());
                    }
                    self.value_space(*got);
                }
            }
        }
    }

    /// White space in a value is blanks, and a line's end is one (XML sections 2.11 and 3.3.3).
    fn value_space(&mut self, got: u8) {
        let is_first_of_two = got == b'\r' && self.text.get(self.at) == Some(&b'\n');
        if !is_first_of_two {
            self.value.push(b' ');
        }
    }

    /// Where the characters of a value that stand for themselves end.
    fn value_run(&self, quote: u8) -> usize {
        let is_special =
            |byte: &u8| *byte == quote || matches!(byte, b'<' | b'&' | b'\t' | b'\n' | b'\r');
        let run = self.rest().iter().position(is_special);
        run.map_or(self.text.len(), |run| self.at + run)
    }
}

/// The character that a reference names by its number.
fn numbered(digits: &[u8], radix: u32) -> Option<char> {
    if digits.is_empty() {
        return None;
    }
    let mut code: u32 = 0;
    for digit in digits {
        let digit = char::from(*digit).to_digit(radix)?;
        code = code.checked_mul(radix)?.checked_add(digit)?;
    }
    char::from_u32(code).filter(|character| is_character(*character))
}

/// `Char` of XML section 2.2.
const fn is_character(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{1_0000}'..)
}
