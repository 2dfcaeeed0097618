//! What is known of an exclusion before it is written.

use std::fs;

use super::{SITES, Site, get};

const WRONG: &str = "/a?x=evil";

#[test]
fn what_it_lets_through_is_what_the_tests_of_the_rule_show_there() {
    let site = Site::start();
    let id = site.refused(&get("app.example", WRONG));
    let ended = site.exclude(&[&id]);
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.prints(&[
        "rule 100: of 2 in the tests it finds 2 in ARGS:x there: 1 still refused by other rules, 1 LET THROUGH",
        "\n  100-1            evil\n",
        "4 tests as they are: 0 changed",
        "written            nothing",
    ]);
    let json = site.exclude(&[&id, "--json"]).json();
    let there = &json["suite"]["rules"][0];
    assert_eq!(
        (
            &there["known"],
            &there["found_there"],
            &there["still_refused"]
        ),
        (&2.into(), &2.into(), &1.into())
    );
    assert_eq!(there["let_through"][0]["test"], "100-1");
    assert_eq!(json["replay"]["is_reproduced"], true);
    assert_eq!(json["replay"]["with"]["is_refused"], false);
    assert_eq!(json["is_written"], false);
}

#[test]
fn without_tests_nothing_is_written_unless_that_is_said() {
    let site = Site::start();
    fs::remove_dir_all(site.path("regression")).unwrap();
    let id = site.refused(&get("app.example", WRONG));
    let before = site.exclusions();
    let file = site.path("exclusions.conf");
    let write = ["--write", file.to_str().unwrap()];
    let proposed = site.exclude(&[&id]);
    assert_eq!(proposed.code, 0, "{proposed:?}");
    proposed.prints(&["NOT TRIED"]);
    assert!(proposed.said.contains("is NOT known"), "{proposed:?}");
    let ended = site.exclude(&[&[&*id], &write[..]].concat());
    ended.fails("With --unproven it is written anyway");
    assert_eq!(site.exclusions(), before);
    site.exclude_and_reload(&id, &["--unproven"]);
    assert_eq!(site.ask(&get("app.example", WRONG)).status, 200);
}

#[test]
fn tests_that_can_not_be_used_are_told() {
    let site = Site::start();
    let id = site.refused(&get("app.example", WRONG));
    fs::write(site.path("regression/tests/100.yaml"), "tests: 1").unwrap();
    let ended = site.exclude(&[&id]);
    ended.fails("can't be used");
    assert!(ended.said.contains("100.yaml:1:8: "), "{ended:?}");
    let empty = site.path("rules");
    site.exclude(&[&id, "--tests", empty.to_str().unwrap()])
        .fails("has no tests");
}

#[test]
fn one_that_comes_too_late_is_never_written() {
    let sites = SITES.replace("rules_before", "rules_after");
    let site = Site::with(
        "rules: rules/rules.conf",
        &sites,
        "audit: { path: audit.jsonl }",
    );
    let id = site.refused(&get("app.example", "/a?x=early"));
    let before = site.exclusions();
    let file = site.path("exclusions.conf");
    let ended = site.exclude(&[&id, "--unproven", "--write", file.to_str().unwrap()]);
    ended.fails("rule 102 finds it with the exclusion too");
    assert_eq!(site.exclusions(), before);
}

#[test]
fn what_the_log_has_too_little_of_is_said() {
    let site = Site::start();
    let request = super::post(
        "app.example",
        "/a",
        "application/x-www-form-urlencoded",
        &format!("x={}", "evil".repeat(200)),
    );
    let id = site.refused(&request);
    site.exclude(&[&id]).prints(&[
        "ARGS:x: as a field of a form, with the value in the form in which it matched",
        "ARGS:x: the log has the beginning of the value alone",
        "with it passed",
    ]);
}

#[test]
fn where_rules_only_detect_a_would_be_refusal_is_a_cause_too() {
    let site = Site::with(
        "mode: detect, rules: rules/rules.conf",
        SITES,
        "audit: { path: audit.jsonl }",
    );
    let request = get("app.example", WRONG);
    let find = || {
        let answer = site.ask(&request);
        assert_eq!(answer.status, 200);
        answer
    };
    find();
    let id = site
        .palisade
        .wait_for_decision(|line| line["mode"] == "would_refuse")["request_id"]
        .as_str()
        .unwrap()
        .to_owned();
    site.audit_line(&id);
    site.exclude_and_reload(&id, &[])
        .prints(&["would refuse", "with it passed"]);
    find();
    // Decisions are told in order: with the one of a later request, that of this one would be there.
    site.ask(&get("app.example", "/later?x=evil"));
    site.palisade
        .wait_for_decision(|line| line["path"] == "/later");
    let told = site.palisade.decision_log();
    assert_eq!(told.len(), 2, "{told:?}");
}
