//! The decision table: deltas, overlaps, expiry, scopes, severity.

mod decision;
mod document;
mod index;
mod key;
mod label;
mod listing;
mod matched;
mod merge;
mod record;
mod remedy;
mod scope;
mod table;

pub use decision::{Applied, Decision, DecisionId, Deletion, Delta, SourceId};
pub use listing::{DecisionCount, Filter, ListedDecision, Listing};
pub use matched::Match;
pub use remedy::{Remedy, RemedyKind, RemedyName};
pub use scope::{Scope, ScopeError};
pub use table::DecisionTable;
