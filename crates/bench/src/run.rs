//! A whole run.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use palisade_telemetry::WallTime;

use crate::lineup::{Lineup, LineupError};
use crate::plan::{Part, Plan};
use crate::results::{Results, SubjectInfo};
use crate::session::{Interrupted, Session};
use crate::subject::Subject;
use crate::workload::Values;
use crate::{idle, latency, proof, rounds};

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The servers don't run.
    #[error(transparent)]
    Lineup(#[from] LineupError),
    /// No folder, no thread.
    #[error("the harness can't prepare its run: {0}")]
    Io(#[from] std::io::Error),
    /// Somebody asked for the end.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// What is asked for makes no figure.
    #[error(
        "nothing was measured: no server takes these --requests, --transports and --parts; {0}"
    )]
    Nothing(String),
}

/// Measures what the plan says. `tell` hears what is being done; once `is_over` is set the run ends early, without
/// figures, and with it all servers that it has started.
///
/// # Errors
/// Where servers don't run that have to.
pub fn run(plan: &Plan, tell: &dyn Fn(&str), is_over: &AtomicBool) -> Result<Results, RunError> {
    let folder = tempfile::Builder::new()
        .prefix("palisade-bench-")
        .tempdir()?;
    let mut results = Results {
        machine: machine(),
        day: WallTime::from(SystemTime::now()).date(),
        rounds: plan.rounds,
        values_come_again: plan.values == Values::Seen,
        clients: plan.clients,
        workers: plan.workers,
        ..Results::default()
    };
    let mut lineup = Lineup::start(plan, folder.path(), tell, is_over)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    results.notes.append(&mut lineup.absent);
    let faults = faults(&session(plan, &lineup, &runtime, tell, is_over))?;
    results.notes.extend(faults.iter().flatten().cloned());
    let mut is_sound = faults.iter().map(Option::is_none);
    lineup.subjects.retain(|_| is_sound.next().unwrap_or(true));
    let session = session(plan, &lineup, &runtime, tell, is_over);
    results.subjects = lineup.subjects.iter().map(about).collect();
    let has_memory = plan.parts.contains(&Part::Memory);
    if has_memory {
        let (memory, notes) = idle::measure(&session)?;
        results.memory = memory;
        results.notes.extend(notes);
    }
    let (costs, notes) = rounds::measure(&session)?;
    results.costs = costs;
    results.notes.extend(notes);
    if plan.parts.contains(&Part::Latency) {
        let (latencies, notes) = latency::measure(&session)?;
        results.latencies = latencies;
        results.notes.extend(notes);
    }
    if has_memory {
        idle::measure_loaded(&lineup, &mut results.memory);
    }
    if results.costs.is_empty() && results.latencies.is_empty() && results.memory.is_empty() {
        return Err(RunError::Nothing(results.notes.join("; ")));
    }
    Ok(results)
}

/// What each server does otherwise than its duty, if anything.
fn faults(session: &Session) -> Result<Vec<Option<String>>, Interrupted> {
    let subjects = session.lineup.subjects.iter();
    let fault_of = |subject: &Subject| {
        session.go_on(&format!("asking {} for a page", subject.title))?;
        Ok(proof::fault(session, subject))
    };
    subjects.map(fault_of).collect()
}

fn session<'a>(
    plan: &'a Plan,
    lineup: &'a Lineup,
    runtime: &'a tokio::runtime::Runtime,
    tell: &'a dyn Fn(&str),
    is_over: &'a AtomicBool,
) -> Session<'a> {
    Session {
        plan,
        lineup,
        runtime,
        tell,
        is_over,
    }
}

fn about(subject: &Subject) -> SubjectInfo {
    SubjectInfo {
        name: subject.name.clone(),
        title: subject.title.clone(),
        version: subject.version.clone(),
        duty: subject.duty,
        is_palisade: subject.setting.is_some(),
    }
}

/// The machine: its processor, how many there are, and how busy they are.
#[must_use]
pub fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    format!("{model}, {count} cores, load {load}")
}
