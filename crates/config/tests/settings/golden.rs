//! Files that are made from the keys are current. `UPDATE_GOLDEN=1` writes them.

use crate::shipped::{repository_file, repository_path};

#[track_caller]
fn check(name: &str, expected: &str) {
    let path = repository_path(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let got = String::from_utf8(repository_file(name)).unwrap();
    assert!(
        got == expected,
        "{name} is not current; run this test with UPDATE_GOLDEN=1"
    );
}

#[test]
fn the_reference_is_current() {
    check("config/REFERENCE.md", &palisade_config::reference());
}

#[test]
fn the_schema_is_current() {
    let schema = serde_json::to_string_pretty(&palisade_config::json_schema()).unwrap();
    check("config/schema.json", &format!("{schema}\n"));
}
