use palisade_vocabulary::{Mode, SkipSet, SkippableCheck};
use proptest::prelude::*;

use super::*;
use crate::interpret::interpret;
use crate::test_request::TestRequest;
use crate::test_rules::{
    ALLOW, BLOCK, address, asn, country, detect, not, off, path, rule, text, under,
};
use crate::{Action, Condition, Field, Pattern, PatternKind, TextCondition};
use PatternKind::{Contains, Equals, Prefix, Regex, Suffix};

/// `recorded, recorded -> decided`, and that the model agrees.
fn ruling(rules: &[Rule], request: &TestRequest) -> String {
    let set = RuleSet::build(rules.to_vec()).unwrap();
    let mut scratch = Scratch::new();
    let ruling = set.evaluate(&request.view(), &mut scratch);
    let recorded: Vec<&str> = ruling.recorded().map(|rule| rule.id.as_str()).collect();
    let decided = ruling.decided.map_or("-", |rule| rule.id.as_str());
    let (model_decided, model_recorded) = interpret(rules, &request.view());
    assert_eq!(
        model_decided.map_or("-", |rule| rules[rule].id.as_str()),
        decided
    );
    let model_recorded: Vec<&str> = model_recorded
        .iter()
        .map(|rule| rules[*rule].id.as_str())
        .collect();
    assert_eq!(model_recorded, recorded);
    format!("{} -> {decided}", recorded.join(","))
}

#[track_caller]
fn check(rules: &[Rule], request: &TestRequest, expected: &str) {
    assert_eq!(ruling(rules, request), expected);
}

/// Whether a rule that blocks on `condition` blocks the request.
#[track_caller]
fn check_block(condition: Condition, request: &TestRequest, expected: bool) {
    let shown = condition.to_string();
    let got = ruling(&[rule("r", BLOCK, condition)], request) == " -> r";
    assert_eq!(got, expected, "{shown}");
}

#[test]
fn the_first_rule_that_blocks_or_allows_decides() {
    let rules = [
        rule("log", Action::Log, under("/")),
        detect(rule("would-block", BLOCK, under("/a"))),
        off(rule("off", BLOCK, under("/"))),
        rule("allow", ALLOW, under("/a/b")),
        rule("block", BLOCK, under("/a")),
        rule("log-late", Action::Log, under("/")),
    ];
    check(
        &rules,
        &TestRequest::new("/a/b/c"),
        "log,would-block -> allow",
    );
    check(
        &rules,
        &TestRequest::new("/a/c"),
        "log,would-block -> block",
    );
    check(&rules, &TestRequest::new("/c"), "log,log-late -> -");
    check(&[], &TestRequest::new("/"), " -> -");
}

#[test]
fn a_ruling_gives_the_rule_with_its_action() {
    let skip = SkipSet::NONE.with(SkippableCheck::Waf);
    let set = RuleSet::build(vec![rule("a", Action::Allow { skip }, under("/"))]).unwrap();
    let mut scratch = Scratch::default();
    let decided = set
        .evaluate(&TestRequest::new("/").view(), &mut scratch)
        .decided
        .unwrap();
    assert_eq!(decided.action, Action::Allow { skip });
}

#[test]
fn text_fields() {
    let request = TestRequest::new("/Admin/x.php")
        .raw_path("/%41dmin/./x.php")
        .query("a=1&b=%27")
        .host("shop.example.com")
        .method("POST")
        .header("user-agent", "Mozilla/5.0 sqlmap/1.8")
        .header("x-key", "one")
        .header("x-key", "two")
        .header("cookie", "session=abc; theme=dark");
    let header = Field::Header("x-key".parse().unwrap());
    check_block(
        text(Field::Path, Equals, &["/x", "/Admin/x.php"]),
        &request,
        true,
    );
    check_block(
        text(Field::Path, Equals, &["/admin/x.php"]),
        &request,
        false,
    );
    check_block(text(Field::Path, Suffix, &[".php"]), &request, true);
    check_block(text(Field::Path, Regex, &[r"^/[A-Z]\w+/"]), &request, true);
    check_block(text(Field::RawPath, Prefix, &["/%41"]), &request, true);
    check_block(text(Field::RawPath, Prefix, &["/Admin"]), &request, false);
    check_block(text(Field::Query, Contains, &["%27"]), &request, true);
    check_block(text(Field::Host, Suffix, &[".example.com"]), &request, true);
    check_block(
        text(Field::Method, Equals, &["PUT", "POST"]),
        &request,
        true,
    );
    check_block(text(Field::Method, Equals, &["GET"]), &request, false);
    check_block(
        text(Field::UserAgent, Contains, &["nikto", "sqlmap"]),
        &request,
        true,
    );
    check_block(text(header.clone(), Equals, &["two"]), &request, true);
    check_block(text(header.clone(), Equals, &["three"]), &request, false);
    check_block(
        text(Field::Cookie("theme".into()), Equals, &["dark"]),
        &request,
        true,
    );
    check_block(
        text(Field::Cookie("Theme".into()), Equals, &["dark"]),
        &request,
        false,
    );
    let bare = TestRequest::new("/");
    check_block(text(header.clone(), Regex, &["^.?$"]), &bare, false);
    check_block(not(text(header, Equals, &["two"])), &bare, true);
    check_block(text(Field::UserAgent, Equals, &[""]), &bare, true);
    check_block(text(Field::Query, Equals, &[""]), &bare, true);
}

#[test]
fn addresses() {
    let request = TestRequest::new("/").client("::ffff:192.0.2.7");
    check_block(address(&["192.0.2.0/24"]), &request, true);
    check_block(address(&["10.0.0.0/8", "192.0.2.7"]), &request, true);
    check_block(address(&["10.0.0.0/8", "::/0"]), &request, false);
    check_block(address(&[]), &request, false);
    check_block(not(address(&[])), &request, true);
    check_block(not(address(&["192.0.2.0/28"])), &request, false);
}

#[test]
fn a_list_that_two_rules_share_is_one() {
    let office = address(&["192.0.2.0/24", "2001:db8::/32"]);
    let rules = [
        rule(
            "a",
            ALLOW,
            Condition::All(vec![office.clone(), under("/a")]),
        ),
        rule("b", BLOCK, not(office)),
    ];
    check(
        &rules,
        &TestRequest::new("/a").client("2001:db8::1"),
        " -> a",
    );
    check(&rules, &TestRequest::new("/b").client("192.0.2.1"), " -> -");
    check(&rules, &TestRequest::new("/a").client("192.0.3.1"), " -> b");
}

#[test]
fn what_can_not_be_known_matches_nothing() {
    for unknown in ["-", "?"] {
        let request = TestRequest::new("/").country(unknown).asn(unknown);
        check_block(country(&["DE"]), &request, false);
        check_block(not(country(&["DE"])), &request, false);
        check_block(country(&["DE", "unknown"]), &request, true);
        check_block(not(country(&["DE", "unknown"])), &request, false);
        check_block(country(&["unknown"]), &request, true);
        check_block(asn(&["1"]), &request, false);
        check_block(not(asn(&["1"])), &request, false);
        check_block(asn(&["1", "unknown"]), &request, true);
        check_block(
            Condition::Any(vec![country(&["DE"]), under("/")]),
            &request,
            true,
        );
        check_block(
            Condition::All(vec![not(country(&["DE"])), under("/")]),
            &request,
            false,
        );
        check_block(
            not(Condition::All(vec![country(&["DE"]), under("/x")])),
            &request,
            true,
        );
    }
    let request = TestRequest::new("/").country("DE").asn("64496");
    check_block(country(&["AT", "DE"]), &request, true);
    check_block(not(country(&["DE"])), &request, false);
    check_block(not(country(&["AT"])), &request, true);
    check_block(country(&["unknown"]), &request, false);
    check_block(asn(&["64496"]), &request, true);
    check_block(asn(&["64497"]), &request, false);
}

#[test]
fn params_hide_nothing_from_a_block_and_open_nothing_to_an_allow() {
    let admin = || path(Equals, "/admin/x");
    let request = TestRequest::new("/admin;v=1/x");
    for action in [BLOCK, Action::Log] {
        let rules = [rule("r", action, admin())];
        assert_ne!(ruling(&rules, &request), " -> -");
    }
    check(&[detect(rule("r", BLOCK, admin()))], &request, "r -> -");
    check(&[rule("r", ALLOW, admin())], &request, " -> -");
    // `not` is no way out: the rule holds if it holds for either form.
    let all_but = |public: &str| Condition::All(vec![under("/"), not(path(Equals, public))]);
    check_block(all_but("/admin;v=1/x"), &request, true);
    check_block(all_but("/admin/x"), &request, true);
    check_block(all_but("/admin/x"), &TestRequest::new("/admin/x"), false);
    check(&[rule("r", ALLOW, all_but("/admin/x"))], &request, " -> r");
}

#[test]
fn conditions_nest() {
    let request = TestRequest::new("/a/b").method("PUT");
    let any = |parts: Vec<Condition>| Condition::Any(parts);
    let all = |parts: Vec<Condition>| Condition::All(parts);
    check_block(all(vec![]), &request, true);
    check_block(any(vec![]), &request, false);
    check_block(not(any(vec![])), &request, true);
    check_block(not(all(vec![])), &request, false);
    check_block(
        any(vec![
            under("/x"),
            all(vec![under("/a"), not(under("/a/c"))]),
        ]),
        &request,
        true,
    );
    check_block(
        not(any(vec![under("/x"), not(under("/a"))])),
        &request,
        true,
    );
    check_block(not(not(under("/a"))), &request, true);
    check_block(
        not(all(vec![not(under("/x")), not(under("/a"))])),
        &request,
        true,
    );
    check_block(
        not(all(vec![not(under("/x")), not(under("/y"))])),
        &request,
        false,
    );
}

#[test]
fn a_scratch_serves_any_number_of_sets() {
    let small = RuleSet::build(vec![rule("s", BLOCK, under("/s"))]).unwrap();
    let many = (0..50)
        .map(|n| rule(&format!("r{n}"), BLOCK, under(&format!("/{n}/"))))
        .collect();
    let large = RuleSet::build(many).unwrap();
    let mut scratch = Scratch::new();
    for (set, path, expected) in [
        (&small, "/s", Some("s")),
        (&large, "/49/x", Some("r49")),
        (&small, "/49/x", None),
        (&large, "/s", None),
        (&small, "/s", Some("s")),
    ] {
        let request = TestRequest::new(path);
        let decided = set.evaluate(&request.view(), &mut scratch).decided;
        assert_eq!(decided.map(|rule| rule.id.as_str()), expected, "{path}");
    }
}

#[track_caller]
fn check_build_error(rules: Vec<Rule>, expected: &[&str]) {
    let errors = RuleSet::build(rules).unwrap_err();
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors, expected);
}

#[test]
fn bounds_of_a_set() {
    check_build_error(
        vec![
            rule("a", BLOCK, under("/")),
            rule("b", BLOCK, under("/")),
            rule("a", ALLOW, under("/")),
        ],
        &["rules.yaml:a: rule id a is used already at rules.yaml:a; expected each id once"],
    );
    let deep = (0..32).fold(under("/"), |inner, _| not(inner));
    check_build_error(
        vec![rule("a", BLOCK, deep)],
        &["rules.yaml:a: rule a nests conditions 33 deep; expected at most 32"],
    );
    let wide = |n: usize| path(Regex, &format!("^/[a-z]{{{n}}}$"));
    let rules = (1..1000)
        .map(|n| rule(&format!("r{n}"), BLOCK, wide(n)))
        .collect();
    let errors = RuleSet::build(rules).unwrap_err();
    assert!(matches!(
        &errors[..],
        [crate::BuildError::RegexesTooLarge {
            field: Field::Path,
            ..
        }]
    ));
    let rules = vec![rule("x", BLOCK, under("/")); RuleSet::RULES_MAX + 1];
    check_build_error(rules, &["100001 rules; expected at most 100000 in one set"]);
}

fn any_field() -> impl Strategy<Value = Field> {
    prop::sample::select(vec![
        Field::Path,
        Field::RawPath,
        Field::Query,
        Field::Host,
        Field::Method,
        Field::UserAgent,
        Field::Header("x-a".parse().unwrap()),
        Field::Cookie("c".into()),
    ])
}

fn any_pattern() -> impl Strategy<Value = Pattern> {
    let kinds = prop::sample::select(vec![Prefix, Suffix, Contains]);
    let regex = prop::sample::select(vec!["/a", "^/[ab]+$", "b;?A", "a.b", "^$", "(ab|ba)b"]);
    let parts = prop_oneof![
        1 => (Just(Equals), "/?[abA;]{0,2}"),
        3 => (kinds, "/[abA;]{0,2}|[abA;]{1,2}"),
        1 => (Just(Regex), regex.prop_map(str::to_owned)),
    ];
    (parts, any::<bool>())
        .prop_map(|((kind, text), ignore_case)| Pattern::new(kind, &text, ignore_case).unwrap())
}

fn any_names(names: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(names), 1..3)
}

fn any_leaf() -> impl Strategy<Value = Condition> {
    let ranges = [
        "192.0.2.0/24",
        "192.0.2.1",
        "0.0.0.0/0",
        "192.0.2.0/30",
        "2001:db8::/32",
        "::/0",
    ];
    prop_oneof![
        6 => (any_field(), prop::collection::vec(any_pattern(), 1..3))
            .prop_map(|(field, patterns)| Condition::Text(TextCondition::new(field, patterns).unwrap())),
        1 => prop::collection::vec(prop::sample::select(ranges.to_vec()), 0..3).prop_map(|r| address(&r)),
        1 => any_names(&["DE", "AT", "unknown"]).prop_map(|names| country(&names)),
        1 => any_names(&["1", "2", "unknown"]).prop_map(|names| asn(&names)),
    ]
}

pub(crate) fn any_condition() -> impl Strategy<Value = Condition> {
    any_leaf().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Condition::All),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Condition::Any),
            inner.prop_map(not),
        ]
    })
}

pub(crate) fn any_rules() -> impl Strategy<Value = Vec<Rule>> {
    let action = prop::sample::select(vec![BLOCK, BLOCK, ALLOW, Action::Log]);
    let mode = prop::sample::select(vec![Mode::Block, Mode::Block, Mode::Detect, Mode::Off]);
    prop::collection::vec((any_condition(), action, mode), 0..8).prop_map(|parts| {
        let rules = parts
            .into_iter()
            .enumerate()
            .map(|(number, (condition, action, mode))| Rule {
                mode,
                ..rule(&format!("r{number}"), action, condition)
            });
        rules.collect()
    })
}

pub(crate) fn any_request() -> impl Strategy<Value = TestRequest> {
    let client = prop::sample::select(vec!["192.0.2.1", "192.0.2.9", "10.0.0.1", "2001:db8::1"]);
    let country = prop::sample::select(vec!["DE", "AT", "FR", "-", "?"]);
    let asn = prop::sample::select(vec!["1", "2", "3", "-", "?"]);
    let path = "(/[abA;]{0,2}){1,2}";
    let texts = ("[abA/;]{0,3}", "[ab]{0,3}", "[AB]{0,3}", "[abA/;]{0,3}");
    let values = prop::collection::vec("[abA]{0,3}", 0..3);
    (client, country, asn, path, texts, values).prop_map(
        |(client, country, asn, path, (query, host, method, agent), values)| {
            let request = TestRequest::new(&path)
                .client(client)
                .country(country)
                .asn(asn);
            let request = request.query(&query).host(&host).method(&method);
            let request = request.header("user-agent", &agent);
            values.iter().fold(request, |request, value| {
                request
                    .header("x-a", value)
                    .header("cookie", &format!("c={value}"))
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn compiled_rules_mean_what_they_say(rules in any_rules(), requests in prop::collection::vec(any_request(), 1..6)) {
        let set = RuleSet::build(rules.clone()).unwrap();
        let mut scratch = Scratch::new();
        for request in requests {
            let view = request.view();
            let ruling = set.evaluate(&view, &mut scratch);
            let (decided, recorded) = interpret(&rules, &view);
            prop_assert_eq!(ruling.decided, decided.map(|rule| &rules[rule]));
            let recorded: Vec<&Rule> = recorded.iter().map(|rule| &rules[*rule]).collect();
            prop_assert_eq!(ruling.recorded().collect::<Vec<_>>(), recorded);
        }
    }
}
