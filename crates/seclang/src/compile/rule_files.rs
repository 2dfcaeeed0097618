//! The port through which rule files, and the files that rules name, are read.

use crate::{SourceError, Sources};

/// Gives rule files and what they name, when rules are loaded.
///
/// Names are as they are written; whoever implements this says what a relative one is relative to (in
/// ModSecurity the folder of the file that it stands in), and bounds what a file may weigh.
pub trait RuleFiles {
    /// The files that an `Include` in the file `from` means, in order; `None` for what was named
    /// outside of any file. What has no wildcard is itself, there or not.
    ///
    /// # Errors
    /// When the pattern is none, or there is nothing that it means.
    fn matching(&self, pattern: &str, from: Option<&str>) -> Result<Vec<String>, SourceError>;

    /// The content of a rule file that [`RuleFiles::matching`] gave.
    ///
    /// # Errors
    /// When it can't be read, or is too large.
    fn read(&self, file: &str) -> Result<Vec<u8>, SourceError>;

    /// The content of a file that a rule in the file `from` names.
    ///
    /// # Errors
    /// When it can't be read, or is too large.
    fn data(&self, name: &str, from: &str) -> Result<Vec<u8>, SourceError>;
}

/// What rules of one file name.
pub(super) struct Beside<'a> {
    pub(super) files: &'a dyn RuleFiles,
    pub(super) from: &'a str,
}

impl Sources for Beside<'_> {
    fn read(&self, name: &str) -> Result<Vec<u8>, SourceError> {
        self.files.data(name, self.from)
    }
}
