//! The tables that people read.

use std::fmt::Write as _;

use crate::goals::{Bound, goals};
use crate::place::Duty;
use crate::results::{Cost, Latency, Memory, Results, SubjectInfo, median, ratio};
use crate::transport::{self, KEEP_ALIVE};
use crate::workload::Kind;

use super::table::Table;

/// Whom the others are compared with, in tables of proxies, where it is there; else Palisade's bare proxy.
const PROXY_REFERENCE: &str = "nginx";
const BARE: &str = "palisade-bare";
/// The same, in tables of WAFs.
const WAF_REFERENCE: &str = "palisade-waf-1";

/// All that was measured, as Markdown.
#[must_use]
pub fn markdown(results: &Results) -> String {
    let values = match results.values_come_again {
        true => "the same values again and again",
        false => "new values in each request",
    };
    let mut text = format!(
        "{}, {}; {} serving thread(s) each, {} clients; {}; medians of {} rounds.\n",
        results.day, results.machine, results.workers, results.clients, values, results.rounds
    );
    let proxies = in_section(results, |duty| !matches!(duty, Duty::Waf(_)));
    let wafs = in_section(results, |duty| matches!(duty, Duty::Waf(_)));
    let has = |name: &&str| results.subjects.iter().any(|subject| subject.name == *name);
    let reference = [PROXY_REFERENCE, BARE]
        .into_iter()
        .find(has)
        .unwrap_or_default();
    section(
        &mut text,
        &format!(
            "Processor time a request in microseconds, by request; connections stay open{}",
            times(results, reference)
        ),
        &by_request(results, &proxies, reference),
    );
    section(
        &mut text,
        &format!("The same with OWASP CRS{}", times(results, WAF_REFERENCE)),
        &by_request(results, &wafs, WAF_REFERENCE),
    );
    section(
        &mut text,
        &format!(
            "Processor time of a GET in microseconds, by how it is carried{}",
            times(results, reference)
        ),
        &by_transport(results, &proxies, reference),
    );
    section(
        &mut text,
        "As fast as server, clients and backend together can: GETs a second, connections stay open",
        &throughput(results),
    );
    section(
        &mut text,
        "Latency of a GET in milliseconds; the rate, in GETs a second, is seven tenths of what server, clients and backend \
         together can",
        &latencies(results),
    );
    section(&mut text, "Memory", &memory(results));
    section(&mut text, "Goals", &goal_table(results));
    versions(&mut text, results);
    for note in &results.notes {
        let _ = writeln!(text, "* {note}");
    }
    text
}

fn in_section(results: &Results, wants: impl Fn(Duty) -> bool) -> Vec<&SubjectInfo> {
    let subjects = results.subjects.iter();
    subjects.filter(|subject| wants(subject.duty)).collect()
}

fn times(results: &Results, reference: &str) -> String {
    let subject = results
        .subjects
        .iter()
        .find(|subject| subject.name == reference);
    subject.map_or_else(String::new, |subject| {
        format!(" (in parentheses: how many times {})", subject.title)
    })
}

fn section(text: &mut String, title: &str, table: &Table) {
    if !table.is_empty() {
        let _ = write!(text, "\n{title}:\n\n{table}");
    }
}

/// Three figures that count, whatever the size.
fn figure(value: f64) -> String {
    match value.abs() {
        _ if !value.is_finite() => String::new(),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn cost_cell(results: &Results, cost: Option<&Cost>, reference: &str) -> String {
    let Some(cost) = cost else {
        return String::new();
    };
    let cpu = figure(median(&cost.cpu_us));
    let of_reference = results.cost(reference, &cost.request, &cost.transport);
    match of_reference.filter(|_| cost.subject != reference) {
        Some(other) => format!("{cpu} ({}x)", figure(ratio(&cost.cpu_us, &other.cpu_us))),
        None => cpu,
    }
}

fn by_request(results: &Results, subjects: &[&SubjectInfo], reference: &str) -> Table {
    let measured = |kind: &Kind| {
        let mut names = subjects.iter().map(|subject| &subject.name);
        names.any(|name| results.cost(name, kind.name(), KEEP_ALIVE.name).is_some())
    };
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(measured).collect();
    let mut head = vec![String::new()];
    head.extend(kinds.iter().map(|kind| kind.title().to_owned()));
    let mut table = Table::with_head(head);
    for subject in subjects {
        let mut row = vec![subject.title.clone()];
        row.extend(kinds.iter().map(|kind| {
            let cost = results.cost(&subject.name, kind.name(), KEEP_ALIVE.name);
            cost_cell(results, cost, reference)
        }));
        table.add(row);
    }
    table
}

fn by_transport(results: &Results, subjects: &[&SubjectInfo], reference: &str) -> Table {
    let get = Kind::Get.name();
    let measured = |one: &transport::Transport| {
        let mut names = subjects.iter().map(|subject| &subject.name);
        *one != KEEP_ALIVE && names.any(|name| results.cost(name, get, one.name).is_some())
    };
    let transports: Vec<_> = transport::ALL.into_iter().filter(measured).collect();
    let mut head = vec![String::new()];
    head.extend(transports.iter().map(|one| one.title.to_owned()));
    let mut table = Table::with_head(head);
    for subject in subjects {
        let mut row = vec![subject.title.clone()];
        row.extend(transports.iter().map(|one| {
            let cost = results.cost(&subject.name, get, one.name);
            cost_cell(results, cost, reference)
        }));
        table.add(row);
    }
    table
}

fn throughput(results: &Results) -> Table {
    let mut table = Table::new(["", "a second"]);
    for subject in &results.subjects {
        let cost = results.cost(&subject.name, Kind::Get.name(), KEEP_ALIVE.name);
        let each = cost.map(|cost| figure(median(&cost.per_second)));
        table.add(vec![subject.title.clone(), each.unwrap_or_default()]);
    }
    table
}

fn latencies(results: &Results) -> Table {
    let mut table = Table::new([
        "",
        "meanwhile",
        "they can",
        "rate",
        "p50",
        "p99",
        "p99.9",
        "CPU, us",
    ]);
    let row = |latency: &Latency| {
        vec![
            title_of(results, &latency.subject),
            latency.meanwhile.clone(),
            figure(latency.capacity),
            figure(latency.rate),
            figure(median(&latency.p50_ms)),
            figure(median(&latency.p99_ms)),
            figure(median(&latency.p999_ms)),
            figure(median(&latency.cpu_us)),
        ]
    };
    for latency in results.latencies.iter().filter(|latency| !latency.is_wrong) {
        table.add(row(latency));
    }
    table
}

fn memory(results: &Results) -> Table {
    let mut table = Table::new([
        "",
        "started, MiB",
        "after the load, MiB",
        "an idle connection, KiB",
        "over TLS, KiB",
    ]);
    let optional = |value: Option<f64>| value.map(figure).unwrap_or_default();
    // Less than that is what an allocator rounds, and what was there already.
    let idle = |value: Option<f64>| match value {
        Some(..1.0) => "under 1".to_owned(),
        value => optional(value),
    };
    let row = |memory: &Memory| {
        vec![
            title_of(results, &memory.subject),
            figure(memory.started_mib),
            optional(memory.loaded_mib),
            idle(memory.idle_kib),
            idle(memory.idle_tls_kib),
        ]
    };
    for memory in &results.memory {
        table.add(row(memory));
    }
    table
}

fn goal_table(results: &Results) -> Table {
    let mut table = Table::new(["", "goal", "measured", ""]);
    for goal in goals(results) {
        let bound = match goal.bound {
            Bound::AtMost(bound) => format!("at most {bound}x"),
            Bound::AtLeast(bound) => format!("at least {bound}x"),
        };
        let (measured, is_met) = match (goal.measured, goal.is_met()) {
            (Some(measured), Some(true)) => (format!("{}x", figure(measured)), "met"),
            (Some(measured), Some(false)) => (format!("{}x", figure(measured)), "missed"),
            _ if goal.is_wanted => (String::new(), "not measured"),
            _ => continue,
        };
        table.add(vec![goal.what, bound, measured, is_met.to_owned()]);
    }
    table
}

fn versions(text: &mut String, results: &Results) {
    let mut named: Vec<String> = Vec::new();
    for subject in &results.subjects {
        // All that nginx does is that of one nginx.
        let program = subject.name.split('-').next().unwrap_or_default();
        let version = format!("{program} {}", subject.version);
        if !subject.version.is_empty() && !named.contains(&version) {
            named.push(version);
        }
    }
    if !named.is_empty() {
        let _ = writeln!(text, "\nVersions: {}.", named.join(", "));
    }
    if !results.notes.is_empty() {
        text.push_str("\nNotes:\n\n");
    }
}

fn title_of(results: &Results, name: &str) -> String {
    let mut subjects = results.subjects.iter();
    let subject = subjects.find(|subject| subject.name == name);
    subject.map_or_else(|| name.to_owned(), |subject| subject.title.clone())
}
