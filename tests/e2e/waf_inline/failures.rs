//! Requests that take rules more than they may.

use super::{FORM, Gate, SetUp};
use crate::harness::{Backend, wait_for};

/// Eight times twice as many bytes as before, of a body of a million: more than 128 MiB.
const DEAR: &str = r#"SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 1048576
SecRequestBodyNoFilesLimit 1048576
SecRule ARGS "@contains %{request_headers.x-nothing}zz9y" "id:1,phase:2,deny,log,t:none,t:hexEncode,t:hexEncode,t:hexEncode,t:hexEncode,t:hexEncode,t:hexEncode,t:hexEncode,t:hexEncode"
"#;

/// What a body of a million bytes is answered with, and what the decision log says of it.
fn spend(on_failure: &str) -> (u16, serde_json::Value, Gate) {
    let gate = Gate::set_up(
        Backend::start(),
        &SetUp {
            files: &[("rules.conf", DEAR)],
            waf: &format!("rules: rules.conf{on_failure}"),
            ..SetUp::default()
        },
    );
    let answer = gate.post(FORM, format!("a={}", "bcdefgh ".repeat(125_000)));
    let decision = gate
        .palisade
        .wait_for_decision(|line| line["check"] == "waf");
    (answer.status, decision, gate)
}

#[test]
fn a_request_that_spends_its_budget_is_refused() {
    let (status, decision, gate) = spend("");
    assert_eq!(
        (status, &decision["mode"]),
        (403, &"refused".into()),
        "{decision}"
    );
    assert_eq!(decision["waf"]["failure"], "budget_spent");
    // Which rule was asked then is told, and counted.
    assert_eq!(decision["waf"]["rule"], 1, "{decision}");
    let counted = r#"palisade_waf_failures_total{reason="budget_spent",rule="1"} 1"#;
    wait_for("the failure to be counted", || {
        gate.palisade.metrics().contains(counted).then_some(())
    });
    gate.backend_saw_nothing();
    assert_eq!(gate.post(FORM, "a=b").status, 200);
}

#[test]
fn a_request_that_spends_its_budget_passes_where_that_is_wanted() {
    let (status, decision, gate) = spend(", on_failure: open");
    assert_eq!(
        (status, &decision["mode"]),
        (200, &"logged".into()),
        "{decision}"
    );
    assert_eq!(decision["waf"]["failure"], "budget_spent");
    assert_eq!(gate.backend.requests()[0].body.len(), 1_000_002);
}

#[test]
fn a_request_that_spends_its_budget_passes_where_rules_only_detect() {
    let (status, decision, _) = spend(", mode: detect");
    assert_eq!(
        (status, &decision["mode"]),
        (200, &"would_refuse".into()),
        "{decision}"
    );
}
