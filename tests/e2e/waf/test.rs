//! `palisade waf test`

use super::{Ended, Folder};

const RULES: &str = r#"SecRuleEngine On
SecRule ARGS:a "@streq x" "id:7,phase:1,deny,status:403,log,msg:'An x'"
SecRule ARGS:a "@streq y" "id:8,phase:1,pass,log,msg:'A y'"
"#;

const SEVEN: &str = "tests:
- {stages: [{input: {uri: '/?a=x', headers: {Host: a}}, output: {status: 403, log: {expect_ids: [7]}}}]}
- {stages: [{input: {uri: '/?a=z', headers: {Host: a}}, output: {log: {expect_ids: [7]}}}]}
- {stages: [{input: {uri: '/?a=z', headers: {Host: a}}, output: {status: 200}}, {input: {uri: '/?a=x', headers: {Host: a}}, output: {status: 200}}]}
";
const EIGHT: &str = "tests:
- {stages: [{input: {uri: '/?a=y', headers: {Host: a}}, output: {log: {no_expect_ids: [8]}}}]}
- {stages: [{input: {uri: '/?a=y', headers: {Host: a}}, output: {log: {expect_ids: [8]}}}]}
";
const OVERRIDES: &str = "test_overrides:
- {rule_id: 7, test_ids: [2], reason: no z here, output: {log: {no_expect_ids: [7]}}}
- {rule_id: 7, test_ids: [3], reason: it blocks, output: {status: 403}, stage_ids: [1]}
- {rule_id: 8, test_ids: [1, 2], reason: why not, output: {log: {expect_ids: [8]}}}
- {rule_id: 9, reason: for later}
";

fn run(more: &[&str]) -> Ended {
    let folder = Folder::with(&[
        ("rules.conf", RULES),
        ("bad.conf", "SecNothing\n"),
        ("tests/7.yaml", SEVEN),
        ("tests/more/8.yml", EIGHT),
        ("overrides.yaml", OVERRIDES),
        ("bad/1.yaml", "tests: 1\n"),
        ("bad/2.yaml", "test: []\n"),
        ("none/readme.txt", ""),
        ("bad-overrides.yaml", "test_overrides: [{rule_id: 7}]\n"),
    ]);
    folder.waf(&[&["test"], more].concat())
}

/// Exit code and lines of a run.
#[track_caller]
fn check(arguments: &[&str], code: i32, expected: &[&str]) {
    let ended = run(&[arguments, &["--rules", "rules.conf"]].concat());
    let lines: Vec<&str> = ended.printed.lines().collect();
    assert_eq!(lines, expected, "{}", ended.said);
    assert_eq!(ended.code, code);
}

#[test]
fn failures_are_told_with_their_place() {
    let failed = [
        "7-2 failed: expected rules 7, logged none (tests/7.yaml:3:3)",
        "7-3 failed: stage 1: expected status 200, got 403; logged 7 (tests/7.yaml:4:3)",
        "8-1 failed: expected rules 8 not to be logged, logged 8 (tests/more/8.yml:2:3)",
        "5 run: 2 passed, 0 overridden, 0 with overrides that are not needed, 3 failed",
    ];
    for jobs in ["1", "2", "9"] {
        check(&["tests", "--jobs", jobs], 1, &failed);
    }
}

#[test]
fn overrides_that_are_not_needed_are_told() {
    check(
        &["tests", "--overrides", "overrides.yaml"],
        0,
        &[
            "8-2 passed, its override is not needed: why not (tests/more/8.yml:3:3)",
            "the override for rule 9 is for no test (overrides.yaml:5:3)",
            "5 run: 1 passed, 3 overridden, 1 with overrides that are not needed, 0 failed",
        ],
    );
}

#[test]
fn some_of_the_tests() {
    let total = |counts: &str| {
        let [run, passed, failed] = counts.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{counts}")
        };
        format!(
            "{run} run: {passed} passed, 0 overridden, 0 with overrides that are not needed, {failed} failed"
        )
    };
    check(&["tests", "--only", "7-1"], 0, &[&total("1 1 0")]);
    check(
        &[
            "tests/more/8.yml",
            "--only",
            "8-2",
            "--overrides",
            "overrides.yaml",
        ],
        0,
        &[
            "8-2 passed, its override is not needed: why not (tests/more/8.yml:3:3)",
            "1 run: 0 passed, 0 overridden, 1 with overrides that are not needed, 0 failed",
        ],
    );
    check(
        &["tests", "--only", "8", "--only", "7-1"],
        1,
        &[
            "8-1 failed: expected rules 8 not to be logged, logged 8 (tests/more/8.yml:2:3)",
            &total("3 2 1"),
        ],
    );
}

#[test]
fn what_rules_cost_is_told_where_it_is_asked_for() {
    let ended = |costs: &str| run(&["tests", costs, "--rules", "rules.conf"]);
    let all = ended("--costs");
    all.prints(&[
        "costs 2 rules were asked, of which those that took most; one evaluation in 64 was timed",
        "ms = 2 evaluations of ",
    ]);
    assert_eq!(all.code, 1, "{all:?}");
    let one = ended("--costs=1");
    one.prints(&["... and 1 more; --costs=N shows more"]);
    assert_eq!(one.printed.matches("evaluations of ").count(), 1);
}

#[test]
fn suites_and_rules_that_can_not_be_used() {
    #[track_caller]
    fn check(arguments: &[&str], expected: &[&str]) {
        let ended = run(arguments);
        assert_eq!((ended.code, &*ended.printed), (1, ""), "{ended:?}");
        for expected in expected {
            assert!(ended.said.contains(expected), "{ended:?}");
        }
    }
    let rules = ["--rules", "rules.conf"];
    let with_rules = |more: &[&'static str]| [more, &rules].concat();
    check(
        &with_rules(&["bad"]),
        &[
            "bad/1.yaml:1:8: got a single value; expected a list",
            "bad/2.yaml:1:1: \"test\" is not known here",
        ],
    );
    check(
        &with_rules(&["none"]),
        &["none has no tests; expected files *.yaml in go-ftw's form"],
    );
    check(
        &with_rules(&["nowhere"]),
        &["nowhere: No such file or directory"],
    );
    check(
        &with_rules(&["tests", "--only", "99"]),
        &["none of the tests in tests is one that --only names"],
    );
    check(
        &with_rules(&["tests", "--overrides", "bad-overrides.yaml"]),
        &["bad-overrides.yaml:1:18: the override has no `reason`"],
    );
    check(
        &with_rules(&["tests", "--overrides", "nowhere.yaml"]),
        &["nowhere.yaml: No such file or directory"],
    );
    check(
        &["tests", "--rules", "bad.conf"],
        &["bad.conf:1:1: error: ", "1 errors, 0 warnings"],
    );
}
