//! Tags, comments, processing instructions, declarations.

use std::ops::Range;

use memchr::memmem;

use super::{ATTRIBUTES_OF_ELEMENT_MAX, Parser, XmlError};
use crate::Sink;

impl<S: Sink> Parser<'_, S> {
    /// `<?xml version=".." encoding=".." standalone=".."?>`, where there is one. What encoding it
    /// says was seen to before.
    pub(super) fn declaration(&mut self) -> Result<(), XmlError> {
        if !is_declaration(self.text) {
            return Ok(());
        }
        self.at = b"<?xml".len();
        let mut allowed: &[&[u8]] = &[b"version", b"encoding", b"standalone"];
        let mut is_first = true;
        loop {
            let has_space = self.skip_space();
            if self.rest().starts_with(b"?>") && !is_first {
                self.at += 2;
                return Ok(());
            }
            let name = self
                .rest()
                .iter()
                .take_while(|byte| byte.is_ascii_lowercase());
            let name_len = name.count();
            let name = self.rest().get(..name_len).unwrap_or_default();
            let place = allowed.iter().position(|allowed| *allowed == name);
            let place = place.filter(|place| has_space && (*place == 0 || !is_first));
            allowed = match place {
                Some(place) => allowed.get(place + 1..).unwrap_or_default(),
                None => return Err(self.wrong_in_declaration(name_len)),
            };
            is_first = false;
            self.at += name_len;
            self.equals()?;
            self.declared_value()?;
        }
    }

    /// What stands here is no part of a declaration, unless the text ends within it.
    fn wrong_in_declaration(&self, name_len: usize) -> XmlError {
        let rest = self.rest();
        match rest.first() {
            Some(got) if name_len < rest.len() && rest != b"?" => {
                let expected =
                    "version, encoding and standalone of the XML declaration, or its end";
                self.unexpected(*got, expected)
            }
            _ => self.end,
        }
    }

    fn declared_value(&mut self) -> Result<(), XmlError> {
        let start = self.at;
        self.attribute_value(false)?;
        let value = self.text.get(start + 1..self.at - 1).unwrap_or_default();
        let is_allowed =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-');
        match value.iter().position(|byte| !is_allowed(byte)) {
            None => Ok(()),
            Some(wrong) => {
                self.at = start + 1 + wrong;
                let got = value.get(wrong).copied().unwrap_or_default();
                Err(self.unexpected(got, "a version, an encoding's name, yes or no"))
            }
        }
    }

    /// `=` and the white space around it.
    fn equals(&mut self) -> Result<(), XmlError> {
        self.skip_space();
        self.expect(b"=", "'=' behind an attribute's name")?;
        self.skip_space();
        Ok(())
    }

    pub(super) fn start_tag(&mut self) -> Result<(), XmlError> {
        let at = self.at;
        self.expect(b"<", "'<' of an element")?;
        let name = self.name("an element's name")?;
        self.names.clear();
        loop {
            let has_space = self.skip_space();
            match self.text.get(self.at) {
                None => return Err(self.end),
                Some(b'>') => {
                    self.at += 1;
                    return self.open_element(name, at);
                }
                Some(b'/') => {
                    self.expect(b"/>", "'/>'")?;
                    self.leaf_begins(name.clone());
                    self.leaf_ends(name);
                    return Ok(());
                }
                Some(_) if has_space => self.attribute()?,
                Some(got) => return Err(self.unexpected(*got, "white space, '/>' or '>'")),
            }
        }
    }

    fn open_element(&mut self, name: Range<usize>, at: usize) -> Result<(), XmlError> {
        let limit = self.limits.xml_depth;
        if self.open.len() == limit {
            return Err(XmlError::TooDeep { limit, at });
        }
        self.leaf_begins(name.clone());
        self.open.push(name);
        Ok(())
    }

    fn leaf_begins(&mut self, name: Range<usize>) {
        if let Some(leaves) = &mut self.leaves {
            leaves.open(self.text.get(name).unwrap_or_default());
        }
    }

    fn leaf_ends(&mut self, name: Range<usize>) {
        if let Some(leaves) = &mut self.leaves {
            let name = self.text.get(name).unwrap_or_default();
            leaves.close(name, self.at, self.limits, self.sink);
        }
    }

    fn attribute(&mut self) -> Result<(), XmlError> {
        let at = self.at;
        let name = self.name("an attribute's name")?;
        let written = self.text.get(name.clone()).unwrap_or_default();
        let is_same = |other: &Range<usize>| self.text.get(other.clone()) == Some(written);
        if self.names.iter().any(is_same) {
            return Err(XmlError::DuplicateAttribute { at });
        }
        if self.names.len() == ATTRIBUTES_OF_ELEMENT_MAX {
            let limit = ATTRIBUTES_OF_ELEMENT_MAX;
            return Err(XmlError::TooManyAttributes { limit, at });
        }
        let limit = self.limits.xml_attributes;
        let too_many = XmlError::TooManyAttributes { limit, at };
        self.attributes_left = self.attributes_left.checked_sub(1).ok_or(too_many)?;
        let is_namespace = written == b"xmlns" || written.starts_with(b"xmlns:");
        self.names.push(name);
        self.equals()?;
        self.attribute_value(!is_namespace)
    }

    pub(super) fn end_tag(&mut self) -> Result<(), XmlError> {
        let at = self.at;
        self.at += b"</".len();
        let name = self.name("an element's name")?;
        let innermost = self.open.last().cloned().unwrap_or_default();
        if self.text.get(name.clone()) != self.text.get(innermost) {
            return Err(XmlError::EndTag { at });
        }
        self.open.pop();
        self.leaf_ends(name);
        self.skip_space();
        self.expect(b">", "'>'")
    }

    pub(super) fn comment(&mut self) -> Result<(), XmlError> {
        self.at += b"<!--".len();
        let hyphens = memmem::find(self.rest(), b"--").ok_or(self.end)?;
        self.at += hyphens;
        self.expect(b"-->", "'>' behind '--' in a comment")
    }

    pub(super) fn processing_instruction(&mut self) -> Result<(), XmlError> {
        let at = self.at;
        self.at += b"<?".len();
        let target = self.name("a processing instruction's target")?;
        let target = self.text.get(target).unwrap_or_default();
        if target.eq_ignore_ascii_case(b"xml") {
            self.at = at;
            return Err(self.unexpected(b'<', "the XML declaration at the document's start only"));
        }
        if !self.skip_space() {
            return self.expect(b"?>", "white space or '?>'");
        }
        let end = memmem::find(self.rest(), b"?>").ok_or(self.end)?;
        self.at += end + b"?>".len();
        Ok(())
    }

    /// A document type without an internal subset.
    pub(super) fn doctype(&mut self) -> Result<(), XmlError> {
        self.at += b"<!DOCTYPE".len();
        self.doctype_space()?;
        self.name("the root element's name")?;
        let has_space = self.skip_space();
        let rest = self.rest();
        if has_space && rest.starts_with(b"SYSTEM") {
            self.at += b"SYSTEM".len();
            self.doctype_literal()?;
            self.skip_space();
        } else if has_space && rest.starts_with(b"PUBLIC") {
            self.at += b"PUBLIC".len();
            self.doctype_literal()?;
            self.doctype_literal()?;
            self.skip_space();
        }
        if self.text.get(self.at) == Some(&b'[') {
            return Err(XmlError::InternalSubset { at: self.at });
        }
        let is_cut = [&b"SYSTEM"[..], b"PUBLIC"]
            .iter()
            .any(|word| word.starts_with(self.rest()));
        match is_cut {
            true => Err(self.end),
            false => self.expect(b">", "SYSTEM, PUBLIC or '>' of a document type"),
        }
    }

    fn doctype_space(&mut self) -> Result<(), XmlError> {
        if self.skip_space() {
            return Ok(());
        }
        match self.text.get(self.at) {
            Some(got) => Err(self.unexpected(*got, "white space")),
            None => Err(self.end),
        }
    }

    fn doctype_literal(&mut self) -> Result<(), XmlError> {
        self.doctype_space()?;
        let quote = match self.text.get(self.at) {
            Some(quote @ (b'"' | b'\'')) => *quote,
            Some(got) => return Err(self.unexpected(*got, "'\"' or '\\'' of an identifier")),
            None => return Err(self.end),
        };
        self.at += 1;
        let end = memchr::memchr(quote, self.rest()).ok_or(self.end)?;
        self.at += end + 1;
        Ok(())
    }

    /// `Name` of XML section 2.3.
    fn name(&mut self, expected: &'static str) -> Result<Range<usize>, XmlError> {
        let start = self.at;
        while let Some(first) = self.text.get(self.at).copied() {
            let is_first = self.at == start;
            let length = match first {
                0..0x80 if is_name_byte(first, is_first) => 1,
                0x80.. => match self.name_character(is_first) {
                    0 => break,
                    length => length,
                },
                _ => break,
            };
            self.at += length;
        }
        match self.text.get(self.at) {
            // Of a name that the end cuts, nothing is known.
            None => Err(self.end),
            Some(_) if self.at > start => Ok(start..self.at),
            Some(got) => Err(self.unexpected(*got, expected)),
        }
    }

    /// How long the character here is; 0: none of a name.
    fn name_character(&self, is_first: bool) -> usize {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let rest = rest.get(..4).unwrap_or(rest);
        let valid = rest.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        match valid.chars().next() {
            Some(character) if is_name_character(character, is_first) => character.len_utf8(),
            _ => 0,
        }
    }
}

/// Whether a document begins with an XML declaration.
pub(super) fn is_declaration(text: &[u8]) -> bool {
    let behind = text.strip_prefix(b"<?xml");
    behind.is_some_and(|behind| matches!(behind, [b' ' | b'\t' | b'\n' | b'\r' | b'?', ..] | []))
}

const fn is_name_byte(byte: u8, is_first: bool) -> bool {
    byte.is_ascii_alphabetic()
        || matches!(byte, b'_' | b':')
        || !is_first && matches!(byte, b'0'..=b'9' | b'-' | b'.')
}

/// `NameStartChar` and `NameChar` of XML section 2.3, without their ASCII.
const fn is_name_character(character: char, is_first: bool) -> bool {
    matches!(
        character,
        '\u{c0}'..='\u{d6}'
            | '\u{d8}'..='\u{f6}'
            | '\u{f8}'..='\u{2ff}'
            | '\u{370}'..='\u{37d}'
            | '\u{37f}'..='\u{1fff}'
            | '\u{200c}'..='\u{200d}'
            | '\u{2070}'..='\u{218f}'
            | '\u{2c00}'..='\u{2fef}'
            | '\u{3001}'..='\u{d7ff}'
            | '\u{f900}'..='\u{fdcf}'
            | '\u{fdf0}'..='\u{fffd}'
            | '\u{1_0000}'..='\u{e_ffff}'
    ) || !is_first
        && matches!(character, '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}
