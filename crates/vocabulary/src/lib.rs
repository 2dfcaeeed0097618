//! The words that every crate of Palisade speaks.
//!
//! Layer 0: no other workspace crate, no socket, file, task, clock or global. A type that exists
//! is valid; the bound of a value lives with its type.

mod address;
mod amount;
mod cidr_set;
mod client;
mod hidden;
mod identity;
mod place;
mod policy;
mod request;

pub use address::{AddressError, Cidr, Ip, IpFamily};
pub use amount::{ByteSize, Tick};
pub use cidr_set::CidrSet;
pub use client::{ClientAddr, Provenance};
pub use hidden::HiddenNames;
pub use identity::{IdentityError, RequestId, RuleId};
pub use place::{Asn, Country, Known, Place, PlaceError};
pub use policy::{FailurePolicy, Mode, SkipSet, SkippableCheck};
pub use request::{HttpVersion, PathView, RequestView, Scheme};
