//! CrowdSec's decisions: a real LAPI and `cscli` on one side, requests on the other.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use palisade_testkit::mmdb::{MmdbValue, MmdbWriter};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{
    Authority, Backend, Connection, Haproxy, Lapi, LapiTls, Palisade, test_data, wait_for,
};

/// What stands under `crowdsec:` when nothing else is asked for.
fn asking(lapi: &Lapi) -> String {
    format!(
        "lapi_url: \"{}\", api_key: {}, update_interval: 1s",
        lapi.url(),
        lapi.key()
    )
}

/// A Palisade that gets its clients' addresses in PROXY headers and its decisions from LAPI.
fn settings(backend: &Backend, crowdsec: &str, more: &str) -> String {
    format!(
        "
listeners:
  - {{ address: 127.0.0.1:0, proxy_protocol: {{ mode: required, from: 127.0.0.0/8 }} }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
crowdsec: {{ {crowdsec} }}
{more}
"
    )
}

#[track_caller]
fn start(backend: &Backend, crowdsec: &str) -> Palisade {
    Palisade::start(&settings(backend, crowdsec, ""))
}

/// Waits until a client's requests are answered so.
#[track_caller]
fn wait_for_status(palisade: &Palisade, client: &str, status: u16) {
    wait_for(&format!("{client} to get {status}"), || {
        (palisade.get_from(client, "/").status == status).then_some(())
    });
}

/// Waits until LAPI has told everything that it knows now: a decision that is made after all others
/// has arrived.
#[track_caller]
fn wait_until_in_step(palisade: &Palisade, lapi: &Lapi, marker: &str) {
    lapi.ban(marker, "4h");
    wait_for_status(palisade, marker, 403);
}

/// The decision in the first line of the decision log about a client.
#[track_caller]
fn decision_on(palisade: &Palisade, client: &str) -> Value {
    palisade.wait_for_decision(|line| line["client"]["ip"] == client)["decision"].clone()
}

fn folder_with(name: &str, bytes: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), bytes).unwrap();
    folder
}

#[test]
fn a_ban_refuses_and_a_delete_frees() {
    let (lapi, backend) = (Lapi::shared(), Backend::start());
    let palisade = start(&backend, &asking(&lapi));
    let client = "198.51.100.1";
    assert_eq!(palisade.get_from(client, "/first").status, 200);

    let ban = lapi.ban(client, "4h");
    wait_for_status(&palisade, client, 403);
    let heard = backend.requests().len();
    assert_eq!(palisade.get_from(client, "/refused").status, 403);
    assert_eq!(
        backend.requests().len(),
        heard,
        "no backend hears of a refused request"
    );
    assert_eq!(palisade.get_from("198.51.100.2", "/").status, 200);

    let line = palisade.wait_for_decision(|line| line["path"] == "/refused");
    assert_eq!(line["check"], "decisions");
    assert_eq!(line["mode"], "refused");
    assert_eq!(line["client"]["provenance"], "proxy");
    let decision = &line["decision"];
    assert_eq!(decision["origin"], "cscli");
    assert_eq!(decision["scenario"], *ban.scenario);
    assert_eq!(decision["type"], "ban");
    assert_eq!(decision["scope"], "Ip");
    assert_eq!(decision["value"], client);
    assert_eq!(decision["id"], ban.id);
    assert!((14_000..=14_400).contains(&decision["expires_in_seconds"].as_u64().unwrap()));

    lapi.delete(&ban);
    wait_for_status(&palisade, client, 200);
}

#[test]
fn behind_haproxy_the_client_is_who_connected_to_haproxy() {
    let (lapi, backend) = (Lapi::start(), Backend::start());
    let palisade = start(&backend, &asking(&lapi));
    let behind = format!(
        "  {{bind}}\n  server palisade {} send-proxy-v2",
        palisade.address()
    );
    let haproxy = Haproxy::start_in(tempfile::tempdir().unwrap(), &behind);
    let get = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: test.example\r\n\r\n");
        let mut client = Connection::open_from("127.0.0.77", haproxy.address());
        client.send(request).answer().expect("an answer")
    };
    assert_eq!(get("/before").status, 200);

    lapi.cscli(&["decisions", "add", "--ip", "127.0.0.77"]);
    wait_for("the ban", || (get("/wait").status == 403).then_some(()));
    let heard = backend.requests().len();
    assert_eq!(get("/banned").status, 403);
    assert_eq!(backend.requests().len(), heard);
    lapi.cscli(&["decisions", "delete", "--ip", "127.0.0.77"]);
    wait_for("the end of the ban", || {
        (get("/wait").status == 200).then_some(())
    });

    // Without LAPI nothing changes, until each decision's own end.
    lapi.cscli(&[
        "decisions",
        "add",
        "--ip",
        "127.0.0.77",
        "--duration",
        "12s",
    ]);
    wait_for("the ban", || (get("/wait").status == 403).then_some(()));
    lapi.stop();
    assert_eq!(get("/banned").status, 403);
    wait_for("the ban to expire", || {
        (get("/wait").status == 200).then_some(())
    });
    let failed = "palisade_lapi_polls_total{result=\"connect\"}";
    wait_for("a poll that fails", || {
        (palisade.metric(failed) > 0.0).then_some(())
    });
}

#[test]
fn each_of_two_overlapping_decisions_holds_on_its_own() {
    let (lapi, backend) = (Lapi::shared(), Backend::start());
    let palisade = start(&backend, &asking(&lapi));
    // Which of the two is taken back first makes no difference.
    for (client, long_goes_first) in [("198.51.100.11", true), ("198.51.100.12", false)] {
        let short = lapi.ban(client, "1h");
        let long = lapi.ban(client, "4h");
        let (first, second) = if long_goes_first {
            (long, short)
        } else {
            (short, long)
        };
        wait_until_in_step(&palisade, &lapi, "198.51.100.13");
        assert_eq!(palisade.get_from(client, "/").status, 403);

        lapi.delete(&first);
        wait_until_in_step(&palisade, &lapi, "198.51.100.14");
        assert_eq!(palisade.get_from(client, "/").status, 403);
        let is_second =
            |line: &Value| line["client"]["ip"] == client && line["decision"]["id"] == second.id;
        palisade.wait_for_decision(is_second);

        lapi.delete(&second);
        wait_for_status(&palisade, client, 200);
        lapi.cscli(&["decisions", "delete", "--ip", "198.51.100.13"]);
        lapi.cscli(&["decisions", "delete", "--ip", "198.51.100.14"]);
        wait_for_status(&palisade, "198.51.100.13", 200);
        wait_for_status(&palisade, "198.51.100.14", 200);
    }
}

#[test]
fn a_decision_ends_by_itself() {
    let (lapi, backend) = (Lapi::start(), Backend::start());
    let palisade = start(&backend, &asking(&lapi));
    lapi.ban("198.51.100.22", "4h");
    lapi.ban("198.51.100.21", "10s");
    wait_for_status(&palisade, "198.51.100.21", 403);
    // Nobody is there who could say that it ended.
    lapi.stop();
    assert_eq!(palisade.get_from("198.51.100.21", "/").status, 403);
    wait_for_status(&palisade, "198.51.100.21", 200);
    assert_eq!(palisade.get_from("198.51.100.22", "/").status, 403);
}

#[test]
fn a_range_refuses_all_of_its_addresses() {
    let (lapi, backend) = (Lapi::shared(), Backend::start());
    let palisade = start(&backend, &asking(&lapi));
    lapi.cscli(&["decisions", "add", "--range", "203.0.112.0/25"]);
    // As an operator may well write them: host bits set, and IPv6.
    lapi.cscli(&["decisions", "add", "--range", "2001:db8:77::1/48"]);
    wait_until_in_step(&palisade, &lapi, "198.51.100.31");
    for (client, status) in [
        ("203.0.112.0", 403),
        ("203.0.112.127", 403),
        ("203.0.112.128", 200),
        ("203.0.111.255", 200),
        ("2001:db8:77:ffff::9", 403),
        ("2001:db8:78::", 200),
    ] {
        assert_eq!(palisade.get_from(client, "/").status, status, "{client}");
    }
    let decision = decision_on(&palisade, "203.0.112.127");
    assert_eq!(
        (&decision["scope"], &decision["value"]),
        (&"Range".into(), &"203.0.112.0/25".into())
    );
}

#[test]
fn one_address_has_one_meaning_however_it_is_written() {
    let (lapi, backend) = (Lapi::shared(), Backend::start());
    let palisade = start(&backend, &asking(&lapi));
    lapi.cscli(&["decisions", "add", "--ip", "::ffff:198.51.100.41"]);
    lapi.cscli(&["decisions", "add", "--ip", "2001:DB8:0:0::0041"]);
    wait_for_status(&palisade, "198.51.100.41", 403);
    wait_for_status(&palisade, "2001:db8::41", 403);
    assert_eq!(palisade.get_from("::ffff:198.51.100.41", "/").status, 403);
}

#[test]
fn countries_and_autonomous_systems_are_refused() {
    let (lapi, backend) = (Lapi::shared(), Backend::start());
    let number = MmdbValue::field("autonomous_system_number", 64_499);
    let asn = MmdbWriter::new("Test-ASN").insert("100.64.1.0/24".parse().unwrap(), number);
    let code = MmdbValue::field("country_code", "XK");
    let country = MmdbWriter::new("Test-Country").insert("100.64.2.0/24".parse().unwrap(), code);
    let folder = folder_with("asn.mmdb", &asn.build());
    std::fs::write(folder.path().join("country.mmdb"), country.build()).unwrap();
    let databases = "geo: { country_database: country.mmdb, asn_database: asn.mmdb }";
    let settings = settings(&backend, &asking(&lapi), databases);
    let palisade = Palisade::start_in(folder, &settings);
    for client in ["100.64.1.1", "100.64.2.1", "100.64.3.1"] {
        assert_eq!(palisade.get_from(client, "/").status, 200, "{client}");
    }
    // Whichever way the operator writes it.
    lapi.cscli(&["decisions", "add", "--scope", "AS", "--value", "AS64499"]);
    lapi.cscli(&["decisions", "add", "--scope", "country", "--value", "xk"]);
    wait_for_status(&palisade, "100.64.1.1", 403);
    wait_for_status(&palisade, "100.64.2.1", 403);
    assert_eq!(palisade.get_from("100.64.3.1", "/").status, 200);
    let by_asn = decision_on(&palisade, "100.64.1.1");
    assert_eq!(
        (&by_asn["scope"], &by_asn["value"]),
        (&"AS".into(), &"AS64499".into())
    );
    let by_country = decision_on(&palisade, "100.64.2.1");
    assert_eq!(
        (&by_country["scope"], &by_country["value"]),
        (&"Country".into(), &"XK".into())
    );
}

#[test]
fn a_real_database_knows_where_an_address_is() {
    let database = test_data("country.mmdb");
    let (lapi, backend) = (Lapi::shared(), Backend::start());
    let databases = format!("geo: {{ country_database: {} }}", database.display());
    let palisade = Palisade::start(&settings(&backend, &asking(&lapi), &databases));
    // Star Joint Venture's own addresses, in North Korea; and one of the University of Tokyo's.
    lapi.cscli(&["decisions", "add", "--scope", "Country", "--value", "KP"]);
    wait_for_status(&palisade, "175.45.176.1", 403);
    assert_eq!(palisade.get_from("133.11.0.1", "/").status, 200);
}

#[test]
fn a_remedy_that_this_version_cannot_give_bans_or_passes_as_told() {
    let (lapi, backend) = (Lapi::shared(), Backend::start());
    let bans = start(&backend, &asking(&lapi));
    let passes = start(
        &backend,
        &format!("{}, fallback_remediation: pass", asking(&lapi)),
    );
    let by_type = |client: &str, kind: &str| {
        lapi.cscli(&["decisions", "add", "--ip", client, "--type", kind]);
    };
    by_type("198.51.100.51", "captcha");
    by_type("198.51.100.52", "mfa");
    lapi.ban("198.51.100.53", "4h");
    for palisade in [&bans, &passes] {
        wait_for_status(palisade, "198.51.100.53", 403);
    }
    for client in ["198.51.100.51", "198.51.100.52"] {
        assert_eq!(bans.get_from(client, "/").status, 403, "{client}");
        assert_eq!(passes.get_from(client, "/").status, 200, "{client}");
    }
    // A ban is stronger than what would pass.
    lapi.ban("198.51.100.51", "4h");
    wait_for_status(&passes, "198.51.100.51", 403);
}

#[test]
fn only_what_was_asked_for_counts() {
    let (lapi, backend) = (Lapi::shared(), Backend::start());
    let filtered = format!("{}, filters: {{ origins: cscli-import }}", asking(&lapi));
    let palisade = start(&backend, &filtered);
    // The same address twice: the decision that isn't asked for must not hide the other.
    lapi.ban("198.51.100.61", "4h");
    lapi.ban("198.51.100.62", "4h");
    let list = folder_with("list.csv", b"duration,scope,value\n1h,ip,198.51.100.61\n");
    let list = list.path().join("list.csv");
    lapi.cscli(&["decisions", "import", "-i", list.to_str().unwrap()]);
    wait_for_status(&palisade, "198.51.100.61", 403);
    assert_eq!(palisade.get_from("198.51.100.62", "/").status, 200);
}

#[test]
fn a_restart_of_lapi_changes_nothing() {
    let (lapi, backend) = (Lapi::start(), Backend::start());
    let palisade = start(&backend, &asking(&lapi));
    lapi.ban("198.51.100.71", "4h");
    wait_for_status(&palisade, "198.51.100.71", 403);
    lapi.restart();
    assert_eq!(palisade.get_from("198.51.100.71", "/").status, 403);
    lapi.ban("198.51.100.72", "4h");
    wait_for_status(&palisade, "198.51.100.72", 403);
    assert_eq!(palisade.get_from("198.51.100.71", "/").status, 403);
}

#[test]
fn without_lapi_at_the_start_requests_pass_until_it_comes() {
    let (lapi, backend) = (Lapi::start(), Backend::start());
    lapi.ban("198.51.100.81", "4h");
    let crowdsec = asking(&lapi);
    lapi.stop();
    let palisade = start(&backend, &crowdsec);
    let failed = "palisade_lapi_polls_total{result=\"connect\"}";
    wait_for("a poll that fails", || {
        (palisade.metric(failed) > 0.0).then_some(())
    });
    assert_eq!(palisade.get_from("198.51.100.81", "/").status, 200);
    assert_eq!(palisade.metric("palisade_lapi_synced"), 0.0);
    assert_eq!(
        palisade.metrics_door("/readyz").status,
        200,
        "open: requests may come"
    );
    assert!(
        palisade
            .stderr()
            .iter()
            .any(|line| line.contains("can't be reached"))
    );
    lapi.restart();
    wait_for_status(&palisade, "198.51.100.81", 403);
    let synced = "palisade_lapi_synced";
    wait_for("the metric", || {
        (palisade.metric(synced) == 1.0).then_some(())
    });
}

#[test]
fn what_was_saved_holds_from_the_first_request_on() {
    let (lapi, backend) = (Lapi::start(), Backend::start());
    let state = tempfile::tempdir().unwrap();
    let saving = format!("state_directory: {}", state.path().display());
    let settings = settings(&backend, &asking(&lapi), &saving);
    let mut first = Palisade::start(&settings);
    lapi.ban("198.51.100.92", "10s");
    lapi.ban("198.51.100.91", "4h");
    wait_for_status(&first, "198.51.100.91", 403);
    first.signal("TERM");
    assert_eq!(first.wait(), Some(0));
    lapi.stop();

    let second = Palisade::start(&settings);
    assert_eq!(second.get_from("198.51.100.91", "/").status, 403);
    assert_eq!(decision_on(&second, "198.51.100.91")["origin"], "cscli");
    wait_for_status(&second, "198.51.100.92", 200);

    lapi.restart();
    lapi.ban("198.51.100.93", "4h");
    wait_for_status(&second, "198.51.100.93", 403);
}

#[test]
fn a_wrong_key_is_told_apart_from_a_lapi_that_is_away() {
    let (lapi, backend) = (Lapi::shared(), Backend::start());
    lapi.ban("198.51.100.101", "4h");
    let wrong = format!(
        "lapi_url: \"{}\", api_key: not-the-key, update_interval: 1s",
        lapi.url()
    );
    let admin = "admin: { address: 127.0.0.1:0 }";
    let palisade = Palisade::start(&settings(&backend, &wrong, admin));
    let refused = "palisade_lapi_key_refused";
    wait_for("the key to be refused", || {
        (palisade.metric(refused) == 1.0).then_some(())
    });
    assert!(palisade.metric("palisade_lapi_polls_total{result=\"key_refused\"}") >= 1.0);
    assert_eq!(
        palisade.metric("palisade_lapi_polls_total{result=\"connect\"}"),
        0.0
    );
    let said = |line: &String| line.contains("level=error") && line.contains("refuses the key");
    assert!(
        palisade.stderr().iter().any(said),
        "{:#?}",
        palisade.stderr()
    );
    let status = palisade.status();
    assert_eq!(status["lapi"]["key_refused"], true);
    assert_eq!(status["lapi"]["synced"], false);
    assert_eq!(
        palisade.get_from("198.51.100.101", "/").status,
        200,
        "fails open"
    );
}

#[test]
fn a_key_that_is_withdrawn_frees_nobody() {
    let (lapi, backend) = (Lapi::start(), Backend::start());
    let palisade = start(&backend, &asking(&lapi));
    lapi.ban("198.51.100.111", "4h");
    wait_for_status(&palisade, "198.51.100.111", 403);
    lapi.cscli(&["bouncers", "delete", "palisade-0"]);
    let refused = "palisade_lapi_key_refused";
    wait_for("the key to be refused", || {
        (palisade.metric(refused) == 1.0).then_some(())
    });
    assert_eq!(palisade.get_from("198.51.100.111", "/").status, 403);
}

#[test]
fn other_settings_for_lapi_count_without_a_restart() {
    let (lapi, backend) = (Lapi::shared(), Backend::start());
    let client = "198.51.100.181";
    lapi.ban(client, "4h");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "not-the-key\n").unwrap();
    let crowdsec = format!(
        "lapi_url: \"{}\", api_key_file: key, update_interval: 1s",
        lapi.url()
    );
    let admin = "admin: { address: 127.0.0.1:0 }";
    let settings = settings(&backend, &crowdsec, admin);
    let palisade = Palisade::start_in(folder, &settings);
    let refused = "palisade_lapi_key_refused";
    wait_for("the key to be refused", || {
        (palisade.metric(refused) == 1.0).then_some(())
    });
    assert_eq!(palisade.get_from(client, "/").status, 200);

    // The key is mended.
    let path = palisade.directory().join("key");
    std::fs::write(path, format!("{}\n", lapi.key())).unwrap();
    wait_for_status(&palisade, client, 403);
    wait_for("the metric", || {
        (palisade.metric(refused) == 0.0).then_some(())
    });
    assert_eq!(palisade.status()["lapi"]["synced"], true);

    // LAPI isn't wanted any more: what it said ends with it, as after a restart.
    let text = std::fs::read_to_string(palisade.settings()).unwrap();
    let section = text
        .lines()
        .find(|line| line.starts_with("crowdsec:"))
        .unwrap();
    std::fs::write(palisade.settings(), text.replace(section, "")).unwrap();
    wait_for_status(&palisade, client, 200);
    assert_eq!(palisade.status()["lapi"]["configured"], false);
    assert!(!palisade.metrics().contains("palisade_lapi_"));
}

#[test]
fn detect_mode_records_whom_a_decision_would_refuse() {
    let (lapi, backend) = (Lapi::shared(), Backend::start());
    let palisade = start(&backend, &format!("{}, mode: detect", asking(&lapi)));
    let client = "198.51.100.121";
    let ban = lapi.ban(client, "4h");
    let line = wait_for("a line that it would be refused", || {
        assert_eq!(palisade.get_from(client, "/").status, 200);
        palisade.decision_log().into_iter().next()
    });
    assert_eq!(line["client"]["ip"], client);
    assert_eq!(line["mode"], "would_refuse");
    assert_eq!(line["decision"]["id"], ban.id);
    assert_eq!(line["status"], 403);
    assert!(palisade.metric("palisade_would_be_refusals_total{check=\"decisions\"}") >= 1.0);
}

#[test]
fn a_closed_policy_refuses_once_the_decisions_are_stale() {
    let (lapi, backend) = (Lapi::start(), Backend::start());
    let closed = format!(
        "{}, on_failure: {{ policy: closed, after: 3s }}",
        asking(&lapi)
    );
    lapi.stop();
    let palisade = start(&backend, &closed);
    let client = "198.51.100.131";
    // Nothing is known yet.
    assert_eq!(palisade.metrics_door("/readyz").status, 503);
    assert_eq!(palisade.get_from(client, "/").status, 503);
    let line = palisade.wait_for_decision(|line| line["client"]["ip"] == client);
    assert_eq!(
        (line["check"].as_str(), line["status"].as_u64()),
        (Some("decisions"), Some(503))
    );
    assert_eq!(line["reason"], "decisions_stale");

    lapi.restart();
    wait_for_status(&palisade, client, 200);
    assert_eq!(palisade.metrics_door("/readyz").status, 200);
    lapi.stop();
    wait_for_status(&palisade, client, 503);
    assert_eq!(palisade.metrics_door("/readyz").status, 503);
    lapi.restart();
    wait_for_status(&palisade, client, 200);
}

#[test]
fn trusted_clients_pass_whoever_banned_them() {
    let (lapi, backend) = (Lapi::shared(), Backend::start());
    let trusted = "trusted_clients: [198.51.100.141, 2001:db8:1::/48]";
    let palisade = Palisade::start(&settings(&backend, &asking(&lapi), trusted));
    lapi.ban("198.51.100.141", "4h");
    lapi.cscli(&["decisions", "add", "--range", "2001:db8:1::/48"]);
    wait_until_in_step(&palisade, &lapi, "198.51.100.142");
    assert_eq!(palisade.get_from("198.51.100.141", "/").status, 200);
    assert_eq!(palisade.get_from("2001:db8:1::1", "/").status, 200);
}

#[test]
fn lapi_may_know_palisade_by_its_certificate() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority
        .certify(&["127.1.1.1"])
        .save(folder.path(), "server");
    authority
        .certify_unit("palisade", "bouncers")
        .save(folder.path(), "client");
    std::fs::write(folder.path().join("ca.crt"), authority.pem()).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let lapi = Lapi::start_with_tls(LapiTls {
        certificate: path("server.crt"),
        private_key: path("server.key"),
        bouncers_ca: path("ca.crt"),
        bouncers_unit: "bouncers".to_owned(),
    });
    let backend = Backend::start();
    let crowdsec = format!(
        "lapi_url: \"{}\", ca: {}, certificate: {}, private_key: {}, update_interval: 1s",
        lapi.url(),
        path("ca.crt"),
        path("client.crt"),
        path("client.key"),
    );
    let palisade = start(&backend, &crowdsec);
    lapi.ban("198.51.100.151", "4h");
    wait_for_status(&palisade, "198.51.100.151", 403);
    assert!(lapi.cscli(&["bouncers", "list"]).contains("palisade@127"));
}

#[test]
fn a_new_ban_ends_what_the_client_has_under_way() {
    let (lapi, palisade_backend) = (Lapi::shared(), endless_backend());
    let palisade = start(&palisade_backend, &asking(&lapi));
    let (downloads, socket, other) = ("198.51.100.161", "198.51.100.162", "198.51.100.163");

    let mut download = palisade.connect_from(downloads);
    download.send("GET /endless HTTP/1.1\r\nHost: test.example\r\n\r\n");
    assert!(download.read_exactly(64).starts_with(b"HTTP/1.1 200"));
    let mut trickle = palisade.connect_from(downloads);
    trickle.send("GET /trickle HTTP/1.1\r\nHost: test.example\r\n\r\n");
    assert!(trickle.read_exactly(64).starts_with(b"HTTP/1.1 200"));
    let upgrade = "GET /socket HTTP/1.1\r\nHost: test.example\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut tunnel = palisade.connect_from(socket);
    assert_eq!(tunnel.send(upgrade).answer().unwrap().status, 101);
    let mut untouched = palisade.connect_from(other);
    assert_eq!(untouched.send(upgrade).answer().unwrap().status, 101);

    lapi.ban(downloads, "4h");
    lapi.ban(socket, "4h");
    // Each reads on until Palisade ends it; nothing else would.
    download.discard_to_end();
    trickle.discard_to_end();
    tunnel.discard_to_end();
    for client in [downloads, socket] {
        let line = palisade.wait_for_decision(|line| line["client"]["ip"] == client);
        assert_eq!(line["check"], "decisions");
    }
    untouched.send("ping");
    assert_eq!(untouched.read_exactly(4), b"ping");
}

/// Answers without an end, at full speed or now and then; or becomes a socket that echoes.
fn endless_backend() -> Backend {
    Backend::with(|request, tcp| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunk = |size: usize| format!("{size:x}\r\n{}\r\n", "x".repeat(size));
        if request.line.starts_with("GET /endless") {
            let chunk = chunk(16 * 1024);
            let mut sent = tcp.write_all(head.as_bytes());
            while sent.is_ok() {
                sent = tcp.write_all(chunk.as_bytes());
            }
        } else if request.line.starts_with("GET /trickle") {
            let mut sent = tcp.write_all(head.as_bytes());
            while sent.is_ok() {
                sent = tcp.write_all(chunk(1).as_bytes());
                std::thread::sleep(Duration::from_millis(50));
            }
        } else {
            let _ = tcp.write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            );
            let mut back = tcp.try_clone().unwrap();
            let _ = std::io::copy(tcp, &mut back);
        }
        false
    })
}

#[test]
fn fifty_thousand_decisions_go_live_while_requests_are_served() {
    let (lapi, backend) = (Lapi::start(), Backend::start());
    let mut list = String::from("duration,scope,value\n");
    for number in 0..50_000 {
        let (high, low) = (number / 250, number % 250);
        writeln!(list, "4h,ip,11.22.{high}.{low}").unwrap();
    }
    let folder = folder_with("list.csv", list.as_bytes());
    let file = folder.path().join("list.csv");
    lapi.cscli(&["decisions", "import", "-i", file.to_str().unwrap()]);

    let palisade = start(&backend, &asking(&lapi));
    let stop = AtomicBool::new(false);
    let statuses = std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut statuses = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                statuses.push(palisade.get_from("198.51.100.171", "/").status);
            }
            statuses
        });
        let stops = StopsWhenDropped(&stop);
        let held = "palisade_decisions{origin=\"cscli-import\",type=\"ban\"}";
        wait_for("50,000 decisions", || {
            (palisade.metric(held) == 50_000.0).then_some(())
        });
        assert_eq!(palisade.get_from("11.22.0.0", "/").status, 403);
        assert_eq!(palisade.get_from("11.22.199.249", "/").status, 403);
        drop(stops);
        client.join().unwrap()
    });
    assert!(!statuses.is_empty());
    assert!(statuses.iter().all(|status| *status == 200));
}

/// Tells another thread to stop, also when this one's test fails.
struct StopsWhenDropped<'a>(&'a AtomicBool);

impl Drop for StopsWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
