//! Rule files that exist only in a test.

use std::sync::Arc;

use palisade_seclang::{RuleFiles, SourceError};

use crate::{RuleSet, RuleSetSettings};

/// One file, whatever it is called.
#[derive(Debug)]
pub(crate) struct OneFile<'a>(pub(crate) &'a str);

impl RuleFiles for OneFile<'_> {
    fn matching(&self, pattern: &str, _: Option<&str>) -> Result<Vec<String>, SourceError> {
        Ok(vec![pattern.to_owned()])
    }

    fn read(&self, _: &str) -> Result<Vec<u8>, SourceError> {
        Ok(self.0.as_bytes().to_vec())
    }

    fn data(&self, _: &str, _: &str) -> Result<Vec<u8>, SourceError> {
        Err(SourceError("there is none".to_owned()))
    }
}

/// The set that `rules` make.
#[track_caller]
pub(crate) fn rule_set(settings: RuleSetSettings, rules: &str) -> Arc<RuleSet> {
    let compiled = RuleSet::compile(settings, &["rules.conf"], &OneFile(rules), None);
    let problems = compiled.problems.kept();
    Arc::new(compiled.rule_set.unwrap_or_else(|| panic!("{problems:?}")))
}
