//! Arguments and changes whose variables are known.

use super::*;
use crate::operators::{Argument, Matcher, Operator};
use crate::program::{CompiledOperator, Program};

/// What each link of a rule compares with, where that is known.
fn arguments(program: &Program, id: u64) -> Vec<Option<String>> {
    let rule = program.rules().find(|rule| rule.id == id).unwrap();
    let links = &program.links[rule.links.start as usize..rule.links.end as usize];
    let tests = links.iter().filter_map(|link| link.test.as_ref());
    let argument = |compiled: &CompiledOperator| {
        assert_eq!(
            compiled.expanded.is_some(),
            compiled.operator.macros().is_some()
        );
        match &compiled.operator {
            Operator::Match(Matcher::Text(text)) => match text.argument() {
                Argument::Fixed(text) => Some(text.escape_ascii().to_string()),
                Argument::Macros(_) => None,
            },
            Operator::Match(Matcher::Comparison(one)) => one.fixed().map(|one| one.to_string()),
            other => panic!("{other:?}"),
        }
    };
    tests
        .map(|test| argument(&program.operators[test.operator as usize]))
        .collect()
}

/// What the links of rule 9 compare with; `?` is what only a request tells.
#[track_caller]
fn check_arguments(rules: &str, expected: &[&str]) {
    let got = arguments(&program(&written(rules)), 9);
    let got: Vec<&str> = got
        .iter()
        .map(|one| one.as_deref().unwrap_or("?"))
        .collect();
    assert_eq!(got, expected, "{rules}");
}

#[test]
fn arguments_of_known_variables() {
    let with = |condition: &str, expected: &str| {
        let set = "setvar:tx.n=7,setvar:tx.t=xy,setvar:tx.p=%,setvar:tx.m=%{tx.p}{tx.t}";
        check_arguments(&format!("1 1 - {set}\n9 2 {condition} -"), &[expected]);
    };
    for (condition, expected) in [
        (r#"ARGS "@within %{tx.t}""#, "xy"),
        (r#"ARGS "!@streq -%{TX.T}.%{tx.n}""#, "-xy.7"),
        (r#"ARGS "@contains %{tx.t}%{tx.absent}""#, "xy"),
        (r#"ARGS "@endsWith %{tx.absent}""#, ""),
        (r#"&ARGS "@gt %{tx.n}""#, "7"),
        (r#"ARGS "@gt 1%{tx.n}""#, "17"),
        (r#"ARGS "@lt %{tx.t}""#, "0"),
        (r#"TX:/t/ "@within %{tx.t}""#, "xy"),
        // What came of macros has none.
        (r#"ARGS "@streq %{tx.m}""#, "%{tx.t}"),
        (r#"ARGS "@within %{tx.t} %{REQUEST_METHOD}""#, "?"),
        (r#"ARGS "@within %{REQUEST_METHOD}""#, "?"),
        (r#"ARGS "@within %{tx.0}""#, "?"),
        (r#"ARGS "@streq %{tx}""#, "?"),
    ] {
        with(condition, expected);
    }
}

#[test]
fn arguments_that_rules_may_have_changed() {
    let with = |rules: &str, expected: &str| {
        let rules = format!("1 1 - setvar:tx.a=x\n{rules}\n9 2 ARGS \"@within %{{tx.a}}\" -");
        check_arguments(&rules, &[expected]);
    };
    for (rules, expected) in [
        ("2 1 ARGS x setvar:tx.b=z", "x"),
        ("2 1 ARGS x setvar:tx.a=z", "?"),
        ("2 1 ARGS x setvar:tx.a%{MATCHED_VAR}=z", "?"),
        ("2 3 ARGS x setvar:tx.a=z", "?"),
        ("2 5 ARGS x setvar:tx.a=z", "x"),
        // It is the same on all ways, or not.
        ("2 1 ARGS x skip:1\n3 1 - setvar:tx.a=z", "?"),
        ("2 1 ARGS x skip:1\n3 1 - setvar:tx.a=x", "x"),
        ("2 1 ARGS x ctl:ruleRemoveById=3\n3 1 - setvar:tx.a=z", "?"),
        ("2 1 ARGS x ctl:ruleRemoveById=3\n3 1 - setvar:tx.a=x", "x"),
        // Macros look at what targets don't.
        ("2 1 ARGS x ctl:ruleRemoveTargetById=9;TX:a", "x"),
    ] {
        with(rules, expected);
    }
}

/// One link is asked of one value after the other, and does what it does for each that matches.
#[test]
fn arguments_that_the_rule_itself_changes() {
    for (rules, expected) in [
        (r#"9 1 ARGS "@within %{tx.a}" setvar:tx.b=z"#, &["x"][..]),
        (r#"9 1 ARGS "@within %{tx.a}" setvar:tx.a=z"#, &["?"]),
        (
            r#"9 1 ARGS "@within %{tx.a}" setvar:tx.a%{UNIQUE_ID}=z"#,
            &["?"],
        ),
        (
            "9 1 ARGS \"@within %{tx.a}\" chain,setvar:tx.b=z\nSecRule ARGS \"@streq %{tx.a}\" setvar:tx.a=z",
            &["x", "?"],
        ),
        (
            "9 1 ARGS \"@within %{tx.b}\" chain,setvar:tx.a=z\nSecRule ARGS \"@streq %{tx.a}\"",
            &["", "?"],
        ),
        (
            "9 1 - chain,setvar:tx.a=z\nSecRule ARGS \"@streq %{tx.a}\"",
            &["z"],
        ),
        // Of one variable there is one value.
        (
            "9 1 TX:n \"@eq %{tx.n}\" chain,setvar:tx.n=8\nSecRule ARGS \"@lt %{tx.n}\"",
            &["7", "8"],
        ),
    ] {
        check_arguments(
            &format!("1 1 - setvar:tx.a=x,setvar:tx.n=7\n{rules}"),
            expected,
        );
    }
}

/// Where the rule is decided on one way and asked on another, its argument is that of both.
#[test]
fn arguments_on_ways_on_which_the_rule_is_decided() {
    let with = |set: &str| {
        format!(
            "1 1 ARGS \"@rx y\" setvar:tx.m=3
            2 1 ARGS \"@rx x\" ctl:ruleRemoveById=3
            3 1 - setvar:tx.m=1{set}
            9 1 TX:m \"@gt %{{tx.n}}\" -"
        )
    };
    check_arguments(&with(",setvar:tx.n=5"), &["?"]);
    check_arguments(&with(""), &["0"]);
}

/// What is known of a value and a fixed argument is kept.
#[test]
fn rules_with_known_arguments_have_filters() {
    let program = program(&written(
        "1 1 - setvar:tx.a=xyz
        2 2 ARGS \"!@within %{tx.a}\" -
        3 2 ARGS \"!@within %{tx.a}\" setvar:tx.b=1
        4 2 ARGS \"@contains %{tx.a}\" -
        5 2 ARGS \"!@within %{tx.0}\" -",
    ));
    let tests = program.links.iter().filter_map(|link| link.test.as_ref());
    let filters: Vec<_> = tests
        .map(|test| (test.filter.is_some(), test.group.is_some()))
        .collect();
    let asked = (true, false);
    assert_eq!(filters, [asked, asked, (true, true), (false, false)]);
    // The rules that ask the same share it.
    assert_eq!(program.request.filters.len(), 2);
}

/// What rule 9 does.
#[track_caller]
fn check_changes(rules: &str, expected: &[&str]) {
    let program = program(&written(rules));
    let rule = program.rules().find(|rule| rule.id == 9).unwrap();
    let does = program.actions_of(rule);
    assert_eq!(does.get(1..).unwrap(), expected, "{rules}");
}

#[test]
fn values_of_known_variables() {
    let with = |change: &str, expected: &str| {
        let set = "setvar:tx.n=7,setvar:tx.t=xy,setvar:tx.p=007";
        let rules = format!("1 1 - {set}\n9 2 ARGS \"@rx x\" setvar:tx.{change}");
        check_changes(&rules, &[&format!("setvar:tx.{expected}")]);
    };
    for (change, expected) in [
        ("s=+%{tx.n}", "s=+7"),
        ("s=-%{tx.n}", "s=-7"),
        ("s=+%{tx.n}%{tx.n}", "s=+77"),
        ("s=+%{tx.p}", "s=+7"),
        ("s=+%{tx.t}", "s=+0"),
        ("s=+%{tx.absent}", "s=+0"),
        ("s=%{tx.n}", "s=7"),
        ("s=%{tx.t}.%{tx.n}", "s=xy.7"),
        // It is the same, and refers to it.
        ("s=%{tx.t}", "s=%{tx.t}"),
        ("s=%{tx.p}", "s=%{tx.p}"),
        ("s=%{tx.p}%{tx.absent}", "s=007"),
        ("s=+%{tx.0}", "s=+%{tx.0}"),
        ("s=%{tx.n}%{MATCHED_VAR}", "s=%{tx.n}%{MATCHED_VAR}"),
        ("s%{tx.n}=%{tx.n}", "s%{tx.n}=%{tx.n}"),
        // Each match changes it again.
        ("n=+%{tx.n}", "n=+%{tx.n}"),
    ] {
        with(change, expected);
    }
}

#[test]
fn values_that_rules_may_have_changed() {
    for (rules, expected) in [
        (
            "9 1 ARGS x setvar:tx.b=+%{tx.a},setvar:tx.a=2",
            &["b=+%{tx.a}", "a=2"][..],
        ),
        (
            "9 1 ARGS x setvar:tx.a=2,setvar:tx.b=+%{tx.a}",
            &["a=2", "b=+%{tx.a}"],
        ),
        (
            "9 1 - setvar:tx.b=+%{tx.a},setvar:tx.a=2,setvar:tx.b=+%{tx.a}",
            &["b=+1", "a=2", "b=+2"],
        ),
        (
            "2 1 ARGS x setvar:tx.a=2\n9 1 ARGS x setvar:tx.b=+%{tx.a}",
            &["b=+%{tx.a}"],
        ),
        (
            "2 3 ARGS x setvar:tx.a=2\n9 2 ARGS x setvar:tx.b=+%{tx.a}",
            &["b=+%{tx.a}"],
        ),
        (
            "9 1 ARGS x chain,setvar:tx.b=+%{tx.a}\nSecRule ARGS x setvar:tx.a=2,setvar:tx.c=+%{tx.n}",
            &["b=+1", "a=2", "c=+0"],
        ),
        (
            "2 1 ARGS x ctl:ruleRemoveById=3\n3 1 - setvar:tx.a=2\n9 1 - setvar:tx.b=+%{tx.a}",
            &["b=+%{tx.a}"],
        ),
    ] {
        let expected: Vec<String> = expected
            .iter()
            .map(|one| format!("setvar:tx.{one}"))
            .collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check_changes(&format!("1 1 - setvar:tx.a=1\n{rules}"), &expected);
    }
}
