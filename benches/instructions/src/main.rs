//! What the hot functions cost in instructions, and the check that they cost no more than before.
//!
//! `check` counts, compares with `benches/instructions.toml`, and fails where a benchmark takes more than
//! 3 % more; `check GROUP` does so for one group, such as `hygiene`. `baseline` counts and writes that file.
//! The benchmarks are the bench targets of this package: `hot`, and `crs`, which needs OWASP CRS
//! (`PALISADE_CRS` names its folder).

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal"
)]

mod baseline;
mod comparison;
mod error;
mod gungraun;
mod made_with;
mod program;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use baseline::{Baseline, Counts};
use comparison::{CRS_GROUP, Change, Comparison};
use error::Error;
use made_with::MadeWith;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["check"] => check(None),
        ["check", group] => check(Some(group)),
        ["baseline"] => take_baseline(),
        [made_with::TELL_FEATURES] => {
            println!("{}", made_with::cpu_features());
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(Error::Arguments),
    };
    done.unwrap_or_else(|error| {
        eprintln!("instructions: {error}");
        ExitCode::FAILURE
    })
}

fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_owned()
}

fn baseline_file() -> PathBuf {
    root().join("benches/instructions.toml")
}

/// Where callgrind's own files stay, for `callgrind_annotate`, and a baseline that wasn't asked for.
fn output_folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or_else(|| root().join("target"), PathBuf::from);
    target.join("instructions-counted")
}

/// The folder of OWASP CRS, where it is told.
fn crs_folder() -> Option<PathBuf> {
    let folder = std::env::var_os("PALISADE_CRS").filter(|value| !value.is_empty());
    folder.map(PathBuf::from)
}

/// Counts all, or the benchmarks of one group.
fn count(group: Option<&str>, has_crs: bool) -> Result<Counts, Error> {
    let is_crs = group == Some(CRS_GROUP);
    let mut counts = Counts::new();
    if !is_crs {
        counts.extend(gungraun::count("hot", group, &output_folder())?);
    }
    if has_crs && (is_crs || group.is_none()) {
        counts.extend(gungraun::count("crs", group, &output_folder())?);
    }
    Ok(counts)
}

fn check(group: Option<&str>) -> Result<ExitCode, Error> {
    let (mut baseline, crs) = (Baseline::read(&baseline_file())?, crs_folder());
    if let Some(group) = group {
        let prefix = format!("{group}::");
        let rows = &mut baseline.instructions;
        rows.retain(|name, _| name.starts_with(&prefix));
    }
    let with = MadeWith::here(crs.as_deref())?;
    let counts = count(group, crs.is_some())?;
    let comparison = Comparison::new(&baseline, &with, &counts);
    match &comparison {
        Comparison::Compared(rows) => tell(rows),
        Comparison::OtherBaseline(differences) => {
            tell_other(differences, with.clone(), counts)?;
        }
    }
    tell_of_crs(&baseline.made_with, &with);
    Ok(match comparison.is_failure() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// Whatever was left out.
fn tell_of_crs(before: &MadeWith, now: &MadeWith) {
    match &now.crs {
        None => eprintln!(
            "instructions: NOT COMPARED: what OWASP CRS costs; PALISADE_CRS says where it is"
        ),
        Some(version) if before.crs.as_ref() != Some(version) => eprintln!(
            "instructions: NOT COMPARED: what OWASP CRS costs; it is {version}, the baseline's was {}",
            before.crs.as_deref().unwrap_or("none")
        ),
        Some(_) => {}
    }
}

/// The table, and under it whatever is to be looked at.
fn tell(rows: &[(String, Change)]) {
    for (name, change) in rows {
        if let Change::Same { .. } = change {
            println!("{name:<52} {change}");
        }
    }
    let others = rows.iter();
    let others = others.filter(|(_, change)| !matches!(change, Change::Same { .. }));
    for (name, change) in others {
        let prefix = if change.is_failure() { "FAILED: " } else { "" };
        eprintln!("instructions: {prefix}{name} {change}");
    }
    let failures = rows.iter().filter(|(_, change)| change.is_failure());
    match failures.count() {
        0 => println!(
            "instructions: {} benchmarks within 3 % of the baseline, or under it",
            rows.len()
        ),
        count => eprintln!(
            "instructions: {count} of {} benchmarks failed. See where they go with `callgrind_annotate` on the files in \
             {}. If it has to be so, take a new baseline with `make instructions-baseline`, and say in the commit why.",
            rows.len(),
            output_folder().display()
        ),
    }
}

/// Nothing was compared; what the baseline would be is written beside it.
fn tell_other(
    differences: &[String],
    made_with: MadeWith,
    instructions: Counts,
) -> Result<(), Error> {
    let path = output_folder().join("instructions.toml");
    Baseline {
        made_with,
        instructions,
    }
    .write(&path)?;
    for difference in differences {
        eprintln!("instructions: NOT COMPARED: the {difference}");
    }
    eprintln!(
        "instructions: this is no failure. What the baseline would be here is in {}; `make instructions-baseline` takes it",
        path.display()
    );
    Ok(())
}

fn take_baseline() -> Result<ExitCode, Error> {
    let crs = crs_folder().ok_or(Error::BaselineWithoutCrs)?;
    let taken = Baseline {
        made_with: MadeWith::here(Some(&crs))?,
        instructions: count(None, true)?,
    };
    taken.write(&baseline_file())?;
    println!(
        "instructions: {} benchmarks written to benches/instructions.toml ({})",
        taken.instructions.len(),
        taken.made_with
    );
    Ok(ExitCode::SUCCESS)
}
