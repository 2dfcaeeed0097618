//! Who is told what a body holds.

use std::ops::ControlFlow;

use crate::{Error, Limits};

/// Is told what a body holds, in its order.
///
/// Slices live for the call only: a sink copies what it keeps.
pub trait Sink {
    /// An argument (`ARGS`): a form's field, a JSON value under its path, a part without a file
    /// name, a cookie.
    ///
    /// `Break`: this one is one too many (`SecArgumentsLimit` counts those of the query too);
    /// parsing ends with [`Error::TooManyArguments`].
    fn argument(&mut self, name: &[u8], value: &[u8]) -> ControlFlow<()>;

    /// A part of multipart that has a file name (`FILES` and its kin).
    fn file(&mut self, file: File<'_>) {
        let _ = file;
    }

    /// A header line of a part (`MULTIPART_PART_HEADERS`): `part` is the part's name, or nothing
    /// where the body went wrong before it had one, `line` the whole line without its end.
    fn part_header(&mut self, part: &[u8], line: &[u8]) {
        let _ = (part, line);
    }

    /// A chunk of an XML document's character data, that of CDATA sections included (`XML:/*` is
    /// all of them together).
    fn text(&mut self, text: &[u8]) {
        let _ = text;
    }

    /// The value of an attribute of an XML document (`XML://@*`).
    fn attribute(&mut self, value: &[u8]) {
        let _ = value;
    }
}

/// A part of multipart that has a file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File<'a> {
    /// The field's name (`FILES_NAMES`, `MULTIPART_NAME`).
    pub field: &'a [u8],
    /// `filename`, its quotes and escapes removed and nothing else (`FILES`, `MULTIPART_FILENAME`).
    pub name: Option<&'a [u8]>,
    /// `filename*` (RFC 5987), percent-decoded, in whatever charset it says. At least one of the
    /// two is there. Backends differ in which they follow, so rules should see both.
    pub extended_name: Option<&'a [u8]>,
    /// What the file holds; its length is the file's size (`FILES_SIZES`).
    pub content: &'a [u8],
}

/// A sink behind the limit of arguments.
pub(crate) struct Arguments<'a, S> {
    pub(crate) sink: &'a mut S,
    left: usize,
    limit: usize,
}

impl<'a, S: Sink> Arguments<'a, S> {
    pub(crate) fn new(limits: &Limits, sink: &'a mut S) -> Self {
        Self {
            sink,
            left: limits.arguments,
            limit: limits.arguments,
        }
    }

    pub(crate) fn give(&mut self, name: &[u8], value: &[u8]) -> Result<(), Error> {
        let too_many = Error::TooManyArguments { limit: self.limit };
        self.left = self.left.checked_sub(1).ok_or(too_many)?;
        match self.sink.argument(name, value) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(too_many),
        }
    }
}
