//! CRS as a program.

use std::path::Path;
use std::sync::Arc;

use palisade_seclang::{CompileOptions, Program, compile};

use palisade_waf::RuleFolder;

use crate::files::{crs, data};

/// CRS, with the settings of `files` between its set-up and its rules.
pub(crate) fn program(crs: &Path, files: &[&str], options: CompileOptions) -> Arc<Program> {
    let own: Vec<String> = files.iter().map(|name| data(name)).collect();
    let setup = crs.join("crs-setup.conf.example");
    let rules = crs.join("rules/*.conf");
    let engine = data("engine.conf");
    let mut roots = vec![engine.as_str(), setup.to_str().unwrap()];
    roots.extend(own.iter().map(String::as_str));
    roots.push(rules.to_str().unwrap());
    let compiled = compile(&roots, &RuleFolder::new("/"), options);
    for problem in compiled.problems.kept() {
        println!("{problem}");
    }
    Arc::new(compiled.program.unwrap())
}

#[test]
fn crs_compiles_without_a_problem() {
    let Some(crs) = crs("that CRS's rules compile") else {
        return;
    };
    let before = std::time::Instant::now();
    let program = program(&crs, &["suite-paranoia-4.conf"], CompileOptions::default());
    println!("{} rules in {:?}", program.rule_count(), before.elapsed());
    assert!(program.rule_count() > 600);
}

/// The time.
pub(crate) fn clock() -> std::time::Duration {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap()
}
