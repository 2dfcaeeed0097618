//! `palisade waf check`

use super::Folder;

/// Exit code and standard output of checking all of `*.conf`.
#[track_caller]
fn check(files: &[(&str, &str)], code: i32, expected: &[&str]) {
    let ended = Folder::with(files).waf(&["check", "*.conf"]);
    assert_eq!(ended.code, code, "{ended:?}");
    ended.prints(expected);
}

#[test]
fn every_mistake_is_told_with_its_place() {
    check(
        &[
            (
                "a.conf",
                "SecRule ARGS \"@rx a(?=b)\" id:1,phase:1,pass
SecRule ARGS \"@nosuch a\" id:2,phase:1,pass
  SecRule NOTHING \"@rx a\" id:3,phase:1,pass
SecRule ARGS \"@pmFromFile none.data\" id:4,phase:1,pass
SecNothing On
SecAction phase:1,pass
SecRule ARGS a id:7,phase:1,pass,t:nothing
SecAction id:8,phase:1,pass
SecAction id:8,phase:1,pass
Include none.conf
",
            ),
            ("b.conf", "SecRule ARGS a id:9,phase:1,deny,chain\n"),
        ],
        1,
        &[
            "a.conf:1:20: error: rule 1: @rx:",
            "a.conf:2:15: error: rule 2: @nosuch:",
            "a.conf:3:11: error: rule 3: there is no variable NOTHING",
            "a.conf:4:27: error: rule 4: @pmFromFile:",
            "a.conf:5:1: error: there is no directive SecNothing",
            "a.conf:6:1: error: the rule has no id",
            "a.conf:7:36: error: rule 7: there is no transformation `nothing`",
            "a.conf:9:1: error: rule 8: a.conf:8:1 has a rule of the same id",
            "a.conf:10:1: error: none.conf: No such file or directory",
            "b.conf:1:1: error: rule 9: the rule is chained, and no rule follows it",
        ],
    );
}

#[test]
fn files_that_can_not_be_read() {
    let folder = Folder::with(&[("rules/a.conf", "")]);
    for (file, expected) in [
        (
            "none.conf",
            "none.conf: error: none.conf: No such file or directory",
        ),
        (
            "none/*.conf",
            "none/*.conf: error: none/*.conf: no file has such a name",
        ),
        (
            "rules",
            "rules: error: rules: it is a folder; name its files, like FOLDER/*.conf",
        ),
    ] {
        let ended = folder.waf(&["check", file]);
        assert_eq!(ended.code, 1, "{ended:?}");
        ended.prints(&[expected]);
        assert_eq!(ended.said, "1 errors, 0 warnings\n");
    }
}

#[test]
fn many_mistakes_are_counted() {
    let many = "SecNothing On\n".repeat(230);
    let ended = Folder::with(&[("a.conf", &many)]).waf(&["check", "a.conf"]);
    assert_eq!(ended.printed.lines().count(), 201);
    ended.prints(&["a.conf:200:1: error: ", "... and 30 more"]);
    assert_eq!(ended.said, "230 errors, 0 warnings\n");
}

#[test]
fn doubtful_rules_are_warned_of() {
    let rules = "SecRuleRemoveById 7\nSecRule ARGS a id:1,phase:1,pass,skipAfter:NOWHERE\n";
    let ended = Folder::with(&[("a.conf", rules)]).waf(&["check", "a.conf"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.prints(&["a.conf:1:1: warning: ", "a.conf:2:1: warning: rule 1: "]);
    assert_eq!(ended.said, "ok, 2 warnings, 1 files\n");
}

const RULES: &str = "SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 4096
SecRule ARGS \"!@rx a+[bc]{9}d\" id:1,phase:1,deny,tag:paranoia-level/1
SecRule ARGS \"!@detectSQLi\" id:2,phase:2,deny,tag:paranoia-level/1
SecRule ARGS \"!@pm a b\" id:3,phase:2,deny,chain,tag:paranoia-level/2
SecRule ARGS c
SecRule RESPONSE_STATUS \"@eq 500\" id:4,phase:3,pass
SecAction id:5,phase:5,pass
SecRule &TX:level \"@eq 0\" id:6,phase:5,pass,nolog,skip:1
SecAction id:7,phase:5,pass
";

#[test]
fn what_there_is_and_what_is_slow() {
    check(
        &[("a.conf", RULES), ("b.conf", "")],
        0,
        &[
            "rules 7, of which 1 are chains; 8 conditions and actions in all",
            "phases 1: 1, 2: 2, 3: 1, 4: 0, 5: 3",
            "decided at load 2 rules, of which 1 are gates and 0 only set variables; the rest is for requests to decide",
            "paranoia levels 1: 2, 2: 1; 4 without one",
            "SecRuleEngine On",
            "request bodies up to 4096 bytes",
            "answers' bodies not looked at",
            "compiled in 0.",
            "of expressions and phrases and",
            "always asked 3 rules",
            "2 @detectSQLi a.conf:5:1",
            "3 @pm 1 KiB a.conf:6:1",
            "large 2 compiled expressions",
        ],
    );
    check(
        &[("a.conf", "SecAction id:1,phase:1,pass\n")],
        0,
        &[
            "rules 1, of which 0 are chains",
            "SecRuleEngine Off: no rule runs, until",
        ],
    );
}

#[test]
fn as_many_slow_rules_as_are_asked_for() {
    let folder = Folder::with(&[("a.conf", RULES)]);
    let ended = folder.waf(&["check", "a.conf", "--top", "1"]);
    ended.prints(&[
        "2 @detectSQLi",
        "... and 2 more; --top N shows more",
        "... and 1 more",
    ]);
    assert!(!ended.printed.contains("@pm"), "{}", ended.printed);
}
