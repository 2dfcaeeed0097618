use super::*;
use crate::macro_text::MacroText;
use crate::syntax::action::{Change, SetVar, VariablePath};
use crate::syntax::ctl::{Ctl, EngineMode};
use crate::transformations::Transformation;

fn text(text: &str) -> MacroText {
    MacroText::parse(text.as_bytes()).unwrap()
}

#[track_caller]
fn check(written: &str, expected: &[Action]) {
    let (placed, wrongs) = actions(written.as_bytes());
    assert_eq!(wrongs, [], "{written}");
    let actions: Vec<_> = placed.into_iter().map(|placed| placed.action).collect();
    assert_eq!(actions, expected, "{written}");
}

#[track_caller]
fn check_wrong(written: &str, at: usize, message: &str) {
    let (_, wrongs) = actions(written.as_bytes());
    assert_eq!(wrongs, [wrong(at, message)], "{written}");
}

#[test]
fn what_crs_writes() {
    check(
        "id:920160,    phase:1,block,t:none,t:urlDecodeUni,msg:'It isn\\'t, is it',    ver:'OWASP_CRS/4.28.0',severity:'CRITICAL',capture,nolog",
        &[
            Action::Id(920_160),
            Action::Phase(Phase::RequestHeaders),
            Action::Disruptive(Disruptive::Block),
            Action::NoTransformations,
            Action::Transform(Transformation::UrlDecodeUni),
            Action::Message(text("It isn't, is it")),
            Action::Version(b"OWASP_CRS/4.28.0".to_vec()),
            Action::Severity(2),
            Action::Capture,
            Action::Log(false),
        ],
    );
    check(
        "id:'200000',phase:request, deny , status:403",
        &[
            Action::Id(200_000),
            Action::Phase(Phase::RequestBody),
            Action::Disruptive(Disruptive::Deny),
            Action::Status(403),
        ],
    );
    check("", &[]);
    check("pass,", &[Action::Disruptive(Disruptive::Pass)]);
}

#[test]
fn variables_are_set() {
    #[track_caller]
    fn one(written: &str, name: &str, change: Change) {
        let variable = VariablePath {
            collection: b"tx".to_vec(),
            name: text(name),
        };
        check(written, &[Action::SetVar(SetVar { variable, change })]);
    }
    one("setvar:tx.a", "a", Change::Set(text("1")));
    one("setvar:'tx.a=b c'", "a", Change::Set(text("b c")));
    one(
        "setvar:'TX.a.b=+%{tx.c}'",
        "a.b",
        Change::Add(text("%{tx.c}")),
    );
    one("setvar:tx.a=-5", "a", Change::Subtract(text("5")));
    one("setvar:!tx.a", "a", Change::Unset);
    one(
        "setvar:'tx.h_%{tx.0}=/%{tx.0}/'",
        "h_%{tx.0}",
        Change::Set(text("/%{tx.0}/")),
    );
    one("setvar:tx.a==", "a", Change::Set(text("=")));
}

#[test]
fn transactions_are_controlled() {
    check(
        "ctl:ruleEngine=DetectionOnly",
        &[Action::Ctl(Ctl::RuleEngine(EngineMode::DetectionOnly))],
    );
    check(
        "ctl:ruleRemoveById=1-999999",
        &[Action::Ctl(Ctl::RemoveById(vec![1..=999_999]))],
    );
    let (placed, wrongs) = actions(b"ctl:ruleRemoveTargetById=942100;ARGS:password");
    assert_eq!(wrongs, []);
    let Action::Ctl(Ctl::RemoveTargetById(ids, targets)) = &placed[0].action else {
        panic!("{placed:?}")
    };
    assert_eq!(
        (ids.as_slice(), targets.len()),
        (&[942_100..=942_100][..], 1)
    );
}

#[test]
fn what_audit_logs_do_not_show() {
    #[track_caller]
    fn one(written: &str, what: Sanitise) {
        check(written, &[Action::Sanitise(what)]);
    }
    let bytes = |shown_first, shown_last| Sanitise::MatchedBytes {
        shown_first,
        shown_last,
    };
    one("sanitiseArg:p", Sanitise::Argument(b"p".to_vec()));
    one("sanitizeArg:p", Sanitise::Argument(b"p".to_vec()));
    one("sanitiseMatched", Sanitise::Matched);
    one("sanitiseMatchedBytes", bytes(0, 0));
    one("sanitizeMatchedBytes:1/4", bytes(1, 4));
    let expected = "expected how many bytes may be shown at the beginning and the end, like 1/4";
    for wrong in ["1", "1/", "x/4", "1/4/5", "-1/4", "1/65536"] {
        check_wrong(&format!("sanitiseMatchedBytes:{wrong}"), 21, expected);
    }
}

#[test]
fn what_is_wrong_has_its_place() {
    check_wrong("id:1,phaze:2", 5, "there is no action `phaze`");
    check_wrong(
        "id:x",
        3,
        "got \"x\"; expected a number of at most 18446744073709551615",
    );
    check_wrong(
        "phase:6",
        6,
        "expected a phase: 1 to 5, request, response or logging",
    );
    check_wrong("pass:x", 0, "`pass` takes no value");
    check_wrong("id", 0, "`id` needs a value, behind a colon");
    check_wrong("msg:'a", 4, "the quote isn't closed");
    check_wrong("msg:'a'b", 7, "expected `,` and another action, or the end");
    check_wrong("t:rot13", 2, "there is no transformation `rot13`");
    check_wrong(
        "exec:/bin/x",
        0,
        "`exec` can't be had here: no program or script is started",
    );
    check_wrong(
        "setvar:a=1",
        7,
        "expected a collection, a dot and a name, like tx.score",
    );
    check_wrong(
        "setvar:env.a=1",
        7,
        "rules can't write to `env`; expected tx, ip, global, session, user or resource",
    );
    check_wrong("status:99", 7, "expected a status of HTTP, from 100 to 599");
    check_wrong("allow:all", 6, "expected `phase`, `request` or nothing");
    check_wrong(
        "ctl:ruleRemoveById",
        4,
        "expected an option, `=` and its value",
    );
    check_wrong(
        "ctl:ruleRemoveTargetById=1;ARGZ",
        27,
        "there is no variable ARGZ",
    );
    check_wrong(
        "ctl:ruleRemoveById=5-1",
        19,
        "\"5-1\" is no id, and no range of ids like 941100-941999",
    );
}

#[test]
fn their_number_has_a_bound() {
    let many = ["pass"; 257].join(",");
    check_wrong(&many, 1280, "more than 256 actions");
}
