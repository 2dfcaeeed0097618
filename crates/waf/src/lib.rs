//! ModSecurity rules around their engine: files on the disk, lines of a log, suites that try them.
//!
//! Layer 3: what [`palisade_seclang`] decides from bytes alone is brought together here with where the
//! bytes come from and where its verdicts go.

mod log_line;
mod rule_folder;
mod suite;

pub use log_line::{LogContext, append_log_line};
pub use rule_folder::RuleFolder;
pub use suite::SuiteEngine;
