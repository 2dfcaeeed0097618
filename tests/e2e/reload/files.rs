//! Every kind of file that settings are made of is watched: a change counts within the interval, and
//! one that can't be used keeps what runs, and says where the mistake is.

use palisade_testkit::mmdb::country_database;

use super::{GET, Gate, replace, settings};
use crate::harness::{Authority, Backend, TlsClient, wait_for};

const ONE: &str = "{ address: 127.0.0.1:0 }";

/// A file of one kind.
struct Case {
    /// Lines of the settings.
    names_it: &'static str,
    name: &'static str,
    /// As which the client is refused, and as which it passes.
    refuses: Vec<u8>,
    passes: Vec<u8>,
    broken: Vec<u8>,
    /// What is said of the broken one, place first.
    said: &'static str,
}

/// A gate with `case.name` as a file: its states are seen in requests, in the metrics, in `/status` and
/// on standard error. Nobody tells it of a change.
#[track_caller]
fn check(case: &Case) {
    let backend = Backend::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(case.name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, &case.passes).unwrap();
    let gate = Gate::start_in(
        folder,
        &format!("{}{}", settings(ONE, &backend), case.names_it),
    );
    let status = || gate.palisade.get("/").status;
    assert_eq!(status(), 200);
    let path = gate.palisade.directory().join(case.name);
    replace(&path, &case.refuses);
    wait_for("the change to count", || (status() == 403).then_some(()));

    replace(&path, &case.broken);
    gate.wait_for_reloads("failed", 0.0);
    assert_eq!(status(), 403, "what ran goes on");
    assert_eq!(gate.palisade.metric("palisade_last_reload_failed"), 1.0);
    let shown = gate.palisade.status()["settings"].clone();
    let refused = shown["refused"]["error"].as_str().unwrap();
    assert!(refused.contains(case.said), "{refused}");
    let lines = gate.palisade.stderr();
    let told = lines
        .iter()
        .rfind(|line| line.contains("the old ones stay"));
    let told = told.expect("a line about it");
    let hash = shown["hash"].as_str().unwrap();
    for part in [case.said, "generation=2 ", &format!(" hash={hash} ")] {
        assert!(told.contains(part), "no {part:?} in {told}");
    }

    replace(&path, &case.passes);
    wait_for("the mended file to count", || {
        let failed = gate.palisade.metric("palisade_last_reload_failed");
        (status() == 200 && failed == 0.0).then_some(())
    });
}

const BLOCK_LISTED: &str = "access:
  lists: { bad: { file: lists/bad.txt } }
  rules: [{ id: listed, match: { address: $bad }, action: block }]
";

#[test]
fn a_list() {
    check(&Case {
        names_it: BLOCK_LISTED,
        name: "lists/bad.txt",
        refuses: b"127.0.0.0/8\n".into(),
        passes: b"192.0.2.0/24\n".into(),
        broken: b"127.0.0.0/8\n  127.0.0.300\n".into(),
        said: "lists/bad.txt:2:3: error: ",
    });
}

#[test]
fn a_rule_file() {
    let rule = |path: &str| {
        format!("rules:\n  - {{ id: one, match: {{ path: {path} }}, action: block }}\n").into()
    };
    check(&Case {
        names_it: "access: { rule_files: [\"rules/*.yaml\"] }\n",
        name: "rules/one.yaml",
        refuses: rule("/"),
        passes: rule("/other"),
        broken: rule("{ regex: '(' }"),
        said: "rules/one.yaml:2:",
    });
}

#[test]
fn an_included_file() {
    let trusted = |ids: &str| format!("trusted_clients: {ids}\n").into();
    check(&Case {
        names_it: "include: more.yaml\naccess: { rules: [{ id: all, match: { path: / }, action: block }] }\n",
        name: "more.yaml",
        refuses: trusted("192.0.2.1"),
        passes: trusted("127.0.0.1"),
        broken: trusted("127.0.0.256"),
        said: "more.yaml:1:18: error: ",
    });
}

#[test]
fn a_database() {
    let database = |code: &str| country_database(&[("127.0.0.0/8", code)]);
    check(&Case {
        names_it: "geo: { country_database: country.mmdb, required: true }
access: { rules: [{ id: place, match: { country: AQ }, action: block }] }
",
        name: "country.mmdb",
        refuses: database("AQ"),
        passes: database("NZ"),
        broken: b"garbage".into(),
        said: "palisade.yaml:6:26: error: ",
    });
}

#[test]
fn a_page_template() {
    let backend = Backend::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    std::fs::write(&path, "<p>first {{request_id}}").unwrap();
    let gate = Gate::start_in(
        folder,
        &format!(
            "{}blocking: {{ page: page.html }}
access: {{ rules: [{{ id: all, match: {{ path: / }}, action: block }}] }}
",
            settings(ONE, &backend)
        ),
    );
    let shows = |text: &str| {
        let page = gate.palisade.get_with("/", "Accept: text/html\r\n").text();
        page.contains(text).then_some(())
    };
    shows("first").unwrap();
    let path = gate.palisade.directory().join("page.html");
    replace(&path, "<p>second {{request_id}}");
    wait_for("the second page", || shows("second"));
    replace(&path, b"<p>third \xff");
    gate.wait_for_reloads("failed", 0.0);
    shows("second").unwrap();
    let refused = gate.palisade.status()["settings"]["refused"]["error"].clone();
    let said = "palisade.yaml:6:19: error: ";
    assert!(
        refused.as_str().is_some_and(|error| error.contains(said)),
        "{refused}"
    );
}

#[test]
fn an_authority_of_client_certificates() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let backend = Backend::start();
    let folder = tempfile::tempdir().unwrap();
    ours.certify(&["one.example"]).save(folder.path(), "one");
    std::fs::write(folder.path().join("ca.pem"), ours.pem()).unwrap();
    let tls = "{ address: 127.0.0.1:0, tls: { client_certificates: { ca: ca.pem }, certificates: [{ certificate: one.crt, private_key: one.key }] } }";
    let settings =
        settings(tls, &backend).replace("upstream: app }", "upstream: app, misdirected: serve }");
    let gate = Gate::start_in(folder, &settings);
    let address = gate.palisade.address();
    let passes = |signer: &Authority| {
        let client = TlsClient::with_certificate(&ours, &signer.certify(&["client.example"]));
        let connection = client.try_connect(address, "one.example");
        connection.is_ok_and(|mut open| open.send(GET).answer().is_some())
    };
    assert!(passes(&ours) && !passes(&theirs));
    let path = gate.palisade.directory().join("ca.pem");
    replace(&path, theirs.pem());
    wait_for("the other authority", || passes(&theirs).then_some(()));
    assert!(!passes(&ours), "a session of before is not resumed either");
    replace(&path, "garbage");
    gate.wait_for_reloads("failed", 0.0);
    assert!(passes(&theirs));
    let refused = gate.palisade.status()["settings"]["refused"]["error"].clone();
    assert!(
        refused
            .as_str()
            .is_some_and(|error| error.contains("palisade.yaml:2:")),
        "{refused}"
    );
}
