//! Rules that exist only in a test, and requests before them.

use std::sync::Arc;

use palisade_seclang::{
    CollectionLimits, Collections, Connection, RequestHead, RuleFiles, SourceError,
};

use crate::{Finding, Inspection, RuleSet, RuleSetSettings};

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

/// A request's head before rules.
pub(crate) fn begin(rules: &Arc<RuleSet>, target: &str) -> (Inspection, Finding) {
    let collections = Arc::new(Collections::new(CollectionLimits::default()));
    let connection = Connection {
        client: ([192, 0, 2, 1], 50_000).into(),
        server: ([192, 0, 2, 2], 80).into(),
        unique_id: "id",
    };
    let line = format!("POST {target} HTTP/1.1");
    let head = RequestHead {
        line: line.as_bytes(),
        method: b"POST",
        target: target.as_bytes(),
        protocol: b"HTTP/1.1",
        headers: &[(b"Content-Type", b"application/x-www-form-urlencoded")],
    };
    Inspection::begin(rules, &collections, &connection, &head)
}
