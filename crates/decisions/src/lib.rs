//! The decision table: who is to be refused, challenged or slowed down, by whose decision, until
//! when.
//!
//! Layer 1, sans-I/O: documents and times come in, [`Match`]es go out. Knows nothing of how a
//! decision was fetched or typed in, and nothing of what is done about it.
//!
//! # What a document does
//!
//! A [`SourceId`] speaks in documents: [`DecisionTable::apply`] takes one that says what changed,
//! [`DecisionTable::apply_snapshot`] one that names all that the source has. Sources don't touch
//! each other's decisions. A reader sees all of a document or nothing of it; one that
//! asks more than once about a request asks one [`Version`].
//!
//! * A decision is known by source, scope and id, so that overlaps are exact: with two bans on an
//!   address, taking one back leaves the other. Without an id, a source has one decision for each
//!   scope and remedy.
//! * Said again, a decision is replaced, its time too; without an id the longer time stays.
//! * Deletions come before additions, whatever their order in the document was.
//! * A decision ends at its own time, whether or not anybody says so or clears it away.
//!
//! # Sources that don't name all that they have
//!
//! CrowdSec's LAPI, unless asked with `dedup=false`, hides of several decisions on one value
//! (scope, type and value) all but the one that ends last, and an old one may not know that
//! question. Of such a LAPI two things were observed. A ban of four hours (id 16) is announced, one
//! of a few seconds on the same address (id 17) is not. The long one is deleted: nothing is said,
//! for 17 still holds. 17 ends: now the deletion of **17** is announced, and 16 is never mentioned
//! again. A table that goes by ids alone bans the address for four hours. A table that goes by
//! values alone frees an address when a LAPI that does name all takes one of two bans back.
//!
//! From one deletion the two can't be told apart, so neither is guessed:
//!
//! * A deletion takes back the decision of its id and nothing else.
//! * Other decisions of the source on the same value are put *in doubt*. They still hold.
//! * So is what a snapshot doesn't name, since LAPI may answer with a snapshot that is cut short
//!   and yet valid.
//! * Whatever names a decision again clears the doubt.
//! * A snapshot that doesn't name a decision in doubt drops it: two witnesses agree, a deletion and
//!   a snapshot, or two snapshots.
//!
//! [`Applied::doubted`] tells the caller to take a snapshot soon, which settles the doubt for
//! either kind of LAPI. A document with two decisions on one value that end at different times
//! proves that its source names all; then deletions raise no doubt, until the next snapshot, which
//! must prove it anew. The operator's own decisions are never in doubt.
//!
//! So no decision that the source still has is dropped, unless a deletion on the same value and
//! then a snapshot that was cut short speak against it together (or two such snapshots in a row);
//! the next snapshot brings it back. And a decision that the source doesn't have any more ends with
//! the snapshot after the deletion, else with the second one that doesn't name it, else by its own
//! time, whichever is first.
//!
//! # Who is not meant
//!
//! [`DecisionTable::allow`] names clients whom no decision is about but the operator's own. It is
//! for the gate to ask ([`Version::is_allowed`]); a look-up finds decisions on them all the same.
//!
//! # Bounds
//!
//! [`DecisionTable::with_limit`] decisions of each source, 256 of one source on one scope, 8,192
//! combinations of source, remedy, origin and scenario, 256 names of origins for metrics. What is
//! past a bound is counted in [`Applied`], or keeps its force and loses its texts to `other`.
//!
//! # Memory and time
//!
//! At a million, 27 bytes for an IPv4 decision and 43 for an IPv6 one, all included. A look-up takes no
//! lock and allocates nothing; `benches/table` prints what it costs.

mod allowed;
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
mod version;

pub use decision::{Applied, Decision, DecisionId, Deletion, Delta, ListId, SourceId};
pub use label::OriginId;
pub use listing::{ActiveCount, DecisionCount, Filter, ListedDecision, Listing};
pub use matched::Match;
pub use remedy::{Remedy, RemedyKind, RemedyName};
pub use scope::{Scope, ScopeError};
pub use table::DecisionTable;
pub use version::Version;
