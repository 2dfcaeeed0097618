//! Elements that hold no others, as arguments: `xml.order.item`, and the text in them.
//!
//! As ModSecurity 2.9.8 has them (`SecParseXmlIntoArgs`): the name is that of the element behind those
//! around it, without prefixes of name spaces. Text beside elements is no argument, nor are attributes.

use super::XmlError;
use crate::{Error, Limits, Sink};

/// What all names begin with.
const ROOT: &[u8] = b"xml";

/// Whether elements are arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Elements {
    /// They are not.
    #[default]
    Untold,
    /// Those that hold no others are (`SecParseXmlIntoArgs`).
    Arguments,
}

/// Memory of names and texts.
#[derive(Debug, Default)]
pub(super) struct LeafScratch {
    path: Vec<u8>,
    text: Vec<u8>,
}

impl LeafScratch {
    pub(super) fn bytes(&self) -> usize {
        self.path.capacity() + self.text.capacity()
    }
}

/// The element that is read, and what may still be told.
#[derive(Debug)]
pub(super) struct Leaves<'a> {
    /// Its name as an argument.
    path: &'a mut Vec<u8>,
    /// The text in it.
    text: &'a mut Vec<u8>,
    /// Whether it holds no element so far.
    is_leaf: bool,
    arguments_left: usize,
    /// How many bytes of names may still be told: each repeats those around it.
    name_bytes_left: usize,
    /// Why no more are told. The rest of the document is read all the same, so that nothing hides behind
    /// many arguments.
    error: Option<Error>,
}

impl<'a> Leaves<'a> {
    pub(super) fn new(scratch: &'a mut LeafScratch, limits: &Limits) -> Self {
        scratch.path.clear();
        scratch.path.extend_from_slice(ROOT);
        scratch.text.clear();
        Self {
            path: &mut scratch.path,
            text: &mut scratch.text,
            is_leaf: false,
            arguments_left: limits.arguments,
            name_bytes_left: limits.xml_names_bytes,
            error: None,
        }
    }

    pub(super) fn error(&self) -> Option<Error> {
        self.error
    }

    /// An element of that name begins.
    pub(super) fn open(&mut self, name: &[u8]) {
        self.path.push(b'.');
        self.path.extend_from_slice(local(name));
        self.text.clear();
        self.is_leaf = true;
    }

    pub(super) fn text(&mut self, text: &[u8]) {
        if self.is_leaf {
            self.text.extend_from_slice(text);
        }
    }

    /// The innermost element, of that name, ends, before the offset `at`.
    pub(super) fn close(&mut self, name: &[u8], at: usize, limits: &Limits, sink: &mut impl Sink) {
        self.tell(at, limits, sink);
        let around = self.path.len().saturating_sub(local(name).len() + 1);
        self.path.truncate(around);
    }

    /// Tells the element, where it holds no other.
    pub(super) fn tell(&mut self, at: usize, limits: &Limits, sink: &mut impl Sink) {
        if std::mem::take(&mut self.is_leaf) && self.error.is_none() {
            self.error = self.give(at, limits, sink).err();
        }
    }

    fn give(&mut self, at: usize, limits: &Limits, sink: &mut impl Sink) -> Result<(), Error> {
        let limit = limits.xml_names_bytes;
        let too_long = XmlError::NamesTooLong { limit, at };
        let bytes_left = self.name_bytes_left.checked_sub(self.path.len());
        self.name_bytes_left = bytes_left.ok_or(too_long)?;
        let limit = limits.arguments;
        let too_many = Error::TooManyArguments { limit };
        self.arguments_left = self.arguments_left.checked_sub(1).ok_or(too_many)?;
        match sink.argument(self.path, self.text).is_break() {
            true => Err(too_many),
            false => Ok(()),
        }
    }
}

/// A name without the prefix of its name space.
fn local(name: &[u8]) -> &[u8] {
    match memchr::memchr(b':', name) {
        Some(colon) if colon > 0 && colon + 1 < name.len() => {
            name.get(colon + 1..).unwrap_or_default()
        }
        _ => name,
    }
}
