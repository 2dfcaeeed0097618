//! What is wrong with rules is told: which file, line and column, which rule, and what was expected.

use palisade_seclang::{CompileOptions, compile};

use crate::memory::{MAIN, Memory};

/// All problems of rules.
fn problems(files: &Memory) -> (bool, Vec<String>) {
    let compiled = compile(&[MAIN], files, CompileOptions::default());
    let problems = compiled.problems.kept().iter();
    (
        compiled.program.is_some(),
        problems.map(ToString::to_string).collect(),
    )
}

/// Rules that can't be used, and why.
#[track_caller]
fn check(rules: &str, expected: &[&str]) {
    let (is_usable, problems) = problems(&Memory::new(rules));
    assert_eq!(problems, expected, "{rules}");
    assert!(!is_usable, "{rules}");
}

/// Rules that can be used, and what there is to say of them.
#[track_caller]
fn check_warnings(rules: &str, expected: &[&str]) {
    let (is_usable, problems) = problems(&Memory::new(rules));
    assert_eq!(problems, expected, "{rules}");
    assert!(is_usable, "{rules}");
}

#[test]
fn unknown_names() {
    check(
        "\n  SecRul ARGS x id:1",
        &["main.conf:2:3: error: there is no directive SecRul"],
    );
    check(
        "SecRule ARGS \"@rxx a\" id:1",
        &["main.conf:1:15: error: rule 1: @rxx: there is no such operator"],
    );
    check(
        "SecRule ARGS|ARGZ x \"id:1\"",
        &["main.conf:1:14: error: rule 1: there is no variable ARGZ"],
    );
    check(
        "SecRule ARGS x \"id:1,\\\n   phase:1,pas\"",
        &["main.conf:2:12: error: rule 1: there is no action `pas`"],
    );
    check(
        "SecRule ARGS x id:1,t:lowrcase",
        &["main.conf:1:23: error: rule 1: there is no transformation `lowrcase`"],
    );
    check(
        "SecAction id:1,ctl:ruleEngin=On",
        &["main.conf:1:20: error: rule 1: `ctl` has no option `ruleengin` here"],
    );
    check(
        "SecAction id:1,phase:6",
        &["main.conf:1:22: error: rule 1: expected a phase: 1 to 5, request, response or logging"],
    );
}

#[test]
fn expressions_that_take_more_than_linear_time() {
    let refused = |pattern: &str| {
        let rules = format!("SecRule ARGS \"@rx {pattern}\" \"id:1,phase:1\"");
        let (is_usable, problems) = problems(&Memory::new(&rules));
        assert!(!is_usable, "{pattern}");
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0].clone()
    };
    for (pattern, column) in [
        ("a(?=b)", 20),
        ("a(?!b)", 20),
        ("ab(?<=b)c", 21),
        ("a(?<!b)", 20),
        (r"(a)\1", 22),
    ] {
        let problem = refused(pattern);
        let begin = format!("main.conf:1:{column}: error: rule 1: @rx: ");
        assert!(problem.starts_with(&begin), "{problem}");
    }
    // Behind escapes, and in another line.
    check_begins(
        r#"SecRule ARGS "@rx a\"\"(?=b)" id:1"#,
        "main.conf:1:24: error: rule 1: @rx: ",
    );
    check_begins(
        "SecRule ARGS \\\n  \"@rx a\\\n  \\\"(?=b)\" id:1",
        "main.conf:3:5: error: rule 1: @rx: ",
    );
    refused("(a");
    refused("[z-a]");
    // As a selector, too.
    check_begins(
        "SecRule ARGS:/(?=a)/ x \"id:1,phase:1\"",
        "main.conf:1:9: error: rule 1: the selector",
    );
    check_begins(
        "SecRule ARGS x id:1\nSecRuleRemoveByTag \"(?=a)\"",
        "main.conf:2:1: error: ",
    );
}

#[track_caller]
fn check_begins(rules: &str, begin: &str) {
    let (is_usable, problems) = problems(&Memory::new(rules));
    assert!(!is_usable, "{rules}");
    let is_it = problems
        .first()
        .is_some_and(|first| first.starts_with(begin));
    assert!(is_it, "{problems:?}");
}

#[test]
fn ids() {
    check(
        "SecAction phase:1,pass",
        &["main.conf:1:1: error: the rule has no id"],
    );
    check(
        "SecRule ARGS x",
        &["main.conf:1:1: error: the rule has no id"],
    );
    check(
        "SecAction id:1\n SecAction id:2\n SecAction id:1",
        &["main.conf:3:2: error: rule 1: main.conf:1:1 has a rule of the same id"],
    );
    check(
        "SecAction id:x",
        &[
            "main.conf:1:14: error: got \"x\"; expected a number of at most 18446744073709551615",
            "main.conf:1:1: error: the rule has no id",
        ],
    );
}

#[test]
fn chains() {
    let open = "main.conf:1:1: error: rule 1: the rule is chained, and no rule follows it";
    check("SecRule ARGS x id:1,chain", &[open]);
    check("SecRule ARGS x id:1,chain\nSecMarker M", &[open]);
    check(
        "SecRule ARGS x id:1,chain\nSecRule ARGS y chain\nSecRuleEngine On",
        &[open],
    );
    let later = |actions: &str, column: usize, what: &str| {
        let rules = format!("SecRule ARGS x id:1,chain\nSecRule ARGS y {actions}");
        let problem = format!(
            "main.conf:2:{column}: error: rule 1: only the first rule of a chain may have {what}"
        );
        check(&rules, &[&problem]);
    };
    later("id:2", 16, "an id");
    later("t:none,phase:1", 23, "a phase");
    later("deny", 16, "a disruptive action");
    later("skip:1", 16, "skip or skipAfter");
    let metadata = "msg, logdata, severity, tag, rev, ver and the like";
    later("t:none,msg:m", 23, metadata);
    later("tag:m", 16, metadata);
    later("severity:2", 16, metadata);
    later("ver:2", 16, metadata);
    later("logdata:x", 16, metadata);
}

#[test]
fn variables_that_can_not_be_written() {
    check(
        "SecAction id:1,setvar:args.a=1",
        &[
            "main.conf:1:23: error: rule 1: rules can't write to `args`; expected tx, ip, global, session, user or resource",
        ],
    );
    check(
        "SecAction id:1,setvar:tx",
        &["main.conf:1:23: error: rule 1: expected a collection, a dot and a name, like tx.score"],
    );
    check(
        "SecAction id:1,initcol:tx=a",
        &[
            "main.conf:1:24: error: rule 1: expected one of the collections ip, global, session, user, resource",
        ],
    );
    check(
        "SecAction id:1,expirevar:ip.a",
        &["main.conf:1:26: error: rule 1: expected a variable, `=` and seconds"],
    );
    check(
        "SecAction \"id:1,ctl:ruleRemoveTargetById=2;ARGS|ARGZ\"",
        &["main.conf:1:49: error: rule 1: there is no variable ARGZ"],
    );
    check(
        "SecAction id:1,ctl:ruleRemoveById=9-1",
        &[
            "main.conf:1:35: error: rule 1: \"9-1\" is no id, and no range of ids like 941100-941999",
        ],
    );
}

#[test]
fn files() {
    let (is_usable, found) = problems(&Memory::default());
    assert!(!is_usable);
    assert_eq!(
        found,
        ["main.conf: error: main.conf: there is no such file"]
    );
    check(
        "SecRuleEngine On\n Include none.conf",
        &["main.conf:2:2: error: none.conf: there is no such file"],
    );
    check(
        "Include main.conf",
        &["main.conf:1:1: error: files include files more than 16 deep"],
    );
    let files = Memory::new("SecRuleEngine On\nInclude other.conf")
        .with("other.conf", b"\nSecAction phase:1");
    assert_eq!(
        problems(&files).1,
        ["other.conf:2:1: error: the rule has no id"]
    );
    check(
        "SecRule ARGS \"@pmFromFile words\" id:1",
        &["main.conf:1:27: error: rule 1: @pmFromFile: words: there is no such file"],
    );
    check(
        "SecUnicodeMapFile none 20127",
        &["main.conf:1:1: error: none: there is no such file"],
    );
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    check(
        "SecRule ARGS \"@nope\" id:1\nSecRule ARGZ x id:2\nSecRule ARGS \"@never\" id:3",
        &[
            "main.conf:2:9: error: rule 2: there is no variable ARGZ",
            "main.conf:1:15: error: rule 1: @nope: there is no such operator",
            "main.conf:3:15: error: rule 3: @never: there is no such operator",
        ],
    );
}

#[test]
fn settings_and_defaults() {
    check(
        "SecRuleEngine Maybe",
        &["main.conf:1:15: error: expected On, Off or DetectionOnly"],
    );
    check(
        "SecParseXmlIntoArgs Yes",
        &["main.conf:1:21: error: expected On, Off or OnlyArgs"],
    );
    check(
        "SecRequestBodyLimit many",
        &["main.conf:1:21: error: expected a number"],
    );
    check(
        "SecDefaultAction log,pass",
        &["main.conf:1:1: error: SecDefaultAction needs a phase"],
    );
    check(
        "SecDefaultAction phase:1,id:1",
        &["main.conf:1:26: error: SecDefaultAction can't have id, chain, skip or skipAfter"],
    );
    check(
        "SecAction id:1\nSecRuleUpdateActionById 1 id:2",
        &["main.conf:2:27: error: rule 1: SecRuleUpdateActionById can't change id, phase or chain"],
    );
    check(
        "SecAction id:1\nSecRuleUpdateActionById 1 pass,phase:1",
        &["main.conf:2:32: error: rule 1: SecRuleUpdateActionById can't change id, phase or chain"],
    );
}

#[test]
fn what_may_not_mean_what_its_author_thinks() {
    check_warnings(
        "SecRuleRemoveById 7",
        &["main.conf:1:1: warning: no rule that was loaded before is meant by this"],
    );
    check_warnings(
        "SecAction id:1\nSecRuleUpdateActionById 1:1 log",
        &["main.conf:2:1: warning: rule 1: rule 1 has no link 1"],
    );
    check_warnings(
        "SecRuleUpdateActionById 1 log",
        &["main.conf:1:1: warning: no rule that was loaded before is meant by this"],
    );
    check_warnings(
        "SecAction \"id:1,msg:'%{nothing}'\"",
        &["main.conf:1:1: warning: rule 1: %{nothing} names no variable, and expands to nothing"],
    );
    check_warnings(
        "SecAction id:1,skipAfter:NONE",
        &[
            "main.conf:1:1: warning: rule 1: skipAfter: no marker NONE follows, so that the phase ends there",
        ],
    );
    check_warnings(
        "SecAction id:1,phase:5,deny",
        &["main.conf:1:1: warning: rule 1: nothing is refused in phase 5: the transaction is over"],
    );
    check_warnings(
        "SecRule REMOTE_ADDR @geoLookup id:1",
        &[
            "main.conf:1:21: warning: rule 1: @geoLookup never matches: there is no database of countries",
        ],
    );
    check_warnings(
        "IncludeOptional none.conf",
        &["main.conf:1:1: warning: none.conf: there is no such file"],
    );
    check_warnings(
        "SecRule RULE:severity 2 id:1",
        &["main.conf:1:9: warning: rule 1: RULE is for macros: as a target it has no values"],
    );
    let only = "with OnlyArgs no rule sees attributes, nor text beside elements: write On where they matter";
    check_warnings(
        "SecParseXmlIntoArgs OnlyArgs",
        &[&format!("main.conf:1:1: warning: {only}")],
    );
    check_warnings(
        "SecAction id:1,ctl:parseXmlIntoArgs=OnlyArgs",
        &[&format!("main.conf:1:16: warning: rule 1: {only}")],
    );
    check_warnings(
        "SecDataDir /tmp",
        &["main.conf:1:1: warning: SecDataDir means nothing here: collections are kept in memory"],
    );
}

#[test]
fn macros_that_operators_do_not_expand() {
    let told = |operator: &str, written: &str| {
        format!(
            "@{operator} expands no macros and takes {written} for these very characters, as in ModSecurity: use an operator that does, like @within or @contains"
        )
    };
    check_warnings(
        "SecRule ARGS \"@pm a %{tx.a} b\" id:1",
        &[&format!(
            "main.conf:1:21: warning: rule 1: {}",
            told("pm", "%{tx.a}")
        )],
    );
    check_warnings(
        "SecRule ARGS x \"id:1,chain\"\n SecRule ARGS \\\n  \"!@strMatch x%{tx.a}%{tx.b}\"",
        &[&format!(
            "main.conf:3:16: warning: rule 1: {}",
            told("strMatch", "%{tx.a}")
        )],
    );
    let files = Memory::new("SecRule ARGS \"@pmFromFile %{tx.a}\" id:1").with("%{tx.a}", b"word");
    let expected = format!(
        "main.conf:1:27: warning: rule 1: {}",
        told("pmFromFile", "%{tx.a}")
    );
    assert_eq!(problems(&files), (true, vec![expected]));
    // Taken for what they are, or no macros.
    for argument in [
        "@within %{tx.a}",
        "@contains %{tx.a}",
        "@eq %{tx.a}",
        "@pm %{",
        "@pm %a {b}",
    ] {
        check_warnings(&format!("SecRule ARGS \"{argument}\" id:1"), &[]);
    }
    // An error with a place already.
    check_begins(
        "SecRule ARGS \"@rx %{tx.a}\" id:1",
        "main.conf:1:19: error: rule 1: @rx: ",
    );
    check_begins(
        "SecRule ARGS \"@ipMatch %{tx.a}\" id:1",
        "main.conf:1:24: error: rule 1: @ipMatch: ",
    );
}

#[test]
fn statuses_for_the_audit_log() {
    check(
        "\nSecAuditLogRelevantStatus \"^4(?<!0)\"",
        &[
            "main.conf:2:1: error: SecAuditLogRelevantStatus: look-around (`(?<!`) can't be matched in linear time; expected a pattern without it, or a chain of rules (at byte 2 of the expression)",
        ],
    );
    check_warnings("SecAuditLogRelevantStatus \"^(?:5|4(?!04))\"", &[]);
}
