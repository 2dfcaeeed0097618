//! `include`

use palisade_config::files::Memory;

use crate::support::{load, problems};

#[test]
fn files_are_joined() {
    let files = Memory::default()
        .with(
            "palisade.yaml",
            "include: [sites/*.yaml, more.yaml]
listeners: [{address: 127.0.0.1:8000}]
trusted_clients: [192.0.2.1]
access: {rules: [{id: main, match: {path: /m}, action: block}]}
logs: {access: {path: \"-\"}}
",
        )
        .with(
            "sites/a.yaml",
            "upstreams: {a: {servers: [127.0.0.1:9000]}}
sites: [{hosts: a.example, upstream: a}]
access: {lists: {l: {file: l.txt}}, rules: [{id: a, match: {address: $l}, action: block}]}
",
        )
        .with("sites/l.txt", "198.51.100.1\n")
        .with(
            "sites/b.yaml",
            "upstreams: {b: {servers: [127.0.0.1:9001]}}\nsites: [{hosts: b.example, upstream: b}]\ntrusted_clients: [192.0.2.2]\n",
        )
        .with("more.yaml", "logs: {decisions: {path: \"-\"}}\n");
    let loaded = load(&files).unwrap();
    let settings = &loaded.settings;
    assert_eq!(loaded.warnings.to_string(), "");
    let sites: Vec<&str> = settings.gate.sites.iter().map(|site| &*site.name).collect();
    assert_eq!(sites, ["a.example", "b.example"]);
    let upstreams: Vec<&str> = settings.upstreams.iter().map(|pool| &*pool.name).collect();
    assert_eq!(upstreams, ["a", "b"]);
    let rules: Vec<&str> = settings
        .gate
        .rules
        .iter()
        .map(|rule| rule.place.as_str())
        .collect();
    assert_eq!(rules, ["palisade.yaml:4:18", "sites/a.yaml:3:45"]);
    assert!(settings.logs.access.is_some() && settings.logs.decisions.is_some());
    assert!(
        settings
            .gate
            .trusted_clients
            .contains("192.0.2.2".parse().unwrap())
    );
}

#[test]
fn what_is_said_twice_is_told() {
    let files = Memory::default()
        .with("palisade.yaml", format!("{}include: other.yaml\nmetrics: {{address: 127.0.0.1:1}}\n", crate::support::BASE))
        .with(
            "other.yaml",
            "metrics: {address: 127.0.0.1:2}\nupstreams: {app: {servers: [127.0.0.1:9001]}}\nlisteners: {}\n",
        );
    assert_eq!(
        problems(&load(&files)),
        "\
other.yaml:1:1: error: \"metrics\" is given in another file already, at palisade.yaml:5:1; keep one
other.yaml:2:13: error: \"upstreams.app\" is given in another file already, at palisade.yaml:2:13; keep one
other.yaml:3:1: error: \"listeners\" is given in another file already, at palisade.yaml:1:1; keep one
"
    );
}

#[test]
fn circles_and_depth_are_bounded() {
    let base = crate::support::BASE;
    let files = Memory::default()
        .with("palisade.yaml", format!("{base}include: a.yaml\n"))
        .with("a.yaml", "include: [b.yaml, ./palisade.yaml]\n")
        .with("b.yaml", "include: a.yaml\n");
    assert_eq!(
        problems(&load(&files)),
        "a.yaml:1:19: error: palisade.yaml is included already\nb.yaml:1:10: error: a.yaml is included already\n"
    );
    let mut files = Memory::default().with("palisade.yaml", format!("{base}include: 0.yaml\n"));
    for number in 0..20 {
        files = files.with(
            format!("{number}.yaml"),
            format!("include: {}.yaml\n", number + 1),
        );
    }
    assert_eq!(
        problems(&load(&files)),
        "7.yaml:1:10: error: files include files deeper than 8 levels\n"
    );
}

#[test]
fn a_missing_file_doesnt_drown_its_own_report() {
    let files = Memory::default().with(
        "palisade.yaml",
        "include: [upstreams.yaml, none/*.yaml]
listeners: [{address: 127.0.0.1:8000}]
upstreams: {}
sites: [{upstream: app}]
trusted_clients: $office
",
    );
    assert_eq!(
        problems(&load(&files)),
        "\
palisade.yaml:1:11: error: upstreams.yaml: there is no such file
palisade.yaml:1:27: error: none: there is no such file
"
    );
}
