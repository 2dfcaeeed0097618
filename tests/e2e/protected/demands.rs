//! What protected paths ask for besides passwords.

use super::{ADMIN, CLIENT, Gate, basic};

/// Each request, its client, and the status of its answer.
#[track_caller]
fn check(gate: &Gate, table: &[(&str, &str, u16)]) {
    for (client, request, status) in table {
        let answer = gate.ask(client, request, "");
        assert_eq!(answer.status, *status, "{client} {request}");
    }
}

#[test]
fn addresses_countries_and_methods_are_all_asked_for() {
    let gate = Gate::with(
        "
      - id: from
        match: { path: { prefix: [/from] } }
        addresses: [192.0.2.0/24, 198.51.100.7]
      - id: country
        match: { path: { prefix: [/country] } }
        countries: [XA]
      - id: anywhere
        match: { path: { prefix: [/anywhere] } }
        countries: [XA, unknown]
        status: 451
      - id: method
        match: { path: { prefix: [/method] } }
        methods: [GET, HEAD]
      - id: all
        match: { path: { prefix: [/all] } }
        addresses: [192.0.2.0/24]
        countries: [XB]
        methods: GET
        status: 404
",
    );
    let table = [
        ("203.0.113.1", "GET /other", 200),
        ("192.0.2.1", "GET /from/x", 200),
        ("198.51.100.7", "GET /from/x", 200),
        ("198.51.100.8", "GET /from/x", 403),
        ("192.0.2.1", "GET /country", 200),
        ("192.0.2.200", "GET /country", 403),
        // Where it can't be known, it isn't the right one.
        ("203.0.113.1", "GET /country", 403),
        ("203.0.113.1", "GET /anywhere", 200),
        ("192.0.2.200", "GET /anywhere", 451),
        ("192.0.2.1", "HEAD /method", 200),
        ("192.0.2.1", "POST /method", 405),
        ("192.0.2.200", "GET /all", 200),
        ("192.0.2.200", "HEAD /all", 404),
        ("192.0.2.1", "GET /all", 404),
        ("203.0.113.1", "GET /all", 404),
        // The path is judged as the backend will see it.
        ("198.51.100.8", "GET /%66rom", 403),
        ("198.51.100.8", "GET /x/../from", 403),
        ("198.51.100.8", "GET //from;a=b/x", 403),
    ];
    check(&gate, &table);
    let allowed = table.iter().filter(|(_, _, status)| *status == 200).count();
    assert_eq!(gate.backend.requests().len(), allowed);
}

#[test]
fn a_method_that_is_not_allowed_hears_which_are() {
    let gate = Gate::with(
        "
      - id: read-only
        match: {}
        methods: [GET, HEAD]
",
    );
    let answer = gate.ask(CLIENT, "DELETE /x", "");
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some("GET, HEAD"))
    );
    let line = gate
        .palisade
        .wait_for_decision(|line| line["status"] == 405);
    assert_eq!(line["check"], "protected", "{line}");
    assert_eq!(
        (&line["protected"], &line["reason"]),
        (&"read-only".into(), &"method".into())
    );
}

#[test]
fn every_entry_that_a_request_is_for_has_to_be_content() {
    let gate = Gate::with(&format!(
        "{ADMIN}
      - id: deeper
        match: {{ path: {{ prefix: [/admin/deeper] }} }}
        addresses: [192.0.2.1]
"
    ));
    let alice = basic("alice:myPassword");
    let ask = |client, path: &str| gate.ask(client, &format!("GET {path}"), &alice).status;
    assert_eq!(ask("192.0.2.2", "/admin"), 200);
    assert_eq!(ask("192.0.2.1", "/admin/deeper"), 200);
    // What is cheap to see comes first: nobody is asked for a password in vain.
    let refused = gate.ask("192.0.2.2", "GET /admin/deeper", "");
    assert_eq!(refused.status, 403);
    assert_eq!(gate.ask("192.0.2.1", "GET /admin/deeper", "").status, 401);
}

#[test]
fn no_access_rule_lifts_protection_and_trusted_clients_pass() {
    let gate = Gate::with_site(
        &format!(
            "    protected:{ADMIN}
      - id: nobody
        match: {{ path: /nobody }}
        addresses: [127.0.0.1]
    access:
      rules:
        - {{ id: all, match: {{ address: 192.0.2.0/24 }}, action: allow, skip: [decisions, limits, waf] }}
"
        ),
        "trusted_clients: [203.0.113.9]",
    );
    check(
        &gate,
        &[
            (CLIENT, "GET /admin", 401),
            (CLIENT, "GET /nobody", 403),
            ("203.0.113.9", "GET /admin", 200),
            ("203.0.113.9", "GET /nobody", 200),
        ],
    );
}

#[test]
fn detect_mode_records_and_refuses_nothing() {
    let gate = Gate::with_site(
        &format!(
            "    mode: detect
    protected:{ADMIN}
      - id: home
        match: {{ path: /home }}
        addresses: [127.0.0.1]
"
        ),
        "lockout: { failures: 1 }",
    );
    let recorded = |check: &str, reason: &str| {
        let line = gate.palisade.wait_for_decision(|line| {
            line["check"] == check && line["reason"] == reason && line["mode"] == "would_refuse"
        });
        line["status"].as_u64().unwrap()
    };
    assert_eq!(gate.ask(CLIENT, "GET /home", "").status, 200);
    assert_eq!(recorded("protected", "address"), 403);
    assert_eq!(gate.ask(CLIENT, "GET /admin", "").status, 200);
    assert_eq!(recorded("protected", "credentials_missing"), 401);
    assert_eq!(gate.try_as(CLIENT, "/admin", "alice:wrong"), 200);
    assert_eq!(recorded("protected", "credentials_wrong"), 401);
    assert_eq!(gate.try_as(CLIENT, "/admin", "alice:myPassword"), 200);
    assert_eq!(recorded("limits", "lockout"), 429);
    // The backend may have had credentials of its own: they go on.
    let last = gate.backend.requests().pop().unwrap();
    assert!(last.header("authorization").is_some());
}

#[test]
fn a_site_that_is_off_protects_nothing() {
    let gate = Gate::with_site(&format!("    mode: \"off\"\n    protected:{ADMIN}"), "");
    check(&gate, &[(CLIENT, "GET /admin", 200)]);
}
