use std::time::Duration;

use palisade_decisions::{DecisionId, Deletion, Remedy};
use palisade_vocabulary::Tick;
use proptest::prelude::*;

use super::*;

const NOW: Tick = Tick::from_millis(1_000_000);

fn parse(document: &[u8]) -> Result<StreamAnswer, DocumentError> {
    parse_answer(document, NOW)
}

/// One line for each decision: `+` new, `-` deleted, `!` left out.
fn shown(document: &str) -> String {
    let answer = match parse(document.as_bytes()) {
        Ok(answer) => answer,
        Err(error) => return format!("error: {error}"),
    };
    let id = |id: Option<DecisionId>| id.map_or("-".to_owned(), |id| id.to_string());
    let mut lines = Vec::new();
    for deleted in &answer.delta.deleted {
        let Deletion { scope, remedy, .. } = deleted;
        let remedy = remedy.map_or("-".to_owned(), |remedy| remedy.to_string());
        lines.push(format!(
            "- {} {} {scope} {remedy}",
            id(deleted.id),
            scope.name()
        ));
    }
    for added in &answer.delta.added {
        lines.push(format!(
            "+ {} {} {} {} {}/{} {:?}",
            id(added.id),
            added.scope.name(),
            added.scope,
            added.remedy,
            added.origin,
            added.scenario,
            added.expires.since(NOW),
        ));
    }
    lines.extend(
        answer
            .skipped
            .samples
            .iter()
            .map(|skipped| format!("! {skipped}")),
    );
    assert!(answer.skipped.count >= answer.skipped.samples.len() as u64);
    lines.join("\n")
}

#[track_caller]
fn check(document: &str, expected: &str) {
    let start: String = document.chars().take(200).collect();
    assert_eq!(shown(document), expected, "{start}");
}

/// A document with one new decision of which `field` is replaced.
fn with_field(field: &str, json: &str) -> String {
    let fields = [
        ("duration", "\"1h0m0s\""),
        ("id", "7"),
        ("origin", "\"cscli\""),
        ("scenario", "\"by hand\""),
        ("scope", "\"Ip\""),
        ("type", "\"ban\""),
        ("value", "\"192.0.2.7\""),
    ];
    let fields = fields
        .map(|(name, value)| format!("\"{name}\":{}", if name == field { json } else { value }));
    format!("{{\"deleted\":null,\"new\":[{{{}}}]}}", fields.join(","))
}

#[track_caller]
fn check_field(field: &str, json: &str, expected: &str) {
    check(&with_field(field, json), expected);
}

#[test]
fn nothing_is_said_in_many_ways() {
    check(r#"{"deleted":null,"new":null}"#, "");
    check(r#"{"new":[],"deleted":[]}"#, "");
    check(r#"{"new": [], "deleted": []}"#, "");
    check(r#"{"new":null}"#, "");
    check(r#"{"deleted":[]}"#, "");
    check(" \n{\"new\":\tnull}\r\n ", "");
    check(
        r#"{"links":{"a":[1,{"b":null}]},"new":null,"more":1.5e3}"#,
        "",
    );
}

#[test]
fn an_answer_of_lapi_before_1_6_3() {
    let document = r#"{"deleted":[
        {"duration":"-409.13816ms","id":1,"origin":"cscli","scenario":"over","scope":"Ip","type":"ban","value":"192.0.2.1"},
        {"duration":"-5m25.464688608s","id":2,"origin":"cscli","scenario":"over","scope":"Range","type":"captcha","value":"198.51.100.0/24"}
      ],"new":[
        {"duration":"4.819364091s","id":10,"origin":"cscli","scenario":"short","scope":"Ip","type":"ban","value":"203.0.113.7"},
        {"duration":"3h59m59.452293215s","id":6,"origin":"crowdsec","scenario":"crowdsecurity/ssh-bf","scope":"Ip","type":"ban","value":"2001:db8::1"}
      ]}"#;
    check(
        document,
        "- 1 Ip 192.0.2.1 ban\n\
         - 2 Range 198.51.100.0/24 captcha\n\
         + 10 Ip 203.0.113.7 ban cscli/short 4.819s\n\
         + 6 Ip 2001:db8::1 ban crowdsec/crowdsecurity/ssh-bf 14399.452s",
    );
}

#[test]
fn an_answer_of_a_lapi_that_sends_chunks() {
    let document = r#"{"new": [{"duration":"3h59m59s","id":1,"uuid":"7a-1","origin":"CAPI","scenario":"http:scan","scope":"Ip","type":"ban","value":"192.0.2.1"},
        {"duration":"59m0s","id":2,"uuid":"7a-2","origin":"lists","scenario":"drop","scope":"Country","type":"ban","value":"de"},
        {"duration":"0s","id":3,"uuid":"7a-3","origin":"cscli","scenario":"x","scope":"AS","type":"throttle","value":"64496"}], "deleted": []}"#;
    check(
        document,
        "+ 1 Ip 192.0.2.1 ban CAPI/http:scan 14399s\n\
         + 2 Country DE ban lists/drop 3540s\n\
         + 3 AS AS64496 throttle cscli/x 0ns",
    );
}

#[test]
fn values_are_canonical_and_texts_unescaped() {
    check_field(
        "value",
        "\"::ffff:192.0.2.7\"",
        "+ 7 Ip 192.0.2.7 ban cscli/by hand 3600s",
    );
    check_field(
        "value",
        "\"10.20.30.40/16\"",
        "+ 7 Range 10.20.0.0/16 ban cscli/by hand 3600s",
    );
    check_field(
        "value",
        r#""\u0031\u0030.0.0.1""#,
        "+ 7 Ip 10.0.0.1 ban cscli/by hand 3600s",
    );
    check_field(
        "scope",
        "\"ip\"",
        "+ 7 Ip 192.0.2.7 ban cscli/by hand 3600s",
    );
    check_field(
        "scenario",
        r#""a \"b\" \u00e9\n\ud83d\ude00""#,
        "+ 7 Ip 192.0.2.7 ban cscli/a \"b\" é\n😀 3600s",
    );
    check_field(
        "type",
        "\"MFA\"",
        "+ 7 Ip 192.0.2.7 mfa cscli/by hand 3600s",
    );
}

#[test]
fn an_id_may_be_left_out() {
    check_field("id", "null", "+ - Ip 192.0.2.7 ban cscli/by hand 3600s");
    check_field("id", "0", "+ - Ip 192.0.2.7 ban cscli/by hand 3600s");
    check_field(
        "id",
        "9223372036854775807",
        "+ 9223372036854775807 Ip 192.0.2.7 ban cscli/by hand 3600s",
    );
    for bad in ["-1", "1.5", "\"7\"", "[]", "18446744073709551615", "1e400"] {
        let document = with_field("id", bad);
        let got = shown(&document);
        let id = if bad == "-1" {
            "decision -1"
        } else {
            "a decision without id"
        };
        let skipped = format!("! {id}: its id is no whole number from 0");
        assert!(
            got == skipped || bad == "1e400" && got.starts_with("error: "),
            "{bad}: {got}"
        );
    }
}

#[test]
fn what_cannot_be_understood_is_left_out_alone() {
    check_field(
        "scope",
        "\"Username\"",
        "! decision 7: scope \"Username\" is not supported; expected Ip, Range, Country or AS",
    );
    check_field(
        "value",
        "\"192.0.2\"",
        "! decision 7: \"192.0.2\" is not an IP address; expected one like 192.0.2.1 or 2001:db8::1",
    );
    check_field(
        "duration",
        "\"1d\"",
        "! decision 7: \"1d\" is no duration; expected one like 3h59m59s",
    );
    check_field("duration", "null", "! decision 7: its duration is missing");
    check_field("type", "{\"a\":[1]}", "! decision 7: its type is no text");
    check_field("value", "3", "! decision 7: its value is no text");
    check_field("origin", "true", "! decision 7: its origin is no text");
    check_field(
        "value",
        &format!("\"{}\"", "1".repeat(256)),
        "! decision 7: its value is longer than 255 bytes",
    );
    check(
        r#"{"new":[1,null,"x",[[]],true,1.5]}"#,
        &["! a decision without id: not an object"; 5].join("\n"),
    );
    check(
        r#"{"new":[{},{"duration":"1s","id":3,"origin":"a","scenario":"b","scope":"Ip","type":"ban","value":"192.0.2.3"}]}"#,
        "+ 3 Ip 192.0.2.3 ban a/b 1s\n! a decision without id: its duration is missing",
    );
}

#[test]
fn a_decision_keeps_nothing_of_the_one_before() {
    let whole = r#"{"duration":"1s","id":3,"origin":"a","scenario":"b","scope":"Ip","type":"ban","value":"192.0.2.3","simulated":false}"#;
    let document = format!("{{\"new\":[{whole},{{\"id\":4}},{whole}]}}");
    check(
        &document,
        "+ 3 Ip 192.0.2.3 ban a/b 1s\n+ 3 Ip 192.0.2.3 ban a/b 1s\n! decision 4: its duration is missing",
    );
}

#[test]
fn simulated_decisions_decide_nothing() {
    let document = with_field("id", "7,\"simulated\":true");
    check(&document, "! decision 7: it is simulated");
    check(
        &document.replace("true", "false"),
        "+ 7 Ip 192.0.2.7 ban cscli/by hand 3600s",
    );
}

#[test]
fn a_deletion_needs_no_duration_origin_or_scenario() {
    check(
        r#"{"deleted":[{"id":1,"scope":"Ip","type":"ban","value":"192.0.2.1"}]}"#,
        "- 1 Ip 192.0.2.1 ban",
    );
    check(
        r#"{"deleted":[{"id":1,"scope":"Ip","value":"192.0.2.1"}]}"#,
        "! decision 1: its type is missing",
    );
}

#[test]
fn free_text_is_cut_at_a_character() {
    let document = with_field("scenario", &format!("\"{}\"", "é".repeat(200)));
    let answer = parse(document.as_bytes()).unwrap();
    assert_eq!(&*answer.delta.added[0].scenario, "é".repeat(127));
}

#[test]
fn the_number_of_samples_is_bounded() {
    let document = format!("{{\"new\":[{}]}}", ["{}"; 100].join(","));
    let skipped = parse(document.as_bytes()).unwrap().skipped;
    assert_eq!(
        (skipped.count, skipped.samples.len()),
        (100, SkippedDecisions::SAMPLES_MAX)
    );
}

#[test]
fn what_is_no_stream_document_is_an_error() {
    let malformed =
        |column: usize, reason: &str| format!("error: line 1, column {column}: {reason}");
    let not_a_map = "expected an object with \"new\" and \"deleted\"";
    let not_lapi = "neither \"new\" nor \"deleted\": not an answer of LAPI";
    let not_a_list = "expected an array of decisions or null";
    check("", "error: the answer stops at line 1, column 0");
    check(
        "[]",
        &malformed(1, &format!("invalid type: sequence, {not_a_map}")),
    );
    check(
        "null",
        &malformed(4, &format!("invalid type: null, {not_a_map}")),
    );
    check(
        "{\"message\":\"access forbidden\"}",
        &malformed(30, not_lapi),
    );
    check("{}", &malformed(2, not_lapi));
    check(
        "{\"new\":\"x\"}",
        &malformed(10, &format!("invalid type: string \"x\", {not_a_list}")),
    );
    check(
        "{\"new\":{}}",
        &malformed(9, &format!("invalid type: map, {not_a_list}")),
    );
    check("{\"new\":null} x", &malformed(14, "trailing characters"));
    check("<html>", &malformed(1, "expected value"));
    check("{\"new\":[}]}", &malformed(9, "expected value"));
    let control = "control character (\\u0000-\\u001F) found while parsing a string";
    check(
        "{\"new\":[{\"id\":\"a\nb\"}]}",
        &format!("error: line 2, column 0: {control}"),
    );
}

#[test]
fn equal_texts_are_held_once() {
    let one = r#"{"duration":"1s","id":3,"origin":"a","scenario":"b","scope":"Ip","type":"ban","value":"192.0.2.3"}"#;
    let added = parse(format!("{{\"new\":[{one},{one}]}}").as_bytes())
        .unwrap()
        .delta
        .added;
    assert!(std::sync::Arc::ptr_eq(&added[0].origin, &added[1].origin));
    assert!(std::sync::Arc::ptr_eq(
        &added[0].scenario,
        &added[1].scenario
    ));
}

#[test]
fn a_depth_without_end_is_an_error_not_a_crash() {
    let deep = format!("{{\"new\":[{}", "[".repeat(1_000_000));
    check(&deep, "error: the answer stops at line 1, column 1000008");
    let deep = format!("{{\"new\":[{}", "{\"value\":".repeat(1_000_000));
    check(&deep, "error: the answer stops at line 1, column 9000008");
}

#[test]
fn a_duration_without_end_holds_to_the_last_tick() {
    let document = with_field("duration", "\"99999999999999999999h\"");
    let added = parse(document.as_bytes()).unwrap().delta.added;
    assert!(added[0].expires.since(NOW) > Duration::from_secs(500 * 365 * 86_400));
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "\\PC{0,12}".prop_map(Into::into),
        "(Ip|Range|Country|AS|ban|captcha|192\\.0\\.2\\.[0-9]|1h[0-9]s|DE|64496)"
            .prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let key = "(new|deleted|id|origin|scenario|scope|type|value|duration|simulated|x)";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec((key, inner), 0..8)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn stream_document() -> impl Strategy<Value = String> {
    let decision = (0_i64..100, 0_u8..4, "[a-z]{0,8}", 0_u32..9_999).prop_map(|(id, host, scenario, seconds)| {
        format!(
            r#"{{"duration":"{seconds}s","id":{id},"origin":"cscli","scenario":"{scenario}\u00e9","scope":"Ip","type":"ban","value":"192.0.2.{host}"}}"#
        )
    });
    let list = || prop::collection::vec(decision.clone(), 0..6);
    (list(), list()).prop_map(|(new, deleted)| {
        format!(
            "{{\"new\":[{}],\"deleted\":[{}]}}",
            new.join(","),
            deleted.join(",")
        )
    })
}

proptest! {
    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn any_json_never_panics(new in json_value(), deleted in json_value()) {
        let _ = parse(format!("{{\"new\":{new},\"deleted\":{deleted}}}").as_bytes());
    }

    #[test]
    fn every_element_is_applied_or_counted(new in prop::collection::vec(json_value(), 0..8)) {
        let document = format!("{{\"new\":{}}}", serde_json::Value::from(new.clone()));
        let answer = parse(document.as_bytes()).unwrap();
        let seen = answer.delta.added.len() as u64 + answer.skipped.count;
        prop_assert_eq!(seen, new.len() as u64);
    }

    #[test]
    fn a_cut_document_is_an_error(document in stream_document(), cut in any::<prop::sample::Index>()) {
        prop_assert!(parse(document.as_bytes()).is_ok());
        let cut = cut.index(document.len());
        let got = parse(&document.as_bytes()[..cut]);
        let is_truncated = matches!(got, Err(DocumentError::Truncated { .. }));
        prop_assert!(is_truncated, "{cut}: {got:?}");
    }

    #[test]
    fn a_known_remedy_is_read_in_any_case(name in "(?i)(ban|captcha|throttle)") {
        let answer = parse(with_field("type", &format!("\"{name}\"")).as_bytes()).unwrap();
        prop_assert_eq!(answer.delta.added[0].remedy, Remedy::parse(&name));
    }
}

/// Answers of a real LAPI, where they are at hand: a folder of JSON files with the body of an answer
/// under `response_body_raw` and its head under `response_head_raw`.
#[test]
fn captured_answers_are_understood() {
    let Some(folder) = std::env::var_os("PALISADE_LAPI_CAPTURES") else {
        return;
    };
    let mut streams = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let capture: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let text = |key: &str| capture[key].as_str().unwrap_or_default().to_owned();
        let is_stream = text("request_raw").starts_with("GET /v1/decisions/stream");
        if !is_stream || !text("response_head_raw").starts_with("HTTP/1.1 200") {
            continue;
        }
        let answer = parse(text("response_body_raw").as_bytes()).unwrap();
        let len = |key: &str| capture["response_json"][key].as_array().map_or(0, Vec::len);
        assert_eq!(answer.delta.added.len(), len("new"), "{}", path.display());
        assert_eq!(
            answer.delta.deleted.len(),
            len("deleted"),
            "{}",
            path.display()
        );
        assert_eq!(answer.skipped.count, 0, "{}", path.display());
        streams += 1;
    }
    assert!(streams > 10, "{streams} captured answers of the stream");
}
