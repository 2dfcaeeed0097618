//! The file as a whole: what is missing, variables, bytes that are no settings.

use palisade_config::files::Memory;

use crate::support::{self, BASE, check_problems, check_problems_alone};

#[test]
fn a_file_that_is_not_there() {
    assert_eq!(
        support::problems(&support::load(&Memory::default())),
        "palisade.yaml: error: there is no such file\n"
    );
}

#[test]
fn an_empty_file_lacks_everything() {
    let missing = [
        "1:1: error: `listeners` is missing here; expected a list, not empty, of: a mapping with the keys of `listeners`",
        "1:1: error: `sites` is missing here; expected a list, not empty, of: a mapping with the keys of `sites`",
        "1:1: error: `upstreams` is missing here; expected names of your choice, each with: a mapping with the keys of `upstreams`",
    ];
    check_problems_alone("", &missing);
    check_problems_alone("# nothing yet\n", &missing);
    check_problems_alone(
        "[]",
        &["1:1: error: got a list; expected keys such as listeners, upstreams, sites"],
    );
    check_problems_alone(
        "just text",
        &["1:1: error: got a single value; expected keys such as listeners, upstreams, sites"],
    );
}

#[test]
fn keys_without_values_are_told() {
    check_problems(
        "trusted_clients:\n",
        &[
            "4:16: error: got nothing; expected an IP address, a range like 10.0.0.0/8, or the name of a list like $office",
        ],
    );
    check_problems(
        "access:\n  rules:\n",
        &[
            "5:8: error: got nothing; expected a list of: a mapping with the keys of `access.rules`; write [] for none",
        ],
    );
    check_problems(
        "metrics:\n",
        &["4:8: error: got nothing; expected a mapping with address"],
    );
}

#[test]
fn variables_are_replaced_and_can_not_change_the_shape() {
    let settings = support::settings(
        "metrics: {address: \"127.0.0.1:${PORT}\"}\nadmin: {address: \"127.0.0.1:${OTHER-9901}\"}\n",
    );
    assert_eq!(settings.metrics.unwrap().address.port(), 8443);
    assert_eq!(settings.admin.unwrap().address.unwrap().port(), 9901);
    check_problems(
        "state_directory: ${INJECTION}\n",
        &[
            "4:18: error: \"x\\nmetrics: {address: 0.0.0.0:1}\" is not a path; expected the path of a folder",
        ],
    );
    check_problems(
        "state_directory: ${NOWHERE}\n",
        &[
            "4:18: error: the environment variable NOWHERE is not set; set it or give a default: ${NOWHERE-value}",
        ],
    );
}

#[test]
fn later_checks_are_told_apart_from_typos() {
    check_problems(
        "appsec: {mode: block}\nlimits: []\nlistenrs: []\n",
        &[
            "4:1: error: `appsec` (CrowdSec AppSec): this version can't do it yet; remove it",
            "5:1: error: `limits` (rate limits): this version can't do it yet; remove it",
            "6:1: error: unknown key \"listenrs\"; did you mean \"listeners\"?",
        ],
    );
}

#[test]
fn sources_are_watched() {
    let yaml = format!(
        "{BASE}access: {{rule_files: [rules/*.yaml], lists: {{a: {{file: a.txt}}}}}}\ngeo: {{country_database: c.mmdb}}\n"
    );
    let files = || {
        Memory::default()
            .with("palisade.yaml", yaml.clone())
            .with("rules/a.yaml", "rules: []\n")
            .with("a.txt", "")
    };
    let loaded = support::load(&files()).unwrap();
    let paths: Vec<String> = loaded
        .sources
        .iter()
        .map(|source| source.path.display().to_string())
        .collect();
    assert_eq!(
        paths,
        ["palisade.yaml", "a.txt", "rules", "rules/a.yaml", "c.mmdb"]
    );
    let changed = |files: Memory| {
        loaded
            .sources
            .changed(&files)
            .map(|path| path.display().to_string())
    };
    assert_eq!(changed(files()), None);
    assert_eq!(
        changed(files().with("a.txt", "192.0.2.1")).as_deref(),
        Some("a.txt")
    );
    assert_eq!(
        changed(files().with("rules/b.yaml", "rules: []\n")).as_deref(),
        Some("rules")
    );
    assert_eq!(
        changed(files().with("c.mmdb", "")).as_deref(),
        Some("c.mmdb")
    );
    assert_eq!(
        loaded.sources.hash(),
        support::load(&files()).unwrap().sources.hash()
    );
    let other = support::load(&files().with("a.txt", "192.0.2.1")).unwrap();
    assert_ne!(loaded.sources.hash(), other.sources.hash());
}
