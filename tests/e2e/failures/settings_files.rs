//! Files of settings that are no use when they are read again.

use std::path::Path;

use super::{innocent_load, replace, settings, wait_for_status};
use crate::harness::{Backend, Palisade, wait_for};

const GENERATION: &str = "palisade_snapshot_generation";
const FAILED: &str = "palisade_reloads_total{result=\"failed\"}";

/// What a row does to a file, and what `/status` says of it.
type Row = (&'static str, fn(&Path), &'static str);

fn rows() -> Vec<Row> {
    vec![
        ("cut off", |path| replace(path, "sites:\n  - host"), "error"),
        ("garbage", |path| replace(path, [0xff, 0, 1, 2]), "error"),
        (
            "an unknown key",
            |path| replace(path, "lissteners: []\n"),
            "lissteners",
        ),
        ("no YAML", |path| replace(path, "a: [b\n: - {"), "error"),
        (
            "bombs",
            |path| replace(path, format!("x: {}", "[".repeat(100_000))),
            "error",
        ),
        (
            "gone",
            |path| std::fs::remove_file(path).unwrap(),
            "no such file",
        ),
        (
            "a folder in its place",
            |path| std::fs::create_dir(path).unwrap(),
            "not a regular file",
        ),
    ]
}

#[test]
fn settings_that_cannot_be_used_change_nothing() {
    let backend = Backend::start();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("more")).unwrap();
    let include = folder.path().join("more/rules.yaml");
    let rules = |path: &str| {
        format!("access:\n  rules:\n    - {{ id: a, match: {{ path: {path} }}, action: block }}\n")
    };
    std::fs::write(&include, rules("/first")).unwrap();
    let text = settings(&backend, "include: more/rules.yaml");
    let palisade = Palisade::start_in(folder, &text);
    let main = palisade.settings();
    let good_main = std::fs::read_to_string(&main).unwrap();
    let load = innocent_load(&palisade).http2(1).start();
    let files = [(&main, good_main), (&include, rules("/first"))];
    for (path, good) in &files {
        for (name, damage, told) in rows() {
            let (failed, generation) = (palisade.metric(FAILED), palisade.metric(GENERATION));
            damage(path);
            palisade.signal("HUP");
            wait_for(&format!("{name}: the failure"), || {
                (palisade.metric(FAILED) > failed).then_some(())
            });
            assert_eq!(palisade.metric(GENERATION), generation, "{name}");
            assert_eq!(palisade.metric("palisade_last_reload_failed"), 1.0);
            wait_for(&format!("{name}: {told:?} in the status"), || {
                let refused = palisade.status()["settings"]["refused"]["error"].clone();
                refused.as_str()?.contains(told).then_some(())
            });
            assert_eq!(palisade.get_from("192.0.2.1", "/first").status, 403);
            if path.is_dir() {
                std::fs::remove_dir(path).unwrap();
            }
        }
        replace(path, good);
        palisade.signal("HUP");
        wait_for("the good ones", || {
            (palisade.metric("palisade_last_reload_failed") == 0.0).then_some(())
        });
    }
    replace(&include, rules("/second"));
    wait_for("the new rule", || {
        (palisade.get_from("192.0.2.1", "/second").status == 403).then_some(())
    });
    wait_for_status(&palisade, "192.0.2.1", 200);
    assert!(palisade.status()["settings"]["refused"].is_null());
    load.finish().assert_flawless();
}
