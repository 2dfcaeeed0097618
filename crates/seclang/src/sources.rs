//! The port through which rules get the files that they name.

/// Gives the files that operators name (`@pmFromFile`, `@ipMatchFromFile`), when rules are loaded.
///
/// Whoever loads rules says what a relative name is relative to: in ModSecurity the folder of the
/// file that the rule is in. What a file may weigh is bounded there too.
pub trait Sources {
    /// The content of the file `name`, as it is written in the rule.
    ///
    /// # Errors
    /// When there is no such file, it can't be read, or it is larger than this source gives.
    fn read(&self, name: &str) -> Result<Vec<u8>, SourceError>;
}

/// Why a file can't be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(
    /// What is wrong, for people; the name is told by whoever asked.
    pub String,
);
