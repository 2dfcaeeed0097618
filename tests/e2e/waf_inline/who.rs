//! Who is not inspected.

use super::{EVIL, Gate, SetUp};
use crate::harness::{Backend, Connection};

#[test]
fn trusted_clients_and_rules_that_skip_it_pass_inspection() {
    let gate = Gate::set_up(
        Backend::start(),
        &SetUp {
            files: &[("rules.conf", EVIL)],
            more: "
trusted_clients: 127.0.0.9
access:
  rules:
    - { id: friends, match: { address: 127.0.0.8 }, action: allow, skip: waf }
    - { id: others, match: { address: 127.0.0.7 }, action: allow }",
            ..SetUp::default()
        },
    );
    let asked = |client: &str| {
        let mut connection = Connection::open_from(client, gate.palisade.address());
        connection.send("GET /?q=evil HTTP/1.1\r\nHost: a\r\n\r\n");
        connection.answer().expect("an answer").status
    };
    for (client, status) in [
        ("127.0.0.9", 200),
        ("127.0.0.8", 200),
        ("127.0.0.7", 403),
        ("127.0.0.6", 403),
    ] {
        assert_eq!(asked(client), status, "{client}");
    }
    let log = std::fs::read_to_string(gate.folder().join("audit.jsonl")).unwrap_or_default();
    assert!(
        !log.contains("127.0.0.9") && !log.contains("127.0.0.8"),
        "{log}"
    );
}

#[test]
fn what_is_refused_before_is_not_inspected() {
    let gate = Gate::set_up(
        Backend::start(),
        &SetUp {
            files: &[("rules.conf", EVIL)],
            more: "access: { rules: [{ id: closed, match: { path: { prefix: /closed } }, action: block, status: 410 }] }",
            ..SetUp::default()
        },
    );
    assert_eq!(gate.palisade.get("/closed?q=evil").status, 410);
    assert_eq!(gate.palisade.get("/open?q=evil").status, 403);
    let line = gate.wait_for_audit(|_| true);
    assert_eq!(line["request"]["target"], "/open?q=evil", "{line}");
}
