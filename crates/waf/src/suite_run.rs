//! Suites on several threads.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use palisade_ftw::{Overrides, Report, Summary, Test, run_test};
use palisade_seclang::{Program, RuleCounter, WorkerOptions};

use crate::suite::SuiteEngine;

/// What came of a suite.
#[derive(Debug)]
pub struct SuiteRun {
    /// A report for each test, in the order of the tests.
    pub summary: Summary,
    /// What each rule has cost, in the order of [`Program::rules`].
    pub counters: Vec<RuleCounter>,
}

/// Runs `tests` against the rules of `program` on so many threads.
#[must_use]
pub fn run_suite(
    program: &Arc<Program>,
    options: &WorkerOptions,
    tests: &[Test],
    overrides: &Overrides,
    threads: NonZeroUsize,
) -> SuiteRun {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut engine = SuiteEngine::new(Arc::clone(program), options.clone());
        let mut reports = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(test) = tests.get(index) else {
                return (reports, engine.counters().to_vec());
            };
            reports.push((index, run_test(&mut engine, test, overrides)));
        }
    };
    let mut reports: Vec<(usize, Report)> = Vec::new();
    let mut counters = vec![RuleCounter::default(); program.rules().len()];
    thread::scope(|scope| {
        let threads = threads.get().min(tests.len());
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for thread in running {
            let (done, counted) = match thread.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            reports.extend(done);
            for (sum, counter) in counters.iter_mut().zip(counted) {
                *sum += counter;
            }
        }
    });
    reports.sort_unstable_by_key(|(index, _)| *index);
    SuiteRun {
        summary: Summary {
            reports: reports.into_iter().map(|(_, report)| report).collect(),
            overrides_without_test: overrides.without_test(tests),
        },
        counters,
    }
}
