use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::engine::{Exchange, Logged, Observed};
use crate::overrides::parse_overrides;
use crate::request::Response;
use crate::suite::parse_tests;

/// Answers with what its requests ask for: `/log/ID...` logs rules, `/status/CODE` has that status,
/// `/nothing` has no answer, `/cookie/A=B` sets one, `/to/WHERE` leads there, `/second` logs rule 2 when it is asked again.
#[derive(Default)]
struct Fake {
    seen: Vec<String>,
}

impl Engine for Fake {
    fn judge(&mut self, exchange: &Exchange<'_>) -> Observed {
        let request = exchange.request;
        let target = String::from_utf8_lossy(request.target).into_owned();
        let path = target.strip_prefix('/').unwrap();
        let (what, rest) = path.split_once('/').unwrap_or((path, ""));
        let again = self
            .seen
            .iter()
            .filter(|line| line.contains(&target))
            .count();
        let header = |name| String::from_utf8_lossy(request.header(name).unwrap_or(b"-"));
        self.seen
            .push(format!("{target} {} {}", header("Host"), header("Cookie")));
        let ids: Vec<u64> = match what {
            "log" => rest.split('/').map(|id| id.parse().unwrap()).collect(),
            "second" if again > 0 => vec![2],
            _ => Vec::new(),
        };
        let mut response = match what {
            "status" => Response::empty(rest.parse().unwrap()),
            "to" => Response::empty(302),
            _ => exchange.backend_response(),
        };
        let mut add = |name: &str| response.headers.push((name.to_owned(), rest.to_owned()));
        match what {
            "cookie" => add("Set-Cookie"),
            "to" => add("Location"),
            _ => {}
        }
        let logged = ids.iter().map(|id| Logged {
            rule_id: Some(*id),
            line: format!("[id \"{id}\"]"),
        });
        Observed {
            logged: logged.collect(),
            response: (what != "nothing").then_some(response),
        }
    }
}

fn suite(yaml: &str) -> Vec<Test> {
    parse_tests(&Arc::from(Path::new("7.yaml")), yaml.as_bytes()).unwrap()
}

/// Reports and totals of `tests`, a line each.
#[track_caller]
fn check(tests: &str, overrides: &str, expected: &[&str]) {
    let overrides = parse_overrides(&Arc::from(Path::new("o.yaml")), overrides.as_bytes()).unwrap();
    let summary = run(&mut Fake::default(), &suite(tests), &overrides);
    let mut lines: Vec<String> = summary.reports.iter().map(ToString::to_string).collect();
    let unused = summary.overrides_without_test.iter();
    lines.extend(unused.map(|one| format!("{} is for no test", one.location)));
    lines.push(summary.totals().to_string());
    assert_eq!(lines, expected, "{tests}");
}

/// What the requests of one test had as target, host and cookie.
#[track_caller]
fn check_sent(stages: &str, expected: &[&str]) {
    let mut engine = Fake::default();
    let tests = suite(&format!("tests: [{{stages: [{stages}]}}]"));
    let report = run_test(&mut engine, &tests[0], &Overrides::default());
    let mut got = engine.seen;
    got.extend(match report.outcome {
        Outcome::Failed(failure) => Some(failure.to_string()),
        _ => None,
    });
    assert_eq!(got, expected, "{stages}");
}

const TESTS: &str = "tests:
- {stages: [{input: {uri: /log/7}, output: {log: {expect_ids: [7]}}}]}
- {stages: [{input: {uri: /log/8}, output: {log: {no_expect_ids: [8]}}}]}
- {stages: [{input: {uri: /}, output: {}}, {input: {uri: /status/404}, output: {status: 403}}]}
";

#[test]
fn tests_pass_or_fail() {
    check(
        TESTS,
        "",
        &[
            "7-1 passed",
            "7-2 failed: expected rules 8 not to be logged, logged 8 (7.yaml:3:3)",
            "7-3 failed: stage 1: expected status 403, got 404; logged none (7.yaml:4:3)",
            "1 passed, 0 overridden, 0 with overrides that are not needed, 2 failed",
        ],
    );
}

#[test]
fn overrides_count_and_needless_ones_are_told() {
    check(
        TESTS,
        "test_overrides:
- {rule_id: 7, test_ids: [1, 2], reason: a}
- {rule_id: 7, test_ids: [3], stage_ids: [1], reason: b, output: {status: 404}}
- {rule_id: 7, test_ids: [4], reason: c}
",
        &[
            "7-1 passed, its override is not needed: a (7.yaml:2:3)",
            "7-2 overridden: a: expected rules 8 not to be logged, logged 8 (7.yaml:3:3)",
            "7-3 overridden: b: stage 1: expected status 403, got 404; logged none (7.yaml:4:3)",
            "o.yaml:4:3 is for no test",
            "0 passed, 2 overridden, 1 with overrides that are not needed, 0 failed",
        ],
    );
    check(
        TESTS,
        "test_overrides:
- {rule_id: 7, reason: all, output: {status: 404}}
- {rule_id: 7, test_ids: [2], reason: last, output: {expect_error: true}}
",
        &[
            "7-1 passed, its override is not needed: all (7.yaml:2:3)",
            "7-2 failed: expected no answer, got status 200 (7.yaml:3:3)",
            "7-3 failed: expected status 404, got 200; logged none (7.yaml:4:3)",
            "0 passed, 0 overridden, 1 with overrides that are not needed, 2 failed",
        ],
    );
}

#[test]
fn a_second_try_counts_where_it_may() {
    let output = |retry| format!("output: {{retry_once: {retry}, log: {{expect_ids: [2]}}}}");
    let stage = |retry| format!("{{input: {{uri: /second}}, {}}}", output(retry));
    check_sent(&stage(true), &["/second - -", "/second - -"]);
    check_sent(
        &stage(false),
        &["/second - -", "expected rules 2, logged none"],
    );
}

#[test]
fn cookies_are_kept_for_those_who_want_them() {
    check_sent(
        "{input: {uri: '/cookie/a=1; Path=/'}}, {input: {uri: /cookie/b=2}}, {input: {uri: /cookie/a=3}}, {input: {uri: /x, save_cookie: true}}, {input: {uri: /x}}, {input: {uri: /x, save_cookie: true, headers: {cookie: c}}}",
        &[
            "/cookie/a=1; - -",
            "/cookie/b=2 - -",
            "/cookie/a=3 - -",
            "/x - b=2; a=3",
            "/x - -",
            "/x - c",
        ],
    );
}

#[test]
fn redirects_are_followed() {
    let followed = |location: &str| {
        format!(
            "{{input: {{uri: /to/{location}}}}}, {{input: {{follow_redirect: true, headers: {{Host: x}}}}}}"
        )
    };
    for (location, expected) in [
        ("http://a:8/b?c#d", "/b?c a:8 -"),
        ("https://a", "/ a -"),
        ("http://a?b", "/?b a -"),
        ("/b", "/b localhost -"),
    ] {
        check_sent(
            &followed(location),
            &[&format!("/to/{location} - -"), expected],
        );
    }
}

#[test]
fn what_is_no_redirect_is_not_followed() {
    let after = |uri: &str| {
        format!(
            "{{input: {{uri: {uri}}}, output: {{expect_error: {}}}}}, {{input: {{follow_redirect: true}}}}",
            uri == "/nothing"
        )
    };
    let failed = |why: &str| format!("stage 1: the request can't follow a redirect: {why}");
    check_sent(
        &after("/a"),
        &[
            "/a - -",
            &failed("the answer before it has status 200, which is no redirect"),
        ],
    );
    check_sent(
        &after("/status/301"),
        &[
            "/status/301 - -",
            &failed("the redirect before it has no Location"),
        ],
    );
    check_sent(
        &after("/nothing"),
        &[
            "/nothing - -",
            &failed("there is no answer before it to follow"),
        ],
    );
}
