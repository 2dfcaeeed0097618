use proptest::prelude::*;

use super::*;
use crate::Action;
use crate::evaluate::tests::{any_request, any_rules};
use crate::interpret;
use crate::test_request::TestRequest;
use crate::test_rules::{ALLOW, BLOCK, address, country, not, off, rule, under};

/// One line for each rule: its id, the outcome, and why.
fn explained(rules: Vec<Rule>, request: &TestRequest) -> Vec<String> {
    let set = RuleSet::build(rules).unwrap();
    let lines = set.explain(&request.view()).into_iter().map(|explanation| {
        let because: Vec<String> = explanation
            .because
            .iter()
            .map(ToString::to_string)
            .collect();
        let note = if explanation.without_params_only {
            " (without params)"
        } else {
            ""
        };
        format!(
            "{}: {}{note} [{}]",
            explanation.rule.id,
            explanation.outcome,
            because.join("; ")
        )
    });
    lines.collect()
}

#[test]
fn each_rule_says_what_settled_it() {
    let home = || not(country(&["DE", "AT"]));
    let rules = vec![
        rule("geo", BLOCK, Condition::All(vec![under("/admin"), home()])),
        rule(
            "office",
            ALLOW,
            Condition::All(vec![under("/admin"), address(&["10.0.0.0/8"]), under("/x")]),
        ),
        off(rule("off", BLOCK, under("/"))),
        rule(
            "log",
            Action::Log,
            Condition::Any(vec![under("/x"), under("/admin")]),
        ),
        rule(
            "block",
            BLOCK,
            Condition::All(vec![
                under("/admin/x"),
                not(Condition::Any(vec![under("/y"), under("/z")])),
            ]),
        ),
        rule("late", BLOCK, under("/")),
        rule(
            "never",
            BLOCK,
            Condition::Any(vec![under("/b"), under("/c")]),
        ),
    ];
    assert_eq!(
        explained(rules, &TestRequest::new("/admin;p/x").country("-")),
        [
            r#"geo: can't be known [country AT or DE: unknown]"#,
            r#"office: no match [address 10.0.0.0/8: no]"#,
            r#"off: off []"#,
            r#"log: recorded [path prefix "/admin": yes]"#,
            r#"block: decides (without params) [path prefix "/admin/x": yes; path prefix "/y": no; path prefix "/z": no]"#,
            r#"late: matches, but an earlier rule decided [path prefix "/": yes]"#,
            r#"never: no match [path prefix "/b": no; path prefix "/c": no]"#,
        ]
    );
}

#[test]
fn what_one_form_of_the_path_leaves_unknown_stays_unknown() {
    let condition = Condition::All(vec![country(&["DE"]), under("/admin;p/")]);
    assert_eq!(
        explained(
            vec![rule("r", BLOCK, condition)],
            &TestRequest::new("/admin;p/x").country("?")
        ),
        ["r: can't be known [country DE: unknown]"]
    );
}

proptest! {
    #[test]
    fn explanations_agree_with_the_ruling(rules in any_rules(), request in any_request()) {
        let set = RuleSet::build(rules.clone()).unwrap();
        let view = request.view();
        let (decided, recorded) = interpret::interpret(&rules, &view);
        for (number, explanation) in set.explain(&view).into_iter().enumerate() {
            prop_assert_eq!(explanation.rule, &rules[number]);
            prop_assert_eq!(explanation.outcome == Outcome::Decides, decided == Some(number));
            prop_assert_eq!(explanation.outcome == Outcome::Records, recorded.contains(&number));
            let truth = interpret::rule_truth(&rules[number], &view);
            match explanation.outcome {
                Outcome::Off => {}
                Outcome::NoMatch => prop_assert_eq!(truth, Truth::False),
                Outcome::Unknown => prop_assert_eq!(truth, Truth::Unknown),
                _ => prop_assert_eq!(truth, Truth::True),
            }
        }
    }
}
