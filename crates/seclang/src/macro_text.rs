//! Text with macros: `%{tx.score}`, in arguments of operators, `setvar`, `msg`, `logdata`.

use std::convert::Infallible;
use std::ops::Range;

/// The most bytes that one text expands to; what is beyond is cut off. A rule that adds a variable to
/// itself would double it with each value that matches.
pub const EXPANDED_BYTES_MAX: usize = 1 << 20;
/// The longest text with macros.
const TEXT_BYTES_MAX: usize = 1 << 16;

/// A variable that a macro names, in its own bytes: case is for whoever resolves it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Variable {
    /// The collection, or a variable that is none: `tx`, `REMOTE_ADDR`.
    pub collection: Box<[u8]>,
    /// What stands behind the first dot: `score`, `User-Agent`.
    pub key: Option<Box<[u8]>>,
}

/// Text with macros, parsed: literals, and variables as a `V` each.
///
/// [`MacroText::parse`] gives names; whoever compiles rules makes of them what it finds values by, with
/// [`MacroText::map`] or [`MacroText::try_map`], so that no name is looked up while a request waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MacroText<V = Variable> {
    segments: Box<[Segment<V>]>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Segment<V> {
    Literal(Box<[u8]>),
    Variable(V),
}

/// Gives the values of variables to [`MacroText::expand`].
pub trait Lookup<V = Variable> {
    /// Appends the value of `variable`; nothing, if there is none.
    fn append(&self, variable: &V, out: &mut Vec<u8>);
}

impl MacroText {
    /// Parses `%{COLLECTION}` and `%{COLLECTION.KEY}` as ModSecurity 2 does: the first dot separates, and
    /// a `%` that begins no macro, or one whose brace isn't closed, is text.
    ///
    /// # Errors
    /// When `text` is longer than 64 KiB.
    pub fn parse(text: &[u8]) -> Result<Self, MacroError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(MacroError::TooLong {
                got: text.len(),
                max: TEXT_BYTES_MAX,
            });
        }
        let mut segments = Vec::new();
        let (mut literal_begins, mut at) = (0, 0);
        while let Some((start, inner, end)) = next_macro(text, at) {
            push_literal(text.get(literal_begins..start), &mut segments);
            segments.push(Segment::Variable(variable(inner)));
            (literal_begins, at) = (end, end);
        }
        push_literal(text.get(literal_begins..), &mut segments);
        Ok(Self {
            segments: segments.into(),
        })
    }

    /// Whether there is a macro in `text`.
    #[must_use]
    pub fn is_in(text: &[u8]) -> bool {
        Self::first_in(text).is_some()
    }

    /// Where the first macro in `text` is.
    pub(crate) fn first_in(text: &[u8]) -> Option<Range<usize>> {
        next_macro(text, 0).map(|(start, _, end)| start..end)
    }
}

/// From `at` on, the next macro: where it begins, what is between its braces, where it has ended. One
/// without an end is none, and then neither is any further one.
fn next_macro(text: &[u8], at: usize) -> Option<(usize, &[u8], usize)> {
    let start = at + memchr::memmem::find(text.get(at..)?, b"%{")?;
    let behind = text.get(start + 2..)?;
    let len = memchr::memchr(b'}', behind)?;
    Some((start, behind.get(..len)?, start + 2 + len + 1))
}

fn push_literal(literal: Option<&[u8]>, segments: &mut Vec<Segment<Variable>>) {
    if let Some(literal) = literal.filter(|literal| !literal.is_empty()) {
        segments.push(Segment::Literal(literal.into()));
    }
}

fn variable(inner: &[u8]) -> Variable {
    let mut parts = inner.splitn(2, |byte| *byte == b'.');
    Variable {
        collection: parts.next().unwrap_or_default().into(),
        key: parts.next().map(Into::into),
    }
}

impl<V> MacroText<V> {
    /// The text, where there is no macro in it.
    #[must_use]
    pub fn as_literal(&self) -> Option<&[u8]> {
        match &*self.segments {
            [] => Some(b""),
            [Segment::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// What stands before its first macro: whatever it expands to begins so.
    #[must_use]
    pub fn leading_literal(&self) -> &[u8] {
        match self.segments.first() {
            Some(Segment::Literal(text)) => text,
            _ => b"",
        }
    }

    /// The variable, where it is one macro and nothing else.
    #[must_use]
    pub fn as_variable(&self) -> Option<&V> {
        match &*self.segments {
            [Segment::Variable(variable)] => Some(variable),
            _ => None,
        }
    }

    /// What its macros name, in order, repetitions included.
    pub fn variables(&self) -> impl Iterator<Item = &V> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Variable(variable) => Some(variable),
        })
    }

    /// The same text with another `V` for each variable.
    pub fn map<W>(self, mut resolve: impl FnMut(V) -> W) -> MacroText<W> {
        match self.try_map(|variable| Ok::<_, Infallible>(resolve(variable))) {
            Ok(text) => text,
        }
    }

    /// The same text with another `V` for each variable.
    ///
    /// # Errors
    /// The first that `resolve` gives.
    pub fn try_map<W, E>(
        self,
        mut resolve: impl FnMut(V) -> Result<W, E>,
    ) -> Result<MacroText<W>, E> {
        let segments = self.segments.into_iter().map(|segment| match segment {
            Segment::Literal(text) => Ok(Segment::Literal(text)),
            Segment::Variable(variable) => resolve(variable).map(Segment::Variable),
        });
        Ok(MacroText {
            segments: segments.collect::<Result<_, E>>()?,
        })
    }

    /// Writes the text over `out`, each macro as what `lookup` gives for it: at most
    /// [`EXPANDED_BYTES_MAX`]. Hot path: allocates only where `out` must grow.
    pub fn expand(&self, lookup: &impl Lookup<V>, out: &mut Vec<u8>) {
        out.clear();
        self.append_to(lookup, EXPANDED_BYTES_MAX, out);
    }

    /// As [`MacroText::expand`], behind what is in `out`, and at most `bytes_max` of it.
    pub fn append_to(&self, lookup: &impl Lookup<V>, bytes_max: usize, out: &mut Vec<u8>) {
        let end = out.len().saturating_add(bytes_max);
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => out.extend_from_slice(text),
                Segment::Variable(variable) => lookup.append(variable, out),
            }
            if out.len() >= end {
                out.truncate(end);
                return;
            }
        }
    }
}

/// Why a text can't have macros.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MacroError {
    /// More text than is taken.
    #[error("the text has {got} bytes; expected at most {max}")]
    TooLong {
        /// How long it is.
        got: usize,
        /// How long it may be.
        max: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Says what it is asked for; `none` has no value.
    struct Echo;

    impl Lookup for Echo {
        fn append(&self, variable: &Variable, out: &mut Vec<u8>) {
            if &*variable.collection != b"none" {
                out.push(b'<');
                out.extend_from_slice(&variable.collection);
                if let Some(key) = &variable.key {
                    out.push(b':');
                    out.extend_from_slice(key);
                }
                out.push(b'>');
            }
        }
    }

    #[track_caller]
    fn check(text: &[u8], expected: &[u8]) {
        let parsed = MacroText::parse(text).unwrap();
        let mut out = b"before".to_vec();
        parsed.expand(&Echo, &mut out);
        assert_eq!(
            out.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
        assert_eq!(MacroText::is_in(text), parsed.as_literal().is_none());
    }

    #[test]
    fn macros() {
        check(b"%{tx.score}", b"<tx:score>");
        check(b"a%{TX.a.b}%{REMOTE_ADDR}c", b"a<TX:a.b><REMOTE_ADDR>c");
        check(
            b"%{request_headers.user-agent}",
            b"<request_headers:user-agent>",
        );
        check(b"a%{none.x}b", b"ab");
        check(b"%{tx.}%{}%{.x}", b"<tx:><><:x>");
    }

    #[test]
    fn what_is_no_macro_is_text() {
        check(b"", b"");
        check(b"100% {x} %", b"100% {x} %");
        check(b"%{tx.x", b"%{tx.x");
        check(b"%{a}%{b", b"<a>%{b");
        check(b"%%{a}%", b"%<a>%");
        check(b"%{%{a}}", b"<%{a>}");
    }

    #[test]
    fn what_it_expands_to_has_a_bound() {
        struct Large;
        impl Lookup for Large {
            fn append(&self, _: &Variable, out: &mut Vec<u8>) {
                out.extend_from_slice(&[b'x'; 700 * 1024]);
            }
        }
        let mut out = Vec::new();
        let parsed = MacroText::parse(b"%{a}%{a}%{a}").unwrap();
        parsed.expand(&Large, &mut out);
        assert_eq!(out.len(), EXPANDED_BYTES_MAX);
        let long = vec![b'a'; TEXT_BYTES_MAX + 1];
        assert_eq!(
            MacroText::parse(&long).unwrap_err().to_string(),
            "the text has 65537 bytes; expected at most 65536"
        );
    }

    #[test]
    fn names_become_what_finds_values() {
        let parsed = MacroText::parse(b"a%{tx.b}%{tx.cd}").unwrap();
        assert_eq!(parsed.variables().count(), 2);
        let lens = parsed
            .clone()
            .map(|variable| variable.key.map_or(0, |key| key.len()));
        assert_eq!(lens.variables().copied().collect::<Vec<_>>(), [1, 2]);
        let refused = parsed.try_map(|variable| match variable.key.as_deref() {
            Some(b"cd") => Err("cd"),
            _ => Ok(()),
        });
        assert_eq!(refused, Err("cd"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(parts in prop::collection::vec(("[a-z%{ .]{0,6}", "[a-zA-Z_]{1,6}", prop::option::of("[a-z.%{-]{0,4}")), 0..5), end in "[a-z% .]{0,6}") {
            let (mut text, mut expected) = (Vec::new(), Vec::new());
            for (literal, collection, key) in parts {
                // A literal that opens a brace would take the macro with it.
                let mut literal = literal;
                while literal.contains("%{") {
                    literal = literal.replace("%{", "");
                }
                let literal = literal.trim_end_matches('%');
                text.extend_from_slice(literal.as_bytes());
                expected.extend_from_slice(literal.as_bytes());
                let name = key.as_ref().map_or(collection.clone(), |key| format!("{collection}.{key}"));
                text.extend(format!("%{{{name}}}").into_bytes());
                Echo.append(&variable(name.as_bytes()), &mut expected);
            }
            text.extend_from_slice(end.as_bytes());
            expected.extend_from_slice(end.as_bytes());
            let mut out = Vec::new();
            MacroText::parse(&text).unwrap().expand(&Echo, &mut out);
            prop_assert_eq!(out, expected);
        }

        #[test]
        fn any_bytes_are_parsed_and_lose_nothing(text: Vec<u8>) {
            let parsed = MacroText::parse(&text).unwrap();
            if let Some(literal) = parsed.as_literal() {
                prop_assert_eq!(literal, text);
            }
        }
    }
}
