//! ModSecurity's rule language.
//!
//! Layer 2, sans-I/O: bytes come in, verdicts go out. Files that rules name come through the
//! [`Sources`] port when rules are loaded. Values are bytes, never text: they are whatever a client
//! sent. Semantics are those of ModSecurity 2 on Apache, which OWASP CRS is written on; where we
//! differ, the item says so.
//!
//! So far its leaves: [`Transformation`]s, [`Operator`]s and [`MacroText`].

mod byte_set;
mod macro_text;
mod operators;
mod sources;
pub mod syntax;
mod transformations;

pub use byte_set::ByteSet;
pub use macro_text::{EXPANDED_BYTES_MAX, Lookup, MacroError, MacroText, Variable};
pub use operators::{
    AddressSet, Argument, Comparison, Groups, Match, Matcher, NumberKind, NumberSearch, Operator,
    OperatorCache, OperatorError, PatternProblem, Phrases, Problem, Relation, Rx, Text, TextTest,
    integer,
};
pub use sources::{SourceError, Sources};
pub use transformations::{Transformation, UnicodeMap, UnicodeMapError};
