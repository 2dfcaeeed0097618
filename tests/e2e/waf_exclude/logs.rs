//! The way from a log to an exclusion.

use std::fs;

use super::{SITES, Site, get};
use crate::harness::Palisade;

const WRONG: &str = "/a?x=evil";

#[test]
fn a_line_of_either_log_is_as_good_as_an_id() {
    let site = Site::start();
    let id = site.refused(&get("app.example", WRONG));
    let audit = site.audit_line(&id);
    let decision = site
        .palisade
        .wait_for_decision(|line| line["request_id"] == *id);
    let by_id = site.exclude(&[&id, "--json"]).json();
    assert_eq!(by_id["request_id"], *id);
    for (arguments, input) in [
        (&["-"][..], &*audit),
        (&["-"], &decision.to_string()),
        (&["--line", &audit], ""),
        (&["--line", &decision.to_string()], ""),
    ] {
        let ended = site.exclude_from(&[arguments, &["--json"]].concat(), input);
        assert_eq!(ended.json(), by_id, "{arguments:?}");
    }
}

#[test]
fn a_log_that_was_rotated_is_asked_too() {
    let site = Site::start();
    let id = site.refused(&get("app.example", WRONG));
    fs::rename(site.path("audit.jsonl"), site.path("audit.jsonl.1")).unwrap();
    fs::write(site.path("audit.jsonl"), "").unwrap();
    site.exclude(&[&id])
        .prints(&["ctl:ruleRemoveTargetById=100;ARGS:x"]);
    let other = site.path("elsewhere");
    fs::rename(site.path("audit.jsonl.1"), &other).unwrap();
    site.exclude(&[&id]).fails("no line of ");
    let ended = site.exclude(&[&id, "--log", other.to_str().unwrap()]);
    ended.prints(&["ctl:ruleRemoveTargetById=100;ARGS:x"]);
}

#[test]
fn what_leads_to_no_exclusion_says_why() {
    let site = Site::start();
    let check = |arguments: &[&str], expected: &str| site.exclude(arguments).fails(expected);
    check(&["none"], "no line of ");
    check(&["a b"], "is no id of a request");
    check(&["--line", "nothing"], "a JSON object");
    check(&["--line", "{}"], "of neither log");
    let trusted = r#"{"request_id":"a","check":"decisions"}"#;
    check(&["--line", trusted], "by the check `decisions`");
    let id = site.refused(&get("app.example", WRONG));
    check(
        &[&id, "--rule", "7"],
        "rule 7 didn't match; expected one of 100",
    );
    check(
        &[&id, "--expires", "2026-01-01"],
        "is over; expected a day after today",
    );
    let for_the_record = site
        .audit_line(&id)
        .replace("\"refused\"", "\"for_the_record\"");
    check(
        &["--line", &for_the_record],
        "another check had refused the request",
    );
    let decisions = site.path("decisions.log");
    site.palisade.wait_for_decision(|_| true);
    check(
        &[&id, "--log", decisions.to_str().unwrap()],
        "is the decision log",
    );
    check(&[&id, "--log", "/none"], "can't read /none");
}

#[test]
fn settings_whose_audit_log_can_not_be_asked() {
    for (audit, expected) in [
        ("", "the settings have no audit log"),
        (
            "audit: { path: a.log, format: error_log }",
            "in another format than json",
        ),
        ("audit: { path: \"-\" }", "is standard output"),
    ] {
        let site = Site::with("rules: rules/rules.conf", SITES, audit);
        site.exclude(&["abc"]).fails(expected);
    }
}

#[test]
fn a_site_that_has_no_rules_needs_none() {
    let site = Site::start();
    let id = site.refused(&get("app.example", WRONG));
    let line = site.audit_line(&id);
    let settings = fs::read_to_string(site.palisade.settings()).unwrap();
    let change = |from: &str, to: &str| {
        assert!(settings.contains(from), "{settings}");
        fs::write(site.palisade.settings(), settings.replacen(from, to, 1)).unwrap();
    };
    change("hosts: app.example", "hosts: new.example");
    site.exclude(&["--line", &line])
        .fails("the settings have no site \"app.example\"");
    change(
        "waf: { rules_before: exclusions.conf }",
        "waf: { mode: off }",
    );
    site.exclude(&["--line", &line])
        .fails("no rules guard the site \"app.example\" now");
}

#[test]
fn wrong_usage_is_told_and_ends_with_2() {
    for arguments in [
        &[][..],
        &["a", "--expires", "soon"],
        &["a", "--expires", "0d"],
        &["a", "--expires", "2027-02-29"],
        &["a", "--wider", "all"],
        &["a", "--line", "{}"],
        &["a", "--write", "b", "--dry-run"],
        &["a", "--rule", "x"],
    ] {
        let output = Palisade::execute(&[&["waf", "exclude"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
