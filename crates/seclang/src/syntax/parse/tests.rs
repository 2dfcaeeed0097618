use super::*;
use crate::syntax::ctl::EngineMode;
use crate::syntax::targets::TargetUse;
use proptest::prelude::*;

fn read(text: &str) -> (Vec<Placed<Directive>>, Vec<String>) {
    let mut problems = Problems::default();
    let directives = parse(text.as_bytes(), &Arc::from("a.conf"), &mut problems);
    let problems = problems.kept().iter().map(ToString::to_string).collect();
    (directives, problems)
}

#[track_caller]
fn check_problems(text: &str, expected: &[&str]) {
    assert_eq!(read(text).1, expected, "{text}");
}

#[track_caller]
fn rule(text: &str) -> Rule {
    let (directives, problems) = read(text);
    assert_eq!(problems, [""; 0]);
    match &directives[..] {
        [
            Placed {
                value: Directive::Rule(rule),
                ..
            },
        ] => rule.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rule_of_several_lines() {
    let text = "\n# a comment\nSecRule ARGS|!ARGS:id \"!@rx a\\\"b\" \\\n    \"id:1,\\\n    phase:2,\\\n    deny\"\n";
    let rule = rule(text);
    let condition = rule.condition.unwrap();
    assert_eq!(condition.targets.len(), 2);
    assert_eq!(condition.targets[1].use_, TargetUse::Exclude);
    assert!(condition.is_negated);
    assert_eq!(condition.operator, b"rx");
    assert_eq!(condition.argument, b"a\"b");
    let places = [0, 1, 2].map(|at| condition.argument_place.of(at).unwrap().to_string());
    assert_eq!(places, ["a.conf:3:29", "a.conf:3:31", "a.conf:3:32"]);
    let places: Vec<_> = rule
        .actions
        .iter()
        .map(|action| action.place.to_string())
        .collect();
    assert_eq!(places, ["a.conf:4:6", "a.conf:5:5", "a.conf:6:5"]);
}

#[test]
fn operators_and_their_arguments() {
    #[track_caller]
    fn check(written: &str, is_negated: bool, operator: &str, argument: &str) {
        let rule = rule(&format!("SecRule ARGS \"{written}\" id:1"));
        let condition = rule.condition.unwrap();
        let got = (
            condition.is_negated,
            String::from_utf8(condition.operator).unwrap(),
            String::from_utf8(condition.argument).unwrap(),
        );
        assert_eq!(got, (is_negated, operator.to_owned(), argument.to_owned()));
    }
    check("@eq 0", false, "eq", "0");
    check("!@within a b ", true, "within", "a b ");
    check("^a b$", false, "rx", "^a b$");
    check("!^a$", true, "rx", "^a$");
    check("@detectSQLi", false, "detectSQLi", "");
    check("  @pm  a b", false, "pm", "a b");
}

#[track_caller]
fn check(line: &str, expected: impl Fn(&Directive) -> bool) {
    let (directives, problems) = read(line);
    assert_eq!(problems, [""; 0], "{line}");
    let [directive] = &directives[..] else {
        panic!("{line}: {directives:?}")
    };
    assert!(expected(&directive.value), "{line}: {directive:?}");
}

#[test]
fn other_directives() {
    check("SecRuleEngine DetectionOnly", |directive| {
        matches!(directive, Directive::RuleEngine(EngineMode::DetectionOnly))
    });
    check(
        "secmarker END-X",
        |directive| matches!(directive, Directive::Marker(name) if name == b"END-X"),
    );
    check(
        "SecAction \"id:1,nolog,pass\"",
        |directive| matches!(directive, Directive::Rule(rule) if rule.condition.is_none()),
    );
    check(
        "SecResponseBodyMimeType text/plain text/html",
        |directive| matches!(directive, Directive::ResponseBodyMimeTypes(types) if types.len() == 2),
    );
    check("SecDebugLogLevel 3", |directive| {
        matches!(
            directive,
            Directive::Ignored {
                name: "SecDebugLogLevel",
                ..
            }
        )
    });
    check(
        "Include rules/*.conf",
        |directive| matches!(directive, Directive::Include(pattern) if pattern == b"rules/*.conf"),
    );
}

#[test]
fn rules_are_changed_by_later_directives() {
    check(
        "SecRuleRemoveById 1 5-7 \"9-10\"",
        |directive| matches!(directive, Directive::RemoveById(ids) if *ids == [1..=1, 5..=7, 9..=10]),
    );
    let line = "SecRuleUpdateTargetById 942100-942999 \"!ARGS:password,!REQUEST_COOKIES:/^_ga/\"";
    check(line, |directive| {
        matches!(
            directive,
            Directive::UpdateTargets(RuleChoice::Ids(_), updated) if updated.added.len() == 2
        )
    });
    check("SecRuleUpdateActionById 12345:1 \"deny\"", |directive| {
        matches!(
            directive,
            Directive::UpdateActions {
                id: 12345,
                link: 1,
                ..
            }
        )
    });
}

#[test]
fn all_that_is_wrong_is_told_with_its_place_and_rule() {
    check_problems(
        "SecRule ARGS|ARGZ \"@rx a\" \"id:7,phaze:2\"\nSecRool a b\nSecRule ARGS\n",
        &[
            "a.conf:1:33: error: rule 7: there is no action `phaze`",
            "a.conf:1:14: error: rule 7: there is no variable ARGZ",
            "a.conf:2:1: error: there is no directive SecRool",
            "a.conf:3:1: error: SecRule has 1 arguments; expected targets, an operator and, perhaps, actions",
        ],
    );
    check_problems(
        "SecRuleEngine Maybe",
        &["a.conf:1:15: error: expected On, Off or DetectionOnly"],
    );
    check_problems(
        "SecRule ARGS \"a id:1",
        &["a.conf:1:14: error: the quote isn't closed"],
    );
    check_problems(
        "SecRule ARGS \"a\\\\b\" id:1",
        &[
            "a.conf:1:16: warning: rule 1: two backslashes are one, as for ModSecurity 2 on Apache, while ModSecurity 3 leaves both: write \\x5c where a backslash is meant",
        ],
    );
}

/// CRS itself, where it is: every file is read without a problem.
#[test]
fn crs_is_read() {
    let Some(crs) = std::env::var_os("PALISADE_CRS") else {
        eprintln!("SKIPPED: PALISADE_CRS doesn't say where CRS is; its rules were not read");
        return;
    };
    let folder = std::path::Path::new(&crs).join("rules");
    let (mut rules, mut markers) = (0, 0);
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "conf") {
            continue;
        }
        let mut problems = Problems::default();
        let text = std::fs::read(&path).unwrap();
        let name = Arc::from(path.to_string_lossy());
        for directive in parse(&text, &name, &mut problems) {
            match directive.value {
                Directive::Rule(_) => rules += 1,
                Directive::Marker(_) => markers += 1,
                _ => {}
            }
        }
        assert_eq!(problems.kept(), [], "{}", path.display());
    }
    println!("CRS: {rules} rules and links, {markers} markers");
    assert!(rules > 600 && markers >= 25, "{rules} {markers}");
}

proptest! {
    #[test]
    fn any_bytes_are_answered(text: Vec<u8>) {
        let mut problems = Problems::default();
        parse(&text, &Arc::from("a"), &mut problems);
    }

    #[test]
    fn almost_right_rules_are_answered(parts in prop::collection::vec(prop::sample::select(vec![
        "SecRule ", "ARGS", "|", "!", "&", ":", "/", "'", "\"", "\\", "\\\n", "\n", ",", " ", "@rx ", "id:1", "phase:", "setvar:tx.a=", "ctl:", ";", "SecAction ", "%{tx.a}", "t:",
    ]), 0..40)) {
        let mut problems = Problems::default();
        parse(parts.concat().as_bytes(), &Arc::from("a"), &mut problems);
    }
}
