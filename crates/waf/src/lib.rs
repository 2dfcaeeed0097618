//! ModSecurity rules around their engine: files on the disk, lines of a log, suites that try them,
//! explanations of what they do, exclusions from them.
//!
//! Layer 3: what [`palisade_seclang`] decides from bytes alone is brought together here with where the
//! bytes come from and where its verdicts go.

mod amended;
mod clock;
mod codings;
mod country_database;
mod drive;
pub mod exclusion;
mod explain;
mod hiding;
mod inspection;
mod log_line;
mod rule_folder;
mod rule_set;
mod settings;
mod shadow;
mod share;
mod suite;
mod suite_files;
mod suite_run;
#[cfg(test)]
mod test_files;
mod workers;

pub use amended::AmendedRuleSet;
pub use clock::{stopwatch, system_clock};
pub use country_database::{CountryDatabase, CountryDatabaseError};
pub use explain::{BodySight, Case, Explanation, Matched, explain};
pub use hiding::Hiding;
pub use inspection::{
    FailureKind, Finding, Inspection, InspectionFailure, KEPT_BODY_BYTES_MAX, Objection,
};
pub use log_line::{LogContext, append_log_line, severity_name};
pub use rule_folder::RuleFolder;
pub use rule_set::{CompiledRuleSet, RuleSet, RuleSets};
pub use settings::{Paranoia, RuleSetSettings, Thresholds};
pub use shadow::{
    AnswerBody, Disagreement, Ended, Judgement, OwnedHead, RequestBody, RuleMatch, SeenAnswer,
    Shadow, ShadowCase, ShadowKind, Unread,
};
pub use share::Share;
pub use suite::SuiteEngine;
pub use suite_files::{SuiteFileError, read_overrides, read_suite};
pub use suite_run::{SuiteRun, run_suite};
