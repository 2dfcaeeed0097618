//! Suites on several threads.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use palisade_ftw::{Overrides, Report, Summary, Test, run_test};
use palisade_seclang::{Program, WorkerOptions};

use crate::suite::SuiteEngine;

/// Runs `tests` against the rules of `program` on so many threads. Reports are in the order of the tests.
#[must_use]
pub fn run_suite(
    program: &Arc<Program>,
    options: &WorkerOptions,
    tests: &[Test],
    overrides: &Overrides,
    threads: NonZeroUsize,
) -> Summary {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut engine = SuiteEngine::new(Arc::clone(program), options.clone());
        let mut reports = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(test) = tests.get(index) else {
                return reports;
            };
            reports.push((index, run_test(&mut engine, test, overrides)));
        }
    };
    let mut reports: Vec<(usize, Report)> = thread::scope(|scope| {
        let threads = threads.get().min(tests.len());
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let done = running.into_iter().flat_map(|thread| match thread.join() {
            Ok(reports) => reports,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        done.collect()
    });
    reports.sort_unstable_by_key(|(index, _)| *index);
    Summary {
        reports: reports.into_iter().map(|(_, report)| report).collect(),
        overrides_without_test: overrides.without_test(tests),
    }
}
