use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::SuiteError;
use proptest::prelude::*;

fn parse(yaml: &str) -> Result<Vec<Test>, SuiteError> {
    parse_tests(&Arc::from(Path::new("9.yaml")), yaml.as_bytes())
}

#[track_caller]
fn one(yaml: &str) -> Test {
    let mut tests = parse(yaml).unwrap();
    assert_eq!(tests.len(), 1);
    tests.remove(0)
}

#[track_caller]
fn check_problems(yaml: &str, expected: &[&str]) {
    let problems = parse(yaml).map_or_else(|error| error.to_string(), |_| String::new());
    assert_eq!(problems, expected.join("\n"), "{yaml}");
}

/// The stage of a test whose input and output are these.
#[track_caller]
fn stage(input: &str, output: &str) -> Stage {
    let yaml = format!("tests: [{{stages: [{{input: {input}, output: {output}}}]}}]");
    one(&yaml).stages.remove(0)
}

#[track_caller]
fn check_output(output: &str, expected: &Output) {
    assert_eq!(stage("{}", output).output, *expected, "{output}");
}

const WHOLE: &str = "---
meta: {author: someone, description: some tests}
rule_id: 920100
tests:
  - test_id: 4
    desc: a request
    tags: [a]
    stages:
      - input:
          dest_addr: 127.0.0.2
          port: 8080
          protocol: https
          method: PUT
          uri: /a b
          version: HTTP/1.0
          headers: {User-Agent: x, Accept: , Content-Length: 007}
          data: \"a={{ \\\"+\\\" | repeat 2 }}\"
          autocomplete_headers: false
          save_cookie: true
          follow_redirect: yes
          virtual_host_mode: on
        output: {log: {expect_ids: [920100]}}
";

#[test]
fn a_whole_test() {
    let test = one(WHOLE);
    assert_eq!(test.id.to_string(), "920100-4");
    assert_eq!(test.location.to_string(), "9.yaml:5:5");
    assert_eq!(test.description, "a request");
    let [Stage { input, output }] = &test.stages[..] else {
        panic!("{test:?}")
    };
    assert_eq!(input.server().to_string(), "127.0.0.2:8080");
    assert_eq!(input.scheme, Scheme::Https);
    assert!(input.save_cookie && input.follow_redirect && input.virtual_host_mode);
    let sent = "PUT /a b HTTP/1.0\r\nAccept: \r\nContent-Length: 007\r\nUser-Agent: x\r\n\r\na=++";
    assert_eq!(String::from_utf8_lossy(&input.message.to_bytes()), sent);
    assert_eq!(output.log.expect_ids, [920_100]);
}

#[test]
fn what_a_test_may_leave_out() {
    let test = one("tests: [{stages: [{input: {method: , version: ''}}]}]");
    assert_eq!(test.id.to_string(), "9-1");
    let stage = &test.stages[0];
    assert_eq!(stage.input.server().to_string(), "127.0.0.1:80");
    assert_eq!(stage.output, Output::default());
    let sent = stage.input.message.to_bytes();
    assert_eq!(sent, b"GET / \r\nConnection: close\r\n\r\n");
    assert!(parse("# nothing").unwrap().is_empty());
    assert!(parse("rule_id: 1").unwrap().is_empty());
}

#[test]
fn old_forms() {
    let test = one("tests: [{stages: [{stage: {input: {stop_magic: true, uri: /a}}}]}]");
    let sent = test.stages[0].input.message.to_bytes();
    assert_eq!(sent, b"GET /a HTTP/1.1\r\n\r\n");
    let pattern = |text| Some(Pattern::new(text).unwrap());
    let log = |match_regex, no_match_regex| Output {
        log: LogExpectations {
            match_regex,
            no_match_regex,
            ..LogExpectations::default()
        },
        ..Output::default()
    };
    check_output(
        "{log_contains: a, no_log_contains: b}",
        &log(pattern("a"), pattern("b")),
    );
    check_output(
        "{log_contains: a, log: {match_regex: c}}",
        &log(pattern("c"), None),
    );
    check_output("{log_contains: a, log: {expect_ids: []}}", &log(None, None));
}

#[test]
fn headers_keep_their_order_where_they_have_one() {
    let headers = "{ordered_headers: [{name: b, value: 1}, {name: a}, {name: b, value: 2}]}";
    let sent = stage(headers, "{}").input.message.to_bytes();
    let expected = "GET / HTTP/1.1\r\nb: 1\r\na: \r\nb: 2\r\nConnection: close\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&sent), expected);
}

#[test]
fn encoded_data_and_requests() {
    let encoded = stage("{encoded_request: \"R0VU\\n IC8=\", uri: /b}", "{}");
    assert_eq!(encoded.input.message.to_bytes(), b"GET /");
    let data = stage("{encoded_data: AP8=, headers: {Content-Type: a/b}}", "{}");
    assert!(data.input.message.to_bytes().ends_with(b"\r\n\r\n\x00\xff"));
}

#[test]
fn what_must_come_of_a_request() {
    check_output(
        "{status: 403, response_contains: 'a.b', expect_error: true, retry_once: true, isolated: true}",
        &Output {
            status: Some(403),
            response_contains: Some(Pattern::new("a.b").unwrap()),
            expect_error: true,
            retry_once: true,
            isolated: true,
            log: LogExpectations::default(),
        },
    );
    check_output("{status: 0, log: {match_regex: ''}}", &Output::default());
    let ids = "{log: {expect_ids: 1, no_expect_ids: [2, '3']}}";
    let log = LogExpectations {
        expect_ids: vec![1],
        no_expect_ids: vec![2, 3],
        ..LogExpectations::default()
    };
    check_output(
        ids,
        &Output {
            log,
            ..Output::default()
        },
    );
}

#[test]
fn all_that_is_wrong_is_told_with_its_place() {
    check_problems(
        "tests:\n- stages:\n  - input: {hedaers: {}, port: 99999}\n    output: {log: {expect_ids: [x]}}\n- test_id: 2\n",
        &[
            "9.yaml:3:13: \"hedaers\" is not known here; expected dest_addr, port, protocol, method, uri, version, headers, ordered_headers, data, encoded_data, encoded_request, autocomplete_headers, stop_magic, save_cookie, follow_redirect, virtual_host_mode",
            "9.yaml:3:32: \"99999\" is not a number that can stand here",
            "9.yaml:4:33: \"x\" is not a number that can stand here",
            "9.yaml:5:3: the test has no stages, and so tests nothing",
        ],
    );
    let in_input = |input: &str| format!("tests: [{{stages: [{{input: {input}}}]}}]");
    check_problems(
        &in_input("{data: '{{ env }}'}"),
        &[
            "9.yaml:1:34: the template \"env\" is not known; expected a text, or `repeat` with a number and a text",
        ],
    );
    check_problems(
        &in_input("{encoded_request: 'a!'}"),
        &["9.yaml:1:45: not Base64: Invalid symbol 33, offset 1."],
    );
    check_problems(
        &in_input("{stop_magic: perhaps}"),
        &["9.yaml:1:40: \"perhaps\" is neither true nor false"],
    );
    check_problems(
        &in_input("{protocol: ftp}"),
        &["9.yaml:1:38: \"ftp\" is no protocol; expected http or https"],
    );
    check_problems(
        "tests: [{stages: [{input: {}, output: {log: {match_regex: \"(\\n\"}}}]}]",
        &["9.yaml:1:59: not a regular expression: unclosed group; got \"(\\n\""],
    );
    check_problems(
        "tests: [{stages: [{}]}]",
        &["9.yaml:1:19: the stage has no `input`"],
    );
    check_problems(
        "- 1",
        &["9.yaml:1:1: got a list; expected a mapping of meta, author, rule_id, tests"],
    );
    check_problems(
        "a: [",
        &["9.yaml:2:1: not valid YAML: while parsing a node, did not find expected node content"],
    );
}

#[test]
fn a_file_without_a_number_needs_one() {
    let error = parse_tests(&Arc::from(Path::new("7/a.yaml")), b"tests: []").unwrap_err();
    assert_eq!(
        error.to_string(),
        "7/a.yaml:1:1: there is no `rule_id`, and no number in the file's name"
    );
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "(tests|stages|input|output|log|data|expect_ids|headers|: |\n *|- |[\\[\\]{},\"]|a|1){0,40}") {
        let _ = parse(&text);
    }
}
