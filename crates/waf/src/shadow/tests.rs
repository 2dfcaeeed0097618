use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use palisade_seclang::syntax::Phase;
use palisade_seclang::{CollectionLimits, Collections, Countries, Location, RequestHead};
use palisade_vocabulary::{Mode, RequestId};

use super::*;
use crate::test_files::{OneFile, rule_set};
use crate::{FailureKind, InspectionFailure, RuleSet, RuleSetSettings};

const RULES: &str = "SecRuleEngine On
    SecRequestBodyAccess On
    SecRequestBodyLimit 100
    SecResponseBodyAccess On
    SecResponseBodyMimeType text/plain
    SecResponseBodyLimit 100
    SecRule ARGS \"@contains evil\" id:1,phase:2,deny,log,msg:'Evil'
    SecRule ARGS \"@contains odd\" id:2,phase:2,pass,log,msg:'%{MATCHED_VAR}'
    SecRule ARGS_GET \"@contains early\" id:3,phase:1,deny
    SecRule RESPONSE_BODY \"@contains secret\" id:4,phase:4,deny,log
    SecRule RESPONSE_HEADERS:X-Bad \"@streq 1\" id:5,phase:3,deny,log";

fn rules(text: &str) -> Arc<RuleSet> {
    rule_set(RuleSetSettings::default(), text)
}

fn case(target: &str, body: RequestBody, answer: Option<SeenAnswer>) -> ShadowCase {
    let head = RequestHead {
        line: b"POST / HTTP/1.1",
        method: b"POST",
        target: target.as_bytes(),
        protocol: b"HTTP/1.1",
        headers: &[
            (b"Content-Type", b"application/x-www-form-urlencoded"),
            (b"Host", b"test.example"),
        ],
    };
    ShadowCase {
        client: ([192, 0, 2, 1], 50_000).into(),
        server: ([192, 0, 2, 2], 80).into(),
        id: RequestId::from_bits(7),
        head: OwnedHead::copy(&head),
        body,
        answer,
    }
}

fn answer(field: (&[u8], &[u8]), body: AnswerBody) -> Option<SeenAnswer> {
    let fields: [(&[u8], &[u8]); 2] = [(b"content-type", b"text/plain"), field];
    Some(SeenAnswer {
        status: 200,
        reason: "OK",
        fields: OwnedHead::of_fields(&fields),
        body,
    })
}

fn whole(body: &'static str) -> RequestBody {
    RequestBody::Whole(Bytes::from_static(body.as_bytes()))
}

fn judge(rules: &Arc<RuleSet>, case: &ShadowCase) -> Result<Judgement, Unread> {
    let collections = Arc::new(Collections::new(CollectionLimits::default()));
    case.judge(rules, &collections)
}

/// The rule that ends a request, `-` where none does, and those that matched.
fn shown(judged: &Result<Judgement, Unread>) -> String {
    let Ok(judgement) = judged else {
        return "unread".to_owned();
    };
    let ended = match judgement.ended {
        None => "-".to_owned(),
        Some(Ended::Rule(rule, _)) => rule.to_string(),
        Some(Ended::Failure(failure)) => failure.kind.label().to_owned(),
    };
    let ids: Vec<String> = judgement
        .matches
        .iter()
        .map(|it| it.id.to_string())
        .collect();
    let unread = if judgement.is_answer_unread {
        " answer unread"
    } else {
        ""
    };
    format!("{ended} [{}]{unread}", ids.join(","))
}

#[test]
fn requests_are_judged_as_far_as_they_were_read() {
    let rules = rules(RULES);
    #[track_caller]
    fn check(rules: &Arc<RuleSet>, target: &str, body: RequestBody, expected: &str) {
        let judged = judge(rules, &case(target, body, None));
        assert_eq!(shown(&judged), expected, "{target}");
    }
    let check = |target, body, expected| check(&rules, target, body, expected);
    let long: Bytes = vec![b'a'; 101].into();
    check("/?a=b", whole(""), "- []");
    check("/?a=evil", whole(""), "1 [1]");
    check("/", whole("a=evil&b=odd"), "1 [1]");
    check("/?a=odd", whole("b=odd"), "- [2]");
    // Phase 1 needs no body.
    check("/?a=early", RequestBody::Unread, "3 [3]");
    check("/", RequestBody::Unread, "unread");
    check("/", RequestBody::Declared(100), "unread");
    check("/", RequestBody::Declared(101), "0 []");
    check("/", RequestBody::Beginning(long.slice(..100)), "unread");
    check("/", RequestBody::Beginning(long.clone()), "0 []");
    check("/", RequestBody::Whole(long.clone()), "0 []");
    check("/", RequestBody::Whole(long.slice(..100)), "- []");
}

#[test]
fn answers_are_judged_as_far_as_they_were_read() {
    let rules = rules(RULES);
    let check = |field, body, expected: &str| {
        let judged = judge(&rules, &case("/", whole(""), answer(field, body)));
        assert_eq!(shown(&judged), expected);
    };
    let good = (&b"x-good"[..], &b"1"[..]);
    let secret = AnswerBody::Whole(Bytes::from_static(b"a secret"));
    check(good, AnswerBody::Absent, "- []");
    check(good, secret, "4 [4]");
    check((b"x-bad", b"1"), AnswerBody::Unread, "5 [5]");
    check(good, AnswerBody::Unread, "- [] answer unread");
    let long: Bytes = vec![b'a'; 101].into();
    check(
        good,
        AnswerBody::Beginning(long.slice(..50)),
        "- [] answer unread",
    );
    check(good, AnswerBody::Beginning(long), "0 []");
}

#[test]
fn only_literal_messages_and_names_of_values_are_kept() {
    let judgement = judge(&rules(RULES), &case("/?a=odd&b=evil", whole(""), None)).unwrap();
    let expected = [RuleMatch {
        id: 1,
        message: (*b"Evil").into(),
        target: (*b"ARGS:b").into(),
    }];
    assert_eq!(judgement.matches, expected);
    let judgement = judge(&rules(RULES), &case("/?a=odd", whole(""), None)).unwrap();
    assert_eq!(&*judgement.matches[0].message, b"");
    assert_eq!(&*judgement.matches[0].target, b"ARGS:a");
}

#[test]
fn what_rules_would_refuse_counts_where_they_only_detect() {
    let settings = RuleSetSettings {
        mode: Some(Mode::Detect),
        ..RuleSetSettings::default()
    };
    let judged = judge(
        &rule_set(settings, RULES),
        &case("/?a=evil", whole(""), None),
    );
    assert_eq!(shown(&judged), "1 [1]");
}

#[test]
fn heads_are_kept_as_they_were() {
    let case = case("/a/b?c=d?e", RequestBody::Unread, None);
    let fields = case.head.fields();
    assert_eq!(fields[1], (&b"Host"[..], &b"test.example"[..]));
    let head = case.head.head(&fields);
    assert_eq!(
        (head.line, head.method),
        (&b"POST / HTTP/1.1"[..], &b"POST"[..])
    );
    assert_eq!(
        (head.target, head.protocol),
        (&b"/a/b?c=d?e"[..], &b"HTTP/1.1"[..])
    );
    assert_eq!(
        (case.head.path(), case.head.method()),
        (&b"/a/b"[..], &b"POST"[..])
    );
}

/// A judgement that these rules end, and in which those match.
fn judgement(ended: Option<u64>, matches: &[u64]) -> Judgement {
    let matches = matches.iter().map(|id| RuleMatch {
        id: *id,
        message: Box::default(),
        target: Box::default(),
    });
    Judgement {
        ended: ended.map(|rule| Ended::Rule(rule, Phase::RequestBody)),
        matches: matches.collect(),
        ..Judgement::default()
    }
}

#[test]
fn sets_disagree_where_outcome_rule_or_matches_differ() {
    type Side = (Option<u64>, &'static [u64]);
    #[track_caller]
    fn check(active: Side, shadow: Side, expected: Option<(ShadowKind, &[u64], &[u64])>) {
        let (active, shadow) = (judgement(active.0, active.1), judgement(shadow.0, shadow.1));
        let ids = |matches: &[&RuleMatch]| -> Vec<u64> { matches.iter().map(|it| it.id).collect() };
        let found = active.compare(&shadow);
        let found = found.map(|it| (it.kind, ids(&it.only_active), ids(&it.only_shadow)));
        let expected = expected.map(|(kind, one, other)| (kind, one.to_vec(), other.to_vec()));
        assert_eq!(found, expected);
    }
    use ShadowKind::{LostRefusal, NewRefusal, OtherMatches, OtherRule};
    check((None, &[]), (None, &[]), None);
    check((Some(1), &[2, 1]), (Some(1), &[1, 2]), None);
    check(
        (None, &[2]),
        (Some(1), &[1]),
        Some((NewRefusal, &[2], &[1])),
    );
    check((Some(1), &[1]), (None, &[]), Some((LostRefusal, &[1], &[])));
    check(
        (Some(1), &[1]),
        (Some(2), &[2]),
        Some((OtherRule, &[1], &[2])),
    );
    check(
        (None, &[1, 2]),
        (None, &[2, 3]),
        Some((OtherMatches, &[1], &[3])),
    );
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
fn a_shadow_that_panics_fails() {
    let files = OneFile(
        "SecRuleEngine On
        SecRule ARGS:ip \"@unconditionalMatch\" id:1,phase:1,pass,chain
        SecRule ARGS:ip \"@geoLookup\" t:none",
    );
    let countries: Option<Arc<dyn Countries>> = Some(Arc::new(Panics));
    let set = RuleSet::compile(RuleSetSettings::default(), &["a"], &files, countries);
    let set = Arc::new(set.rule_set.unwrap());
    let judged = judge(&set, &case("/?ip=192.0.2.1", whole(""), None));
    assert_eq!(shown(&judged), "panicked []");
    let compared = judgement(None, &[]);
    let compared = compared.compare(judged.as_ref().unwrap()).map(|it| it.kind);
    assert_eq!(compared, Some(ShadowKind::ShadowFailed));
    // The next one is judged.
    assert_eq!(shown(&judge(&set, &case("/", whole(""), None))), "- []");
}

#[test]
fn a_shadow_that_fails_is_told_as_such() {
    let failure = InspectionFailure {
        kind: FailureKind::BudgetSpent,
        phase: Phase::RequestBody,
        rule: None,
    };
    let failed = Judgement {
        ended: Some(Ended::Failure(failure)),
        failure: Some(failure),
        ..Judgement::default()
    };
    let kind = |active: &Judgement, shadow: &Judgement| active.compare(shadow).map(|it| it.kind);
    let passed = judgement(None, &[]);
    assert_eq!(kind(&passed, &failed), Some(ShadowKind::ShadowFailed));
    assert_eq!(kind(&failed, &failed), None);
    assert_eq!(kind(&failed, &passed), Some(ShadowKind::LostRefusal));
}
