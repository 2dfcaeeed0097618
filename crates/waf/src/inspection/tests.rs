use std::net::IpAddr;

use palisade_body::Body;
use palisade_seclang::{Countries, Location};
use palisade_vocabulary::Mode;

use super::*;
use crate::RuleSetSettings;
use crate::test_files::{OneFile, begin, rule_set};
use crate::workers::kept_by_this_thread;

const RULES: &str = "SecRuleEngine On
    SecRequestBodyAccess On
    SecRequestBodyLimit 100
    SecRule ARGS_GET \"@contains evil\" id:1,phase:1,deny,status:406
    SecRule ARGS_POST \"@contains evil\" id:2,phase:2,deny
    SecRule REQBODY_ERROR \"@eq 1\" id:3,phase:2,deny,status:400";

fn with_mode(mode: Mode) -> Arc<RuleSet> {
    let settings = RuleSetSettings {
        mode: Some(mode),
        ..RuleSetSettings::default()
    };
    rule_set(settings, RULES)
}

fn denied(status: u16) -> Finding {
    Finding::Refuse(InterruptionAction::Deny(status))
}

#[test]
fn heads_and_bodies_are_judged() {
    let check = |target: &str, coding: &str, body: Body<'_>, expected: [Finding; 2]| {
        let (mut inspection, head) = begin(&with_mode(Mode::Block), target);
        let body = inspection.request_body(coding.as_bytes(), body);
        assert_eq!([head, body], expected, "{target} {coding}");
    };
    let nothing = Body::whole(b"");
    check("/?a=b", "", nothing, [Finding::Pass, Finding::Pass]);
    check("/?a=evil", "", nothing, [denied(406), denied(406)]);
    check(
        "/",
        "",
        Body::whole(b"a=evil"),
        [Finding::Pass, denied(403)],
    );
    check("/", "", Body::partial(b"a=b"), [Finding::Pass, denied(413)]);
    check(
        "/",
        "gzip",
        Body::whole(b"a=b"),
        [Finding::Pass, denied(400)],
    );
    check("/", "x", Body::whole(b"a=b"), [Finding::Pass, denied(400)]);
}

#[test]
fn long_bodies_are_refused_unread_where_they_are_refused() {
    let check = |mode, more: &str, expected: bool| {
        let settings = RuleSetSettings {
            mode: Some(mode),
            ..RuleSetSettings::default()
        };
        let rules = format!("{RULES}\n{more}");
        let (inspection, _) = begin(&rule_set(settings, &rules), "/");
        assert_eq!(
            inspection.refuses_long_bodies(),
            expected,
            "{mode:?} {more}"
        );
    };
    check(Mode::Block, "", true);
    check(Mode::Detect, "", false);
    check(
        Mode::Block,
        "SecRequestBodyLimitAction ProcessPartial",
        false,
    );
    let off = "SecAction id:9,phase:1,pass,ctl:ruleEngine=DetectionOnly";
    check(Mode::Block, off, false);
}

#[test]
fn in_detect_mode_nothing_is_refused_and_what_would_be_is_known() {
    let check = |target: &str, body: Body<'_>, expected: Option<u64>| {
        let (mut inspection, head) = begin(&with_mode(Mode::Detect), target);
        let body = inspection.request_body(b"", body);
        assert_eq!([head, body], [Finding::Pass, Finding::Pass]);
        assert_eq!(inspection.refused_for(), None);
        let rule = inspection.would_be_refused_for().map(|why| match why {
            Objection::Rule(interruption) => interruption.rule,
            Objection::Failure(_) => panic!("{why:?}"),
        });
        assert_eq!(rule, expected, "{target}");
    };
    check("/", Body::whole(b"a=b"), None);
    check("/?a=evil", Body::whole(b""), Some(1));
    check("/", Body::whole(b"a=evil"), Some(2));
    check("/", Body::partial(b"a=b"), Some(0));
}

#[test]
fn codings_that_are_undone_are_not_seen() {
    let check = |access: &str, codings: &[&str], expected: Finding| {
        let rules = format!(
            "SecRuleEngine On\nSecResponseBodyAccess {access}
            SecRule RESPONSE_HEADERS:Content-Encoding \"@rx .\" id:1,phase:3,deny"
        );
        let set = rule_set(RuleSetSettings::default(), &rules);
        let (mut inspection, _) = begin(&set, "/");
        let codings = codings
            .iter()
            .map(|coding| (&b"Content-Encoding"[..], coding.as_bytes()));
        let headers: Vec<(&[u8], &[u8])> = codings.collect();
        let finding = inspection.response_head(&ResponseHead {
            protocol: b"HTTP/1.1",
            status: 200,
            reason: b"OK",
            headers: &headers,
        });
        assert_eq!(finding, expected, "{access} {headers:?}");
    };
    check("On", &[], Finding::Pass);
    for coding in ["gzip", "x-gzip", "deflate", "br", "zstd", "GZIP, br"] {
        check("On", &[coding], Finding::Pass);
        check("Off", &[coding], denied(403));
    }
    check("On", &["gzip", "br"], Finding::Pass);
    check("On", &["compress"], denied(403));
    check("On", &["gzip", "compress"], denied(403));
}

#[test]
fn a_rule_can_not_leave_detect_mode() {
    let settings = RuleSetSettings {
        mode: Some(Mode::Detect),
        ..RuleSetSettings::default()
    };
    let rules = "SecAction id:1,phase:1,pass,ctl:ruleEngine=On\nSecAction id:2,phase:1,deny";
    let (inspection, head) = begin(&rule_set(settings, rules), "/");
    assert_eq!(head, Finding::Pass);
    assert!(inspection.refused_for().is_none());
    assert!(inspection.would_be_refused_for().is_some());
}

/// The engine's defect.
#[derive(Debug)]
struct Panics;

impl Countries for Panics {
    fn country(&self, _: IpAddr) -> Option<Location> {
        panic!("where is that?")
    }
}

#[test]
fn a_panic_costs_one_request_its_inspection() {
    let check = |mode, on_failure, expected: Finding| {
        let settings = RuleSetSettings {
            mode: Some(mode),
            on_failure,
            ..RuleSetSettings::default()
        };
        let rules = OneFile(
            "SecRule ARGS:ip \"@unconditionalMatch\" id:1,phase:1,pass,chain\nSecRule ARGS:ip \"@geoLookup\" t:none",
        );
        let countries: Option<Arc<dyn Countries>> = Some(Arc::new(Panics));
        let set = RuleSet::compile(settings, &["a"], &rules, countries);
        let set = Arc::new(set.rule_set.unwrap());
        let (mut inspection, head) = begin(&set, "/?ip=192.0.2.1");
        assert_eq!(head, expected, "{mode:?} {on_failure:?}");
        let failure = InspectionFailure {
            kind: FailureKind::Panicked,
            phase: Phase::RequestHeaders,
            rule: Some(1),
        };
        assert_eq!(inspection.failure(), Some(failure));
        // What is left of it does nothing.
        assert_eq!(
            inspection.request_body(b"", Body::whole(b"")),
            Finding::Pass
        );
        inspection.log(&HiddenNames::default());
        assert_eq!(inspection.matches().count(), 0);
        inspection.finish();
        // Its worker is gone; the next request has another.
        assert_eq!(kept_by_this_thread(), 0);
        let (next, head) = begin(&set, "/");
        assert_eq!((head, next.failure()), (Finding::Pass, None));
        next.finish();
    };
    check(Mode::Block, FailurePolicy::Closed, denied(403));
    check(Mode::Block, FailurePolicy::Open, Finding::Pass);
    check(Mode::Detect, FailurePolicy::Closed, Finding::Pass);
}

#[test]
fn memory_of_rules_that_are_gone_is_given_up() {
    let used = |rules: &Arc<RuleSet>| begin(rules, "/").0.finish();
    std::thread::spawn(move || {
        let one = with_mode(Mode::Block);
        used(&one);
        used(&one);
        assert_eq!(kept_by_this_thread(), 1);
        drop(one);
        let others: Vec<_> = (0..20).map(|_| with_mode(Mode::Block)).collect();
        used(&others[0]);
        assert_eq!(kept_by_this_thread(), 1);
        others.iter().for_each(used);
        assert_eq!(kept_by_this_thread(), 16);
    })
    .join()
    .unwrap();
}
