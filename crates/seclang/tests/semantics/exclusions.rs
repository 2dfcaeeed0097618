//! What leaves rules, or targets of rules, out: when they are loaded, and for one transaction.

use crate::site::{Request, run};

/// Three rules with what one may choose them by.
const RULES: &str =
    "SecRule ARGS x \"id:101,phase:2,pass,tag:attack-sqli,tag:other,msg:'First of all'\"
    SecRule ARGS x \"id:102,phase:2,pass,tag:attack-xss,msg:'Second'\"
    SecRule ARGS|TX:a x \"id:203,phase:2,pass,tag:attack-xss/deep,msg:'Third of all'\"";

/// The matches with directives behind the rules.
#[track_caller]
fn check(directives: &str, expected: &[&str]) {
    let rules = format!("SecAction id:1,phase:1,nolog,pass,setvar:tx.a=x\n{RULES}\n{directives}");
    let ran = run(&rules, &Request::get("/?a=x"));
    assert_eq!(ran.matches(), expected, "{directives}");
}

/// The matches with a `ctl` before the rules.
#[track_caller]
fn check_ctl(ctl: &str, expected: &[&str]) {
    let rules = format!("SecAction \"id:1,phase:1,nolog,pass,setvar:tx.a=x,ctl:{ctl}\"\n{RULES}");
    let ran = run(&rules, &Request::get("/?a=x"));
    assert_eq!(ran.matches(), expected, "{ctl}");
}

const FIRST: &str = "101 ARGS:a=x";
const SECOND: &str = "102 ARGS:a=x";
const THIRD: &str = "203 ARGS:a=x";
const OF_TX: &str = "203 TX:a=x";

#[test]
fn rules_are_removed() {
    check("", &[FIRST, SECOND, THIRD, OF_TX]);
    check("SecRuleRemoveById 101", &[SECOND, THIRD, OF_TX]);
    check("SecRuleRemoveById 100-199", &[THIRD, OF_TX]);
    check("SecRuleRemoveById 101 \"200-299, 500\"", &[SECOND]);
    check("SecRuleRemoveByTag attack-sqli", &[SECOND, THIRD, OF_TX]);
    check("SecRuleRemoveByTag attack-xss", &[FIRST]);
    check("SecRuleRemoveByTag ^attack-xss$", &[FIRST, THIRD, OF_TX]);
    check(
        "SecRuleRemoveByTag \"^(?:other|attack-xss)$\"",
        &[THIRD, OF_TX],
    );
    check("SecRuleRemoveByMsg \"of all$\"", &[SECOND]);
    // Of rules that come later none is meant.
    let rules = format!("SecRuleRemoveById 101\n{RULES}");
    assert_eq!(run(&rules, &Request::get("/?a=x")).ids(), [101, 102, 203]);
}

#[test]
fn rules_are_removed_for_a_transaction() {
    check_ctl("ruleRemoveById=101", &[SECOND, THIRD, OF_TX]);
    check_ctl("ruleRemoveById=100-199", &[THIRD, OF_TX]);
    check_ctl("ruleRemoveByTag=attack-xss", &[FIRST]);
    check_ctl("ruleRemoveByTag=^attack-xss$", &[FIRST, THIRD, OF_TX]);
    check_ctl("ruleRemoveByMsg=of all$", &[SECOND]);
    // All rules, in phases that are still to come too.
    check_ctl("ruleRemoveById=1-999999", &[]);
    // A chain is removed as a whole.
    let rules = "SecAction id:1,phase:1,nolog,pass,ctl:ruleRemoveById=2
        SecRule ARGS x id:2,phase:1,deny,chain
        SecRule ARGS x";
    assert_eq!(run(rules, &Request::get("/?a=x")).end(), "");
}

#[test]
fn targets_are_removed_for_a_transaction() {
    check_ctl("ruleRemoveTargetById=101;ARGS:a", &[SECOND, THIRD, OF_TX]);
    check_ctl("ruleRemoveTargetById=101;ARGS:A", &[SECOND, THIRD, OF_TX]);
    check_ctl("ruleRemoveTargetById=101;ARGS", &[SECOND, THIRD, OF_TX]);
    check_ctl(
        "ruleRemoveTargetById=101;ARGS:b",
        &[FIRST, SECOND, THIRD, OF_TX],
    );
    check_ctl("ruleRemoveTargetById=100-299;ARGS:a", &[OF_TX]);
    check_ctl("ruleRemoveTargetById=100-299;ARGS:/^A$/", &[OF_TX]);
    check_ctl("ruleRemoveTargetByTag=attack-xss;ARGS:a", &[FIRST, OF_TX]);
    check_ctl("ruleRemoveTargetByMsg=of all$;ARGS:a", &[SECOND, OF_TX]);
    check_ctl("ruleRemoveTargetById=203;TX:a", &[FIRST, SECOND, THIRD]);
    check_ctl(
        "ruleRemoveTargetById=101;ARGS_NAMES:a",
        &[FIRST, SECOND, THIRD, OF_TX],
    );
    // Of links that come later.
    let rules = "SecRule ARGS:a x id:1,phase:1,pass,ctl:ruleRemoveTargetById=1;ARGS:a,chain
        SecRule ARGS x";
    assert_eq!(run(rules, &Request::get("/?a=x")).ids(), [0; 0]);
    assert_eq!(run(rules, &Request::get("/?a=x&b=x")).ids(), [1]);
    // What is no collection.
    let rules = "SecAction id:1,phase:1,nolog,pass,ctl:ruleRemoveTargetById=2;REQUEST_URI
        SecRule REQUEST_URI|REQUEST_LINE|ARGS x id:2,phase:1,pass
        SecRule REQUEST_URI x id:3,phase:1,pass";
    let matches = run(rules, &Request::get("/?x")).matches();
    assert_eq!(
        matches,
        ["2 REQUEST_LINE=GET /?x HTTP/1.1", "3 REQUEST_URI=/?x"]
    );
}

#[test]
fn targets_are_updated() {
    check(
        "SecRuleUpdateTargetById 101 !ARGS:a",
        &[SECOND, THIRD, OF_TX],
    );
    check("SecRuleUpdateTargetById 101 !ARGS", &[SECOND, THIRD, OF_TX]);
    check("SecRuleUpdateTargetById 100-299 !ARGS:/^A$/", &[OF_TX]);
    check("SecRuleUpdateTargetById 203 !TX:a", &[FIRST, SECOND, THIRD]);
    check("SecRuleUpdateTargetById 203 !TX", &[FIRST, SECOND, THIRD]);
    check(
        "SecRuleUpdateTargetByTag attack-xss !ARGS:a",
        &[FIRST, OF_TX],
    );
    check(
        "SecRuleUpdateTargetByMsg \"of all$\" !ARGS:a",
        &[SECOND, OF_TX],
    );
    // One more target, or another instead.
    check(
        "SecRuleUpdateTargetById 101 TX:a",
        &[FIRST, "101 TX:a=x", SECOND, THIRD, OF_TX],
    );
    check(
        "SecRuleUpdateTargetById 101 TX:a ARGS",
        &["101 TX:a=x", SECOND, THIRD, OF_TX],
    );
    // What is no collection, beside what changes while rules run.
    let rules = "SecAction id:1,phase:1,nolog,pass,setvar:tx.a=x
        SecRule TX:a|REQUEST_URI x id:2,phase:1,pass
        SecRuleUpdateTargetById 2 !REQUEST_URI";
    assert_eq!(run(rules, &Request::get("/?x")).matches(), ["2 TX:a=x"]);
}

#[test]
fn actions_are_updated() {
    let ended = |directive: &str| {
        let rules = format!(
            "SecRule ARGS x \"id:1,phase:1,pass,nolog,setvar:tx.a=1,chain\"
             SecRule ARGS x setvar:tx.b=1
             {directive}"
        );
        let ran = run(&rules, &Request::get("/?a=x"));
        let tx = |name: &str| ran.tx(name).unwrap_or_default();
        format!("{}|{}|{}|{}", ran.end(), ran.ids().len(), tx("a"), tx("b"))
    };
    assert_eq!(ended(""), "|0|1|1");
    assert_eq!(
        ended("SecRuleUpdateActionById 1 \"deny,status:418\""),
        "deny 418 by 1 in phase 1|1|1|1"
    );
    assert_eq!(ended("SecRuleUpdateActionById 1 log"), "|1|1|1");
    assert_eq!(ended("SecRuleUpdateActionById 1 setvar:tx.a=+2"), "|0|3|1");
    assert_eq!(
        ended("SecRuleUpdateActionById 1:1 setvar:tx.b=+2"),
        "|0|1|3"
    );
    // The form of what is looked at.
    assert_eq!(ended("SecRuleUpdateActionById 1 t:length"), "|0||");
}

#[test]
fn exclusions_of_names_and_of_all_members() {
    let found = |targets: &str| {
        let rules = format!("SecRule {targets} x id:1,phase:2,pass");
        let request = Request::get("/?a=x&ab=x&b=x").header("X", "x");
        run(&rules, &request).matches().join(" ")
    };
    assert_eq!(found("ARGS|!ARGS:a"), "1 ARGS:ab=x 1 ARGS:b=x");
    assert_eq!(found("ARGS|!ARGS:/^a/"), "1 ARGS:b=x");
    assert_eq!(found("ARGS|!ARGS"), "");
    assert_eq!(found("ARGS:/^a/|!ARGS:ab"), "1 ARGS:a=x");
    assert_eq!(
        found("!ARGS:a|ARGS:a|REQUEST_HEADERS"),
        "1 REQUEST_HEADERS:X=x"
    );
    // Names are another variable.
    assert_eq!(found("ARGS:a|!ARGS_NAMES:a"), "1 ARGS:a=x");
}

#[test]
fn text_and_attributes_of_xml_are_excluded_each_by_its_path() {
    let found = |before: &str, targets: &str, behind: &str| {
        let rules = format!(
            "SecAction \"id:1,phase:1,nolog,pass,ctl:requestBodyProcessor=XML{before}\"
             SecRule {targets} bad id:2,phase:2,pass
             {behind}"
        );
        let request = Request::post("text/xml", "<a b='bad1'>bad2</a>");
        run(&rules, &request).matches().join(" ")
    };
    let both = "XML:/*|XML://@*";
    let (text, attribute) = ("2 XML=bad2", "2 XML=bad1");
    for targets in [both.to_owned(), format!("{both}|TX:a")] {
        let found = |before: &str, behind: &str| found(before, &targets, behind);
        assert_eq!(found("", ""), format!("{text} {attribute}"));
        assert_eq!(found("", "SecRuleUpdateTargetById 2 !XML://@*"), text);
        assert_eq!(found("", "SecRuleUpdateTargetById 2 !XML:/*"), attribute);
        assert_eq!(found("", "SecRuleUpdateTargetById 2 !XML"), "");
        assert_eq!(found(",ctl:ruleRemoveTargetById=2;XML://@*", ""), text);
        assert_eq!(found(",ctl:ruleRemoveTargetById=2;XML:/*", ""), attribute);
    }
}
