//! The checks of a request, the snapshot that they read and the state that they touch.
//!
//! Layer 2, sans-I/O: bytes and ticks come in, a [`Verdict`] goes out. What order the checks have
//! is not known here: the proxy lists them, and `explain` walks the same list.

mod client_certificate;
mod credentials;
mod decided;
mod exchange;
mod protected;
mod rules;
pub mod settings;
mod sites;
mod snapshot;
mod state;
mod usage;
mod verdict;

pub use client_certificate::ClientCertificate;
pub use credentials::{Authentication, CredentialsFault, Unverified};
pub use decided::Decided;
pub use exchange::{Exchange, Heard, Scratch};
pub use protected::{
    AllowedMethods, BasicAuthentication, CertificateNames, Demand, Positions, Protected,
    ProtectedPath,
};
pub use rules::Rules;
pub use sites::{Site, Sites};
pub use snapshot::Snapshot;
pub use state::{FeedHealth, State};
pub use usage::{DroppedBy, OwnOrigin, Usage};
pub use verdict::{Cause, Record, RecordKind, Refusal, RefusedCredentials, Verdict};
