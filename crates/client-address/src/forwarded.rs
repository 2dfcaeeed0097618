//! What forwarded headers say, value by value, whether or not it is to be believed.
//!
//! X-Forwarded-For (a de-facto standard: addresses with commas between), `Forwarded` (RFC 7239) and
//! headers with one address such as X-Real-IP or CF-Connecting-IP. Lists are read from the right,
//! where the nearest hop wrote, so that nothing further left can change what a value means.
//!
//! Hot path: everything here runs per request and allocates nothing.

mod node;
mod quoted;

#[cfg(test)]
mod tests;

use http::header::{HeaderMap, HeaderName, HeaderValue, ValueIter};

pub use node::{NODE_BYTES_MAX, Node};

/// The values of a list header over all its lines, from right to left: the nearest hop's first.
///
/// Yields at most one value more than the header has commas; never fails, whatever the bytes.
pub struct Nodes<'a> {
    lines: ValueIter<'a, HeaderValue>,
    /// What is left of the current line.
    rest: Option<&'a [u8]>,
    syntax: Syntax,
}

#[derive(Clone, Copy)]
enum Syntax {
    XForwardedFor,
    Forwarded,
}

impl<'a> Nodes<'a> {
    /// The values of `name`, written as X-Forwarded-For is: addresses with commas between.
    ///
    /// An empty value counts as one: the hop that wrote it did not know its client.
    #[must_use]
    pub fn x_forwarded_for(headers: &'a HeaderMap, name: &HeaderName) -> Self {
        Self::new(headers, name, Syntax::XForwardedFor)
    }

    /// The `for` of each element of `Forwarded` (RFC 7239 section 4).
    ///
    /// An element without `for` counts as one: the hop that wrote it did not tell its client.
    #[must_use]
    pub fn forwarded(headers: &'a HeaderMap) -> Self {
        Self::new(headers, &http::header::FORWARDED, Syntax::Forwarded)
    }

    fn new(headers: &'a HeaderMap, name: &HeaderName, syntax: Syntax) -> Self {
        Self {
            lines: headers.get_all(name).iter(),
            rest: None,
            syntax,
        }
    }
}

impl Iterator for Nodes<'_> {
    type Item = Node;

    fn next(&mut self) -> Option<Node> {
        // Several lines are one list in their order (RFC 9110 section 5.3).
        let line = match self.rest.take() {
            Some(rest) => rest,
            None => self.lines.next_back()?.as_bytes(),
        };
        let comma = match self.syntax {
            Syntax::XForwardedFor => line.iter().rposition(|byte| *byte == b','),
            Syntax::Forwarded => quoted::last_outside_quotes(line, b','),
        };
        let element = match comma.and_then(|comma| line.split_at_checked(comma)) {
            Some((rest, [_comma, element @ ..])) => {
                self.rest = Some(rest);
                element
            }
            _ => line,
        };
        Some(match self.syntax {
            Syntax::XForwardedFor => Node::parse(element),
            Syntax::Forwarded => Node::parse_forwarded_element(element),
        })
    }
}

/// What a header that must have exactly one value says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Single {
    /// There is no such header.
    Absent,
    /// There are several such headers, even if they are the same.
    Repeated,
    /// There is one, and this is all that it says; a list is [`Node::Malformed`].
    One(Node),
}

impl Single {
    /// Reads the header `name`.
    #[must_use]
    pub fn read(headers: &HeaderMap, name: &HeaderName) -> Self {
        let mut lines = headers.get_all(name).iter();
        match (lines.next(), lines.next()) {
            (None, _) => Self::Absent,
            (Some(line), None) => Self::One(Node::parse(line.as_bytes())),
            (Some(_), Some(_)) => Self::Repeated,
        }
    }
}
