//! What is told at the end.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::events::Upgrade;
use crate::harness::Latencies;
use crate::idle::IdleKept;
use crate::meter::{Course, Sample, Samples};
use crate::traffic::Outcome;

/// Memory may grow by this much, and by this share, after the warm-up, and a process may have so much
/// more of it than the first: the allocator gives pages back when it likes.
const RESIDENT_MIB_SLACK: f64 = 16.0;
const RESIDENT_SHARE_SLACK: f64 = 0.1;
/// What is counted may be this much more at the end than after the warm-up, or than it was with the
/// first process: a connection more or less is open at any moment.
const COUNT_SLACK: f64 = 40.0;
/// Threads that wait for a file, or are about to end: one more for each reload would be over it soon.
const THREADS_SLACK: f64 = 12.0;
/// Settings of requests that are under way, and what the next look at them frees.
const GENERATIONS_MAX: f64 = 8.0;
/// How many file descriptors more there may be once nothing is connected any more: idle connections
/// to backends.
pub(crate) const FILES_AT_REST_SLACK: f64 = 8.0;
/// How many tasks more: those of connections to backends over HTTP/2.
pub(crate) const TASKS_AT_REST_SLACK: f64 = 8.0;
/// In a run of at least [`LONG_RUN`] memory may grow by so much a minute, once it is warm.
const RESIDENT_MIB_PER_MINUTE_MAX: f64 = 0.5;
const LONG_RUN: Duration = Duration::from_secs(20 * 60);

/// What happened, and what came of it.
pub(crate) struct Report {
    pub(crate) took: Duration,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) events: Vec<(&'static str, usize)>,
    pub(crate) upgrades: Vec<Upgrade>,
    pub(crate) samples: Samples,
    /// The first process before the first client, and the last one after the last.
    pub(crate) at_rest: [Sample; 2],
    pub(crate) idle: Option<IdleKept>,
}

struct Value {
    name: &'static str,
    /// What stands above a column of them.
    short: &'static str,
    of: fn(&Sample) -> f64,
}

const VALUES: &[Value] = &[
    Value {
        name: RESIDENT,
        short: "MiB",
        of: |sample| sample.resident_mib,
    },
    Value {
        name: "file descriptors",
        short: "files",
        of: |sample| sample.files,
    },
    Value {
        name: THREADS,
        short: "threads",
        of: |sample| sample.threads,
    },
    Value {
        name: "tasks",
        short: "tasks",
        of: |sample| sample.tasks,
    },
    Value {
        name: "connections",
        short: "conns",
        of: |sample| sample.connections,
    },
    Value {
        name: GENERATIONS,
        short: "settings",
        of: |sample| sample.generations,
    },
];

const RESIDENT: &str = "resident memory, MiB";
const THREADS: &str = "threads";
const GENERATIONS: &str = "settings in memory";

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
        if self.upgrades.is_empty() {
            faults.push("no process took another's place".to_owned());
        }
        faults.extend(VALUES.iter().filter_map(|value| self.growth(value)));
        let resident = self.samples.longest().course(|sample| sample.resident_mib);
        if self.took >= LONG_RUN && resident.per_minute > RESIDENT_MIB_PER_MINUTE_MAX {
            let per_minute = resident.per_minute;
            faults.push(format!("memory grows by {per_minute:.2} MiB a minute"));
        }
        for value in VALUES {
            faults.extend(self.surpluses(value));
        }
        let [before, after] = self.at_rest;
        if after.files > before.files + FILES_AT_REST_SLACK
            || after.tasks > before.tasks + TASKS_AT_REST_SLACK
            || after.threads > before.threads + THREADS_SLACK
            || after.connections > 0.0
        {
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

    /// The process that served longest is at its end as it was when it was warm.
    fn growth(&self, Value { name, of, .. }: &Value) -> Option<String> {
        let life = self.samples.longest();
        let Course { warm, last, .. } = life.course(of);
        let allowed = allowed(name, warm);
        (last > allowed).then(|| {
            let number = life.number();
            format!("{name} grew from {warm} to {last} in process {number}; at most {allowed:.1}")
        })
    }

    /// Each process comes to what the first came to.
    fn surpluses(&self, Value { name, of, .. }: &Value) -> Vec<String> {
        let lives = self.samples.lives();
        let settled = lives.iter().map(|life| (life.number(), life.settled(of)));
        let Some((_, of_first)) = settled.clone().next() else {
            return Vec::new();
        };
        let allowed = allowed(name, of_first);
        let more = settled.filter(|(_, settled)| *settled > allowed);
        more.map(|(number, settled)| {
            format!(
                "{name} came to {settled} in process {number}, to {of_first} in the first; \
                 at most {allowed:.1}"
            )
        })
        .collect()
    }
}

/// The most that a value may come to which was `once` so much.
fn allowed(name: &str, once: f64) -> f64 {
    match name {
        RESIDENT => once * (1.0 + RESIDENT_SHARE_SLACK) + RESIDENT_MIB_SLACK,
        GENERATIONS => GENERATIONS_MAX,
        THREADS => once + THREADS_SLACK,
        _ => once + COUNT_SLACK,
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
        self.write_longest(f)?;
        self.write_processes(f)?;
        if let Some(IdleKept { opened, answered }) = self.idle {
            writeln!(
                f,
                "\n{opened} connections were idle since the last upgrade; {answered} of them still answered"
            )?;
        }
        Ok(())
    }
}

impl Report {
    /// How the values of the process went that served longest.
    fn write_longest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let life = self.samples.longest();
        writeln!(
            f,
            "\n{:<24}{:>9}{:>9}{:>9}{:>9}{:>12}",
            format!("process {}, {} s", life.number(), life.lasted().as_secs()),
            "first",
            "warm",
            "end",
            "most",
            "per minute"
        )?;
        for Value { name, of, .. } in VALUES {
            let Course {
                first,
                warm,
                last,
                most,
                per_minute,
            } = life.course(of);
            writeln!(
                f,
                "{name:<24}{first:>9.1}{warm:>9.1}{last:>9.1}{most:>9.1}{per_minute:>12.2}"
            )?;
        }
        Ok(())
    }

    /// What each process came to, and how it ended.
    fn write_processes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{:<24}", "each process at its end")?;
        for Value { short, .. } in VALUES {
            write!(f, "{short:>9}")?;
        }
        writeln!(f, "{:>9}{:>12}{:>9}", "served", "replaced in", "gone in")?;
        let [before, after] = self.at_rest;
        write_row(f, "1, before any client", |of| of(&before))?;
        writeln!(f)?;
        for life in self.samples.lives() {
            let number = life.number();
            write_row(f, &number.to_string(), |of| life.settled(of))?;
            write!(f, "{:>7} s", life.lasted().as_secs())?;
            if let Some(Upgrade { took, drained }) = self.upgrades.get(number - 1) {
                let (took, drained) = (took.as_secs_f64(), drained.as_secs_f64());
                write!(f, "{took:>10.1} s{drained:>7.1} s")?;
            }
            writeln!(f)?;
        }
        write_row(f, "the last, at rest", |of| of(&after))?;
        writeln!(f)
    }
}

fn write_row(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    value: impl Fn(fn(&Sample) -> f64) -> f64,
) -> fmt::Result {
    write!(f, "{name:<24}")?;
    for Value { of, .. } in VALUES {
        write!(f, "{:>9.1}", value(*of))?;
    }
    Ok(())
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

    /// How long the first of two processes serves, in seconds, and the second.
    const LIFE: u64 = 50;

    fn sample(second: u64) -> Sample {
        Sample {
            process: usize::from(second >= LIFE),
            at: Duration::from_secs(second),
            resident_mib: 50.0,
            files: 60.0,
            threads: 9.0,
            tasks: 40.0,
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
            upgrades: vec![Upgrade {
                took: Duration::from_secs(1),
                drained: Duration::from_secs(2),
            }],
            samples: Samples((0..2 * LIFE).map(sample).collect()),
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
        let is_expected = |fault: &String| fault.starts_with(expected);
        assert!(faults.iter().all(is_expected), "{faults:?}");
        assert_eq!(faults.is_empty(), expected.is_empty(), "{faults:?}");
        let told = report.to_string();
        assert!(told.contains("reloads"), "{told}");
    }

    /// Changes each sample by how many seconds its process has served.
    fn grow(report: &mut Report, grow: impl Fn(&mut Sample, f64)) {
        for (second, sample) in (0..).zip(&mut report.samples.0) {
            grow(sample, (second % LIFE) as f64);
        }
    }

    /// Changes the samples of the second process.
    fn differ(report: &mut Report, differ: impl Fn(&mut Sample)) {
        let second = report.samples.0.iter_mut();
        second.skip(LIFE as usize).for_each(differ);
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
        let files = |sample: &mut Sample, second: f64| sample.files += 2.0 * second;
        check(|report| grow(report, files), "file descriptors grew");
        let settings = |sample: &mut Sample, second: f64| sample.generations += second;
        check(|report| grow(report, settings), "settings in memory");
        let somewhat = |sample: &mut Sample| sample.resident_mib += 20.0;
        check(|report| differ(report, somewhat), "");
        let more = |sample: &mut Sample| sample.resident_mib += 22.0;
        check(
            |report| differ(report, more),
            "resident memory, MiB came to",
        );
        let files = |sample: &mut Sample| sample.files += 41.0;
        check(|report| differ(report, files), "file descriptors came to");
        let threads = |sample: &mut Sample, second: f64| sample.threads += second;
        check(|report| grow(report, threads), "threads");
        check(|report| report.at_rest[1].tasks += 9.0, "something is left");
        check(
            |report| report.at_rest[1].threads += 13.0,
            "something is left",
        );
        let long = |report: &mut Report| {
            report.took = LONG_RUN;
            grow(report, slowly);
        };
        check(long, "memory grows by 6.00 MiB a minute");
        check(|report| report.upgrades.clear(), "no process");
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
