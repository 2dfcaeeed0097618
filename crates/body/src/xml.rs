//! XML bodies: the character data and the attributes of a document.
//!
//! ModSecurity 2 has libxml2 read the whole document, and rules ask for two things of it: `XML:/*`,
//! all character data, and `XML://@*`, the values of all attributes. So does this parser: XML 1.0
//! (fifth edition) without a document type definition, and what isn't well-formed is an error.
//!
//! * Predefined entities and character references are replaced. Others are an error: only a
//!   definition can say what they mean.
//! * `<!DOCTYPE name SYSTEM "..">` is skipped and nothing is fetched. One with an internal subset is
//!   refused ([`XmlError::InternalSubset`]): entities and default attributes that it declares would
//!   let a backend read text that rules never saw. What sends XML to servers has no use for them, and
//!   SOAP forbids them.
//! * `xmlns` and `xmlns:*` are no attributes to XPath, and not told.
//! * Comments, processing instructions and the names of elements and attributes are not told, but for
//!   names of elements that are asked for as arguments ([`Elements::Arguments`]).
//! * UTF-8, and UTF-16 with a byte order mark or an XML declaration; where the declaration says so
//!   ISO-8859-1, ISO-8859-15, Windows-1252 and US-ASCII, all told as UTF-8. Others are an error.
//!
//! An empty body is nothing to read, and no error.

mod encoding;
mod error;
mod leaves;
mod markup;
#[cfg(test)]
mod tests;
mod text;

use std::ops::Range;

use crate::{Body, Error, Limits, Outcome, Scratch, Sink};
use encoding::Document;
pub use error::XmlError;
pub use leaves::Elements;
use leaves::{LeafScratch, Leaves};

/// The most attributes of one element: each name is compared with all before it.
const ATTRIBUTES_OF_ELEMENT_MAX: usize = 128;

/// Memory of the XML parser.
#[derive(Debug, Default)]
pub(crate) struct XmlScratch {
    /// The document, where it wasn't UTF-8.
    document: Vec<u8>,
    /// The names of the elements that are open.
    open: Vec<Range<usize>>,
    /// The names of an element's attributes.
    names: Vec<Range<usize>>,
    leaves: LeafScratch,
}

impl XmlScratch {
    pub(crate) fn bytes(&self) -> usize {
        let ranges = self.open.capacity() + self.names.capacity();
        self.document.capacity() + ranges * size_of::<Range<usize>>() + self.leaves.bytes()
    }
}

/// Tells `sink` the character data and the attributes of an XML document, and `elements` as arguments.
///
/// Hot path: one pass, after one that checks its characters; what needs no replacing isn't copied.
pub fn parse<S: Sink>(
    body: Body<'_>,
    elements: Elements,
    limits: &Limits,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Outcome {
    if body.bytes.is_empty() {
        return Outcome::of(body, Ok(()));
    }
    let document = match Document::of(body, &mut scratch.xml.document) {
        Ok(document) => document,
        Err(error) => return Outcome::of(body, Err(error.into())),
    };
    scratch.xml.open.clear();
    let mut parser = Parser {
        text: document.text,
        at: 0,
        end: document.end,
        is_partial: body.is_partial,
        open: &mut scratch.xml.open,
        names: &mut scratch.xml.names,
        value: &mut scratch.value,
        attributes_left: limits.xml_attributes,
        limits,
        leaves: match elements {
            Elements::Untold => None,
            Elements::Arguments => Some(Leaves::new(&mut scratch.xml.leaves, limits)),
        },
        sink,
    };
    let result = parser.document().map_err(Error::from);
    Outcome::of(body, parser.with_leaves(result))
}

struct Parser<'a, S> {
    /// UTF-8, and only characters that XML allows.
    text: &'a [u8],
    at: usize,
    /// Why the text ends where it does.
    end: XmlError,
    is_partial: bool,
    open: &'a mut Vec<Range<usize>>,
    names: &'a mut Vec<Range<usize>>,
    /// An attribute's value that something was replaced in.
    value: &'a mut Vec<u8>,
    attributes_left: usize,
    limits: &'a Limits,
    /// Where elements are arguments.
    leaves: Option<Leaves<'a>>,
    sink: &'a mut S,
}

impl<S: Sink> Parser<'_, S> {
    fn document(&mut self) -> Result<(), XmlError> {
        self.declaration()?;
        self.prolog()?;
        self.start_tag()?;
        while !self.open.is_empty() {
            self.content()?;
        }
        self.epilog()
    }

    /// What was read of an element that the body's cut ends is told; and why not all of them were.
    fn with_leaves(&mut self, result: Result<(), Error>) -> Result<(), Error> {
        let Some(leaves) = &mut self.leaves else {
            return result;
        };
        let is_cut = self.is_partial && result.is_err_and(|error| error.is_early_end());
        if is_cut {
            leaves.tell(self.at, self.limits, self.sink);
        }
        match leaves.error() {
            Some(error) if is_cut || result.is_ok() => Err(error),
            _ => result,
        }
    }

    /// Up to the root element: comments, processing instructions, and one document type.
    fn prolog(&mut self) -> Result<(), XmlError> {
        let mut has_doctype = false;
        loop {
            self.skip_space();
            let rest = self.rest();
            if rest.starts_with(b"<!--") {
                self.comment()?;
            } else if rest.starts_with(b"<?") {
                self.processing_instruction()?;
            } else if rest.starts_with(b"<!DOCTYPE") && !has_doctype {
                self.doctype()?;
                has_doctype = true;
            } else if self.is_cut_within(&[b"<!--", b"<!DOCTYPE"]) {
                return Err(self.end);
            } else {
                return Ok(());
            }
        }
    }

    /// Behind the root element: comments and processing instructions.
    fn epilog(&mut self) -> Result<(), XmlError> {
        loop {
            self.skip_space();
            let rest = self.rest();
            if rest.starts_with(b"<!--") {
                self.comment()?;
            } else if rest.starts_with(b"<?") {
                self.processing_instruction()?;
            } else if self.is_cut_within(&[b"<!--"]) {
                return Err(self.end);
            } else if let Some(got) = rest.first() {
                return Err(self.unexpected(*got, "the end of the document"));
            } else {
                // Either all was read, or what follows are no characters.
                return match self.end {
                    XmlError::EarlyEnd { .. } => Ok(()),
                    error => Err(error),
                };
            }
        }
    }

    /// What an element holds, up to its end or that of something in it.
    fn content(&mut self) -> Result<(), XmlError> {
        self.characters()?;
        let rest = self.rest();
        if rest.starts_with(b"</") {
            self.end_tag()
        } else if rest.starts_with(b"<!--") {
            self.comment()
        } else if rest.starts_with(b"<![CDATA[") {
            self.cdata()
        } else if rest.starts_with(b"<?") {
            self.processing_instruction()
        } else if self.is_cut_within(&[b"<!--", b"<![CDATA["]) {
            Err(self.end)
        } else {
            self.start_tag()
        }
    }

    /// Whether the text ends where one of `words` has begun.
    fn is_cut_within(&self, words: &[&[u8]]) -> bool {
        let rest = self.rest();
        !rest.is_empty() && words.iter().any(|word| word.starts_with(rest))
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) -> bool {
        let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let count = self.rest().iter().take_while(is_space).count();
        self.at += count;
        count > 0
    }

    /// Takes `wanted`, which must be next.
    fn expect(&mut self, wanted: &[u8], expected: &'static str) -> Result<(), XmlError> {
        for byte in wanted {
            match self.text.get(self.at) {
                Some(got) if got == byte => self.at += 1,
                Some(got) => return Err(self.unexpected(*got, expected)),
                None => return Err(self.end),
            }
        }
        Ok(())
    }

    fn unexpected(&self, got: u8, expected: &'static str) -> XmlError {
        XmlError::Unexpected {
            got: crate::Byte(got),
            expected,
            at: self.at,
        }
    }
}
