//! Who fails too often is kept out for a while.

use super::{ADMIN, CLIENT, Gate, basic, wait_for};

const THREE: &str = "lockout: { failures: 3, within: 1h, lock_for: 30m }";

fn gate() -> Gate {
    Gate::with_site(&format!("    protected:{ADMIN}"), THREE)
}

/// Fails so often.
#[track_caller]
fn fail(gate: &Gate, client: &str, times: usize) {
    for time in 0..times {
        let guess = format!("alice:guess{time}");
        assert_eq!(
            gate.try_as(client, "/admin", &guess),
            401,
            "{client} {time}"
        );
    }
}

#[test]
fn wrong_passwords_lock_a_client_out() {
    let gate = gate();
    fail(&gate, CLIENT, 3);
    let answer = gate.ask(CLIENT, "GET /admin", &basic("alice:myPassword"));
    assert_eq!(answer.status, 429);
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1790..=1800).contains(&wait), "{wait}");
    // Without credentials too, but only where some are needed; and others are not locked out.
    assert_eq!(gate.ask(CLIENT, "GET /admin", "").status, 429);
    assert_eq!(gate.ask(CLIENT, "GET /", "").status, 200);
    assert_eq!(gate.try_as("192.0.2.2", "/admin", "alice:myPassword"), 200);
}

#[test]
fn a_lockout_is_told() {
    let gate = gate();
    fail(&gate, CLIENT, 3);
    gate.try_as(CLIENT, "/admin/after", "bob:x");
    let locks = gate
        .palisade
        .wait_for_decision(|line| line["then"] == "lockout");
    assert_eq!(
        (&locks["user"], &locks["status"]),
        (&"alice".into(), &401.into())
    );
    let line = gate
        .palisade
        .wait_for_decision(|line| line["path"] == "/admin/after");
    assert_eq!(
        (&line["check"], &line["reason"]),
        (&"limits".into(), &"lockout".into())
    );
    assert!(
        line["retry_after_seconds"].as_f64().unwrap() > 1700.0,
        "{line}"
    );
    assert_eq!(gate.palisade.metric("palisade_lockout_locks_total"), 1.0);
    assert_eq!(gate.palisade.metric("palisade_lockout_locked_clients"), 1.0);
    assert_eq!(
        gate.palisade
            .metric("palisade_refusals_total{check=\"limits\"}"),
        1.0
    );
    let status = &gate.palisade.status()["lockouts"];
    assert_eq!(
        (&status["clients"], &status["locked"]),
        (&1.into(), &1.into())
    );
}

#[test]
fn a_network_of_ipv6_is_one_client() {
    let gate = gate();
    for client in ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:3"] {
        fail(&gate, client, 1);
    }
    assert_eq!(
        gate.try_as("2001:db8::4", "/admin", "alice:myPassword"),
        429
    );
    assert_eq!(
        gate.try_as("2001:db8:0:1::4", "/admin", "alice:myPassword"),
        200
    );
}

#[test]
fn a_success_undoes_no_failure() {
    let gate = gate();
    fail(&gate, CLIENT, 2);
    assert_eq!(gate.try_as(CLIENT, "/admin", "alice:myPassword"), 200);
    fail(&gate, CLIENT, 1);
    assert_eq!(gate.try_as(CLIENT, "/admin", "alice:myPassword"), 429);
}

#[test]
fn a_reload_ends_no_lock() {
    let gate = gate();
    fail(&gate, CLIENT, 3);
    gate.reload("failures: 3", "failures: 300");
    assert_eq!(gate.try_as(CLIENT, "/admin", "alice:myPassword"), 429);
    fail(&gate, "192.0.2.2", 4);
}

#[test]
fn a_lock_ends() {
    let lockout = "lockout: { failures: 1, within: 1h, lock_for: 3s }";
    let gate = Gate::with_site(&format!("    protected:{ADMIN}"), lockout);
    fail(&gate, CLIENT, 1);
    assert_eq!(gate.try_as(CLIENT, "/admin", "alice:myPassword"), 429);
    wait_for("the lock to end", || {
        (gate.try_as(CLIENT, "/admin", "alice:myPassword") == 200).then_some(())
    });
}

#[test]
fn guesses_made_at_once_are_no_more_than_may_fail() {
    let gate = gate();
    let mut guesses: Vec<_> = (0..40)
        .map(|_| gate.palisade.connect_from(CLIENT))
        .collect();
    for (number, guess) in guesses.iter_mut().enumerate() {
        let credentials = basic(&format!("alice:guess{number}"));
        guess.send(format!(
            "GET /admin HTTP/1.1\r\nHost: test.example\r\n{credentials}\r\n"
        ));
    }
    let statuses = guesses
        .iter_mut()
        .map(|guess| guess.answer().unwrap().status);
    let verified = statuses.filter(|status| *status == 401).count();
    assert_eq!(verified, 3);
    assert_eq!(gate.try_as(CLIENT, "/admin", "alice:myPassword"), 429);
}

#[test]
fn what_a_site_only_records_locks_nobody_out_of_another() {
    let site = format!(
        "    hosts: watched.example
    mode: detect
    protected:{ADMIN}
  - upstream: app
    protected:{}",
        ADMIN.replace("id: admin", "id: real")
    );
    let gate = Gate::with_site(&site, "lockout: { failures: 1 }");
    let watched = "Host: watched.example\r\n";
    for _ in 0..3 {
        let head = format!(
            "GET /admin HTTP/1.1\r\n{watched}{}\r\n",
            basic("alice:wrong")
        );
        let mut connection = gate.palisade.connect_from(CLIENT);
        assert_eq!(connection.send(head).answer().unwrap().status, 200);
    }
    assert_eq!(gate.try_as(CLIENT, "/admin", "alice:myPassword"), 200);
    assert_eq!(gate.try_as(CLIENT, "/admin", "alice:wrong"), 401);
    assert_eq!(gate.try_as(CLIENT, "/admin", "alice:myPassword"), 429);
}

#[test]
fn an_access_rule_can_skip_limits_by_name() {
    let gate = Gate::with_site(
        &format!(
            "    protected:{ADMIN}
    access:
      rules: [{{ id: office, match: {{ address: 192.0.2.0/24 }}, action: allow, skip: limits }}]
"
        ),
        THREE,
    );
    fail(&gate, CLIENT, 5);
    assert_eq!(gate.try_as(CLIENT, "/admin", "alice:myPassword"), 200);
}
