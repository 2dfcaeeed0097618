//! Settings that are read again: all of them or none.

use std::path::Path;

use super::{REQUEST, patient_backend, said};
use crate::harness::{Backend, Palisade, wait_for};

fn settings(backend: &Backend, rules: &str) -> String {
    format!(
        "
include: sites/*.yaml
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
admin: {{ address: 127.0.0.1:0, socket: admin.sock }}
access: {{ rules: [{rules}] }}
"
    )
}

fn blocking(path: &str) -> String {
    format!("{{ id: blocks, match: {{ path: {path} }}, action: block }}")
}

/// A Palisade whose settings can be changed: the text of its file comes back too.
#[track_caller]
fn start(backend: &Backend) -> (Palisade, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("sites")).unwrap();
    let palisade = Palisade::start_in(folder, &settings(backend, &blocking("/first")));
    let text = std::fs::read_to_string(palisade.settings()).unwrap();
    (palisade, text)
}

/// Replaces a file as editors do: at once.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, path).unwrap();
}

fn generation(palisade: &Palisade) -> f64 {
    palisade.metric("palisade_snapshot_generation")
}

#[track_caller]
fn wait_for_status(palisade: &Palisade, path: &str, status: u16) {
    wait_for(&format!("{path} to get {status}"), || {
        (palisade.get(path).status == status).then_some(())
    });
}

#[test]
fn sighup_reads_the_settings_again() {
    let backend = Backend::start();
    let (palisade, text) = start(&backend);
    assert_eq!(generation(&palisade), 1.0);
    palisade.signal("HUP");
    wait_for("a generation", || {
        (generation(&palisade) == 2.0).then_some(())
    });
    assert!(said(&palisade, "the new settings are in use"));
    replace(&palisade.settings(), &text.replace("/first", "/second"));
    palisade.signal("HUP");
    wait_for_status(&palisade, "/second", 403);
    assert_eq!(palisade.get("/first").status, 200);
}

#[test]
fn a_changed_file_is_noticed_on_connections_that_are_open_too() {
    let backend = Backend::start();
    let (palisade, text) = start(&backend);
    let mut open = palisade.connect();
    let mut ask = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: test.example\r\n\r\n");
        open.send(request).answer().expect("an answer").status
    };
    assert_eq!((ask("/first"), ask("/second")), (403, 200));
    replace(&palisade.settings(), &text.replace("/first", "/second"));
    wait_for_status(&palisade, "/second", 403);
    assert_eq!((ask("/first"), ask("/second")), (200, 403));
    assert_eq!(palisade.status()["settings"]["generation"], 2);
}

#[test]
fn a_new_file_that_a_pattern_includes_counts() {
    let backend = Backend::start();
    let folder = tempfile::tempdir().unwrap();
    let sites = folder.path().join("sites");
    std::fs::create_dir(&sites).unwrap();
    let site = |host: &str| format!("sites: [{{ hosts: [{host}], upstream: app, mode: off }}]\n");
    std::fs::write(sites.join("one.yaml"), site("one.example")).unwrap();
    let palisade = Palisade::start_in(folder, &settings(&backend, &blocking("/first")));
    let ask = |host: &str| {
        let request = format!("GET /first HTTP/1.1\r\nHost: {host}\r\n\r\n");
        palisade.exchange(request).expect("an answer").status
    };
    assert_eq!((ask("one.example"), ask("two.example")), (200, 403));
    replace(
        &palisade.directory().join("sites/two.yaml"),
        &site("two.example"),
    );
    wait_for("the second site", || {
        (ask("two.example") == 200).then_some(())
    });
    replace(
        &palisade.directory().join("sites/one.yaml"),
        &site("other.example"),
    );
    wait_for("the first site's end", || {
        (ask("one.example") == 403).then_some(())
    });
}

#[test]
fn settings_with_a_mistake_change_nothing() {
    let backend = Backend::start();
    let (palisade, text) = start(&backend);
    let broken = text
        .replace("/first", "/second")
        .replace("action: block", "action: blok");
    replace(&palisade.settings(), &broken);
    let failed = "palisade_last_reload_failed";
    wait_for("the failure", || {
        (palisade.metric(failed) == 1.0).then_some(())
    });
    assert_eq!(generation(&palisade), 1.0);
    assert_eq!(
        (
            palisade.get("/first").status,
            palisade.get("/second").status
        ),
        (403, 200)
    );
    let told = |line: &String| line.contains("level=error") && line.contains("the old ones stay");
    assert!(
        palisade.stderr().iter().any(told),
        "{:#?}",
        palisade.stderr()
    );
    assert!(said(&palisade, "palisade.yaml:7:") && said(&palisade, "blok"));
    let refused = palisade.status()["settings"]["refused"]["error"].clone();
    assert!(
        refused
            .as_str()
            .is_some_and(|error| error.contains("palisade.yaml:7:")),
        "{refused}"
    );

    std::fs::remove_file(palisade.settings()).unwrap();
    palisade.signal("HUP");
    wait_for("the second failure", || {
        (palisade.metric("palisade_reloads_total{result=\"failed\"}") == 2.0).then_some(())
    });
    assert_eq!(palisade.get("/first").status, 403);

    replace(&palisade.settings(), &text.replace("/first", "/second"));
    wait_for_status(&palisade, "/second", 403);
    assert_eq!(palisade.metric(failed), 0.0);
    assert_eq!(
        palisade.status()["settings"]["refused"],
        serde_json::Value::Null
    );
}

#[test]
fn a_request_that_is_under_way_ends_as_it_began() {
    let (backend, go_on) = patient_backend();
    let (palisade, text) = start(&backend);
    let mut busy = palisade.connect();
    busy.send(REQUEST);
    backend.wait_for_requests(1);
    // Its site, its upstream and its rules are all gone.
    let other = Backend::start();
    let new = text
        .replace(&backend.to_string(), &other.to_string())
        .replace("app", "new");
    replace(&palisade.settings(), &new.replace("/first", "/"));
    wait_for("a generation", || {
        (generation(&palisade) == 2.0).then_some(())
    });
    assert_eq!(palisade.get("/").status, 403);
    go_on.send(()).unwrap();
    let answer = busy.answer().expect("an answer");
    assert_eq!((answer.status, &*answer.text()), (200, "ok"));
    assert_eq!(palisade.get("/other").status, 200);
    assert_eq!((backend.requests().len(), other.requests().len()), (1, 1));
}

#[test]
fn decisions_outlive_a_reload() {
    let backend = Backend::start();
    let (palisade, _) = start(&backend);
    palisade.decisions(&["add", "127.0.0.0/8"]);
    palisade.signal("HUP");
    wait_for("a generation", || {
        (generation(&palisade) == 2.0).then_some(())
    });
    assert_eq!(palisade.get("/").status, 403);
}

#[test]
fn what_takes_a_restart_is_said() {
    let backend = Backend::start();
    let (palisade, text) = start(&backend);
    replace(
        &palisade.settings(),
        &format!("{text}\nstate_directory: state\n"),
    );
    wait_for("a warning", || {
        said(&palisade, "no decisions are saved until a restart").then_some(())
    });
    let place = format!("palisade.yaml:{}:18: warning: ", text.lines().count() + 2);
    assert!(said(&palisade, &place), "{:#?}", palisade.stderr());
}
