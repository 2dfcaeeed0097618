//! All figures, a line each: for spreadsheets, and for comparing runs.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::results::Results;

/// The figures as comma-separated values. A name with a comma in it is quoted (RFC 4180); none has quotes.
#[must_use]
pub fn csv(results: &Results) -> String {
    let mut lines = String::from("subject,request,transport,meanwhile,metric,round,value\n");
    let mut add = |about: [&str; 4], metric: &str, values: &[f64]| {
        for (round, value) in values.iter().enumerate() {
            let _ = writeln!(
                lines,
                "{},{metric},{},{value:.4}",
                about.map(field).join(","),
                round + 1
            );
        }
    };
    for cost in results.costs.iter().filter(|cost| !cost.is_wrong) {
        let about = [&*cost.subject, &*cost.request, &*cost.transport, "steady"];
        add(about, "cpu_us", &cost.cpu_us);
        add(about, "per_second", &cost.per_second);
    }
    for latency in results.latencies.iter().filter(|latency| !latency.is_wrong) {
        let about = [&*latency.subject, "get", "keep-alive", &*latency.meanwhile];
        add(about, "capacity_per_second", &[latency.capacity]);
        add(about, "rate_per_second", &[latency.rate]);
        add(about, "p50_ms", &latency.p50_ms);
        add(about, "p99_ms", &latency.p99_ms);
        add(about, "p999_ms", &latency.p999_ms);
        add(about, "cpu_us", &latency.cpu_us);
    }
    for memory in &results.memory {
        let about = [&*memory.subject, "", "", ""];
        add(about, "started_mib", &[memory.started_mib]);
        add(about, "loaded_mib", memory.loaded_mib.as_slice());
        add(about, "idle_kib", memory.idle_kib.as_slice());
        add(about, "idle_tls_kib", memory.idle_tls_kib.as_slice());
    }
    lines
}

fn field(name: &str) -> Cow<'_, str> {
    match name.contains(',') {
        true => format!("\"{name}\"").into(),
        false => name.into(),
    }
}
