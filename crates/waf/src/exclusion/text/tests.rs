//! What is written, and what a parser and a worker make of it.

use std::sync::Arc;

use palisade_seclang::syntax::{
    Action, Ctl, Directive, Phase, Placed, Problems, Rule, Selector, Target, TargetUse,
    VariableName, parse,
};
use palisade_seclang::{
    CompileOptions, Connection, RequestHead, Transaction, Worker, WorkerOptions, compile,
};
use proptest::prelude::*;

use super::super::scope::SentPath;
use super::*;
use crate::test_files::OneFile;

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn exclusion(name: &str, host: &str, path: &str) -> Option<Exclusion> {
    Some(Exclusion {
        id: 98_000_000,
        rules: vec![SparedRule {
            id: 942_100,
            spared: Spared::of_match(name).ok()?,
        }],
        host: Some(Host::parse(host).ok()?),
        path: PathScope::Exactly(SentPath::of_target(path).ok()?),
        expires: Some(day("2027-02-28")),
    })
}

const NOTE: Note<'_> = Note {
    messages: &["SQL Injection"],
    request_id: "a-1",
    time: "2026-11-30T09:00:00.000000Z",
    why: "titles of books",
};

#[test]
fn the_narrowest_has_path_host_and_end() {
    let exclusion = exclusion("ARGS:q", "app.example.com", "/search?q=1").unwrap();
    assert_eq!(
        exclusion.to_seclang(&NOTE, day("2026-11-30")),
        "# Exclusion 98000000, made on 2026-11-30
# Rule 942100 (SQL Injection) doesn't look at ARGS:q in requests to app.example.com for /search.
# For the request a-1 of 2026-11-30T09:00:00.000000Z.
# Why: titles of books
# Holds until 2027-02-28, 00:00 UTC.
SecRule REQUEST_FILENAME \"@streq /search\" \"id:98000000,phase:1,pass,nolog,t:none,chain\"
    SecRule SERVER_NAME \"@streq app.example.com\" \"t:none,t:lowercase,chain\"
    SecRule TIME_EPOCH \"@lt 1803772800\" \"t:none,ctl:ruleRemoveTargetById=942100;ARGS:q\"
"
    );
}

#[test]
fn the_widest_has_a_path_alone() {
    let exclusion = Exclusion {
        id: 98_000_001,
        rules: vec![SparedRule {
            id: 920_100,
            spared: Spared::Everything,
        }],
        host: None,
        path: PathScope::Below(SentPath::of_target("/a/").unwrap()),
        expires: None,
    };
    assert_eq!(
        exclusion.to_seclang(&Note::default(), day("2026-11-30")),
        "# Exclusion 98000001, made on 2026-11-30
# Rule 920100 doesn't run in requests to any host for all below /a/.
# Holds for ever.
SecRule REQUEST_FILENAME \"@beginsWith /a/\" \"id:98000001,phase:1,pass,nolog,t:none,ctl:ruleRemoveById=920100\"
"
    );
}

#[test]
fn comments_stay_comments() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(comment(text), expected);
    }
    check("it's \"a\" é", "it's \"a\" é");
    check("a\\", "a?");
    check(
        "a\nSecRuleEngine Off\r\u{1b}\u{202e}",
        "a?SecRuleEngine Off???",
    );
    let long = "a".repeat(COMMENT_CHARS_MAX + 1);
    check(&long, &format!("{}...", "a".repeat(COMMENT_CHARS_MAX)));
}

/// The rules that a text is, and nothing else; fails where anything is odd about it.
#[track_caller]
fn rules(text: &str) -> Vec<Rule> {
    let mut problems = Problems::default();
    let directives = parse(text.as_bytes(), &"a.conf".into(), &mut problems);
    assert_eq!(problems.kept(), [], "{text}");
    let rules = directives
        .into_iter()
        .map(|Placed { value, .. }| match value {
            Directive::Rule(rule) => rule,
            other => panic!("{other:?} in {text}"),
        });
    rules.collect()
}

/// The condition of each link, as it is read.
fn conditions(rules: &[Rule]) -> Vec<(VariableName, String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let conditions = rules.iter().map(|rule| rule.condition.as_ref().unwrap());
    conditions
        .map(|condition| {
            assert!(!condition.is_negated);
            let [target] = &*condition.targets else {
                panic!("{condition:?}");
            };
            let whole = (&target.selector, target.use_) == (&None, TargetUse::Values);
            assert!(whole, "{target:?}");
            let (operator, argument) = (text(&condition.operator), text(&condition.argument));
            (target.name, operator, argument)
        })
        .collect()
}

fn actions(rule: &Rule) -> Vec<Action> {
    rule.actions.iter().map(|one| one.value.clone()).collect()
}

/// A text means this exclusion, and nothing else.
#[track_caller]
fn check_meaning(exclusion: &Exclusion, text: &str) {
    let rules = rules(text);
    let (PathScope::Exactly(path) | PathScope::Below(path)) = &exclusion.path;
    let host = exclusion.host.as_ref().unwrap();
    let condition =
        |name, operator: &str, argument: &str| (name, operator.to_owned(), argument.to_owned());
    let expected = [
        condition(VariableName::RequestFilename, "streq", path.as_str()),
        condition(VariableName::ServerName, "streq", host.as_str()),
        condition(VariableName::TimeEpoch, "lt", "1803772800"),
    ];
    assert_eq!(conditions(&rules), expected, "{text}");
    let first = actions(&rules[0]);
    assert_eq!(
        first[..2],
        [Action::Id(98_000_000), Action::Phase(Phase::RequestHeaders)]
    );
    let last = actions(&rules[2]);
    let [Action::NoTransformations, Action::Ctl(ctl)] = &*last else {
        panic!("{last:?}");
    };
    let expected = match &exclusion.rules[0].spared {
        Spared::Everything => Ctl::RemoveById(vec![942_100..=942_100]),
        Spared::Variable(name) => remove(*name, None),
        Spared::Member(name, member) => remove(*name, Some(selector(*name, &member.selector()))),
    };
    assert_eq!(ctl, &expected, "{text}");
}

fn remove(name: VariableName, selector: Option<Selector>) -> Ctl {
    let target = Target {
        name,
        selector,
        use_: TargetUse::Values,
    };
    Ctl::RemoveTargetById(vec![942_100..=942_100], vec![target])
}

fn selector(name: VariableName, text: &str) -> Selector {
    let expression = text
        .strip_prefix('/')
        .and_then(|text| text.strip_suffix('/'));
    match expression {
        _ if name == VariableName::Xml => Selector::Path(text.into()),
        Some(expression) => Selector::Regex(expression.into()),
        None => Selector::Name(text.into()),
    }
}

/// Whether a rule that looks at all arguments of the query matches one of that name, behind an exclusion.
fn is_seen(exclusion: &str, name: &str) -> bool {
    let rules = format!(
        "SecRuleEngine On\n{exclusion}SecRule ARGS \"@streq evil\" \"id:942100,phase:2,deny\"\n"
    );
    let compiled = compile(&["a.conf"], &OneFile(&rules), CompileOptions::default());
    let program = compiled.program.expect("rules that compile");
    let options = WorkerOptions::new(|| std::time::Duration::ZERO);
    let mut worker = Worker::new(Arc::new(program), options);
    let connection = Connection {
        client: ([192, 0, 2, 1], 50_000).into(),
        server: ([192, 0, 2, 2], 80).into(),
        unique_id: "id",
    };
    let mut transaction = Transaction::begin(&mut worker, &connection);
    let name: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let target = format!("/a?{name}=evil");
    let head = RequestHead {
        line: b"",
        method: b"GET",
        target: target.as_bytes(),
        protocol: b"HTTP/1.1",
        headers: &[(b"Host", b"A.example:8000")],
    };
    transaction.request_head(&mut worker, &head);
    transaction.request_body(&mut worker, palisade_body::Body::whole(b""));
    transaction.interruption().is_some()
}

/// Names that try to be more than names.
fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z.\\[\\]_-]{0,12}",
        "[\"'\\\\|,;:/%{}$^()#! \\n\\ra-c=]{0,12}",
        "\\PC{0,8}",
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn whatever_a_client_sent_is_this_exclusion_and_nothing_else(
        variable in prop_oneof![Just("ARGS"), Just("ARGS_NAMES"), Just("REQUEST_COOKIES"), Just("REQUEST_HEADERS"), Just("XML"), Just("REQUEST_URI"), Just("TX")],
        name in names(),
        host in prop_oneof![Just("a.example".to_owned()), "[a-z\"\\\\%{} \\n.]{1,8}", any::<String>()],
        path in prop_oneof!["/[a-z/%0-9.;']{0,12}", "/[a-c\"'\\\\%{}|#,\\n ]{0,10}", any::<String>()],
        text in prop_oneof![Just(String::new()), "[a-c\"'\\\\#\\n\\r ]{0,20}", any::<String>()],
    ) {
        if let Some(exclusion) = exclusion(&format!("{variable}:{name}"), &host, &path) {
            let messages = [&*text];
            let note = Note { messages: &messages, request_id: &text, time: &text, why: &text };
            check_meaning(&exclusion, &exclusion.to_seclang(&note, day("2026-11-30")));
        }
    }

    #[test]
    fn an_argument_of_any_name_is_spared_and_no_other(name in names(), other in names()) {
        let Some(exclusion) = exclusion(&format!("ARGS:{name}"), "a.example", "/a") else {
            return Ok(());
        };
        let text = exclusion.to_seclang(&NOTE, day("2026-11-30"));
        prop_assert!(!is_seen(&text, &name), "{text}");
        // Names are the same in upper and lower case, as those of rules are.
        for other in [format!("{name}\n"), format!("x{name}"), format!("{name}x"), other] {
            let is_same = other.eq_ignore_ascii_case(&name);
            let is_alike = other.to_lowercase() == name.to_lowercase();
            prop_assert!(is_same || is_alike || is_seen(&text, &other), "{other:?} {text}");
        }
    }
}

#[test]
fn other_paths_hosts_and_times_are_not_spared() {
    let sees = |host: &str, path: &str, expires: &str| {
        let exclusion = Exclusion {
            expires: Some(day(expires)),
            ..exclusion("ARGS:q", host, path).unwrap()
        };
        is_seen(&exclusion.to_seclang(&NOTE, day("2026-11-30")), "q")
    };
    assert!(!sees("a.example", "/a", "1970-01-02"));
    assert!(sees("b.example", "/a", "1970-01-02"));
    assert!(sees("a.example", "/a/b", "1970-01-02"));
    assert!(sees("a.example", "/", "1970-01-02"));
    // It is just then.
    assert!(sees("a.example", "/a", "1970-01-01"));
}
