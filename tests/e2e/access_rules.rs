//! The operator's own rules: what each field means, whose turn it is, and what becomes of a match.

use palisade_testkit::mmdb::{MmdbValue, MmdbWriter};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Answer, Backend, Palisade, wait_for};

/// A Palisade that gets its clients' addresses in PROXY headers, with these sections.
#[track_caller]
fn start(backend: &Backend, sections: &str) -> Palisade {
    start_in(tempfile::tempdir().unwrap(), backend, sections)
}

#[track_caller]
fn start_in(folder: TempDir, backend: &Backend, sections: &str) -> Palisade {
    let settings = format!(
        "
listeners:
  - {{ address: 127.0.0.1:0, proxy_protocol: {{ mode: required, from: 127.0.0.0/8 }} }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
{sections}
"
    );
    Palisade::start_in(folder, &settings)
}

const ONE_SITE: &str = "sites: [{ upstream: app }]\n";

/// Asks from an address; `request` is the request line and header lines, without HTTP version and
/// line ends: `GET /x | Name: value`. Host is test.example unless given.
fn ask(palisade: &Palisade, client: &str, request: &str) -> Answer {
    let mut parts = request.split(" | ");
    let mut head = format!("{} HTTP/1.1\r\n", parts.next().unwrap());
    if !request.contains("| Host:") {
        head += "Host: test.example\r\n";
    }
    for part in parts {
        head += &format!("{part}\r\n");
    }
    head += "\r\n";
    palisade
        .connect_from(client)
        .send(head)
        .answer()
        .expect("an answer")
}

/// Each rule has a status of its own, which tells which one decided.
#[track_caller]
fn check(palisade: &Palisade, table: &[(&str, &str, u16)]) {
    for (client, request, status) in table {
        assert_eq!(
            ask(palisade, client, request).status,
            *status,
            "{client} {request}"
        );
    }
}

/// A client that no rule is about.
const ANYBODY: &str = "100.64.0.1";

fn geo_databases() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let range = |range: &str| range.parse().unwrap();
    let country = MmdbWriter::new("Test-Country")
        .insert(
            range("192.0.2.0/25"),
            MmdbValue::field("country_code", "XA"),
        )
        .insert(
            range("192.0.2.128/25"),
            MmdbValue::field("country_code", "XB"),
        );
    let number = MmdbValue::field("autonomous_system_number", 64_496);
    let asn = MmdbWriter::new("Test-ASN").insert(range("192.0.2.128/25"), number);
    std::fs::write(folder.path().join("country.mmdb"), country.build()).unwrap();
    std::fs::write(folder.path().join("asn.mmdb"), asn.build()).unwrap();
    folder
}

#[test]
fn addresses_ranges_and_lists() {
    let backend = Backend::start();
    let folder = tempfile::tempdir().unwrap();
    let list = "# exit nodes\n198.51.100.7   ; one\n2001:db8:7::/48\n";
    std::fs::write(folder.path().join("tor.txt"), list).unwrap();
    let rules = "
access:
  lists:
    office: [203.0.113.0/28, \"2001:db8:1::/48\"]
    tor: { file: tor.txt }
  rules:
    - { id: single, match: { address: 192.0.2.1 }, action: block, status: 460 }
    - { id: range, match: { address: [192.0.2.128/25, 2001:db8:9::/64] }, action: block, status: 461 }
    - { id: inline-list, match: { address: $office }, action: block, status: 462 }
    - { id: file-list, match: { address: $tor }, action: block, status: 463 }
";
    let palisade = start_in(folder, &backend, &format!("{ONE_SITE}{rules}"));
    check(
        &palisade,
        &[
            ("192.0.2.1", "GET /", 460),
            ("192.0.2.2", "GET /", 200),
            // An IPv4 address may come as a mapped one.
            ("::ffff:192.0.2.1", "GET /", 460),
            ("192.0.2.127", "GET /", 200),
            ("192.0.2.128", "GET /", 461),
            ("2001:db8:9::ffff", "GET /", 461),
            ("2001:db8:9:1::", "GET /", 200),
            ("203.0.113.15", "GET /", 462),
            ("203.0.113.16", "GET /", 200),
            ("2001:db8:1:ffff::1", "GET /", 462),
            ("198.51.100.7", "GET /", 463),
            ("198.51.100.8", "GET /", 200),
            ("2001:db8:7::1", "GET /", 463),
        ],
    );
}

#[test]
fn countries_and_autonomous_systems_that_may_be_unknown() {
    let backend = Backend::start();
    let rules = "
geo: { country_database: country.mmdb, asn_database: asn.mmdb }
access:
  rules:
    - { id: country, match: { path: /country, country: [XA] }, action: block, status: 460 }
    - { id: asn, match: { path: /asn, asn: [AS64496] }, action: block, status: 461 }
    - { id: only-from-xa, match: { path: /only-xa, not: { country: XA } }, action: block, status: 462 }
    - { id: unknown-too, match: { path: /known, country: [XB, unknown] }, action: block, status: 463 }
    - { id: known-asn, match: { path: /asn-known, not: { asn: unknown } }, action: block, status: 464 }
";
    let palisade = start_in(geo_databases(), &backend, &format!("{ONE_SITE}{rules}"));
    let (xa, xb, nowhere) = ("192.0.2.1", "192.0.2.129", "100.64.0.1");
    check(
        &palisade,
        &[
            (xa, "GET /country", 460),
            (xb, "GET /country", 200),
            (nowhere, "GET /country", 200),
            (xa, "GET /asn", 200),
            (xb, "GET /asn", 461),
            (xa, "GET /only-xa", 200),
            (xb, "GET /only-xa", 462),
            // Where it can't be known the rule doesn't match, under `not` either.
            (nowhere, "GET /only-xa", 200),
            (xa, "GET /known", 200),
            (xb, "GET /known", 463),
            (nowhere, "GET /known", 463),
            (xb, "GET /asn-known", 464),
            (nowhere, "GET /asn-known", 200),
        ],
    );
}

#[test]
fn without_a_database_nobody_is_anywhere() {
    let backend = Backend::start();
    let folder = geo_databases();
    std::fs::write(folder.path().join("country.mmdb"), b"not a database").unwrap();
    let rules = "
geo: { country_database: country.mmdb, asn_database: missing.mmdb }
access:
  rules:
    - { id: country, match: { country: [XA] }, action: block, status: 460 }
    - { id: not-country, match: { not: { country: [XB] } }, action: block, status: 461 }
    - { id: not-asn, match: { not: { asn: [1] } }, action: block, status: 462 }
    - { id: unknown, match: { path: /unknown, country: unknown }, action: block, status: 463 }
";
    let palisade = start_in(folder, &backend, &format!("{ONE_SITE}{rules}"));
    check(
        &palisade,
        &[
            ("192.0.2.1", "GET /", 200),
            ("192.0.2.1", "GET /unknown", 463),
        ],
    );
    for database in ["country", "asn"] {
        let name = format!("palisade_geo_database_loaded{{database=\"{database}\"}}");
        assert_eq!(palisade.metric(&name), 0.0, "{name}");
    }
    for name in ["country.mmdb", "missing.mmdb"] {
        assert!(
            palisade.stderr().iter().any(|line| line.contains(name)),
            "{:#?}",
            palisade.stderr()
        );
    }
}

#[test]
fn paths_are_what_the_backend_will_make_of_them() {
    let backend = Backend::start();
    let rules = r#"
access:
  rules:
    - { id: allowed, match: { path: { prefix: /admin/public } }, action: allow }
    - { id: prefix, match: { path: { prefix: /admin } }, action: block, status: 460 }
    - { id: equals, match: { path: [/exact, /other] }, action: block, status: 461 }
    - { id: suffix, match: { path: { suffix: [.bak, .old] } }, action: block, status: 462 }
    - { id: contains, match: { path: { contains: /.git/ } }, action: block, status: 463 }
    - { id: regex, match: { path: { regex: '^/user/[0-9]+$' } }, action: block, status: 464 }
    - { id: any-case, match: { path: { equals: /SeCrEt, ignore_case: true } }, action: block, status: 465 }
    - { id: raw, match: { raw_path: { contains: "%61" } }, action: block, status: 466 }
"#;
    let palisade = start(&backend, &format!("{ONE_SITE}{rules}"));
    let table = [
        ("/admin", 460),
        ("/administrator", 460),
        ("/Admin", 200),
        ("/x/../admin", 460),
        ("//admin", 460),
        ("/./admin", 460),
        ("/%61dmin", 460),
        ("/a%64min/x", 460),
        // Java's servers take what follows a semicolon away.
        ("/x;a=b/../admin", 460),
        ("/exact", 461),
        ("/exact;jsessionid=1", 461),
        ("/exact/", 200),
        ("/exact?x=1", 461),
        ("/exactly", 200),
        ("/other", 461),
        ("/dump.bak", 462),
        ("/dump.old?x", 462),
        ("/dump.bakery", 200),
        ("/app/.git/config", 463),
        ("/app/.gitignore", 200),
        ("/user/42", 464),
        ("/user/42/", 200),
        ("/user/x", 200),
        ("/secret", 465),
        ("/SECRET", 465),
        ("/p%61th", 466),
        ("/path", 200),
        // What allows takes the canonical path as it is.
        ("/admin/public/x", 200),
        ("/admin;x/public", 460),
        ("/admin/public/../private", 460),
    ];
    for (target, status) in table {
        let answer = ask(&palisade, ANYBODY, &format!("GET {target}"));
        assert_eq!(answer.status, status, "{target}");
    }
}

#[test]
fn what_else_of_a_request_rules_can_ask_for() {
    let backend = Backend::start();
    let rules = r#"
access:
  rules:
    - { id: query, match: { query: { contains: union+select } }, action: block, status: 460 }
    - { id: host, match: { host: { suffix: .Internal.Example } }, action: block, status: 461 }
    - { id: method, match: { method: [PUT, DELETE] }, action: block, status: 462 }
    - { id: agent, match: { user_agent: { contains: [SqlMap, nikto] } }, action: block, status: 463 }
    - { id: no-agent, match: { user_agent: "", path: /ua }, action: block, status: 464 }
    - { id: header, match: { header: { X-Probe: { prefix: evil } } }, action: block, status: 465 }
    - { id: cookie, match: { cookie: { session: { equals: stolen } } }, action: block, status: 466 }
    - { id: there, match: { header: { X-Debug: { regex: '^' } } }, action: block, status: 467 }
"#;
    let palisade = start(&backend, &format!("{ONE_SITE}{rules}"));
    check(
        &palisade,
        &[
            (ANYBODY, "GET /?q=1+union+select+2", 460),
            (ANYBODY, "GET /union+select", 200),
            (ANYBODY, "GET / | Host: a.INTERNAL.example:8080", 461),
            (ANYBODY, "GET / | Host: internal.example", 200),
            (ANYBODY, "DELETE /", 462),
            (ANYBODY, "OPTIONS /", 200),
            (ANYBODY, "GET / | User-Agent: SQLMAP/1.8", 463),
            (ANYBODY, "GET / | User-Agent: Mozilla/5.0 (Nikto)", 463),
            (ANYBODY, "GET / | User-Agent: Mozilla/5.0", 200),
            (ANYBODY, "GET /ua", 464),
            (ANYBODY, "GET /ua | User-Agent: x", 200),
            (ANYBODY, "GET / | x-probe: evil/1", 465),
            // Any line of the field will do.
            (ANYBODY, "GET / | X-Probe: good | X-Probe: evil", 465),
            (ANYBODY, "GET / | X-Probe: good", 200),
            (ANYBODY, "GET / | Cookie: a=b; session=stolen", 466),
            (ANYBODY, "GET / | Cookie: a=b | Cookie: session=stolen", 466),
            (ANYBODY, "GET / | Cookie: session=mine", 200),
            (ANYBODY, "GET / | Cookie: Session=stolen", 200),
            (ANYBODY, "GET / | X-Debug: 1", 467),
            (ANYBODY, "GET / | X-Debug:", 467),
        ],
    );
}

#[test]
fn conditions_combine() {
    let backend = Backend::start();
    let rules = r#"
access:
  rules:
    - id: all-keys
      match: { method: POST, path: [/login, /signin], not: { address: 192.0.2.0/24 } }
      action: block
      status: 460
    - id: nested
      match:
        any:
          - { path: /a, query: x }
          - all: [{ path: /b }, { not: { any: [{ method: GET }, { header: { X-Key: open } }] } }]
      action: block
      status: 461
    - id: everything-else
      match: { path: { prefix: /closed } }
      action: block
      status: 462
"#;
    let palisade = start(&backend, &format!("{ONE_SITE}{rules}"));
    check(
        &palisade,
        &[
            (ANYBODY, "POST /login", 460),
            (ANYBODY, "POST /signin", 460),
            (ANYBODY, "GET /login", 200),
            ("192.0.2.9", "POST /login", 200),
            (ANYBODY, "GET /a?x", 461),
            (ANYBODY, "GET /a?y", 200),
            (ANYBODY, "GET /b", 200),
            (ANYBODY, "POST /b", 461),
            (ANYBODY, "POST /b | X-Key: open", 200),
            (ANYBODY, "GET /closed/x", 462),
        ],
    );
}

#[test]
fn the_first_rule_that_blocks_or_allows_ends_it() {
    let backend = Backend::start();
    let sections = r#"
sites:
  - hosts: [site.example]
    upstream: app
    access:
      rules:
        - { id: site-allow, match: { path: { prefix: /wp-admin } }, action: allow }
        - { id: site-block, match: { path: /only-here }, action: block, status: 470 }
        - { id: site-block-allowed, match: { path: /open }, action: block, status: 471 }
  - { upstream: app }
access:
  rules:
    - { id: log-only, match: { path: { prefix: / } }, action: log, reason: seen }
    - { id: not-now, match: { path: /later }, action: block, status: 460, mode: off }
    - { id: watched, match: { path: /later }, action: block, status: 461, mode: detect }
    - { id: allow, match: { path: /open }, action: allow }
    - { id: block-too-late, match: { path: /open }, action: block, status: 462 }
    - { id: block, match: { path: { prefix: /wp-admin } }, action: block, status: 463 }
    - { id: default-status, match: { path: /default }, action: block, reason: my own reason }
"#;
    let palisade = start(&backend, sections);
    check(
        &palisade,
        &[
            (ANYBODY, "GET /open", 200),
            (ANYBODY, "GET /open | Host: site.example", 200),
            // A site's rule can't undo a global block.
            (ANYBODY, "GET /wp-admin/x | Host: site.example", 463),
            (ANYBODY, "GET /only-here | Host: site.example", 470),
            (ANYBODY, "GET /only-here", 200),
            (ANYBODY, "GET /later", 200),
            (ANYBODY, "GET /default", 403),
        ],
    );
    let of_rule = |id: &str| palisade.wait_for_decision(|line| line["rule"]["id"] == id);
    let logged = of_rule("log-only");
    assert_eq!(
        (&logged["mode"], &logged["rule"]["reason"]),
        (&"logged".into(), &"seen".into())
    );
    assert_eq!(logged["status"], Value::Null, "nothing was refused");
    let watched = of_rule("watched");
    assert_eq!(
        (&watched["mode"], &watched["status"]),
        (&"would_refuse".into(), &461.into())
    );
    let refused = of_rule("default-status");
    assert_eq!(refused["mode"], "refused");
    assert_eq!(refused["check"], "access");
    assert_eq!(refused["rule"]["reason"], "my own reason");
    assert_eq!(of_rule("site-block")["site"], "site.example");
    assert!(
        palisade
            .decision_log()
            .iter()
            .all(|line| line["rule"]["id"] != "not-now")
    );
}

#[test]
fn a_site_may_watch_first_or_leave_its_rules_out() {
    let backend = Backend::start();
    let sections = r#"
sites:
  - { hosts: [watched.example], upstream: app, mode: detect, access: { rules: [{ id: own, match: { path: /own }, action: block, status: 470 }] } }
  - { hosts: [off.example], upstream: app, mode: off, access: { rules: [{ id: off, match: { path: /own }, action: block, status: 471 }] } }
  - { upstream: app }
access:
  rules:
    - { id: global, match: { path: /global }, action: block, status: 460 }
"#;
    let palisade = start(&backend, sections);
    check(
        &palisade,
        &[
            (ANYBODY, "GET /global", 460),
            (ANYBODY, "GET /global | Host: watched.example", 200),
            (ANYBODY, "GET /own | Host: watched.example", 200),
            (ANYBODY, "GET /global | Host: off.example", 200),
            (ANYBODY, "GET /own | Host: off.example", 200),
            // What is malformed is refused in every mode.
            (ANYBODY, "GET /%zz | Host: watched.example", 400),
            (ANYBODY, "GET /%zz | Host: off.example", 400),
        ],
    );
    for (id, status) in [("global", 460), ("own", 470)] {
        let line = palisade.wait_for_decision(|line| {
            line["rule"]["id"] == id && line["site"] == "watched.example"
        });
        assert_eq!(
            (&line["mode"], &line["status"]),
            (&"would_refuse".into(), &status.into())
        );
    }
    assert!(
        palisade
            .decision_log()
            .iter()
            .all(|line| line["site"] != "off.example" || line["check"] == "hygiene")
    );
    let would = palisade.metric("palisade_would_be_refusals_total{check=\"access\"}");
    assert_eq!(would, 2.0);
}

#[test]
fn an_allow_may_skip_decisions_and_ends_access_rules_only_otherwise() {
    let backend = Backend::start();
    let sections = r#"
sites: [{ upstream: app }]
admin: { socket: admin.sock }
access:
  rules:
    - id: monitoring
      match: { address: 198.51.100.1, path: /healthz }
      action: allow
      skip: decisions
    - { id: partner, match: { address: 198.51.100.0/24 }, action: allow }
    - { id: the-rest, match: { path: /healthz }, action: block, status: 460 }
"#;
    let palisade = start(&backend, sections);
    palisade.decisions(&["add", "198.51.100.0/24", "--duration", "1h"]);
    check(
        &palisade,
        &[
            ("198.51.100.1", "GET /healthz", 200),
            // What isn't skipped, refuses.
            ("198.51.100.1", "GET /", 403),
            ("198.51.100.2", "GET /healthz", 403),
            (ANYBODY, "GET /healthz", 460),
        ],
    );
    palisade.decisions(&["flush"]);
    check(
        &palisade,
        &[
            ("198.51.100.2", "GET /healthz", 200),
            (ANYBODY, "GET /healthz", 460),
        ],
    );
}

#[test]
fn a_list_that_changes_is_read_again() {
    let backend = Backend::start();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("drop.txt"), "192.0.2.1\n").unwrap();
    let rules = "
access:
  lists: { drop: { file: drop.txt } }
  rules: [{ id: drop, match: { address: $drop }, action: block }]
";
    let palisade = start_in(folder, &backend, &format!("{ONE_SITE}{rules}"));
    let list = palisade.directory().join("drop.txt");
    check(
        &palisade,
        &[("192.0.2.1", "GET /", 403), ("192.0.2.22", "GET /", 200)],
    );

    std::fs::write(&list, "192.0.2.22\n").unwrap();
    wait_for("the new list", || {
        (ask(&palisade, "192.0.2.22", "GET /").status == 403).then_some(())
    });
    assert_eq!(ask(&palisade, "192.0.2.1", "GET /").status, 200);

    // A list that makes no sense changes nothing.
    std::fs::write(&list, "192.0.2.1\n192.0.2.300\n").unwrap();
    let failed = "palisade_last_reload_failed";
    wait_for("the failure", || {
        (palisade.metric(failed) == 1.0).then_some(())
    });
    let place = |line: &String| line.contains("drop.txt:2:1") && line.contains("192.0.2.300");
    assert!(
        palisade.stderr().iter().any(place),
        "{:#?}",
        palisade.stderr()
    );
    check(
        &palisade,
        &[("192.0.2.22", "GET /", 403), ("192.0.2.1", "GET /", 200)],
    );

    // And one that makes sense again counts at once.
    std::fs::write(&list, "192.0.2.1\n").unwrap();
    wait_for("the mended list", || {
        (ask(&palisade, "192.0.2.1", "GET /").status == 403).then_some(())
    });
    assert_eq!(palisade.metric(failed), 0.0);
}

#[test]
fn the_rules_that_come_with_palisade() {
    let backend = Backend::start();
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules");
    let palisade = start(
        &backend,
        &format!("{ONE_SITE}access: {{ rule_files: [\"{rules}/*.yaml\"] }}"),
    );
    let table = std::fs::read_to_string(format!("{rules}/tests.tsv")).unwrap();
    let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0";
    let mut connection = palisade.connect_from(ANYBODY);
    let (mut blocked, mut passed) = (Vec::new(), 0);
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [rule, outcome, target, rest @ ..] = columns.as_slice() else {
            panic!("{line}");
        };
        let agent = rest
            .first()
            .filter(|agent| !agent.is_empty())
            .unwrap_or(&browser);
        connection.send(format!(
            "GET {target} HTTP/1.1\r\nHost: test.example\r\nUser-Agent: {agent}\r\n\r\n"
        ));
        let status = connection.answer().expect("an answer").status;
        match *outcome {
            "block" => {
                assert_eq!(status, 403, "{line}");
                blocked.push((*rule).to_owned());
            }
            _ => {
                assert_eq!(status, 200, "{line}");
                passed += 1;
            }
        }
    }
    assert!(blocked.len() > 50 && passed > 50);
    let log = wait_for("all lines", || {
        let log = palisade.decision_log();
        (log.len() == blocked.len()).then_some(log)
    });
    let logged: Vec<&str> = log
        .iter()
        .map(|line| line["rule"]["id"].as_str().unwrap())
        .collect();
    assert_eq!(logged, blocked);
    assert_eq!(backend.requests().len(), passed);
}
