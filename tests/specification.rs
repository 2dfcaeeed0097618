//! SPECIFICATION.md: each promise names a test that is there, each bound the value in the code.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What SPECIFICATION.md names in the sources.
enum Claim<'t> {
    /// A function of a file.
    Function(&'t str),
    /// A constant of a file, and its value as it is written there.
    Constant(&'t str, &'t str),
}

/// `file::name` and `file::NAME = value`, all of them by their file.
fn claims(text: &str) -> BTreeMap<&str, Vec<Claim<'_>>> {
    let mut claims: BTreeMap<&str, Vec<Claim<'_>>> = BTreeMap::new();
    let quoted = text
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    for quoted in quoted {
        let Some((file, item)) = quoted.split_once("::") else {
            continue;
        };
        if !file.ends_with(".rs") {
            continue;
        }
        let claim = match item.split_once(" = ") {
            Some((name, value)) => Claim::Constant(name, value),
            None => Claim::Function(item),
        };
        claims.entry(file).or_default().push(claim);
    }
    claims
}

fn holds(claim: &Claim<'_>, source: &str) -> bool {
    match claim {
        Claim::Function(name) => {
            source.contains(&format!("fn {name}(")) || source.contains(&format!("fn {name}<"))
        }
        Claim::Constant(name, value) => source.lines().any(|line| {
            line.contains(&format!("const {name}: ")) && line.ends_with(&format!(" = {value};"))
        }),
    }
}

#[test]
fn what_is_named_is_there() {
    let text = std::fs::read_to_string(root().join("SPECIFICATION.md")).unwrap();
    let claims = claims(&text);
    assert!(
        claims.len() > 20,
        "the tables can't be read: {}",
        claims.len()
    );
    let mut missing = Vec::new();
    for (file, claims) in &claims {
        let source = std::fs::read_to_string(root().join(file)).unwrap_or_default();
        let absent = claims.iter().filter(|claim| !holds(claim, &source));
        missing.extend(absent.map(|claim| match claim {
            Claim::Function(name) => format!("{file}::{name}"),
            Claim::Constant(name, value) => format!("{file}::{name} = {value}"),
        }));
    }
    assert!(
        missing.is_empty(),
        "SPECIFICATION.md names what isn't there:\n{}",
        missing.join("\n")
    );
}

#[test]
fn scripts_that_are_named_are_there() {
    let text = std::fs::read_to_string(root().join("SPECIFICATION.md")).unwrap();
    let mut scripts = text
        .split('`')
        .filter(|quoted| quoted.starts_with("deploy/"))
        .peekable();
    assert!(scripts.peek().is_some(), "the tables can't be read");
    for script in scripts {
        assert!(root().join(script).is_file(), "{script} isn't there");
    }
}

#[test]
fn every_promise_has_an_id_of_its_own_and_a_test() {
    let text = std::fs::read_to_string(root().join("SPECIFICATION.md")).unwrap();
    let mut ids = HashSet::new();
    for row in text.lines().filter(|line| line.starts_with("| ")) {
        let id = row.split(" | ").next().unwrap().trim_start_matches("| ");
        let number = id.trim_start_matches(|letter: char| letter.is_ascii_uppercase());
        let is_id = number.len() < id.len()
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit());
        if is_id {
            assert!(ids.insert(id), "{id} is used twice");
            assert!(!claims(row).is_empty(), "{id} names no test");
        }
    }
    assert!(ids.len() > 50, "the tables can't be read: {}", ids.len());
}
