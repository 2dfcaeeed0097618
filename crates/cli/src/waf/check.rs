//! `palisade waf check`

use std::time::{Duration, Instant};

use anyhow::Result;
use palisade_seclang::syntax::EngineMode;
use palisade_seclang::{Asked, BodyAccess, CompileOptions, Program, Summary};

use super::{rules, tell_expired};
use crate::arguments::WafCheck;
use crate::{Exit, complain, say};

pub(super) fn check(arguments: &WafCheck) -> Result<Exit> {
    let (resident, began) = (resident_bytes(), Instant::now());
    let compiled = rules::compile(&arguments.rules, CompileOptions::default());
    let cost = Cost {
        time: began.elapsed(),
        resident: resident_bytes()
            .zip(resident)
            .map(|(now, before)| now.saturating_sub(before)),
    };
    rules::tell(&compiled.problems, say);
    let (errors, warnings) = compiled.problems.counts();
    let Some(program) = compiled.program else {
        complain(&format!("{errors} errors, {warnings} warnings"));
        return Ok(Exit::Failed);
    };
    let warnings = warnings + tell_expired(std::iter::once(&program));
    show(&program, &cost, arguments.top);
    let files = program.settings().files.len();
    complain(&format!("ok, {warnings} warnings, {files} files"));
    Ok(Exit::Done)
}

/// What compiling took.
struct Cost {
    time: Duration,
    /// Bytes that the process has grown by, where the system tells.
    resident: Option<usize>,
}

/// Bytes of memory that are resident (`VmRSS` of proc(5)).
fn resident_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: usize = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

fn show(program: &Program, cost: &Cost, top: usize) {
    let summary = program.summary();
    let Summary {
        rules,
        chains,
        links,
        ..
    } = summary;
    say(&format!(
        "rules              {rules}, of which {chains} are chains; {links} conditions and actions in all"
    ));
    say(&format!(
        "phases             {}",
        counts((1..).zip(summary.phases))
    ));
    say(&format!(
        "decided at load    {}; the rest is for requests to decide",
        summary.folded
    ));
    let with_level: usize = summary.paranoia_levels.values().sum();
    if with_level > 0 {
        let levels = summary
            .paranoia_levels
            .iter()
            .map(|(level, count)| (*level, *count));
        let without = rules.saturating_sub(with_level);
        say(&format!(
            "paranoia levels    {}; {without} without one",
            counts(levels)
        ));
    }
    show_settings(program);
    let grown = cost.resident.map_or_else(String::new, |bytes| {
        format!("; the process grew by {}", mib(bytes))
    });
    say(&format!(
        "compiled           in {:.2} s, to {} of expressions and phrases and {} of prefilters{grown}",
        cost.time.as_secs_f64(),
        mib(summary.compiled_bytes()),
        mib(summary.prefilter_bytes)
    ));
    let why = "rules look at their text whatever is in it, since no prefilter spares them";
    show_slow("always asked", &summary.always_asked, why, top);
    let why = "compiled expressions and lists of phrases, the largest first";
    show_slow("large", &summary.compiled, why, top);
}

/// `1: 20, 2: 300`
fn counts(all: impl Iterator<Item = (u8, usize)>) -> String {
    let parts: Vec<String> = all
        .map(|(number, count)| format!("{number}: {count}"))
        .collect();
    parts.join(", ")
}

fn show_settings(program: &Program) {
    let settings = program.settings();
    let engine = match settings.engine {
        EngineMode::On => "On",
        EngineMode::DetectionOnly => "DetectionOnly: nothing is refused",
        EngineMode::Off => "Off: no rule runs, until a file says `SecRuleEngine On`",
    };
    say(&format!("SecRuleEngine      {engine}"));
    let body = |body: BodyAccess| match body.is_on {
        true => format!("up to {} bytes", body.limit),
        false => "not looked at".to_owned(),
    };
    say(&format!(
        "request bodies     {}",
        body(settings.request_body)
    ));
    say(&format!(
        "answers' bodies    {}",
        body(settings.response_body)
    ));
}

fn show_slow(label: &str, all: &[Asked<'_>], why: &str, top: usize) {
    say(&format!("\n{label:<18} {} {why}", all.len()));
    for Asked {
        rule,
        operator,
        bytes,
    } in all.iter().take(top)
    {
        let size = match bytes {
            0 => String::new(),
            bytes => format!("{} KiB", bytes.div_ceil(1024)),
        };
        say(&format!(
            "  {:<10} @{operator:<20} {size:>9}  {}",
            rule.id(),
            rule.place()
        ));
    }
    let more = all.len().saturating_sub(top);
    if more > 0 {
        say(&format!("  ... and {more} more; --top N shows more"));
    }
}

fn mib(bytes: usize) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
