//! CrowdSec LAPI: the decision stream.
//!
//! Layer 3. Asks LAPI (the local API of CrowdSec) what changed, every few seconds, and keeps the
//! decision table of `palisade-decisions` current. Knows the wire, the pace and the file that
//! outlives a restart; knows nothing of requests, rules or logs.

mod bounded_duration;
mod credentials;
mod lapi_url;
mod settings;

pub use bounded_duration::{BoundedDuration, DurationOutOfBounds};
pub use credentials::{
    CertificateAuthorities, ClientIdentity, Credentials, CredentialsError, Secret, SecretError,
};
pub use lapi_url::{LapiUrl, LapiUrlError};
pub use settings::{
    AnswerBytesMax, FilterTerm, Filters, PollTimeout, ResyncInterval, SCOPES, Settings,
    SettingsError, UpdateInterval,
};
