//! Indexes from the values of a request to *atoms*: the smallest things that a condition can ask for
//! (one range, one country, one pattern on one field), each numbered once for a whole rule set.
//!
//! Every index answers in time that depends on the value, not on how many atoms there are.

mod address;
mod exact;
mod fact;
mod field;
mod postings;
mod prefix;
mod regexes;
mod stamps;
mod substring;

pub(crate) use address::AddressIndex;
pub(crate) use fact::FactIndex;
pub(crate) use field::{FieldIndex, Workspace};
pub(crate) use postings::Postings;
pub(crate) use regexes::RegexSetError;
pub(crate) use stamps::Stamps;

/// The number of an atom; unique within its index.
pub(crate) type Atom = u32;
