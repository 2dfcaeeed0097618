//! What is told at the end.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::harness::Latencies;
use crate::meter::{Course, Sample, Samples};
use crate::traffic::Outcome;

/// Memory may grow by this much, and by this share, after the warm-up: the allocator gives pages back
/// when it likes.
const RESIDENT_MIB_SLACK: f64 = 16.0;
const RESIDENT_SHARE_SLACK: f64 = 0.1;
/// What is counted may be this much more at the end than after the warm-up: a connection more or less
/// is open at any moment.
const COUNT_SLACK: f64 = 40.0;
/// Settings of requests that are under way, and what the next look at them frees.
const GENERATIONS_MAX: f64 = 8.0;
/// How many file descriptors more there may be once nothing is connected any more: idle connections
/// to backends.
pub(crate) const FILES_AT_REST_SLACK: f64 = 8.0;

/// What happened, and what came of it.
pub(crate) struct Report {
    pub(crate) took: Duration,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) events: Vec<(&'static str, usize)>,
    pub(crate) samples: Samples,
    /// Before the first client, and after the last.
    pub(crate) at_rest: [Sample; 2],
    pub(crate) idle: Option<IdleKept>,
}

/// What became of the connections that were idle all the time.
pub(crate) struct IdleKept {
    pub(crate) opened: usize,
    pub(crate) answered: usize,
}

type Value = (&'static str, fn(&Sample) -> f64);

const VALUES: &[Value] = &[
    ("resident memory, MiB", |sample| sample.resident_mib),
    ("file descriptors", |sample| sample.files),
    ("threads", |sample| sample.threads),
    ("connections", |sample| sample.connections),
    ("settings in memory", |sample| sample.generations),
];

impl Report {
    /// All that is wrong; nothing where nothing was lost and nothing grew.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for outcome in self.outcomes.iter().filter(|outcome| outcome.lost > 0) {
            let (kind, lost) = (outcome.kind, outcome.lost);
            faults.push(format!("{kind}: {lost} lost, such as {:#?}", outcome.told));
        }
        let quiet = |outcome: &&Outcome| outcome.counts.is_empty();
        for outcome in self.outcomes.iter().filter(quiet) {
            faults.push(format!("{}: nothing was asked", outcome.kind));
        }
        for (name, of) in VALUES {
            let course = self.samples.course(of);
            let allowed = allowed(name, &course);
            if course.last > allowed {
                let Course { warm, last, .. } = course;
                faults.push(format!(
                    "{name} grew from {warm} to {last}; at most {allowed:.1}"
                ));
            }
        }
        let [before, after] = self.at_rest;
        if after.files > before.files + FILES_AT_REST_SLACK || after.connections > 0.0 {
            faults.push(format!(
                "something is left at rest: {before:?} before, {after:?} after"
            ));
        }
        if let Some(IdleKept { opened, answered }) = self.idle
            && opened != answered
        {
            faults.push(format!(
                "{answered} of {opened} idle connections still answered"
            ));
        }
        faults
    }
}

fn allowed(name: &str, course: &Course) -> f64 {
    match name {
        "resident memory, MiB" => course.warm * (1.0 + RESIDENT_SHARE_SLACK) + RESIDENT_MIB_SLACK,
        "settings in memory" => GENERATIONS_MAX,
        _ => course.warm + COUNT_SLACK,
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "soak: {} s", self.took.as_secs())?;
        writeln!(
            f,
            "\n{:<36}{:>9}{:>7}{:>10}{:>10}  outcomes",
            "requests", "number", "lost", "p50", "p99"
        )?;
        for outcome in &self.outcomes {
            outcome.write_row(f)?;
        }
        let total: usize = self.outcomes.iter().map(Outcome::total).sum();
        let lost: usize = self.outcomes.iter().map(|outcome| outcome.lost).sum();
        writeln!(f, "{:<36}{total:>9}{lost:>7}", "all")?;
        writeln!(f, "\n{:<36}{:>9}", "meanwhile", "times")?;
        for (what, times) in &self.events {
            writeln!(f, "{what:<36}{times:>9}")?;
        }
        writeln!(
            f,
            "\n{:<24}{:>9}{:>9}{:>9}{:>9}{:>9}{:>12}{:>9}",
            "process", "at rest", "first", "warm", "end", "most", "per minute", "at rest"
        )?;
        let [before, after] = self.at_rest;
        for (name, of) in VALUES {
            let Course {
                first,
                warm,
                last,
                most,
                per_minute,
            } = self.samples.course(of);
            writeln!(
                f,
                "{name:<24}{:>9.1}{first:>9.1}{warm:>9.1}{last:>9.1}{most:>9.1}{per_minute:>12.2}{:>9.1}",
                of(&before),
                of(&after)
            )?;
        }
        if let Some(IdleKept { opened, answered }) = self.idle {
            writeln!(
                f,
                "\n{opened} connections were idle all the time; {answered} of them still answered"
            )?;
        }
        Ok(())
    }
}

impl Outcome {
    fn total(&self) -> usize {
        self.counts.values().sum()
    }

    fn write_row(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, p99) = (millis(&self.latencies, 0.5), millis(&self.latencies, 0.99));
        let mut counts = String::new();
        for (what, count) in &self.counts {
            write!(counts, "  {what}: {count}")?;
        }
        let (total, lost) = (self.total(), self.lost);
        writeln!(
            f,
            "{:<36}{total:>9}{lost:>7}{p50:>10}{p99:>10}{counts}",
            self.kind
        )
    }
}

fn millis(latencies: &Latencies, share: f64) -> String {
    let quantile = latencies.quantile(share);
    quantile.map_or_else(String::new, |took| {
        format!("{:.1} ms", took.as_secs_f64() * 1000.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: u64) -> Sample {
        Sample {
            at: Duration::from_secs(second),
            resident_mib: 50.0,
            files: 60.0,
            threads: 9.0,
            connections: 12.0,
            generations: 1.0,
        }
    }

    fn report() -> Report {
        let rest = Sample {
            connections: 0.0,
            ..sample(0)
        };
        Report {
            took: Duration::from_secs(100),
            outcomes: vec![Outcome {
                kind: "GET",
                counts: [("200".to_owned(), 7)].into(),
                lost: 0,
                told: Vec::new(),
                latencies: Latencies::default(),
            }],
            events: vec![("reloads", 3)],
            samples: Samples((0..100).map(sample).collect()),
            at_rest: [rest, rest],
            idle: None,
        }
    }

    /// What a report finds fault with, once something in it has changed.
    #[track_caller]
    fn check(change: impl Fn(&mut Report), expected: &str) {
        let mut report = report();
        change(&mut report);
        let faults = report.faults();
        assert!(faults.iter().all(|fault| fault.starts_with(expected)));
        assert_eq!(
            faults.len(),
            usize::from(!expected.is_empty()),
            "{faults:?}"
        );
        assert!(report.to_string().contains("reloads"));
    }

    fn grow(report: &mut Report, grow: impl Fn(&mut Sample, f64)) {
        for (second, sample) in report.samples.0.iter_mut().enumerate() {
            grow(sample, second as f64);
        }
    }

    #[test]
    fn what_was_lost_or_grew_is_found() {
        check(|_| {}, "");
        check(|report| report.outcomes[0].lost = 1, "GET: 1 lost");
        check(
            |report| report.outcomes[0].counts.clear(),
            "GET: nothing was asked",
        );
        let slowly = |sample: &mut Sample, second: f64| sample.resident_mib += second * 0.1;
        check(|report| grow(report, slowly), "");
        let fast = |sample: &mut Sample, second: f64| sample.resident_mib += second;
        check(|report| grow(report, fast), "resident memory, MiB grew");
        let files = |sample: &mut Sample, second: f64| sample.files += second;
        check(|report| grow(report, files), "file descriptors grew");
        let settings = |sample: &mut Sample, second: f64| sample.generations += second;
        check(|report| grow(report, settings), "settings in memory grew");
        check(|report| report.at_rest[1].files += 9.0, "something is left");
        check(
            |report| report.at_rest[1].connections = 1.0,
            "something is left",
        );
        let idle = |answered| IdleKept {
            opened: 10,
            answered,
        };
        check(|report| report.idle = Some(idle(10)), "");
        check(|report| report.idle = Some(idle(9)), "9 of 10 idle");
    }
}
