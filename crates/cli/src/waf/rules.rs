//! Rule files, as they are named on the command line.

use std::sync::Arc;

use palisade_seclang::syntax::{EngineMode, Problems};
use palisade_seclang::{CompileOptions, Compiled, Program};
use palisade_waf::RuleFolder;

use crate::complain;

/// Compiles the files that `patterns` name, relative to where the process runs.
pub(super) fn compile(patterns: &[String], options: CompileOptions) -> Compiled {
    let roots: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let folder = RuleFolder::new("");
    palisade_seclang::compile(&roots, &folder, options)
}

/// The program of these files. What is wrong is told on standard error; then there is none.
pub(super) fn load(patterns: &[String], options: CompileOptions) -> Option<Arc<Program>> {
    let compiled = compile(patterns, options);
    let (errors, warnings) = compiled.problems.counts();
    let Some(program) = compiled.program else {
        tell(&compiled.problems, complain);
        complain(&format!("{errors} errors, {warnings} warnings"));
        return None;
    };
    if warnings > 0 {
        complain(&format!(
            "{warnings} warnings about the rules; `palisade waf check` tells them"
        ));
    }
    if program.settings().engine == EngineMode::Off {
        complain(
            "SecRuleEngine is Off, as it is where no file says otherwise, so that no rule runs; \
             name a file with `SecRuleEngine On` too",
        );
    }
    Some(Arc::new(program))
}

/// Tells problems, a line each, in the order in which one reads: some are found later than others.
pub(super) fn tell(problems: &Problems, tell: impl Fn(&str)) {
    let mut files: Vec<&str> = Vec::new();
    let mut ordered: Vec<_> = problems.kept().iter().collect();
    for problem in &ordered {
        let file: &str = &problem.place.file;
        if !files.contains(&file) {
            files.push(file);
        }
    }
    ordered.sort_by_key(|problem| {
        let place = &problem.place;
        let file = files.iter().position(|file| **file == *place.file);
        (file, place.line, place.column)
    });
    for problem in ordered {
        tell(&problem.to_string());
    }
    let (errors, warnings) = problems.counts();
    let more = (errors + warnings).saturating_sub(problems.kept().len());
    if more > 0 {
        tell(&format!("... and {more} more"));
    }
}
