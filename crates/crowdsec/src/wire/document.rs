//! The stream document: `{"new": [...], "deleted": [...]}`, read as it arrives.
//!
//! Source: <https://docs.crowdsec.net/docs/next/local_api/bouncers-api/>, and the answers of real LAPIs: keys come in
//! any order, each list may be absent, `null` or empty.

use std::fmt;
use std::io;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::error::Category;

use super::raw::{RawDecision, RawDecisionSeed};

/// Takes the decisions of a document, one by one, in its order.
pub(crate) trait DecisionSink {
    /// An element of `list`.
    fn decision(&mut self, list: List, decision: &RawDecision);

    /// An element of `list` that is no object.
    fn not_a_decision(&mut self, list: List);
}

/// The two lists of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// What is in force.
    New,
    /// What is no longer in force.
    Deleted,
}

/// Gives every decision of the document in `reader` to `sink`, without building the document.
///
/// What `sink` got is worth nothing unless the result is `Ok`: a document may turn out to be
/// truncated or malformed at its last byte. `reader` is read byte by byte: give a buffered one.
///
/// # Errors
/// When the bytes are no JSON, stop before its end, go on after it, or are no stream document.
pub(crate) fn read_document(
    reader: impl io::Read,
    sink: &mut impl DecisionSink,
) -> Result<(), DocumentError> {
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    DocumentSeed { sink }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(())
}

/// Why a document can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// It ends before its end.
    #[error("the answer stops at line {line}, column {column}")]
    Truncated {
        /// The line, from 1.
        line: usize,
        /// The byte in the line, from 1; 0 before its first.
        column: usize,
    },
    /// It is no JSON, or other JSON.
    #[error("line {line}, column {column}: {reason}")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// The byte in the line, from 1; 0 before its first.
        column: usize,
        /// What was expected.
        reason: String,
    },
    /// Its bytes can't be read to the end; whoever sends them knows why.
    #[error("the answer was given up")]
    GivenUp,
}

impl From<serde_json::Error> for DocumentError {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            Category::Io => Self::GivenUp,
            Category::Eof => Self::Truncated { line, column },
            Category::Syntax | Category::Data => Self::Malformed {
                line,
                column,
                reason: reason_without_place(&error.to_string()),
            },
        }
    }
}

/// The error's text without the place that serde_json appends, of at most 200 characters.
fn reason_without_place(text: &str) -> String {
    let reason = text
        .rsplit_once(" at line ")
        .map_or(text, |(reason, _)| reason);
    reason.chars().take(200).collect()
}

struct DocumentSeed<'a, S> {
    sink: &'a mut S,
}

impl<'de, S: DecisionSink> DocumentSeed<'_, S> {
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Key {
    New,
    Deleted,
    #[serde(other)]
    Unknown,
}

impl<'de, S: DecisionSink> Visitor<'de> for DocumentSeed<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with \"new\" and \"deleted\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut raw = RawDecision::default();
        let mut is_stream = false;
        while let Some(key) = entries.next_key()? {
            let list = match key {
                Key::New => List::New,
                Key::Deleted => List::Deleted,
                Key::Unknown => {
                    entries.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            is_stream = true;
            entries.next_value_seed(ListSeed {
                list,
                raw: &mut raw,
                sink: self.sink,
            })?;
        }
        if is_stream {
            return Ok(());
        }
        // Every LAPI sends at least one key. Some other server's `{"status": "ok"}` must not count
        // as a LAPI without decisions.
        Err(A::Error::custom(
            "neither \"new\" nor \"deleted\": not an answer of LAPI",
        ))
    }
}

struct ListSeed<'a, S> {
    list: List,
    raw: &'a mut RawDecision,
    sink: &'a mut S,
}

impl<'de, S: DecisionSink> DeserializeSeed<'de> for ListSeed<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: DecisionSink> Visitor<'de> for ListSeed<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of decisions or null")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(is_object) = elements.next_element_seed(RawDecisionSeed(&mut *self.raw))? {
            if is_object {
                self.sink.decision(self.list, self.raw);
            } else {
                self.sink.not_a_decision(self.list);
            }
        }
        Ok(())
    }
}
