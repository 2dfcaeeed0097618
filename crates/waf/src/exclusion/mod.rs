//! Exclusions: what rules look away from, in some requests, for some time.
//!
//! The way of one: a line of a log is found ([`find_in_log`]) and read ([`LogLine`]), what matched there
//! becomes the narrowest [`Exclusion`] ([`Proposal`]), and [`Exclusion::to_seclang`] the text of a rule. [`Proving`]
//! shows what it does, with requests that are made again from the log ([`replay`]) and with attacks from a
//! suite that are put where it holds ([`Attack`], [`plant`]). [`expired`] finds those that hold no more.

mod attack;
mod date;
mod expired;
mod plant;
mod proof;
mod proposal;
mod record;
mod scope;
mod search;
mod text;
mod trial;

pub use attack::{Attack, attacks};
pub use date::{Date, NoDate};
pub use expired::{ExpiredExclusion, expired};
pub use plant::{Place, Planted, plant, replay};
pub use proof::{AttacksThere, Proving, Replayed, SuiteAsItIs, paranoia};
pub use proposal::{Proposal, ProposalError, Wanted, Wider};
pub use record::{AuditRecord, LogLine, LogLineError, LoggedMatch, LoggedRequest};
pub use scope::{Host, Inexpressible, Member, PathScope, SentPath, Spared};
pub use search::find_in_log;
pub use text::{EXCLUSION_IDS, Exclusion, Note, SparedRule};
pub use trial::{Trial, Trials, TriedMatch};
