//! The operator's own decisions: `palisade decisions` through the admin socket of a running Palisade.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Backend, Lapi, Palisade, wait_for};

fn settings(backend: &Backend, more: &str) -> String {
    format!(
        "
listeners:
  - {{ address: 127.0.0.1:0, proxy_protocol: {{ mode: required, from: 127.0.0.0/8 }} }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
admin: {{ socket: admin.sock }}
{more}
"
    )
}

#[track_caller]
fn start(backend: &Backend, more: &str) -> Palisade {
    Palisade::start(&settings(backend, more))
}

fn keeping_in(folder: &Path) -> String {
    format!("state_directory: {}", folder.display())
}

#[track_caller]
fn check(palisade: &Palisade, client: &str, status: u16) {
    assert_eq!(palisade.get_from(client, "/").status, status, "{client}");
}

/// The decisions that a listing shows.
#[track_caller]
fn listed(palisade: &Palisade, arguments: &[&str]) -> Vec<Value> {
    let printed = palisade.decisions(&[&["list", "--json"], arguments].concat());
    let list: Value = serde_json::from_str(&printed).expect("JSON");
    list["decisions"].as_array().expect("decisions").clone()
}

/// Runs a subcommand that fails; the exit code, and what it said.
#[track_caller]
fn failing(palisade: &Palisade, arguments: &[&str]) -> (i32, String) {
    let settings = palisade.settings();
    let settings = settings.to_str().unwrap();
    let output = Palisade::execute(&[&["decisions", "--config", settings], arguments].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code().expect("an exit code"), said)
}

#[test]
fn a_decision_holds_at_once_and_until_it_is_taken_back() {
    let backend = Backend::start();
    let palisade = start(&backend, "");
    assert_eq!(palisade.decisions(&["list"]), "no decisions\n");
    let said = palisade.decisions(&["add", "192.0.2.1", "--duration", "30m", "--reason", "spam"]);
    assert!(said.starts_with("added: ban 192.0.2.1 for 30m"), "{said}");
    palisade.decisions(&["add", "198.51.100.99/24"]);
    palisade.decisions(&["add", "2001:db8::/32"]);
    check(&palisade, "192.0.2.1", 403);
    check(&palisade, "192.0.2.2", 200);
    check(&palisade, "198.51.100.255", 403);
    check(&palisade, "2001:db8:ffff::1", 403);
    assert_eq!(backend.requests().len(), 1);
    let line = palisade.wait_for_decision(|line| line["client"]["ip"] == "192.0.2.1");
    assert_eq!(
        (&line["check"], &line["mode"]),
        (&"decisions".into(), &"refused".into())
    );
    let decision = &line["decision"];
    assert_eq!(
        (&decision["origin"], &decision["scenario"]),
        (&"local".into(), &"spam".into())
    );

    assert_eq!(listed(&palisade, &[]).len(), 3);
    let found = listed(&palisade, &["--address", "198.51.100.1"]);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0]["scope"], &found[0]["value"]),
        (&"Range".into(), &"198.51.100.0/24".into())
    );
    assert_eq!(
        (&found[0]["source"], &found[0]["type"]),
        (&"local".into(), &"ban".into())
    );
    let table = palisade.decisions(&["list"]);
    let row = table
        .lines()
        .find(|line| line.contains("192.0.2.1"))
        .expect("a row");
    for cell in ["local", "Ip", "ban", "spam"] {
        assert!(row.contains(cell), "{cell}: {table}");
    }

    // Written in another way it is the same address.
    palisade.decisions(&["delete", "::ffff:192.0.2.1"]);
    check(&palisade, "192.0.2.1", 200);
    let id = format!("id:{}", found[0]["id"]);
    palisade.decisions(&["delete", &id]);
    check(&palisade, "198.51.100.255", 200);
    assert_eq!(palisade.decisions(&["flush"]), "took back 1 decision\n");
    check(&palisade, "2001:db8:ffff::1", 200);
}

#[test]
fn countries_and_autonomous_systems_can_be_banned_too() {
    let backend = Backend::start();
    let folder = tempfile::tempdir().unwrap();
    let writer = palisade_testkit::mmdb::MmdbWriter::new("Test-Country");
    let code = palisade_testkit::mmdb::MmdbValue::field("country_code", "KP");
    let database = writer.insert("192.0.2.0/24".parse().unwrap(), code).build();
    std::fs::write(folder.path().join("country.mmdb"), database).unwrap();
    let geo = "geo: { country_database: country.mmdb }";
    let palisade = Palisade::start_in(folder, &settings(&backend, geo));
    check(&palisade, "192.0.2.1", 200);
    palisade.decisions(&["add", "country:kp"]);
    check(&palisade, "192.0.2.1", 403);
    palisade.decisions(&["add", "as:64496"]);
    let values: Vec<_> = listed(&palisade, &[])
        .iter()
        .map(|row| row["value"].clone())
        .collect();
    assert!(
        values.contains(&"KP".into()) && values.contains(&"AS64496".into()),
        "{values:?}"
    );
    palisade.decisions(&["delete", "country:KP"]);
    check(&palisade, "192.0.2.1", 200);
}

#[test]
fn adding_again_moves_the_end() {
    let backend = Backend::start();
    let palisade = start(&backend, "");
    palisade.decisions(&["add", "192.0.2.1", "--duration", "1d"]);
    let said = palisade.decisions(&["add", "192.0.2.1", "--duration", "1s"]);
    assert!(said.starts_with("replaced: ban 192.0.2.1 for 1s"), "{said}");
    wait_for("its end", || {
        (palisade.get_from("192.0.2.1", "/").status == 200).then_some(())
    });
    assert!(listed(&palisade, &[]).is_empty());
}

#[test]
fn a_restart_forgets_nothing_even_one_without_a_goodbye() {
    let (backend, state) = (Backend::start(), tempfile::tempdir().unwrap());
    let more = keeping_in(state.path());
    let first = start(&backend, &more);
    first.decisions(&["add", "192.0.2.1", "--duration", "2h", "--reason", "kept"]);
    first.decisions(&["add", "192.0.2.2"]);
    first.decisions(&["add", "192.0.2.3", "--duration", "1s"]);
    first.decisions(&["delete", "192.0.2.2"]);
    first.signal("KILL");
    drop(first);

    let mut second = start(&backend, &more);
    check(&second, "192.0.2.1", 403);
    check(&second, "192.0.2.2", 200);
    wait_for("the end of the short one", || {
        (second.get_from("192.0.2.3", "/").status == 200).then_some(())
    });
    let kept = listed(&second, &["--address", "192.0.2.1"]);
    assert_eq!(kept[0]["reason"], "kept");
    assert!(
        kept[0]["expires_in_seconds"].as_u64() < Some(7_200),
        "its time goes on: {kept:?}"
    );
    second.decisions(&["flush"]);
    second.signal("TERM");
    assert_eq!(second.wait(), Some(0));

    let third = start(&backend, &more);
    check(&third, "192.0.2.1", 200);
    assert!(listed(&third, &[]).is_empty());
}

#[test]
fn without_a_state_directory_the_operator_is_told_that_a_restart_forgets() {
    let backend = Backend::start();
    let palisade = start(&backend, "");
    let settings = palisade.settings();
    let settings = settings.to_str().unwrap();
    let output = Palisade::execute(&["decisions", "--config", settings, "add", "192.0.2.1"]);
    assert!(output.status.success());
    let warning = String::from_utf8(output.stderr).unwrap();
    assert!(
        warning.contains("warning") && warning.contains("state_directory"),
        "{warning}"
    );
    check(&palisade, "192.0.2.1", 403);
}

#[test]
fn a_broken_file_of_decisions_is_put_aside() {
    let (backend, state) = (Backend::start(), tempfile::tempdir().unwrap());
    let more = keeping_in(state.path());
    let file = state.path().join("local-decisions.jsonl");
    std::fs::write(&file, "{\"half\": ").unwrap();
    let palisade = start(&backend, &more);
    let told =
        |line: &String| line.contains("level=error") && line.contains("local-decisions.jsonl");
    assert!(
        palisade.stderr().iter().any(told),
        "{:#?}",
        palisade.stderr()
    );
    let aside = state.path().join("local-decisions.jsonl.rejected");
    assert_eq!(std::fs::read_to_string(aside).unwrap(), "{\"half\": ");
    palisade.decisions(&["add", "192.0.2.1"]);
    check(&palisade, "192.0.2.1", 403);
}

#[test]
fn an_own_ban_refuses_where_crowdsecs_are_only_recorded() {
    let backend = Backend::start();
    // Nothing listens there.
    let detect = "crowdsec: { lapi_url: \"http://127.0.0.1:9/\", api_key: none, mode: detect }";
    let palisade = start(&backend, detect);
    palisade.decisions(&["add", "192.0.2.1"]);
    check(&palisade, "192.0.2.1", 403);
    palisade.decisions(&["delete", "192.0.2.1"]);
    check(&palisade, "192.0.2.1", 200);
}

#[test]
fn crowdsecs_decisions_are_listed_and_left_to_crowdsec() {
    let (backend, lapi) = (Backend::start(), Lapi::shared());
    let crowdsec = format!(
        "crowdsec: {{ lapi_url: \"{}\", api_key: {}, update_interval: 1s }}",
        lapi.url(),
        lapi.key()
    );
    let palisade = start(&backend, &crowdsec);
    let client = "203.0.113.201";
    let ban = lapi.ban(client, "4h");
    wait_for("the ban", || {
        (palisade.get_from(client, "/").status == 403).then_some(())
    });
    palisade.decisions(&["add", client, "--duration", "1h"]);
    let both = listed(&palisade, &["--address", client]);
    let of = |source: &str| {
        both.iter()
            .find(|row| row["source"] == source)
            .expect("a row")
    };
    assert_eq!(
        (&of("crowdsec")["origin"], &of("crowdsec")["id"]),
        (&"cscli".into(), &ban.id.into())
    );
    assert_eq!(
        listed(&palisade, &["--address", client, "--local"]).len(),
        1
    );

    // Taking back one's own leaves CrowdSec's.
    palisade.decisions(&["delete", client]);
    check(&palisade, client, 403);
    let (code, said) = failing(&palisade, &["delete", client]);
    assert_eq!(code, 1);
    assert!(said.contains("cscli decisions delete"), "{said}");
    assert_eq!(
        palisade.decisions(&["flush"]),
        "there was nothing to take back\n"
    );
    check(&palisade, client, 403);
    lapi.delete(&ban);
    wait_for("the end of the ban", || {
        (palisade.get_from(client, "/").status == 200).then_some(())
    });
}

#[test]
fn what_makes_no_sense_changes_nothing_and_says_why() {
    let backend = Backend::start();
    let palisade = start(&backend, "");
    for (arguments, expected) in [
        (&["add", "192.0.2.300"][..], "192.0.2.300"),
        (&["add", "192.0.2.0/33"], "192.0.2.0/33"),
        (&["add", "country:Germany"], "Germany"),
        (&["add", "192.0.2.1", "--duration", "soon"], "30m, 4h or 7d"),
        (&["add", "192.0.2.1", "--duration", "0s"], "0 s"),
        (&["add", "192.0.2.1", "--type", "exile"], "captcha"),
        (&["delete"], "Usage"),
        (&["banish", "192.0.2.1"], "Usage"),
    ] {
        let (code, said) = failing(&palisade, arguments);
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    let (code, said) = failing(&palisade, &["delete", "192.0.2.1"]);
    assert_eq!(code, 1);
    assert!(said.contains("no local decision"), "{said}");
    assert!(listed(&palisade, &[]).is_empty());
}

#[test]
fn the_settings_file_may_be_named_behind_the_action() {
    let backend = Backend::start();
    let palisade = start(&backend, "");
    let settings = palisade.settings();
    let socket = palisade.directory().join("admin.sock");
    for (name, path) in [("--config", &settings), ("--socket", &socket)] {
        let path = path.to_str().unwrap();
        let output = Palisade::execute(&["decisions", "list", name, path]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
    }
}

#[test]
fn without_a_running_palisade_the_command_says_where_it_looked() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let socket = socket.to_str().unwrap();
    let output = Palisade::execute(&["decisions", "--socket", socket, "list"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(socket), "{said}");
}

#[test]
fn the_socket_is_its_owners_alone() {
    let backend = Backend::start();
    let mut palisade = start(&backend, "");
    let socket = palisade.directory().join("admin.sock");
    let mode = || std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    palisade.decisions(&["add", "192.0.2.1"]);
    if is_root() {
        // Whoever opens the file to others has not opened the door.
        std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o666)).unwrap();
        std::fs::set_permissions(palisade.directory(), PermissionsExt::from_mode(0o755)).unwrap();
        for arguments in [
            &["http://localhost/decisions"][..],
            &["-X", "DELETE", "http://localhost/decisions/all"],
        ] {
            assert_eq!(ask_as_nobody(&socket, arguments), "403", "{arguments:?}");
        }
    }
    assert_eq!(listed(&palisade, &[]).len(), 1);
    palisade.signal("TERM");
    assert_eq!(palisade.wait(), Some(0));
    assert!(!socket.exists(), "it is taken away at the end");
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

/// The status that another user gets.
fn ask_as_nobody(socket: &Path, arguments: &[&str]) -> String {
    let output = Command::new("setpriv")
        .args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "curl",
            "--silent",
        ])
        .args([
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code}",
            "--unix-socket",
        ])
        .arg(socket)
        .args(arguments)
        .output()
        .expect("setpriv is there: it comes with util-linux");
    String::from_utf8(output.stdout).unwrap()
}
