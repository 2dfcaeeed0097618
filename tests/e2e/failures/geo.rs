//! Geo databases that are missing, corrupt, or change while they are used.

use palisade_testkit::mmdb::country_database;

use super::{innocent_load, replace, settings, wait_for_status, wait_until_said};
use crate::harness::{Backend, Palisade, wait_for};

const RULES: &str = "
geo: { country_database: country.mmdb }
access:
  rules:
    - { id: country, match: { country: [XA] }, action: block }
    - { id: elsewhere, match: { not: { country: [XA, XB] }, path: /elsewhere }, action: block }
";
const LOADED: &str = "palisade_geo_database_loaded{database=\"country\"}";
const FAILURES: &str = "palisade_geo_database_load_failures_total{database=\"country\"}";
const CLIENT: &str = "192.0.2.1";

/// A database in which the client is in this country.
fn database(country: &str) -> Vec<u8> {
    country_database(&[("192.0.2.0/24", country), ("198.51.100.0/24", "XB")])
}

/// Ways in which a database is of no use.
fn useless() -> Vec<(&'static str, Vec<u8>)> {
    let good = database("XA");
    let cut = |at: usize| good[..at].to_vec();
    let mut turned = good.clone();
    turned[0..16].fill(0xff);
    vec![
        ("empty", Vec::new()),
        ("garbage", b"not a database".to_vec()),
        ("cut in its tree", cut(16)),
        ("cut in the middle", cut(good.len() / 2)),
        ("cut before its end", cut(good.len() - 8)),
        ("a tree that leads nowhere", turned),
    ]
}

#[test]
fn a_useless_database_at_the_start_matches_nothing_until_it_is_mended() {
    let backend = Backend::start();
    std::thread::scope(|scope| {
        let mut rows = useless();
        rows.push(("missing", Vec::new()));
        for (name, bytes) in rows {
            let backend = &backend;
            scope.spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("country.mmdb");
                if name != "missing" {
                    std::fs::write(&path, bytes).unwrap();
                }
                let palisade = Palisade::start_in(folder, &settings(backend, RULES));
                let load = innocent_load(&palisade).start();
                assert_eq!(palisade.get_from(CLIENT, "/").status, 200, "{name}");
                // Under `not` it doesn't match either.
                assert_eq!(
                    palisade.get_from(CLIENT, "/elsewhere").status,
                    200,
                    "{name}"
                );
                assert_eq!(palisade.metric(LOADED), 0.0, "{name}");
                assert_eq!(palisade.metric(FAILURES), 1.0, "{name}");
                let geo = &palisade.status()["geo"];
                assert_eq!(geo["country_database"], false, "{name}");
                assert_eq!(geo["unusable"][0], "country_database", "{name}");
                wait_until_said(&palisade, "country.mmdb");
                // Nobody tells Palisade.
                replace(&path, database("XA"));
                wait_for_status(&palisade, CLIENT, 403);
                assert_eq!(palisade.metric(LOADED), 1.0);
                assert_eq!(
                    palisade.status()["geo"]["unusable"][0],
                    serde_json::Value::Null
                );
                load.finish().assert_flawless();
            });
        }
    });
}

#[test]
fn a_database_may_be_swapped_truncated_and_removed_while_it_is_used() {
    let backend = Backend::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("country.mmdb");
    std::fs::write(&path, database("XA")).unwrap();
    let palisade = Palisade::start_in(folder, &settings(&backend, RULES));
    let load = innocent_load(&palisade).http2(1).start();
    assert_eq!(palisade.get_from(CLIENT, "/").status, 403);
    replace(&path, database("XB"));
    wait_for_status(&palisade, CLIENT, 200);
    replace(&path, database("XA"));
    wait_for_status(&palisade, CLIENT, 403);

    for (name, bytes) in useless() {
        let failed = palisade.metric(FAILURES);
        // In place: the file that is loaded is the one that changes.
        std::fs::write(&path, bytes).unwrap();
        palisade.signal("HUP");
        wait_for(name, || (palisade.metric(FAILURES) > failed).then_some(()));
        assert_eq!(palisade.get_from(CLIENT, "/").status, 403, "{name}");
        assert_eq!(palisade.metric(LOADED), 1.0, "{name}");
        let geo = &palisade.status()["geo"];
        assert_eq!(geo["unusable"][0], "country_database", "{name}");
    }
    std::fs::remove_file(&path).unwrap();
    let failed = palisade.metric(FAILURES);
    palisade.signal("HUP");
    wait_for("the file to be missed", || {
        (palisade.metric(FAILURES) > failed).then_some(())
    });
    assert_eq!(palisade.get_from(CLIENT, "/").status, 403);

    std::fs::write(&path, database("XB")).unwrap();
    wait_for_status(&palisade, CLIENT, 200);
    assert_eq!(
        palisade.status()["geo"]["unusable"][0],
        serde_json::Value::Null
    );
    load.finish().assert_flawless();
}
