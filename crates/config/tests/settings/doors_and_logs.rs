//! `metrics`, `admin`, `logs`, `blocking`, `geo`, `state_directory`

use std::path::Path;

use palisade_config::files::Memory;
use palisade_telemetry::{AccessFormat, AuditFormat, AuditParts, Sink};

use crate::support::{self, BASE, check_problems};

#[test]
fn what_is_not_named_is_off() {
    let settings = support::settings("");
    assert!(
        settings.state_directory.is_none()
            && settings.metrics.is_none()
            && settings.admin.is_none()
    );
    assert!(settings.logs.access.is_none() && settings.logs.decisions.is_none());
    assert_eq!(settings.gate.blocking.status, 403);
    assert!(settings.gate.blocking.page.is_none() && settings.geo.country.is_none());
    assert!(settings.gate.trusted_clients.is_empty() && settings.gate.rules.is_empty());
}

#[test]
fn doors() {
    let settings = support::settings(
        "state_directory: state
metrics: {address: 0.0.0.0:9900}
admin: {address: \"[::1]:9901\", socket: /run/palisade/admin.sock, hosts: Admin.Example}
",
    );
    assert_eq!(
        settings.state_directory.as_deref(),
        Some(Path::new("state"))
    );
    assert_eq!(
        settings.metrics.unwrap().address.to_string(),
        "0.0.0.0:9900"
    );
    let admin = settings.admin.unwrap();
    assert_eq!(admin.address.unwrap().to_string(), "[::1]:9901");
    assert_eq!(
        admin.socket.as_deref(),
        Some(Path::new("/run/palisade/admin.sock"))
    );
    assert_eq!(admin.hosts, ["admin.example".into()]);
}

#[test]
fn admin_is_for_this_machine_alone() {
    check_problems(
        "admin: {address: 0.0.0.0:9901}\n",
        &[
            "4:18: error: 0.0.0.0:9901 can be reached from other machines; admin listens on loopback (127.0.0.1, ::1) or a socket only",
        ],
    );
    check_problems(
        "admin: {address: \"[::ffff:192.0.2.1]:9901\"}\n",
        &[
            "4:18: error: [::ffff:192.0.2.1]:9901 can be reached from other machines; admin listens on loopback (127.0.0.1, ::1) or a socket only",
        ],
    );
    check_problems(
        "admin: {}\n",
        &["4:8: error: neither `address` nor `socket`; give one of them, or remove `admin`"],
    );
    check_problems(
        "admin: {socket: a, hosts: \"a:1\"}\n",
        &[
            "4:27: error: \"a:1\" is not a host; expected a name like admin.example.com, without a port",
        ],
    );
}

#[test]
fn logs() {
    let settings = support::settings(
        "logs: {access: {path: \"-\", format: caddy}, decisions: {path: log/d.jsonl}, audit: {path: a}}\n",
    );
    let access = settings.logs.access.unwrap();
    assert_eq!(
        (access.sink, access.format),
        (Sink::Stdout, AccessFormat::Caddy)
    );
    assert_eq!(
        settings.logs.decisions,
        Some(Sink::File("log/d.jsonl".into()))
    );
    let audit = settings.logs.audit.unwrap();
    assert_eq!(
        (audit.sink, audit.format),
        (Sink::File("a".into()), AuditFormat::Json)
    );
    let hidden = &audit.hidden;
    assert_eq!(
        hidden.arguments,
        ["password", "passwd", "pwd"].map(Box::from)
    );
    assert_eq!(
        hidden.headers,
        ["authorization", "proxy-authorization"].map(Box::from)
    );
    check_problems(
        "logs: {access: {format: xml}, audit: {path: a, format: xml, parts: AB}}\n",
        &[
            "4:16: error: `path` is missing here; expected the path of a file, or \"-\" for standard output",
            "4:25: error: \"xml\" is not known here; expected combined, json, caddy",
            "4:56: error: \"xml\" is not known here; expected json, error_log, modsecurity",
        ],
    );
    check_problems(
        "logs: {audit: {path: a, format: json, parts: AB}}\n",
        &[
            "4:46: error: `parts` has no effect without `format: modsecurity`; add that or remove this",
        ],
    );
    check_problems(
        "logs: {audit: {path: a, format: modsecurity, parts: ABX}}\n",
        &[
            "4:53: error: \"ABX\" has a letter that is no part; expected letters of A to K and Z, like ABFHZ",
        ],
    );
    let settings = support::settings(
        "logs: {audit: {path: a, format: modsecurity, parts: ABH, redact: {arguments: [Token], cookies: [sid], headers: []}}}\n",
    );
    let audit = settings.logs.audit.unwrap();
    let parts = AuditParts::parse("BH").unwrap();
    assert_eq!(audit.format, AuditFormat::ModSecurity(parts));
    assert!(audit.hidden.has_argument(b"TOKEN") && audit.hidden.has_cookie(b"sid"));
    assert!(!audit.hidden.has_argument(b"password") && !audit.hidden.has_header(b"authorization"));
}

#[test]
fn a_page_is_text_with_the_request_id() {
    let load = |page: &[u8]| {
        let yaml = format!("{BASE}blocking: {{status: 451, page: pages/blocked.html}}\n");
        support::load(
            &Memory::default()
                .with("palisade.yaml", yaml)
                .with("pages/blocked.html", page),
        )
    };
    let blocking = load(b"<p>{{request_id}}").unwrap().settings.gate.blocking;
    assert_eq!(
        (blocking.status, blocking.page.as_deref()),
        (451, Some("<p>{{request_id}}"))
    );
    assert_eq!(
        support::problems(&load(b"<p>")),
        "palisade.yaml:4:31: warning: the page doesn't show {{request_id}}; without it nobody can find the refusal in the logs\n"
    );
    assert_eq!(
        support::problems(&load(b"\xff")),
        "palisade.yaml:4:31: error: pages/blocked.html is not UTF-8 text\n"
    );
    let long = support::problems(&load(&vec![b'x'; 300 * 1024]));
    assert_eq!(
        long,
        "palisade.yaml:4:31: error: pages/blocked.html: longer than 262144 bytes, the most that is read\n"
    );
    check_problems(
        "blocking: {status: 302}\n",
        &[
            "4:20: error: \"302\" is not a status that can be given here; expected a number from 400 to 599",
        ],
    );
}

#[test]
fn a_database_that_is_missing_is_a_warning_unless_it_is_required() {
    check_problems(
        "geo: {country_database: no.mmdb}\n",
        &[
            "4:25: warning: no.mmdb: there is no such file; until then, what was loaded before is used; without it rules that ask for it don't match",
        ],
    );
    check_problems(
        "geo: {asn_database: no.mmdb, required: true}\n",
        &["4:21: error: no.mmdb: there is no such file"],
    );
    let yaml = format!("{BASE}geo: {{country_database: c.mmdb}}\n");
    let files = Memory::default()
        .with("palisade.yaml", yaml.clone())
        .with("c.mmdb", "not a database");
    let problems = support::problems(&support::load(&files));
    assert!(
        problems.starts_with("palisade.yaml:4:25: warning: c.mmdb: not a MaxMind database"),
        "{problems}"
    );
    let database = palisade_testkit::mmdb::country_database(&[("192.0.2.0/24", "DE")]);
    let files = Memory::default()
        .with("palisade.yaml", yaml)
        .with("c.mmdb", database);
    let loaded = support::load(&files).unwrap();
    let place = loaded.settings.geo.place("192.0.2.1".parse().unwrap());
    assert_eq!(
        place
            .country
            .value()
            .map(|country| country.to_string())
            .as_deref(),
        Some("DE")
    );
}
