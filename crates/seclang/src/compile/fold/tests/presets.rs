//! Rules that only set variables to values that are known.

use super::*;
use crate::program::{Preset, PresetValue, Step};

/// What a phase's steps are: of rules their ids, of presets what they set.
fn steps(rules: &str, phase: usize) -> Vec<String> {
    let program = program(&written(rules));
    let id = |rule: u32| program.rules[rule as usize].id.to_string();
    let set = |preset: &Preset| {
        let values = preset.values.iter().map(|(slot, value)| {
            let name = program.tx.name(*slot).escape_ascii();
            match value {
                PresetValue::Unset => format!("!{name}"),
                PresetValue::Integer(number) => format!("{name}={number}"),
                PresetValue::Text(part) => {
                    format!("{name}='{}'", preset.texts[part.clone()].escape_ascii())
                }
            }
        });
        values.collect::<Vec<_>>().join(" ")
    };
    let steps = program.steps[phase - 1].iter().map(|step| match step {
        Step::Marker => "marker".to_owned(),
        Step::Gate(gate) => id(gate.rule),
        Step::Filtered(filtered) => id(filtered.rule),
        Step::Rule(rule) => id(*rule),
        Step::Preset(preset) => set(preset),
    });
    steps.collect()
}

#[track_caller]
fn check_steps(rules: &str, expected: &[&str]) {
    assert_eq!(steps(rules, 1), expected, "{rules}");
}

#[test]
fn rules_that_only_set_known_values_are_one_step() {
    check_steps(
        "1 1 - setvar:tx.a=1,setvar:tx.b=x
        SecMarker M
        2 1 &TX:a \"@eq 0\" setvar:tx.a=9
        3 2 - setvar:tx.z=1
        4 1 &TX:c \"@eq 0\" setvar:tx.c=%{tx.a}%{tx.b}
        5 1 - setvar:tx.a=+1,setvar:!tx.b
        6 1 TX:a \"@eq 2\" chain,setvar:tx.d=007
        SecRule &TX:b \"@eq 0\" setvar:tx.e=%{tx.absent}
        7 1 ARGS x setvar:tx.a=3
        8 1 - setvar:tx.f=1",
        &["a=2 !b c='1x' d='007' e=''", "7", "f=1"],
    );
}

#[test]
fn rules_that_do_more_than_set_known_values_are_steps_of_their_own() {
    for does in [
        "setvar:tx.b=%{REQUEST_METHOD}",
        "setvar:tx.b=+%{tx.n}",
        "setvar:tx.0=1",
        "setvar:tx.b%{tx.a}=1",
        "setvar:tx.b=1,setvar:ip.b=1,initcol:ip=x",
        "setvar:tx.b=1,setenv:b=1",
        "setvar:tx.b=1,expirevar:ip.b=1",
        "setvar:tx.b=1,ctl:forceRequestBodyVariable=On",
        "setvar:tx.b=1,ctl:ruleRemoveById=99",
        "setvar:tx.b=1,capture",
        "setvar:tx.b=1,severity:2",
        "setvar:tx.b=1,log",
        "setvar:tx.b=1,auditlog",
        "setvar:tx.b=1,deny",
        "setvar:tx.b=1,allow:phase",
        "setvar:tx.b=1,skipAfter:M",
    ] {
        check_steps(
            &format!(
                "1 1 - setvar:tx.a=1\n2 1 ARGS x setvar:tx.n=1\n3 1 - {does}\nSecMarker M\n7 1 ARGS x log\n8 1 ARGS x log"
            ),
            &["a=1", "2", "3", "7", "8"],
        );
    }
    // Whether it matches is for requests to decide.
    check_steps(
        "1 1 - setvar:tx.a=1\n2 1 ARGS x setvar:tx.n=1\n3 1 &TX:n \"@eq 0\" setvar:tx.b=1",
        &["a=1", "2", "3"],
    );
}

#[test]
fn rules_between_which_a_rule_leads_are_not_joined() {
    let with = |skip: &str| {
        format!(
            "1 1 ARGS x {skip}
            2 1 - setvar:tx.a=1
            3 1 - setvar:tx.b=1
            SecMarker M
            4 1 - setvar:tx.c=1"
        )
    };
    check_steps(&with("log"), &["1", "a=1 b=1 c=1"]);
    check_steps(&with("skip:1"), &["1", "a=1", "b=1 c=1"]);
    check_steps(&with("skipAfter:M"), &["1", "a=1 b=1", "c=1"]);
    // It skips all of them.
    check_steps(&with("skipAfter:N"), &["1", "a=1 b=1 c=1"]);
    // A rule that is never reached leads nowhere.
    let never = "1 1 TX:x \"@eq 1\" skip:1";
    let rules = with("log").replace("1 1 ARGS x log", never);
    check_steps(&rules, &["a=1 b=1 c=1"]);
}

#[test]
fn rules_are_joined_where_ctl_leaves_out_all_or_none_of_them() {
    let with = |ctl: &str| {
        format!(
            "1 1 - setvar:tx.a=1
            2 1 ARGS x ctl:{ctl}
            3 1 - setvar:tx.b=1
            4 1 - setvar:tx.c=1"
        )
    };
    check_steps(&with("ruleRemoveById=1"), &["a=1", "2", "b=1 c=1"]);
    check_steps(&with("ruleRemoveById=3"), &["a=1", "2", "b=1", "c=1"]);
    check_steps(&with("ruleRemoveById=3-9"), &["a=1", "2", "b=1 c=1"]);
    check_steps(
        &with("ruleRemoveById=3-9,ctl:ruleRemoveById=4"),
        &["a=1", "2", "b=1", "c=1"],
    );
    // It always does.
    let always = with("ruleRemoveById=3").replace("ARGS x", "-");
    check_steps(&always, &["a=1", "2", "c=1"]);
    // What a rule that is left out would have set is not known.
    check_steps(
        "1 1 ARGS x ctl:ruleRemoveById=2
        2 1 - setvar:tx.a=1
        3 1 - setvar:tx.b=%{tx.a}
        4 1 - setvar:tx.c=1",
        &["1", "a=1", "3", "c=1"],
    );
}
