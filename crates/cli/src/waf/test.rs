//! `palisade waf test`

use std::num::NonZeroUsize;
use std::time::Instant;

use anyhow::{Result, bail};
use palisade_ftw::{Outcome, Overrides, Summary, Test};
use palisade_seclang::{CompileOptions, WorkerOptions};
use palisade_waf::{SuiteRun, read_overrides, read_suite, run_suite, stopwatch, system_clock};

use super::terminal::shown;
use super::{costs, rules};
use crate::arguments::WafTest;
use crate::{Exit, complain, say};

pub(super) fn test(arguments: &WafTest) -> Result<Exit> {
    let Some((tests, overrides)) = suite(arguments) else {
        return Ok(Exit::Failed);
    };
    let tests = chosen(arguments, tests)?;
    let Some(program) = rules::load(&arguments.rules, CompileOptions::default()) else {
        return Ok(Exit::Failed);
    };
    let began = Instant::now();
    let threads = threads(arguments);
    let options = WorkerOptions {
        stopwatch,
        ..WorkerOptions::new(system_clock)
    };
    let SuiteRun { summary, counters } = run_suite(&program, &options, &tests, &overrides, threads);
    show(&summary, arguments.only.is_empty());
    if let Some(top) = arguments.costs {
        costs::show(&program, &counters, top);
    }
    complain(&format!(
        "in {:.2} s on {threads} threads",
        began.elapsed().as_secs_f64()
    ));
    Ok(match summary.totals().failed {
        0 => Exit::Done,
        _ => Exit::Failed,
    })
}

/// What the files have. What is wrong with them is told on standard error; then there is nothing.
fn suite(arguments: &WafTest) -> Option<(Vec<Test>, Overrides)> {
    let tests = read_suite(&arguments.tests);
    let overrides = match &arguments.overrides {
        Some(path) => read_overrides(path),
        None => Ok(Overrides::default()),
    };
    let errors = tests.as_ref().err().into_iter().flatten();
    for error in errors.chain(overrides.as_ref().err()) {
        complain(&error.to_string());
    }
    tests.ok().zip(overrides.ok())
}

fn chosen(arguments: &WafTest, mut tests: Vec<Test>) -> Result<Vec<Test>> {
    let folder = arguments.tests.display();
    if tests.is_empty() {
        bail!("{folder} has no tests; expected files *.yaml in go-ftw's form");
    }
    if !arguments.only.is_empty() {
        tests.retain(|test| arguments.only.iter().any(|only| only.is(test.id)));
    }
    if tests.is_empty() {
        bail!("none of the tests in {folder} is one that --only names");
    }
    Ok(tests)
}

fn threads(arguments: &WafTest) -> NonZeroUsize {
    let wanted = arguments
        .jobs
        .and_then(|jobs| NonZeroUsize::new(usize::from(jobs)));
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    wanted.unwrap_or_else(cores)
}

/// Tells what didn't pass, and which overrides aren't needed. Of those that are for no test is told only
/// where all ran.
fn show(summary: &Summary, all_ran: bool) {
    for report in &summary.reports {
        match report.outcome {
            Outcome::Failed(_) | Outcome::OverrideNotNeeded { .. } => {
                say(&shown(report.to_string().as_bytes()));
            }
            Outcome::Passed | Outcome::Overridden { .. } => {}
        }
    }
    for unused in summary.overrides_without_test.iter().filter(|_| all_ran) {
        say(&format!(
            "the override for rule {} is for no test ({})",
            unused.rule_id, unused.location
        ));
    }
    say(&format!(
        "{} run: {}",
        summary.reports.len(),
        summary.totals()
    ));
}
