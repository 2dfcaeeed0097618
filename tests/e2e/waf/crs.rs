//! The tools over OWASP CRS 4.28, where it is at hand: a folder named by `PALISADE_CRS`.

use std::path::Path;

use super::Folder;

/// Where the engine's settings for CRS's tests are.
pub(crate) fn settings(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../waf/tests/data");
    folder.join(name).to_str().unwrap().to_owned()
}

/// CRS's folder; tells loudly what isn't run without it, which fails where it is required
/// (`PALISADE_REQUIRE_CRS`).
#[track_caller]
pub(crate) fn crs(skipped: &str) -> Option<String> {
    let folder = std::env::var("PALISADE_CRS").ok();
    if folder.is_none() {
        let required = std::env::var_os("PALISADE_REQUIRE_CRS").is_some();
        assert!(
            !required,
            "PALISADE_CRS names no folder with OWASP CRS: {skipped}"
        );
        say!("SKIPPED, since PALISADE_CRS names no folder with OWASP CRS: {skipped}");
    }
    folder
}

/// CRS's rules behind the engine's settings.
pub(crate) fn rules(crs: &str, more: &[&str]) -> Vec<String> {
    let mut rules = vec![
        settings("engine.conf"),
        format!("{crs}/crs-setup.conf.example"),
    ];
    rules.extend(more.iter().map(|name| settings(name)));
    rules.push(format!("{crs}/rules/*.conf"));
    rules
}

#[test]
fn check_finds_nothing_wrong_with_crs() {
    let Some(crs) = crs("palisade waf check") else {
        return;
    };
    let rules = rules(&crs, &[]);
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let ended = Folder::with(&[]).waf(&[&["check"], &*rules].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.prints(&[
        "rules 638, of which 55 are chains; 711 conditions and actions in all",
        "phases 1: 176, 2: 297, 3: 43, 4: 109, 5: 13",
        "paranoia levels 1: 214, 2: 90, 3: 32, 4: 9; 293 without one",
        "SecRuleEngine DetectionOnly: nothing is refused",
        "951100 @pm",
        "953100 @pm",
    ]);
    assert_eq!(ended.said, "ok, 0 warnings, 30 files\n");
}

#[test]
fn explain_names_the_rules_that_an_injection_of_sql_matches() {
    let Some(crs) = crs("palisade waf explain") else {
        return;
    };
    let rules = rules(&crs, &["blocking.conf"]);
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let url = "https://app.example.com/?id=1%27+or+1=1--+";
    let ended = Folder::with(&[]).waf(&[&["explain", "--rules"], &*rules, &[url]].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.prints(&[
        "rule 942100 phase 2, CRITICAL,",
        "msg SQL Injection Attack Detected via libinjection",
        "matched ARGS:id = 1' or 1=1--",
        "does setvar:tx.sql_injection_score=+%{tx.critical_anomaly_score}",
        "rule 949110 phase 2,",
        "tx.blocking_inbound_anomaly_score 5",
        "tx.inbound_anomaly_score_threshold 5",
        "=> would be refused by rule 949110 with status 403 in phase 2",
    ]);
}

#[test]
fn all_of_crs_tests_pass() {
    let Some(crs) = crs("palisade waf test, over 5,003 tests") else {
        return;
    };
    let rules = rules(&crs, &["suite-paranoia-4.conf"]);
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let (tests, overrides) = (
        format!("{crs}/regression/tests"),
        settings("overrides.yaml"),
    );
    let arguments = ["test", &tests, "--overrides", &overrides, "--rules"];
    let ended = Folder::with(&[]).waf(&[&arguments, &*rules].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    let expected =
        "5003 run: 4993 passed, 10 overridden, 0 with overrides that are not needed, 0 failed\n";
    assert_eq!(ended.printed, expected);
}
