//! What the second set judges, and what is told of it.

use super::{ACTIVE, EVALUATED, Gate, STRICTER, skipped};
use crate::harness::{Backend, Http2Client, run, wait_for};
use crate::waf::crs::{crs, rules};

#[test]
fn what_would_be_refused_passes_and_is_told_without_values() {
    let gate = Gate::with(ACTIVE, STRICTER);
    assert_eq!(gate.palisade.get("/shop?q=oddity-1234").status, 200);
    let line = gate.wait_for_line(|line| line["kind"] == "new_refusal");
    assert_eq!(line["path"], "/shop", "{line}");
    assert_eq!(line["method"], "GET");
    assert_eq!(line["client_ip"], "127.0.0.1");
    assert_eq!(line["host"], "test.example");
    assert_eq!(line["active"]["outcome"], "passed");
    assert_eq!(line["active"]["only"][0]["id"], 200);
    let shadow = &line["shadow"];
    assert_eq!(
        (&shadow["outcome"], &shadow["rule"]),
        (&"refused".into(), &300.into()),
        "{line}"
    );
    let only = serde_json::json!([{"id": 300, "msg": "Too odd", "target": "ARGS:q"}]);
    assert_eq!(shadow["only"], only, "{line}");
    assert!(!gate.log().contains("oddity"), "{}", gate.log());
    assert_eq!(gate.backend.requests().len(), 1);
    // Neither log of what is in force knows of it.
    assert!(gate.palisade.decision_log().is_empty());
    let id = line["request_id"].as_str().unwrap();
    assert_eq!(gate.backend.requests()[0].header("x-request-id"), Some(id));
}

#[test]
fn what_both_make_the_same_of_is_not_told() {
    let gate = Gate::with(ACTIVE, STRICTER);
    assert_eq!(gate.palisade.get("/?q=evil").status, 403);
    assert_eq!(gate.palisade.get("/?q=good").status, 200);
    gate.wait_for_metric(EVALUATED, 2.0);
    assert_eq!(gate.palisade.get("/?q=odd").status, 200);
    // One after the other: all lines before it would be there.
    gate.wait_for_line(|line| line["kind"] == "new_refusal");
    assert_eq!(gate.log().lines().count(), 1, "{}", gate.log());
    assert_eq!(gate.disagreements(), 1.0);
}

#[test]
fn what_would_no_longer_be_refused_and_by_which_other_rule_is_told() {
    let laxer = "SecRuleEngine On\nSecRule ARGS \"@streq evil\" \"id:101,phase:2,deny,log\"\n";
    let gate = Gate::with(ACTIVE, laxer);
    assert_eq!(gate.palisade.get("/?q=evils").status, 403);
    let lost = gate.wait_for_line(|line| line["kind"] == "lost_refusal");
    assert_eq!(lost["active"]["rule"], 100, "{lost}");
    assert_eq!(gate.palisade.get("/?q=evil").status, 403);
    let other = gate.wait_for_line(|line| line["kind"] == "other_rule");
    assert_eq!(
        (&other["active"]["rule"], &other["shadow"]["rule"]),
        (&100.into(), &101.into())
    );
    assert_eq!(gate.palisade.get("/?q=odd").status, 200);
    let matches = gate.wait_for_line(|line| line["kind"] == "other_matches");
    assert_eq!(matches["active"]["only"][0]["id"], 200, "{matches}");
    assert_eq!(gate.backend.requests().len(), 1);
}

#[test]
fn bodies_are_judged() {
    let gate = Gate::with(ACTIVE, STRICTER);
    assert_eq!(gate.post("a=b&q=odd").status, 200);
    let line = gate.wait_for_line(|line| line["kind"] == "new_refusal");
    assert_eq!(
        (&line["path"], &line["method"]),
        (&"/form".into(), &"POST".into())
    );
    assert_eq!(line["shadow"]["only"][0]["target"], "ARGS:q", "{line}");
    // A long one, which is judged on a thread beside.
    let long = format!("a={}&q=odd", "b".repeat(200_000));
    assert_eq!(gate.post(&long).status, 200);
    gate.wait_for_metric(EVALUATED, 2.0);
    assert_eq!(gate.disagreements(), 2.0);
    assert!(gate.backend.requests()[1].body == long.as_bytes());
}

#[test]
fn requests_over_http2_are_judged() {
    let gate = Gate::with(ACTIVE, STRICTER);
    let got = run(async {
        let client = Http2Client::connect(gate.palisade.address()).await;
        client.get("/shop?q=odd").await.unwrap()
    });
    assert_eq!(got.status, 200);
    let line = gate.wait_for_line(|line| line["kind"] == "new_refusal");
    assert_eq!(
        (&line["path"], &line["shadow"]["only"][0]["target"]),
        (&"/shop".into(), &"ARGS:q".into()),
        "{line}"
    );
}

#[test]
fn a_body_of_which_too_little_was_read_is_skipped() {
    let heads =
        "SecRuleEngine On\nSecRule ARGS_GET \"@contains evil\" \"id:100,phase:1,deny,log\"\n";
    let gate = Gate::with(heads, STRICTER);
    assert_eq!(
        gate.post(format!("q=odd&a={}", "b".repeat(200_000))).status,
        200
    );
    gate.wait_for_metric(&skipped("body_unread"), 1.0);
    // Of one that was read whole, before the backend was asked for, it is known.
    assert_eq!(gate.post("q=odd").status, 200);
    gate.wait_for_line(|line| line["kind"] == "new_refusal");
    assert_eq!(gate.palisade.metric(EVALUATED), 1.0);
}

#[test]
fn answers_are_judged_where_they_were_read() {
    let answers = "SecRuleEngine On\nSecResponseBodyAccess On\nSecResponseBodyMimeType text/html\nSecResponseBodyLimit 65536\n";
    let active =
        format!("{answers}SecRule RESPONSE_BODY \"@contains ORA-\" \"id:400,phase:4,pass,log\"\n");
    let shadow = format!(
        "{answers}SecRule RESPONSE_BODY \"@contains ORA-\" \"id:400,phase:4,deny,log\"\nSecRule RESPONSE_HEADERS:X-Bad \"@streq 1\" \"id:500,phase:3,deny,log\"\n"
    );
    let backend = Backend::answering(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\nORA-00933",
    );
    let waf = "rules: active.conf, shadow: { rules: shadow.conf, sample: 100%, budget: 100% }";
    let gate = Gate::set_up(&active, &shadow, waf, "[{ upstream: app }]", backend);
    assert_eq!(gate.palisade.get("/").text(), "ORA-00933");
    let line = gate.wait_for_line(|line| line["kind"] == "new_refusal");
    assert_eq!(
        (&line["shadow"]["rule"], &line["shadow"]["phase"]),
        (&400.into(), &4.into()),
        "{line}"
    );
    assert_eq!(line["answer_body"], serde_json::Value::Null);
}

#[test]
fn an_answer_that_nobody_read_is_judged_by_its_head() {
    let shadow = "SecRuleEngine On\nSecResponseBodyAccess On\nSecResponseBodyMimeType text/html\nSecRule RESPONSE_HEADERS:X-Bad \"@streq 1\" \"id:500,phase:3,pass,log\"\nSecRule RESPONSE_BODY \"@contains ORA-\" \"id:400,phase:4,deny,log\"\n";
    let backend = Backend::answering(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Bad: 1\r\nContent-Length: 9\r\n\r\nORA-00933",
    );
    let waf = "rules: active.conf, shadow: { rules: shadow.conf, sample: 100%, budget: 100% }";
    let gate = Gate::set_up(ACTIVE, shadow, waf, "[{ upstream: app }]", backend);
    assert_eq!(gate.palisade.get("/").text(), "ORA-00933");
    let line = gate.wait_for_line(|line| line["kind"] == "other_matches");
    assert_eq!(line["answer_body"], "unread", "{line}");
    assert_eq!(line["shadow"]["only"][0]["id"], 500, "{line}");
}

#[test]
fn where_rules_only_detect_what_they_would_refuse_is_compared() {
    let waf = "mode: detect, rules: active.conf, shadow: { rules: shadow.conf, sample: 100%, budget: 100% }";
    let gate = Gate::set_up(
        ACTIVE,
        STRICTER,
        waf,
        "[{ upstream: app }]",
        Backend::start(),
    );
    assert_eq!(gate.palisade.get("/?q=evil").status, 200);
    assert_eq!(gate.palisade.get("/?q=odd").status, 200);
    let line = gate.wait_for_line(|_| true);
    assert_eq!(
        (&line["kind"], &line["shadow"]["rule"]),
        (&"new_refusal".into(), &300.into()),
        "{line}"
    );
}

#[test]
fn a_site_has_a_shadow_of_its_own() {
    let sites = "
  - { hosts: one.example, upstream: app }
  - { hosts: two.example, upstream: app, waf: { shadow: { rules: shadow.conf, sample: 100% } } }
  - { hosts: off.example, upstream: app, waf: { mode: off } }";
    let gate = Gate::set_up(
        ACTIVE,
        STRICTER,
        "rules: active.conf",
        sites,
        Backend::start(),
    );
    for host in ["one", "off", "two"] {
        let request = format!("GET /?q=odd HTTP/1.1\r\nHost: {host}.example\r\n\r\n");
        assert_eq!(
            gate.palisade.exchange(request).expect("an answer").status,
            200
        );
    }
    let line = gate.wait_for_line(|_| true);
    assert_eq!(
        (&line["host"], &line["site"]),
        (&"two.example".into(), &"two.example".into()),
        "{line}"
    );
    assert_eq!(gate.palisade.metric(EVALUATED), 1.0);
}

/// Counts the requests of an address, and refuses the third.
const COUNTING: &str = r#"SecRuleEngine On
SecAction "id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.count=+1"
SecRule IP:count "@ge 3" "id:2,phase:1,deny,log"
"#;

#[test]
fn records_of_the_second_set_are_its_own() {
    let waf = "rules: active.conf, shadow: { paranoia: 2, sample: 100%, budget: 100% }";
    let gate = Gate::set_up(COUNTING, "", waf, "[{ upstream: app }]", Backend::start());
    for (number, status) in [(1.0, 200), (2.0, 200), (3.0, 403)] {
        assert_eq!(gate.palisade.get("/").status, status, "{number}");
        gate.wait_for_metric(EVALUATED, number);
    }
    assert_eq!(gate.disagreements(), 0.0, "{}", gate.log());
}

#[test]
fn another_paranoia_of_crs_is_compared() {
    let Some(crs) = crs("another paranoia, beside") else {
        return;
    };
    let files = rules(&crs, &[]);
    let waf = format!(
        "mode: block, rules: {files:?}, shadow: {{ paranoia: 4, sample: 100%, budget: 100% }}"
    );
    let gate = Gate::set_up("", "", &waf, "[{ upstream: app }]", Backend::start());
    let browser = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0)\r\nAccept: */*\r\n";
    let ask = |target: &str| gate.palisade.get_with(target, browser).status;
    assert_eq!(ask("/?id=1%27+or+1%3D1--+"), 403);
    let more = gate.wait_for_line(|line| line["kind"] == "other_matches");
    assert_eq!(more["active"]["only"], serde_json::json!([]), "{more}");
    assert_eq!(ask("/?q=caf%C3%A9"), 200);
    let new = gate.wait_for_line(|line| line["kind"] == "new_refusal");
    assert_eq!(
        (&new["shadow"]["rule"], &new["shadow"]["phase"]),
        (&949_110.into(), &2.into()),
        "{new}"
    );
    let found = new["shadow"]["only"].as_array().unwrap();
    assert!(found.iter().any(|rule| rule["target"] == "ARGS:q"), "{new}");
}

#[test]
fn one_setting_promotes_it() {
    let gate = Gate::with(ACTIVE, STRICTER);
    assert_eq!(gate.palisade.get("/?q=odd").status, 200);
    gate.wait_for_metric(EVALUATED, 1.0);
    let path = gate.palisade.settings();
    let settings = std::fs::read_to_string(&path).unwrap();
    let promoted = settings.replace("sample: 100%", "promoted: true");
    assert_ne!(settings, promoted);
    // The other set is asked for no more.
    std::fs::remove_file(gate.folder().join("active.conf")).unwrap();
    std::fs::write(&path, promoted).unwrap();
    gate.palisade.signal("HUP");
    wait_for("a reload", || {
        let reloads = "palisade_reloads_total{result=\"ok\"}";
        (gate.palisade.metric(reloads) > 0.0).then_some(())
    });
    assert_eq!(gate.palisade.get("/?q=odd").status, 403);
    assert_eq!(gate.palisade.get("/?q=good").status, 200);
    assert_eq!(gate.palisade.metric(EVALUATED), 1.0);
}

#[test]
fn a_reload_begins_it_and_another_ends_it() {
    let waf = "rules: active.conf";
    let gate = Gate::set_up(
        ACTIVE,
        STRICTER,
        waf,
        "[{ upstream: app }]",
        Backend::start(),
    );
    assert_eq!(gate.palisade.get("/?q=odd").status, 200);
    let path = gate.palisade.settings();
    let without = std::fs::read_to_string(&path).unwrap();
    let with = without.replace(
        waf,
        "rules: active.conf, shadow: { rules: shadow.conf, sample: 100% }",
    );
    for (settings, reloads, evaluated) in
        [(&with, 1.0, 1.0), (&without, 2.0, 1.0), (&with, 3.0, 2.0)]
    {
        std::fs::write(&path, settings).unwrap();
        gate.palisade.signal("HUP");
        wait_for("a reload", || {
            let now = gate
                .palisade
                .metric("palisade_reloads_total{result=\"ok\"}");
            (now >= reloads).then_some(())
        });
        assert_eq!(gate.palisade.get("/?q=odd").status, 200);
        gate.wait_for_metric(EVALUATED, evaluated);
    }
}
