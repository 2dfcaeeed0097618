//! The house: which crate may depend on which, and what must stay out of the lower layers.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't read the tree shall say so"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Lowest first. A crate depends only on crates of a lower layer.
const LAYERS: &[&[&str]] = &[
    &["vocabulary"],
    &[
        "client-address",
        "geo",
        "access",
        "authentication",
        "body",
        "decisions",
        "hygiene",
        "injection",
        "limits",
        "yaml",
    ],
    &["ftw", "gate", "seclang"],
    &["confinement", "remote", "telemetry", "transport", "waf"],
    &["crowdsec", "feeds", "upstream"],
    &["proxy"],
    &["config"],
    &["admin", "bench"],
    &["cli"],
];

/// For tests alone: may be a dev-dependency of any crate, and a dependency of none.
const DEVELOPMENT: &str = "testkit";

/// Layers up to this one take bytes and times, and return verdicts.
const SANS_IO_LAYERS: usize = 3;

/// What does I/O, or knows the time.
const IO_CRATES: &[&str] = &[
    "tokio",
    "hyper",
    "reqwest",
    "pingora-core",
    "socket2",
    "mio",
    "h2",
];
const IO_WORDS: &[&str] = &[
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::env",
    "std::process",
    "std::thread",
    "Instant::now",
    "SystemTime",
];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn layer_of(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

/// The dependencies of each crate, without those for tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(crates()).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        let manifest = std::fs::read_to_string(entry.path().join("Cargo.toml")).unwrap();
        let section = manifest
            .split("\n[dependencies]\n")
            .nth(1)
            .unwrap_or_default();
        let section = section.split("\n[").next().unwrap_or_default();
        let names = section.lines().filter_map(|line| {
            let name = line.split(['.', '=', ' ']).next()?;
            (!name.is_empty() && !name.starts_with('#')).then(|| name.to_owned())
        });
        all.insert(name, names.collect());
    }
    all
}

#[test]
fn every_crate_has_a_layer() {
    for name in dependencies().keys() {
        assert!(
            name == DEVELOPMENT || layer_of(name).is_some(),
            "crates/{name} is in no layer: give it one in tests/layers.rs and ARCHITECTURE.md"
        );
    }
}

#[test]
fn dependencies_point_down() {
    for (name, dependencies) in dependencies() {
        for dependency in &dependencies {
            let Some(dependency) = dependency.strip_prefix("palisade-") else {
                continue;
            };
            assert_ne!(
                dependency, DEVELOPMENT,
                "crates/{name} depends on what is for tests alone"
            );
            if name == DEVELOPMENT {
                assert_eq!(dependency, "vocabulary", "{DEVELOPMENT} knows only words");
                continue;
            }
            assert!(
                layer_of(dependency) < layer_of(&name),
                "crates/{name} depends on crates/{dependency}, which is in no lower layer"
            );
        }
    }
}

#[test]
fn lower_layers_do_no_io() {
    let dependencies = dependencies();
    for name in LAYERS.iter().take(SANS_IO_LAYERS).copied().flatten() {
        for io in IO_CRATES {
            assert!(
                !dependencies[*name].contains(*io),
                "crates/{name} depends on {io}"
            );
        }
        for (file, source) in sources(&crates().join(name).join("src")) {
            let code = source
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                for word in IO_WORDS {
                    assert!(
                        !line.contains(word),
                        "{}: {word} in a sans-I/O crate: {line}",
                        file.display()
                    );
                }
            }
        }
    }
}

/// The sources of a crate, without its unit tests.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.ends_with("tests") {
            continue;
        }
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path.file_stem().is_some_and(|stem| stem != "tests")
        {
            let source = std::fs::read_to_string(&path).unwrap();
            let code = source
                .split("\n#[cfg(test)]")
                .next()
                .unwrap_or_default()
                .to_owned();
            found.push((path, code));
        }
    }
    found
}
