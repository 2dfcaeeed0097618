//! CRS's own regression tests, in process.

use std::path::Path;

use palisade_ftw::{Outcome, Test, run};
use palisade_seclang::{CompileOptions, WorkerOptions};
use palisade_waf::{SuiteEngine, read_overrides, read_suite};

use crate::files::{crs, data};
use crate::rules::{clock, program};

/// How many tests CRS 4.28 has.
const TESTS: usize = 5_003;
/// The most that may be overridden.
const OVERRIDES_MAX: usize = 20;

pub(crate) fn tests(crs: &Path) -> Vec<Test> {
    read_suite(&crs.join("regression/tests")).unwrap()
}

#[test]
fn crs_regression_tests_pass_at_paranoia_4() {
    let Some(crs) = crs("CRS's 5,003 regression tests") else {
        return;
    };
    let tests = tests(&crs);
    assert_eq!(tests.len(), TESTS);
    let overrides = read_overrides(Path::new(&data("overrides.yaml"))).unwrap();
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
    say!(
        "CRS 4.28, {} tests run at paranoia 4: {totals}",
        tests.len()
    );
    assert_eq!((totals.failed, totals.overrides_not_needed), (0, 0));
    assert!(summary.overrides_without_test.is_empty());
}
