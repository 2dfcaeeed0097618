//! Rule files in memory.

use std::collections::BTreeMap;

use palisade_seclang::{RuleFiles, SourceError};

/// The file that rules are in, unless a test needs more.
pub(crate) const MAIN: &str = "main.conf";

/// Files by name.
#[derive(Clone, Default)]
pub(crate) struct Memory(BTreeMap<String, Vec<u8>>);

impl Memory {
    pub(crate) fn new(rules: &str) -> Self {
        Self::default().with(MAIN, rules.as_bytes())
    }

    pub(crate) fn with(mut self, name: &str, content: &[u8]) -> Self {
        self.0.insert(name.to_owned(), content.to_vec());
        self
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, SourceError> {
        let missing = || SourceError("there is no such file".to_owned());
        self.0.get(name).cloned().ok_or_else(missing)
    }
}

/// Whether `*` in a pattern may stand for what a name has there.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((before, behind)) => name
            .strip_prefix(before)
            .is_some_and(|rest| rest.ends_with(behind)),
        None => pattern == name,
    }
}

impl RuleFiles for Memory {
    fn matching(&self, pattern: &str, _: Option<&str>) -> Result<Vec<String>, SourceError> {
        if !pattern.contains('*') {
            return Ok(vec![pattern.to_owned()]);
        }
        let names = self.0.keys().filter(|name| fits(pattern, name));
        Ok(names.cloned().collect())
    }

    fn read(&self, file: &str) -> Result<Vec<u8>, SourceError> {
        self.get(file)
    }

    fn data(&self, name: &str, _: &str) -> Result<Vec<u8>, SourceError> {
        self.get(name)
    }
}
