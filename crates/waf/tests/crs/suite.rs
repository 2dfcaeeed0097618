//! CRS's own regression tests, in process.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_ftw::{Outcome, Overrides, Test, parse_overrides, parse_tests, run};
use palisade_seclang::{CompileOptions, WorkerOptions};
use palisade_waf::SuiteEngine;

use crate::files::{crs, data};
use crate::rules::{clock, program};

/// How many tests CRS 4.28 has.
const TESTS: usize = 5_003;
/// The most that may be overridden.
const OVERRIDES_MAX: usize = 20;

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(yaml_files(&path));
        } else if path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml")
        {
            files.push(path);
        }
    }
    files.sort_unstable();
    files
}

pub(crate) fn tests(crs: &Path) -> Vec<Test> {
    let mut tests = Vec::new();
    for path in yaml_files(&crs.join("regression/tests")) {
        let bytes = fs::read(&path).unwrap();
        tests.extend(parse_tests(&Arc::from(&*path), &bytes).unwrap());
    }
    tests
}

fn overrides() -> Overrides {
    let path = PathBuf::from(data("overrides.yaml"));
    parse_overrides(&Arc::from(&*path), &fs::read(&path).unwrap()).unwrap()
}

#[test]
fn crs_regression_tests_pass_at_paranoia_4() {
    let Some(crs) = crs("CRS's 5,003 regression tests") else {
        return;
    };
    let tests = tests(&crs);
    assert_eq!(tests.len(), TESTS);
    let overrides = overrides();
    let overridden: usize = overrides.list.iter().map(|one| one.test_ids.len()).sum();
    assert!(overridden <= OVERRIDES_MAX, "{overridden} overrides");
    let program = program(&crs, &["suite-paranoia-4.conf"], CompileOptions::default());
    let mut engine = SuiteEngine::new(program, WorkerOptions::new(clock));
    let summary = run(&mut engine, &tests, &overrides);
    for report in &summary.reports {
        if !matches!(report.outcome, Outcome::Passed) {
            println!("{report}");
        }
    }
    let totals = summary.totals();
    println!(
        "CRS 4.28, {} tests run at paranoia 4: {totals}",
        tests.len()
    );
    assert_eq!((totals.failed, totals.overrides_not_needed), (0, 0));
    assert!(summary.overrides_without_test.is_empty());
}
