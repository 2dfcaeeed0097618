//! ModSecurity's rule language.
//!
//! Layer 2, sans-I/O: bytes come in, verdicts go out. Files that rules name come through the
//! [`Sources`] port when rules are loaded. Values are bytes, never text: they are whatever a client
//! sent. Semantics are those of ModSecurity 2 on Apache, which OWASP CRS is written on; where we
//! differ, the item says so.
//!
//! [`compile`] makes a [`Program`] of rule files; a [`Worker`] runs it on [`Transaction`]s.

mod byte_set;
mod collections;
mod compile;
mod countries;
mod macro_text;
mod operators;
mod prefilter;
mod program;
mod sources;
pub mod syntax;
mod transaction;
mod transformations;

pub use byte_set::ByteSet;
pub use collections::{CollectionLimits, Collections};
pub use compile::{CompileOptions, Compiled, RuleFiles, compile};
pub use countries::{Countries, Location};
pub use macro_text::{EXPANDED_BYTES_MAX, Lookup, MacroError, MacroText, Variable};
pub use operators::{
    AddressSet, Argument, Comparison, Groups, Match, Matcher, NumberKind, NumberSearch, Operator,
    OperatorCache, OperatorError, PatternProblem, Phrases, Problem, Relation, Rx, Text, TextTest,
    integer,
};
pub use program::{
    Asked, Asks, AuditSettings, BodyAccess, Folded, Program, RelevantStatus, Rule, Settings,
    Summary,
};
pub use sources::{SourceError, Sources};
pub use transaction::{
    Budget, Clock, Connection, Interruption, InterruptionAction, MatchReport, Matches, Outcome,
    RequestHead, ResponseHead, RuleCounter, Sanitised, Transaction, Verdict, Worker, WorkerOptions,
};
pub use transformations::{Transformation, UnicodeMap, UnicodeMapError};
