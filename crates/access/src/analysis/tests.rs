use palisade_vocabulary::{SkipSet, SkippableCheck};
use proptest::prelude::*;

use super::*;
use crate::PatternKind::{Contains, Equals, Prefix, Regex, Suffix};
use crate::evaluate::tests::{any_request, any_rules};
use crate::interpret::rule_truth;
use crate::test_rules::{
    ALLOW, BLOCK, address, asn, country, detect, not, off, path, rule, text, under,
};
use crate::{Field, Truth};

fn all(parts: Vec<Condition>) -> Condition {
    Condition::All(parts)
}

fn any(parts: Vec<Condition>) -> Condition {
    Condition::Any(parts)
}

#[track_caller]
fn check(rules: &[Rule], expected: &[&str]) {
    let findings = RuleSet::findings(&[], rules);
    assert_eq!(RuleSet::examine(&[], rules).0, findings);
    let got: Vec<String> = findings
        .iter()
        .map(|found| format!("{} {}", found.id, found.kind))
        .collect();
    assert_eq!(got, expected);
}

#[track_caller]
fn check_never(condition: Condition, because: &str) {
    check(
        &[rule("r", BLOCK, condition)],
        &[&format!("r can never match: {because}")],
    );
}

#[track_caller]
fn check_fine(condition: Condition) {
    check(&[rule("r", BLOCK, condition)], &[]);
}

#[test]
fn rules_that_never_match() {
    check_never(
        all(vec![path(Equals, "/a"), path(Equals, "/b")]),
        r#"path equals "/a" and path equals "/b" exclude each other"#,
    );
    check_never(
        all(vec![under("/a"), all(vec![under("/b")])]),
        r#"path prefix "/a" and path prefix "/b" exclude each other"#,
    );
    check_never(
        all(vec![under("/a/b"), not(under("/a"))]),
        r#"path prefix "/a/b" and not (path prefix "/a") exclude each other"#,
    );
    check_never(
        all(vec![country(&["DE"]), country(&["AT", "unknown"])]),
        "country DE and country AT or unknown exclude each other",
    );
    check_never(
        all(vec![asn(&["1"]), asn(&["2"])]),
        "asn AS1 and asn AS2 exclude each other",
    );
    check_never(
        all(vec![
            address(&["10.0.0.0/8"]),
            address(&["192.0.2.0/24", "::/0"]),
        ]),
        "address 10.0.0.0/8 and address 192.0.2.0/24, ::/0 exclude each other",
    );
    check_never(address(&[]), "address list  is empty");
    check_never(any(vec![]), "`any` has no part");
    check_never(
        any(vec![path(Equals, "a"), path(Prefix, "b")]),
        r#"path equals "a": every path starts with a slash, and path prefix "b": every path starts with a slash"#,
    );
    check_never(
        not(under("/")),
        r#"`not` of what always holds (path prefix "/")"#,
    );
    check_never(
        text(Field::Method, Equals, &["get", "pOST"]),
        r#"method equals "get" or equals "pOST": methods are upper case"#,
    );
    check_never(
        text(Field::Host, Equals, &["Example.com"]),
        r#"host equals "Example.com": hosts are compared in lower case"#,
    );
    check_never(
        text(Field::Host, Equals, &["example.com:8080"]),
        r#"host equals "example.com:8080": hosts are compared without a port"#,
    );
}

#[test]
fn rules_that_may_match() {
    let header = || Field::Header("x-a".parse().unwrap());
    check_fine(all(vec![
        text(header(), Equals, &["a"]),
        text(header(), Equals, &["b"]),
    ]));
    check_fine(all(vec![path(Suffix, "x"), path(Contains, "b")]));
    check_fine(all(vec![under("/a"), under("/a/b"), not(under("/a/b/c"))]));
    check_fine(all(vec![
        country(&["DE", "unknown"]),
        country(&["AT", "unknown"]),
    ]));
    check_fine(all(vec![
        address(&["10.0.0.0/8"]),
        address(&["10.1.0.0/16"]),
    ]));
    check_fine(text(Field::Path, Equals, &["a", "/a"]));
    check_fine(text(Field::Host, Equals, &["[2001:db8::1]"]));
    check_fine(path(Regex, "^a"));
    check_fine(all(vec![]));
}

#[test]
fn rules_that_are_never_reached() {
    let wide = || rule("wide", ALLOW, any(vec![under("/a"), under("/b")]));
    check(
        &[
            wide(),
            rule("narrow", BLOCK, all(vec![under("/a/x"), country(&["DE"])])),
        ],
        &[
            "narrow never blocks: wide (rules.yaml:wide) allows all that it matches; expected the block first",
        ],
    );
    check(
        &[
            rule("wide", BLOCK, under("/a")),
            rule("narrow", ALLOW, path(Equals, "/a/x")),
        ],
        &["narrow is never reached: wide (rules.yaml:wide) decides all that it matches"],
    );
    check(
        &[
            rule("all", BLOCK, all(vec![])),
            rule("late", BLOCK, not(country(&["DE"]))),
        ],
        &["late is never reached: all (rules.yaml:all) decides all that it matches"],
    );
    check(
        &[
            rule("all", BLOCK, under("/")),
            rule("late", ALLOW, address(&["10.0.0.0/8"])),
        ],
        &["late is never reached: all (rules.yaml:all) decides all that it matches"],
    );
    check(
        &[
            rule("wide", BLOCK, address(&["10.0.0.0/8"])),
            rule("narrow", ALLOW, address(&["10.1.0.0/16", "10.2.0.1"])),
        ],
        &["narrow is never reached: wide (rules.yaml:wide) decides all that it matches"],
    );
    check(
        &[
            rule("not-de", BLOCK, not(country(&["DE"]))),
            rule("not-eu", ALLOW, not(country(&["AT", "DE"]))),
        ],
        &["not-eu is never reached: not-de (rules.yaml:not-de) decides all that it matches"],
    );
}

#[test]
fn rules_that_are_reached() {
    let wide = || rule("wide", ALLOW, any(vec![under("/a"), under("/b")]));
    // What only overlaps, only records, or is off takes nothing away.
    check(
        &[
            rule("a", ALLOW, address(&["10.0.0.0/8"])),
            rule("b", BLOCK, under("/a")),
        ],
        &[],
    );
    check(
        &[
            rule("a", ALLOW, under("/a/b")),
            rule("b", BLOCK, under("/a")),
        ],
        &[],
    );
    check(&[detect(wide()), rule("b", BLOCK, under("/a"))], &[]);
    check(&[off(wide()), rule("b", BLOCK, under("/a"))], &[]);
    check(
        &[
            rule("a", Action::Log, under("/")),
            rule("b", BLOCK, under("/a")),
        ],
        &[],
    );
    check(
        &[
            rule("a", BLOCK, not(country(&["DE", "unknown"]))),
            rule("b", ALLOW, not(country(&["DE"]))),
        ],
        &[],
    );
}

#[test]
fn duplicates() {
    check(
        &[
            rule(
                "a",
                Action::Log,
                all(vec![under("/a"), country(&["DE", "AT"])]),
            ),
            rule(
                "b",
                Action::Log,
                all(vec![country(&["AT", "DE"]), under("/a")]),
            ),
        ],
        &["b matches the same requests as a (rules.yaml:a); expected one of the two"],
    );
    check(
        &[rule("a", BLOCK, under("/a")), rule("b", BLOCK, under("/a"))],
        &["b matches the same requests as a (rules.yaml:a); expected one of the two"],
    );
    check(
        &[
            rule("a", Action::Log, under("/a")),
            rule("b", BLOCK, under("/a")),
        ],
        &[],
    );
    check(
        &[
            rule("a", Action::Log, under("/a")),
            rule("b", Action::Log, under("/a/b")),
        ],
        &[],
    );
}

#[test]
fn a_skip_needs_an_address() {
    let skip = |condition| {
        rule(
            "s",
            Action::Allow {
                skip: SkipSet::NONE.with(SkippableCheck::Waf),
            },
            condition,
        )
    };
    let office = || address(&["10.0.0.0/8"]);
    let finding = &[
        "s skips other checks on the client's own word; expected an `address` that must match",
    ][..];
    check(&[skip(under("/a"))], finding);
    check(&[skip(any(vec![office(), under("/a")]))], finding);
    check(&[skip(not(office()))], finding);
    check(&[skip(address(&["0.0.0.0/0"]))], finding);
    check(&[skip(office())], &[]);
    check(
        &[skip(all(vec![
            under("/a"),
            any(vec![office(), address(&["::1"])]),
        ]))],
        &[],
    );
    check(&[rule("s", ALLOW, under("/a"))], &[]);
}

#[test]
fn a_sites_rules_come_after_the_global_ones() {
    let global = [
        rule("g", BLOCK, under("/a")),
        rule("g2", BLOCK, under("/a")),
    ];
    let findings = RuleSet::findings(&global, &[rule("s", ALLOW, under("/a/b"))]);
    let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        ["rules.yaml:s: rule s is never reached: g (rules.yaml:g) decides all that it matches"]
    );
}

#[test]
fn too_many_rules_are_compared_in_part() {
    let rules: Vec<Rule> = (0..20)
        .map(|n| rule(&format!("r{n}"), BLOCK, under(&format!("/{n}/"))))
        .collect();
    let findings = findings_within(100, &[], &rules, Candidates::among(&[], &rules));
    assert!(
        matches!(
            &findings[..],
            [Finding {
                kind: FindingKind::NotCompared,
                ..
            }]
        ),
        "{findings:?}"
    );
    assert_eq!(
        findings_within(1000, &[], &rules, Candidates::among(&[], &rules)),
        []
    );
}

#[test]
fn many_rules_are_compared_by_what_their_texts_hit() {
    let mut rules: Vec<Rule> = (0..1000)
        .map(|n| {
            rule(
                &format!("r{n}"),
                BLOCK,
                all(vec![under(&format!("/{n}/")), country(&["DE"])]),
            )
        })
        .collect();
    rules.push(rule("lists", BLOCK, address(&["10.0.0.0/8"])));
    rules.push(rule("regex", BLOCK, path(Regex, "^/[xy]{2}$")));
    let fine = rules.len();
    rules.push(rule(
        "own-path",
        ALLOW,
        all(vec![path(Equals, "/77/x"), country(&["DE"])]),
    ));
    rules.push(rule(
        "own-range",
        ALLOW,
        all(vec![address(&["10.9.0.0/16"]), under("/77/x")]),
    ));
    rules.push(rule("same-regex", BLOCK, path(Regex, "^/[xy]{2}$")));
    rules.push(rule(
        "not-de",
        ALLOW,
        all(vec![path(Equals, "/77/x"), country(&["AT"])]),
    ));
    let findings = RuleSet::findings(&[], &rules);
    assert_eq!(
        RuleSet::examine(&[], &rules),
        (findings.clone(), Vec::new())
    );
    let shown: Vec<String> = findings
        .iter()
        .map(|found| format!("{} {}", found.id, found.kind))
        .collect();
    assert_eq!(
        shown,
        [
            "own-path is never reached: r77 (rules.yaml:r77) decides all that it matches",
            "own-range is never reached: lists (rules.yaml:lists) decides all that it matches",
            "same-regex matches the same requests as regex (rules.yaml:regex); expected one of the two",
        ]
    );
    assert_eq!(RuleSet::findings(&rules[..fine], &rules[fine..]), findings);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn findings_are_so(rules in any_rules(), requests in prop::collection::vec(any_request(), 6)) {
        let by_id = |id: &RuleId| rules.iter().find(|rule| rule.id == *id).unwrap();
        for finding in RuleSet::findings(&[], &rules) {
            let rule = by_id(&finding.id);
            for request in &requests {
                let view = request.view();
                if view.path.without_params.is_some() {
                    continue;
                }
                let truth = rule_truth(rule, &view);
                match &finding.kind {
                    FindingKind::NeverMatches { .. } => prop_assert_ne!(truth, Truth::True),
                    FindingKind::Duplicate { of, .. } => prop_assert_eq!(truth, rule_truth(by_id(of), &view)),
                    FindingKind::ShadowedByAllow { by, .. } | FindingKind::Unreachable { by, .. } => {
                        prop_assert!(truth <= rule_truth(by_id(by), &view));
                    }
                    FindingKind::SkipWithoutAddress | FindingKind::NotCompared => {}
                }
            }
        }
    }

    #[test]
    fn listed_candidates_miss_nothing(rules in any_rules()) {
        let mut implication = Implication::within(STEPS_MAX);
        let mut listed = Candidates::listed(&rules);
        for (later, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.mode != Mode::Off) {
            // What never matches implies everything; it is reported before it is compared, unless an
            // empty `any` hides deep inside.
            let never = why_never(&rule.condition, &mut implication).is_some();
            if never || rule.condition.to_string().contains("never") {
                continue;
            }
            let candidates = listed.before(later, &rule.condition);
            for (position, other) in rules.iter().enumerate().take(later).filter(|(_, rule)| rule.mode != Mode::Off) {
                let implied = implication.holds(&rule.condition, &other.condition);
                prop_assert!(!implied || candidates.contains(&position), "{} implies {}", rule.condition, other.condition);
            }
        }
    }
}
