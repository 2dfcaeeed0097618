//! What LAPI says on the wire, and what it means. Sans-I/O: bytes and the time come in.
//!
//! Two steps: `document` and `raw` know JSON and give one decision after the other, as it stands;
//! `stream` makes decisions of them, and skips and counts what can't be understood. Nothing is
//! built but the decisions themselves.

mod chunk_reader;
mod document;
mod duration;
mod raw;
mod stream;

#[cfg(test)]
mod tests;

pub(crate) use chunk_reader::{ChunkReader, Piece};
pub use document::DocumentError;
pub use raw::FieldProblem;
pub use stream::{DecisionProblem, SkippedDecision, SkippedDecisions, StreamAnswer, parse_answer};
