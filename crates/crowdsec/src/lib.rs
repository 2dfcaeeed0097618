//! CrowdSec LAPI: the decision stream, and reports of usage.
//!
//! Layer 4. Asks LAPI (the local API of CrowdSec) what changed, every few seconds, and keeps the
//! decision table of `palisade-decisions` current. Knows the wire, the pace and the file that
//! outlives a restart; knows nothing of requests, rules or logs.

mod client;
mod credentials;
mod event;
mod interner;
mod lapi_url;
mod pacing;
mod poll_error;
mod poller;
mod saved;
mod settings;
mod status;
#[cfg(test)]
mod test_lapi;
mod usage;
mod wire;

pub use credentials::{
    CertificateAuthorities, ClientIdentity, Credentials, CredentialsError, Secret, SecretError,
};
pub use event::{LapiEvent, Observer, Severity};
pub use lapi_url::{LapiUrl, LapiUrlError};
pub use pacing::Pull;
pub use palisade_remote::{BoundedDuration, ClientError, Clock, ConnectStage, DurationOutOfBounds};
pub use poll_error::{PollError, PollResult};
pub use poller::Poller;
pub use saved::{Restored, SavedError, SavedFile, read_handed, write_handed};
pub use settings::{
    AnswerBytesMax, FilterTerm, Filters, PollTimeout, ResyncInterval, SCOPES, Settings,
    SettingsError, UpdateInterval,
};
pub use status::{DecisionTotals, LapiStatus, LastFailure, NotSaved};
pub use usage::{
    CountReport, Identity, LastReportFailure, OperatingSystem, ReportError, ReportResult,
    UsageInterval, UsageLedger, UsageReporter, UsageSource, UsageStatus, UsageTotals,
};
pub use wire::{
    DecisionProblem, DocumentError, FieldProblem, SkippedDecision, SkippedDecisions, StreamAnswer,
    parse_answer,
};
