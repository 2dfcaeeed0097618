//! Programs of tests.

use super::Program;
use crate::{CompileOptions, RuleFiles, SourceError, compile};

/// One file.
struct Text<'t>(&'t str);

impl RuleFiles for Text<'_> {
    fn matching(&self, pattern: &str, _: Option<&str>) -> Result<Vec<String>, SourceError> {
        Ok(vec![pattern.to_owned()])
    }

    fn read(&self, _: &str) -> Result<Vec<u8>, SourceError> {
        Ok(self.0.as_bytes().to_vec())
    }

    fn data(&self, name: &str, _: &str) -> Result<Vec<u8>, SourceError> {
        Err(SourceError(format!("{name} is not there")))
    }
}

/// The program of a file.
#[track_caller]
pub(crate) fn program(text: &str) -> Program {
    let compiled = compile(&["r.conf"], &Text(text), CompileOptions::default());
    let problems = compiled.problems;
    compiled.program.unwrap_or_else(|| panic!("{problems:?}"))
}
