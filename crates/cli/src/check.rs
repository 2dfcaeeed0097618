//! `palisade check`

use anyhow::Result;

use crate::arguments::Check;
use crate::waf::tell_expired;
use crate::{Exit, complain, load, say};

pub(crate) fn check(arguments: &Check) -> Result<Exit> {
    let path = arguments.config.path();
    let loaded = match load::read(path) {
        Ok(loaded) => loaded,
        Err(error) => {
            let problems = &error.problems;
            for problem in problems.iter() {
                say(&problem.to_string());
            }
            complain(&format!(
                "{}: {} errors, {} warnings",
                path.display(),
                problems.error_count(),
                problems.warning_count()
            ));
            return Ok(Exit::Failed);
        }
    };
    for warning in loaded.warnings.iter() {
        say(&warning.to_string());
    }
    let rule_sets = loaded.settings.waf.rule_sets.distinct();
    let expired = tell_expired(rule_sets.iter().map(|set| &**set.program()));
    complain(&format!(
        "{}: ok, {} warnings, {} files",
        path.display(),
        loaded.warnings.warning_count() + expired,
        loaded.sources.iter().count()
    ));
    Ok(Exit::Done)
}
