//! What is folded, and what must not be.

mod known_values;
mod presets;

use crate::program::Fate;
use crate::program::test_rules::program;

/// Which rules are folded, and which always match; all others are asked. A line that begins with an id
/// is a rule of that id that is told to nobody.
#[track_caller]
fn check(rules: &str, folded: &[u64], certain: &[u64]) {
    let program = program(&written(rules));
    let with = |fates: &[Fate]| -> Vec<u64> {
        let rules = program.rules().filter(|rule| fates.contains(&rule.fate));
        rules.map(crate::Rule::id).collect()
    };
    let got = (with(&[Fate::Folded]), with(&[Fate::Certain, Fate::Preset]));
    assert_eq!(got, (folded.to_vec(), certain.to_vec()), "{rules}");
}

/// `1 1 TX:a "@eq 1" setvar:tx.b=1` is a rule with its id, its phase, what it asks and what it does; `-`
/// is nothing. Anything else is as in a rule file.
fn written(rules: &str) -> String {
    let mut text = String::new();
    for line in rules.lines().map(str::trim) {
        let mut words = line.splitn(3, ' ');
        let id = words.next().unwrap_or("");
        if id.parse::<u64>().is_err() {
            text.push_str(&format!("{line}\n"));
            continue;
        }
        let phase = words.next().unwrap();
        let (asks, does) = words.next().unwrap().rsplit_once(' ').unwrap();
        let directive = match asks {
            "-" => "SecAction".to_owned(),
            asks => format!("SecRule {asks}"),
        };
        let does = if does == "-" { "pass" } else { does };
        let pass = if does.contains("deny") || does.contains("allow") {
            ""
        } else {
            "pass,"
        };
        text.push_str(&format!(
            "{directive} \"id:{id},phase:{phase},{pass}nolog,{does}\"\n"
        ));
    }
    text
}

/// What CRS's paranoia levels are made of, at level 1.
const LEVEL: &str = r#"1 1 - setvar:tx.blocking=1
2 1 &TX:blocking "@eq 0" setvar:tx.blocking=4
3 1 &TX:level "@eq 0" setvar:tx.level=%{TX.blocking}"#;

#[track_caller]
fn check_level(rules: &str, folded: &[u64], certain: &[u64]) {
    let folded: Vec<u64> = [2].iter().chain(folded).copied().collect();
    let certain: Vec<u64> = [1, 3].iter().chain(certain).copied().collect();
    check(&format!("{LEVEL}\n{rules}"), &folded, &certain);
}

#[test]
fn defaults_and_levels() {
    check_level(
        r#"10 1 TX:LEVEL "@lt 1" skipAfter:END
        11 1 ARGS "@rx a" -
        12 1 TX:level "@lt 2" skipAfter:END
        13 1 ARGS "@rx b" -
        SecMarker END
        20 2 TX:level "@lt 2" skipAfter:END2
        21 2 ARGS "@rx b" -
        SecMarker END2
        22 5 TX:level "@lt 2" skip:1
        23 5 ARGS "@rx b" -
        24 5 ARGS "@rx b" -"#,
        &[10, 12, 13, 20, 21, 22, 23],
        &[],
    );
    // A later phase alone sets nothing for those before it.
    check(
        "1 2 - setvar:tx.a=1
        2 1 TX:a \"@eq 1\" setvar:tx.b=1
        3 2 TX:a \"@eq 1\" setvar:tx.c=1
        4 3 TX:a \"@eq 1\" setvar:tx.c=1",
        &[2],
        &[1, 3],
    );
}

#[test]
fn comparisons() {
    let with = |condition: &str| {
        format!("1 1 - setvar:tx.a=7,setvar:tx.t=x\n2 1 {condition} setvar:tx.b=1")
    };
    for holds in [
        r#"TX:a "@eq 7""#,
        r#"TX:a "!@eq 8""#,
        r#"TX:A "@ge 7""#,
        r#"TX:a "@le 7""#,
        r#"TX:a "@gt 6""#,
        r#"TX:a "@lt 8""#,
        r#"TX:a "@ne 8""#,
        r#"TX:a "@eq %{tx.a}""#,
        r#"TX:a "@lt 1%{tx.a}""#,
        r#"TX:a "@gt %{tx.absent}""#,
        r#"TX:t "@eq 0""#,
        r#"&TX:a "@eq 1""#,
        r#"&TX:absent "@eq 0""#,
        "-",
    ] {
        check(&with(holds), &[], &[1, 2]);
    }
    for fails in [
        r#"TX:a "@eq 8""#,
        r#"TX:a "!@eq 7""#,
        r#"TX:a "@lt %{tx.a}""#,
        // What isn't there isn't looked at.
        r#"TX:absent "@eq 0""#,
        r#"TX:absent "!@eq 1""#,
        r#"&TX:absent "!@eq 0""#,
    ] {
        check(&with(fails), &[2], &[1]);
    }
    for asked in [
        r#"TX:a|TX:b "@eq 7""#,
        r#"TX:/a/ "@eq 7""#,
        r#"TX:a|!TX:b "@eq 7""#,
        r#"TX "@eq 7""#,
        r#"TX:a "@streq 7""#,
        r#"TX:0 "@eq 7""#,
        r#"&TX:1 "@eq 0""#,
        r#"TX:a "@eq %{REQUEST_METHOD}""#,
        r#"ARGS:a "@eq 7""#,
    ] {
        check(&with(asked), &[], &[1]);
    }
    // A transformation makes another value of it.
    check(
        "1 1 - setvar:tx.a=7\n2 1 TX:a \"@eq 7\" t:length",
        &[],
        &[1],
    );
    check(
        "1 1 - setvar:tx.a=7\n2 1 TX:a \"@eq 7\" t:length,t:none,setvar:tx.b=1",
        &[],
        &[1, 2],
    );
}

#[test]
fn what_becomes_of_variables() {
    let with = |changes: &str, asked: &str| {
        format!("1 1 - {changes}\n2 1 TX:a \"@eq {asked}\" setvar:tx.b=1")
    };
    for (changes, value) in [
        ("setvar:tx.a=3,setvar:tx.A=4", "4"),
        ("setvar:tx.a=3,setvar:tx.a=+4", "7"),
        ("setvar:tx.a=+4", "4"),
        ("setvar:tx.a=3,setvar:tx.a=-4", "0"),
        ("setvar:tx.c=5,setvar:tx.a=%{tx.c}%{tx.c}", "55"),
        ("setvar:tx.c=5,setvar:tx.a=+%{tx.c}", "5"),
        ("setvar:tx.a=%{tx.absent}", "0"),
        ("setvar:tx.a", "1"),
    ] {
        check(&with(changes, value), &[], &[1, 2]);
    }
    check(&with("setvar:tx.a=3,setvar:!tx.a", "0"), &[2], &[1]);
    for unknown in [
        "setvar:tx.a=%{REMOTE_PORT}",
        "setvar:tx.a=+%{REMOTE_PORT}",
        "setvar:tx.c=%{UNIQUE_ID},setvar:tx.a=%{tx.c}",
        "setvar:tx.a=%{tx.0}",
        "setvar:tx.a=3,setvar:tx.%{UNIQUE_ID}=4",
        "setvar:tx.a=3,setvar:tx.A%{UNIQUE_ID}=4",
    ] {
        check(&with(unknown, "3"), &[], &[1]);
    }
    // Names that begin otherwise are others.
    check(
        &with("setvar:tx.a=3,setvar:tx.aa%{UNIQUE_ID}=4", "3"),
        &[],
        &[1, 2],
    );
    check(
        &with("setvar:tx.a=3,initcol:ip=x,setvar:ip.a=4", "3"),
        &[],
        &[1, 2],
    );
}

#[test]
fn what_an_undecided_rule_may_write_is_not_known() {
    check(
        "1 1 - setvar:tx.a=1,setvar:tx.c=1
        2 1 ARGS \"@rx x\" setvar:tx.a=2
        3 1 TX:a \"@eq 1\" setvar:tx.b=1
        4 1 TX:b \"@eq 1\" setvar:tx.d=1
        5 1 TX:c \"@eq 1\" setvar:tx.d=1",
        &[],
        &[1, 5],
    );
    // In a later phase, whichever of them have run.
    check(
        "1 1 - setvar:tx.a=1,setvar:tx.c=1
        2 3 ARGS \"@rx x\" setvar:tx.a=2
        3 2 TX:a \"@eq 1\" setvar:tx.b=1
        4 5 TX:a \"@eq 1\" setvar:tx.b=1
        5 5 TX:c \"@eq 1\" setvar:tx.b=1",
        &[],
        &[1, 5],
    );
    // However often: each value that matches adds.
    check(
        "1 1 ARGS \"@rx x\" setvar:tx.a=+1,skip:1
        2 1 - setvar:tx.a=1
        3 1 TX:a \"@eq 1\" setvar:tx.b=1",
        &[],
        &[2],
    );
    // What operators capture is written too.
    check(
        "1 1 - setvar:tx.0=7
        2 1 ARGS \"@rx x\" capture
        3 1 TX:0 \"@eq 7\" setvar:tx.b=1",
        &[],
        &[1],
    );
    // It is written again with what it was.
    check(
        "1 1 - setvar:tx.a=1
        2 1 ARGS \"@rx x\" skip:1
        3 1 - setvar:tx.a=1
        4 1 TX:a \"@eq 1\" setvar:tx.b=1",
        &[],
        &[1, 3, 4],
    );
}

#[test]
fn what_may_be_skipped_may_not_have_run() {
    check(
        "1 1 ARGS \"@rx x\" skipAfter:M
        2 1 - setvar:tx.a=1
        SecMarker M
        3 1 TX:a \"@eq 1\" setvar:tx.b=1
        4 1 - setvar:tx.a=1
        5 1 TX:a \"@eq 1\" setvar:tx.b=1",
        &[],
        &[2, 4, 5],
    );
    // Another rule leads into what is always skipped, which then has to be skipped.
    check(
        "1 1 ARGS \"@rx x\" skipAfter:IN
        2 1 - skipAfter:OUT
        3 1 ARGS \"@rx a\" -
        SecMarker IN
        4 1 ARGS \"@rx b\" -
        SecMarker OUT",
        &[3],
        &[2],
    );
    // One that never matches leads nowhere.
    check(
        "1 1 TX:a \"@eq 1\" skipAfter:IN
        2 1 - skipAfter:OUT
        3 1 ARGS \"@rx a\" -
        SecMarker IN
        4 1 ARGS \"@rx b\" -
        SecMarker OUT",
        &[1, 2, 3, 4],
        &[],
    );
    // Only the phase's own rules are skipped.
    check(
        "1 1 - skipAfter:OUT
        2 2 ARGS \"@rx a\" -
        SecMarker OUT",
        &[1],
        &[],
    );
}

#[test]
fn chains() {
    // What a link does it does, whatever the next says.
    check(
        "1 1 - chain,setvar:tx.a=1
        SecRule TX:b \"@eq 1\" setvar:tx.c=1
        2 1 TX:a \"@eq 1\" setvar:tx.d=1
        3 1 &TX:c \"@eq 0\" setvar:tx.d=1",
        &[],
        &[2, 3],
    );
    // One that does nothing before it fails is nothing.
    check(
        "1 1 &TX:a \"@eq 0\" chain
        SecRule TX:b \"@eq 1\" setvar:tx.c=1",
        &[1],
        &[],
    );
    // From an undecided link on, nothing is certain.
    check(
        "1 1 - chain,setvar:tx.a=1
        SecRule ARGS \"@rx x\" chain,setvar:tx.b=1
        SecRule TX:a \"@eq 1\" setvar:tx.c=1
        2 1 TX:a \"@eq 1\" setvar:tx.d=1
        3 1 &TX:b \"@eq 0\" setvar:tx.d=1
        4 1 &TX:c \"@eq 0\" setvar:tx.d=1",
        &[],
        &[2],
    );
    check(
        "1 1 &TX:a \"@eq 0\" chain
        SecRule &TX:b \"@eq 0\" setvar:tx.c=1
        2 1 TX:c \"@eq 1\" setvar:tx.d=1",
        &[],
        &[1, 2],
    );
}

#[test]
fn rules_that_are_left_out_for_some_requests() {
    // What has run before it is done.
    check_level(
        r#"4 1 ARGS "@rx x" ctl:ruleRemoveById=1-99
        5 1 TX:level "@eq 1" setvar:tx.a=1
        6 1 TX:level "@lt 2" skipAfter:END
        7 1 ARGS "@rx a" -
        SecMarker END"#,
        // It is always skipped: where its gate is left out, so is it.
        &[6, 7],
        &[5],
    );
    check_level(
        r#"4 1 ARGS "@rx x" ctl:ruleRemoveById=6
        6 1 TX:level "@lt 2" skipAfter:END
        7 1 ARGS "@rx a" -
        SecMarker END"#,
        &[],
        &[6],
    );
    check_level(
        r#"4 1 ARGS "@rx x" ctl:ruleRemoveById=6-7
        5 1 ARGS "@rx y" ctl:ruleRemoveById=6
        6 1 TX:level "@lt 2" skipAfter:END
        7 1 ARGS "@rx a" -
        SecMarker END"#,
        &[],
        &[6],
    );
    // A gate that never skips is nothing, left out or not.
    check_level(
        r#"4 1 ARGS "@rx x" ctl:ruleRemoveById=6
        6 1 TX:level "@lt 1" skipAfter:END
        7 1 ARGS "@rx a" -
        SecMarker END"#,
        &[6],
        &[],
    );
    // A rule that always matches leaves others out for good, but not those that ran before.
    check(
        "1 1 - setvar:tx.a=1
        2 1 - ctl:ruleRemoveById=1-4
        3 1 - setvar:tx.a=2
        4 2 ARGS \"@rx a\" -
        5 2 TX:a \"@eq 1\" setvar:tx.b=1",
        &[3, 4],
        &[1, 2, 5],
    );
    // What is left out may not have set anything.
    check(
        "1 1 ARGS \"@rx x\" ctl:ruleRemoveByTag=init
        2 1 - tag:init,setvar:tx.a=1
        3 1 TX:a \"@eq 1\" setvar:tx.b=1
        4 1 TX:a \"@eq 1\" tag:init,setvar:tx.b=1
        5 2 TX:a \"@eq 1\" tag:init,setvar:tx.b=1",
        &[],
        // Where these run, it has run.
        &[2, 4, 5],
    );
}

#[test]
fn many_removals_are_joined() {
    let leaves_out = |id: u64| format!("{id} 1 ARGS:{id} x ctl:ruleRemoveById={}\n", id + 100);
    let mut rules: String = (20..40).map(leaves_out).collect();
    let asked = |id: u64| format!("{id} 1 ARGS \"@rx x\" -\n");
    rules.extend((120..130).chain(131..140).map(asked));
    rules.push_str(
        "130 1 - setvar:tx.a=1
        200 1 TX:a \"@eq 1\" setvar:tx.b=1
        201 1 - setvar:tx.a=1
        202 1 TX:a \"@eq 1\" setvar:tx.b=1",
    );
    check(&rules, &[], &[130, 201, 202]);
}

#[test]
fn what_joined_removals_have_in_common() {
    // Each leaves out what the one before does, and more.
    let leaves_out = |id: u64| format!("{id} 1 ARGS:{id} x ctl:ruleRemoveById=100-{}\n", id + 85);
    let mut rules = "20 1 ARGS x ctl:ruleRemoveById=100-102\n".to_owned();
    rules.extend((21..40).map(leaves_out));
    rules.push_str(
        "100 1 - setvar:tx.a=1
        101 1 TX:a \"@eq 1\" skipAfter:END
        102 1 ARGS \"@rx a\" -
        SecMarker END
        105 1 TX:a \"@eq 1\" setvar:tx.b=1\n",
    );
    rules.extend((106..130).map(|id| format!("{id} 1 ARGS \"@rx x\" -\n")));
    // Where the gate is left out, so is what it skips; where only the default is, it isn't set.
    check(&rules, &[101, 102], &[100]);
}

#[test]
fn targets_that_are_left_out() {
    let with = |target: &str| {
        format!(
            "1 1 - setvar:tx.a=1
            2 1 ARGS \"@rx x\" ctl:ruleRemoveTargetById=3;{target}
            3 1 TX:a \"@eq 1\" setvar:tx.b=1"
        )
    };
    check(&with("ARGS:a"), &[], &[1, 3]);
    for target in ["TX:a", "TX:/b/", "TX"] {
        check(&with(target), &[], &[1]);
    }
}

#[test]
fn phases_that_end_early() {
    let with = |ends: &str| {
        format!(
            "1 1 ARGS \"@rx x\" {ends}
            2 1 - setvar:tx.a=1
            3 2 TX:a \"@eq 1\" setvar:tx.b=1
            4 4 TX:a \"@eq 1\" setvar:tx.b=1
            5 5 TX:a \"@eq 1\" setvar:tx.b=1"
        )
    };
    check(&with("pass"), &[], &[2, 3, 4, 5]);
    // Of later phases the last runs.
    for ends in ["deny", "drop", "redirect:/", "allow"] {
        check(&with(ends), &[], &[2, 3, 4]);
    }
    for ends in ["allow:phase", "allow:request"] {
        check(&with(ends), &[], &[2]);
    }
    // Nothing runs.
    check(&with("ctl:ruleEngine=Off"), &[], &[2, 3, 4, 5]);
    check(&with("ctl:ruleEngine=DetectionOnly"), &[], &[2, 3, 4, 5]);
    // It may be by the phase's defaults.
    check(
        "SecDefaultAction phase:1,deny,nolog
        SecRule ARGS x id:1,phase:1,block
        2 1 - setvar:tx.a=1
        5 5 TX:a \"@eq 1\" setvar:tx.b=1",
        &[],
        &[2],
    );
}

#[test]
fn what_a_match_tells() {
    // Who is told of a match is told of its value.
    let with = |does: &str| {
        let program = program(&format!(
            "SecAction id:1,phase:1,pass,nolog,setvar:tx.a=1\nSecRule TX:a \"@eq 1\" \"id:2,phase:1,pass,{does}\""
        ));
        let rule = program.rules().nth(1).unwrap();
        let has_test = program.links.last().unwrap().test.is_some();
        (rule.fate, has_test)
    };
    assert_eq!(with("nolog"), (Fate::Folded, false));
    assert_eq!(with("nolog,setvar:tx.b=1"), (Fate::Preset, false));
    assert_eq!(
        with("nolog,setvar:tx.b=%{REQUEST_METHOD}"),
        (Fate::Certain, false)
    );
    assert_eq!(
        with("nolog,setvar:tx.b=%{MATCHED_VAR}"),
        (Fate::Certain, true)
    );
    assert_eq!(with("nolog,capture"), (Fate::Certain, true));
    assert_eq!(with("log"), (Fate::Certain, true));
    assert_eq!(with("nolog,auditlog"), (Fate::Certain, false));
    assert_eq!(with("nolog,severity:2"), (Fate::Certain, false));
}

#[test]
fn what_is_folded_costs_nothing() {
    let dear = "t:sha1,t:hexEncode";
    let program = program(&written(&format!(
        "1 1 - setvar:tx.level=1
        2 1 TX:level \"@lt 2\" skipAfter:END
        3 1 ARGS \"@rx (?i)union.*select\" {dear}
        SecMarker END
        4 1 ARGS \"@rx abc\" t:lowercase"
    )));
    assert_eq!(program.request.filters.len(), 1);
    assert_eq!(program.groups.len(), 1);
    // The root, and lowercase.
    assert_eq!(program.request.pipelines.len(), 2);
    assert_eq!(program.steps[0].len(), 2);
    assert_eq!(program.rule_count(), 4);
}
