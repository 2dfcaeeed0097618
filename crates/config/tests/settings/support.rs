//! Settings from texts: files in memory, a few variables, problems as lines.

use std::path::Path;

use palisade_config::files::Memory;
use palisade_config::{Loaded, Settings};

/// The variables that settings of tests can use.
pub(crate) fn environment(name: &str) -> Option<String> {
    match name {
        "PORT" => Some("8443".to_owned()),
        "KEY" => Some("0123abcd".to_owned()),
        "INJECTION" => Some("x\nmetrics: {address: 0.0.0.0:1}".to_owned()),
        _ => None,
    }
}

/// Settings that work, to which a test adds what it is about.
pub(crate) const BASE: &str = "\
listeners: [{address: 127.0.0.1:8000}]
upstreams: {app: {servers: [127.0.0.1:9000]}}
sites: [{upstream: app}]
";

/// Loads `palisade.yaml` of `files`: settings and warnings, or all problems as lines.
pub(crate) fn load(files: &Memory) -> Result<Loaded, String> {
    Settings::load(files, &environment, Path::new("palisade.yaml")).map_err(|error| {
        error
            .problems
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect()
    })
}

/// Loads one file that has `BASE` and then `yaml`.
pub(crate) fn load_with(yaml: &str) -> Result<Loaded, String> {
    load(&Memory::default().with("palisade.yaml", format!("{BASE}{yaml}")))
}

/// Loads one file that is `yaml`, with line 1 as line 1.
pub(crate) fn load_alone(yaml: &str) -> Result<Loaded, String> {
    load(&Memory::default().with("palisade.yaml", yaml))
}

/// Warnings and errors alike, as lines.
pub(crate) fn problems(loaded: &Result<Loaded, String>) -> String {
    match loaded {
        Ok(loaded) => loaded
            .warnings
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect(),
        Err(problems) => problems.clone(),
    }
}

/// Loads `BASE` and then `yaml`, and compares all problems, each on its line. `BASE` has three lines.
#[track_caller]
pub(crate) fn check_problems(yaml: &str, expected: &[&str]) {
    let got = problems(&load_with(yaml));
    let expected: String = expected
        .iter()
        .map(|line| format!("palisade.yaml:{line}\n"))
        .collect();
    assert_eq!(got, expected, "{yaml}");
}

/// Loads a file that is `yaml` alone, and compares all problems.
#[track_caller]
pub(crate) fn check_problems_alone(yaml: &str, expected: &[&str]) {
    let got = problems(&load_alone(yaml));
    let expected: String = expected
        .iter()
        .map(|line| format!("palisade.yaml:{line}\n"))
        .collect();
    assert_eq!(got, expected, "{yaml}");
}

/// The settings of `BASE` and `yaml`, which have no errors.
#[track_caller]
pub(crate) fn settings(yaml: &str) -> Settings {
    load_with(yaml)
        .unwrap_or_else(|problems| panic!("{problems}"))
        .settings
}

/// The settings of `yaml` alone, which have no errors.
#[track_caller]
pub(crate) fn settings_alone(yaml: &str) -> Settings {
    load_alone(yaml)
        .unwrap_or_else(|problems| panic!("{problems}"))
        .settings
}
