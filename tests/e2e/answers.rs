//! What the outside sees: answers to a refused client, which say nothing, and logs, metrics and doors
//! for the operator, which say why.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::harness::{Answer, Backend, Palisade, curl, wait_for};

/// Refuses by a rule, with a reason that nobody outside may learn.
const RULES: &str = "
access:
  rules:
    - { id: secret-rule, match: { path: { prefix: /blocked } }, action: block, reason: a secret reason }
    - { id: own-status, match: { path: /gone }, action: block, status: 410 }
";

fn settings(backend: &Backend, more: &str) -> String {
    format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ backend-name: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: backend-name }}]
{RULES}
{more}
"
    )
}

#[track_caller]
fn start(more: &str) -> (Backend, Palisade) {
    let backend = Backend::start();
    let palisade = Palisade::start(&settings(&backend, more));
    (backend, palisade)
}

/// Nothing of an answer tells why.
#[track_caller]
fn assert_tells_nothing(answer: &Answer) {
    let said = format!("{}\n{}", answer.head, answer.text()).to_ascii_lowercase();
    for word in [
        "secret",
        "rule",
        "backend",
        "palisade",
        "crowdsec",
        "decision",
        "127.0.0.1",
    ] {
        assert!(!said.contains(word), "{word}: {said}");
    }
}

#[track_caller]
fn request_id(answer: &Answer) -> String {
    answer
        .header("X-Request-Id")
        .expect("a request id")
        .to_owned()
}

#[test]
fn a_refusal_comes_in_the_form_that_the_client_accepts() {
    let (_backend, palisade) = start("");
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for (accept, content_type) in [
        (browser, "text/html; charset=utf-8"),
        ("application/json", "application/json"),
        (
            "application/json;q=0.5, text/html;q=0.9",
            "text/html; charset=utf-8",
        ),
        ("text/plain", "text/plain; charset=utf-8"),
        ("image/avif", "text/plain; charset=utf-8"),
        ("*/*", "text/plain; charset=utf-8"),
    ] {
        let answer = palisade.get_with("/blocked", &format!("Accept: {accept}\r\n"));
        assert_eq!(answer.status, 403);
        assert_eq!(
            answer.header("Content-Type"),
            Some(content_type),
            "{accept}"
        );
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        assert_eq!(
            answer.header("Content-Length"),
            Some(&*answer.body.len().to_string())
        );
        let id = request_id(&answer);
        assert!(answer.text().contains(&id), "{}", answer.text());
        assert_tells_nothing(&answer);
        if content_type == "application/json" {
            let page: Value = serde_json::from_slice(&answer.body).expect("JSON");
            assert_eq!(
                (&page["status"], &page["request_id"]),
                (&403.into(), &id.into())
            );
        }
    }
    let plain = palisade.get("/gone");
    assert_eq!(
        (plain.status, plain.header("Content-Type")),
        (410, Some("text/plain; charset=utf-8"))
    );
}

#[test]
fn a_refused_head_request_gets_no_body_and_the_connection_goes_on() {
    let (_backend, palisade) = start("");
    let mut connection = palisade.connect();
    let request =
        |method: &str| format!("{method} /blocked HTTP/1.1\r\nHost: test.example\r\n\r\n");
    let head = connection
        .send(request("HEAD"))
        .answer_to_head()
        .expect("an answer");
    let get = connection.send(request("GET")).answer().expect("an answer");
    assert_eq!((head.status, get.status), (403, 403));
    for name in ["Content-Type", "Content-Length", "Cache-Control"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
    assert_ne!(request_id(&head), request_id(&get));
}

#[test]
fn over_http_2_a_refusal_is_the_same() {
    let (backend, palisade) = start("");
    let url = |path: &str| format!("http://{}{path}", palisade.address());
    let accept = "Accept: application/json";
    let answer = curl(&["--http2-prior-knowledge", "-H", accept, &url("/blocked")]);
    assert!(answer.head.starts_with("HTTP/2 403"), "{}", answer.head);
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    let page: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(page["request_id"], *request_id(&answer));
    assert_tells_nothing(&Answer {
        head: answer.head.replace("x-request-id", ""),
        ..answer
    });

    let answer = curl(&["--http2-prior-knowledge", "--head", &url("/blocked")]);
    assert!(answer.head.starts_with("HTTP/2 403"), "{}", answer.head);
    assert!(answer.header("content-length").is_some() && answer.body.is_empty());
    assert!(backend.requests().is_empty());
}

#[test]
fn the_operator_may_have_a_page_and_a_status_of_their_own() {
    let backend = Backend::start();
    let folder = tempfile::tempdir().unwrap();
    let page = "<h1>Sorry</h1><p>{{status}} {{request_id}} {{ reason }}";
    std::fs::write(folder.path().join("blocked.html"), page).unwrap();
    let blocking = "blocking: { status: 429, page: blocked.html }";
    let palisade = Palisade::start_in(folder, &settings(&backend, blocking));
    let html = palisade.get_with("/blocked", "Accept: text/html\r\n");
    let id = request_id(&html);
    assert_eq!(html.status, 429);
    assert_eq!(
        html.text(),
        format!("<h1>Sorry</h1><p>429 {id} {{{{ reason }}}}")
    );
    assert_tells_nothing(&Answer {
        body: Vec::new(),
        ..html
    });
    let json = palisade.get_with("/blocked", "Accept: application/json\r\n");
    assert_eq!(
        (json.status, json.header("Content-Type")),
        (429, Some("application/json"))
    );
    let own = palisade.get_with("/gone", "Accept: text/html\r\n");
    assert_eq!(own.status, 410, "a rule's own status wins");
    assert!(own.text().starts_with("<h1>Sorry</h1><p>410 "));
}

#[test]
fn one_request_has_one_name_everywhere() {
    let (backend, palisade) = start("");
    palisade.get("/passes");
    let heard = &backend.requests()[0];
    let passed = heard.header("X-Request-Id").expect("a request id");
    palisade.wait_for_access(|line| line.contains(&format!(" id={passed} ")));

    let refused = request_id(&palisade.get("/blocked"));
    assert_ne!(passed, refused);
    palisade.wait_for_access(|line| line.contains(&format!(" id={refused} ")));
    let line = palisade.wait_for_decision(|line| line["request_id"] == *refused);
    assert_eq!(
        (&line["check"], &line["rule"]["id"]),
        (&"access".into(), &"secret-rule".into())
    );
    assert_eq!(line["client"]["ip"], "127.0.0.1");
    assert_eq!(line["client"]["provenance"], "peer");
    assert_eq!(
        (&line["path"], &line["site"]),
        (&"/blocked".into(), &"default".into())
    );
    assert!(line["checks_microseconds"].is_u64());

    let made_up = palisade.get_with("/blocked", "X-Request-Id: of-the-client\r\n");
    assert_ne!(
        request_id(&made_up),
        "of-the-client",
        "only a trusted hop may name requests"
    );
}

#[test]
fn a_refusal_by_a_decision_stays_out_of_what_an_agent_reads() {
    let (backend, palisade) = start("admin: { socket: admin.sock }");
    assert_eq!(palisade.get("/before").status, 200);
    palisade.decisions(&["add", "127.0.0.1", "--reason", "a secret scenario"]);
    let refused = palisade.get_with("/refused", "Accept: text/html\r\n");
    assert_eq!(refused.status, 403);
    assert_tells_nothing(&refused);
    let id = request_id(&refused);
    let line = palisade.wait_for_decision(|line| line["request_id"] == *id);
    assert_eq!(line["decision"]["scenario"], "a secret scenario");
    assert_eq!(line["decision"]["origin"], "local");
    palisade.decisions(&["flush"]);
    assert_eq!(palisade.get("/blocked").status, 403);
    assert_eq!(palisade.get("/after").status, 200);
    let log = wait_for("three lines", || {
        let log = palisade.access_log();
        (log.len() == 3).then_some(log)
    });
    let mut paths: Vec<&str> = log
        .iter()
        .filter_map(|line| line.split(' ').nth(7))
        .collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/after", "/before", "/blocked"], "{log:#?}");
    assert_eq!(backend.requests().len(), 2);
}

/// What CrowdSec's `nginx-logs` parser takes apart, written out.
static NGINX_LOGS: LazyLock<Regex> = LazyLock::new(|| {
    let host = r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Za-z][0-9A-Za-z.\-]*)";
    let pattern = [
        r"(?:(?<vhost>HOST)(?::[1-9]\d*)? )?(?<addr>HOST) - (?:[a-zA-Z0-9.@\-+_%]+ )?",
        r#"\[(?<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+\d{4})\] "(?<verb>\w+) (?<request>.*?)"#,
        r#" HTTP/(?<version>\d+(?:\.\d+)?)" (?<status>\d+) (?<bytes>\d+) "(?<referer>[^"]*)""#,
        r#" "(?<agent>[^"]*)""#,
    ];
    Regex::new(&pattern.concat().replace("HOST", host)).unwrap()
});

#[test]
fn an_agent_can_read_the_combined_log() {
    let (_backend, palisade) = start("");
    let forged = "a 198.51.100.66 - - [21/Nov/2026:19:32:25 +0000] \"GET /.env HTTP/1.1\" 404 1";
    palisade.get_with(
        "/page?q=1",
        "User-Agent: test/1.0\r\nReferer: https://test.example/\r\n",
    );
    palisade.get_with(
        "/forged",
        &format!("User-Agent: {forged}\r\nReferer: {forged}\r\n"),
    );
    palisade.get("/blocked/x");
    let mut log = wait_for("three lines", || {
        let log = palisade.access_log();
        (log.len() == 3).then_some(log)
    });
    // They come on connections of their own, so their lines have no order.
    log.sort_by_key(|line| ["/page", "/forged", "/blocked"].map(|path| !line.contains(path)));
    let parsed: Vec<_> = log
        .iter()
        .map(|line| NGINX_LOGS.captures(line).expect(line))
        .collect();
    for line in &parsed {
        assert_eq!(
            (&line["vhost"], &line["addr"], &line["verb"]),
            ("test.example", "127.0.0.1", "GET")
        );
    }
    let first = &parsed[0];
    assert_eq!(
        (&first["request"], &first["status"], &first["bytes"]),
        ("/page?q=1", "200", "2")
    );
    assert_eq!(
        (&first["agent"], &first["referer"]),
        ("test/1.0", "https://test.example/")
    );
    assert!(log[0].contains(" outcome=forwarded") && log[0].contains(" upstream=backend-name"));
    assert_eq!(
        (&parsed[1]["request"], &parsed[1]["status"]),
        ("/forged", "200")
    );
    assert_eq!(
        (&parsed[2]["request"], &parsed[2]["status"]),
        ("/blocked/x", "403")
    );
    assert!(log[2].contains(" outcome=refused check=access"));
}

/// The log of one request in a format.
fn logged_as(format: &str) -> Value {
    let backend = Backend::answering(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno",
    );
    let logs = format!("logs: {{ access: {{ path: access.log, format: {format} }} }}");
    let folder = tempfile::tempdir().unwrap();
    let palisade = Palisade::start_with_logs(folder, &settings(&backend, &logs));
    palisade.get_with("/a?b=%22c%22", "User-Agent: test \"1\" \\\r\n");
    let line = palisade.wait_for_access(|_| true);
    assert!(
        palisade.decision_log().is_empty(),
        "what isn't named isn't written"
    );
    serde_json::from_str(&line).expect("JSON")
}

#[test]
fn the_access_log_may_be_json() {
    let line = logged_as("json");
    for (name, expected) in [
        ("client_ip", Value::from("127.0.0.1")),
        ("client_provenance", "peer".into()),
        ("host", "test.example".into()),
        ("method", "GET".into()),
        ("target", "/a?b=%22c%22".into()),
        ("version", "HTTP/1.1".into()),
        ("status", 401.into()),
        ("body_bytes", 2.into()),
        ("user_agent", "test \"1\" \\".into()),
        ("upstream", "backend-name".into()),
        ("site", "default".into()),
        ("outcome", "forwarded".into()),
    ] {
        assert_eq!(line[name], expected, "{name}");
    }
    assert!(line["duration_seconds"].as_f64() >= line["upstream_duration_seconds"].as_f64());
}

#[test]
fn the_access_log_may_be_like_caddys() {
    let line = logged_as("caddy");
    assert_eq!(line["logger"], "http.log.access");
    assert_eq!(line["msg"], "handled request");
    assert!(line["ts"].as_f64().is_some_and(|seconds| seconds > 1.7e9));
    assert_eq!((&line["status"], &line["size"]), (&401.into(), &2.into()));
    let request = &line["request"];
    for (name, expected) in [
        ("client_ip", "127.0.0.1"),
        ("proto", "HTTP/1.1"),
        ("method", "GET"),
        ("host", "test.example"),
        ("uri", "/a?b=%22c%22"),
    ] {
        assert_eq!(request[name], expected, "{name}");
    }
    assert_eq!(request["headers"]["User-Agent"][0], "test \"1\" \\");
    // An agent takes it for a failed login.
    assert_eq!(line["resp_headers"]["Www-Authenticate"][0], "Basic");
}

#[test]
fn what_is_malformed_is_seen_in_both_logs_and_a_counter() {
    let (backend, palisade) = start("");
    let answer = palisade
        .exchange("GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        .expect("an answer");
    assert_eq!(answer.status, 400);
    let id = request_id(&answer);
    let line = palisade.wait_for_decision(|line| line["request_id"] == *id);
    assert_eq!(
        (&line["check"], &line["status"]),
        (&"hygiene".into(), &400.into())
    );
    let reason = line["reason"].as_str().expect("a reason");
    let counter = format!("palisade_hygiene_refusals_total{{reason=\"{reason}\"}}");
    assert_eq!(palisade.metric(&counter), 1.0, "{counter}");
    let logged = palisade.wait_for_access(|line| line.contains(&id));
    assert!(
        logged.contains(" 400 ") && logged.contains("check=hygiene"),
        "{logged}"
    );

    // No HTTP at all.
    let garbage = palisade
        .exchange("\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        .expect("an answer");
    let id = request_id(&garbage);
    let line = palisade.wait_for_decision(|line| line["request_id"] == *id);
    assert!(
        line["malformed"]
            .as_str()
            .is_some_and(|shown| shown.contains('\u{16}')),
        "{line}"
    );
    let logged = palisade.wait_for_access(|line| line.contains(&id));
    assert!(logged.contains("\"\\x16\\x03\\x01\\x02"), "{logged}");
    assert!(backend.requests().is_empty());
}

#[test]
fn a_log_that_was_moved_away_is_begun_anew() {
    let (_backend, palisade) = start("");
    palisade.get("/old");
    palisade.wait_for_access(|line| line.contains("/old"));
    let path = palisade.directory().join("access.log");
    let moved = palisade.directory().join("access.log.1");
    std::fs::rename(&path, &moved).unwrap();
    // Whoever rotates logs says so, or lets Palisade find out.
    wait_for("a new file", || {
        palisade.get("/new");
        palisade
            .access_log()
            .iter()
            .any(|line| line.contains("/new"))
            .then_some(())
    });
    let old = std::fs::read_to_string(&moved).unwrap();
    assert_eq!(old.lines().filter(|line| line.contains("/old")).count(), 1);
    assert!(
        palisade
            .access_log()
            .iter()
            .all(|line| !line.contains("/old"))
    );
}

/// The metrics that METRICS.md lists, each with its type and labels.
fn documented_metrics() -> HashMap<&'static str, (&'static str, HashSet<&'static str>)> {
    let document = include_str!("../../crates/telemetry/METRICS.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let columns: Vec<&str> = row.split(" | ").collect();
        let labels = columns[2]
            .split([',', '`', ' '])
            .filter(|label| !label.is_empty());
        (
            columns[0].trim_end_matches('`'),
            (columns[1], labels.collect()),
        )
    })
    .collect()
}

#[test]
fn metrics_are_those_that_are_documented() {
    let backend = Backend::start();
    // Nothing listens there: the point is that LAPI's metrics are shown.
    let more = "
crowdsec: { lapi_url: \"http://127.0.0.1:9/\", api_key: none }
admin: { address: 127.0.0.1:0, socket: admin.sock }
block_lists: { bad: { file: bad.txt } }
include: more.yaml
";
    let directory = tempfile::tempdir().unwrap();
    let named = "upstreams: { named: { servers: [\"localhost:9\"], health_check: { tcp: true } } }";
    std::fs::write(directory.path().join("more.yaml"), named).unwrap();
    std::fs::write(directory.path().join("bad.txt"), "192.0.2.9\n").unwrap();
    let palisade = Palisade::start_in(directory, &settings(&backend, more));
    palisade.decisions(&["add", "192.0.2.1"]);
    palisade.get("/");
    palisade.get("/blocked");
    palisade.get("/%zz");
    let documented = documented_metrics();
    // A list is read and a server is asked a moment after the start.
    let shown = wait_for("what comes a moment later", || {
        let shown = palisade.metrics();
        let later = ["palisade_list_entries{", "server_check_failures{"];
        later
            .iter()
            .all(|name| shown.contains(name))
            .then_some(shown)
    });
    let mut families = HashSet::new();
    for line in shown.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').unwrap();
            assert_eq!(
                documented.get(name).map(|(kind, _)| *kind),
                Some(kind),
                "{name}"
            );
            families.insert(name);
        } else if !line.starts_with('#') {
            let name = line.split([' ', '{']).next().unwrap();
            let name = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| {
                    name.strip_suffix(end)
                        .filter(|base| documented.contains_key(base))
                })
                .unwrap_or(name);
            let labels = line.split_once('{').map_or("", |(_, rest)| rest);
            let labels = labels
                .split(['{', ','])
                .filter_map(|part| Some(part.split_once("=\"")?.0));
            let labels: HashSet<&str> = labels.filter(|label| *label != "le").collect();
            assert!(labels.is_subset(&documented[name].1), "{line}");
        }
    }
    let missing: Vec<_> = documented
        .keys()
        .filter(|name| !families.contains(**name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(
        palisade.metric("palisade_refusals_total{check=\"access\"}"),
        1.0
    );
    assert_eq!(
        palisade.metric("palisade_requests_total{outcome=\"forwarded\",status=\"2xx\"}"),
        1.0
    );
    assert_eq!(
        palisade.metric("palisade_upstream_duration_seconds_count{upstream=\"backend-name\"}"),
        1.0
    );
}

#[test]
fn the_metrics_door_has_three_things_and_no_more() {
    let (_backend, palisade) = start("");
    let ask = |target: &str| palisade.metrics_door(target);
    assert_eq!((ask("/healthz").status, ask("/readyz").status), (200, 200));
    let metrics = ask("/metrics");
    assert!(
        metrics
            .header("Content-Type")
            .is_some_and(|kind| kind.starts_with("text/plain"))
    );
    for target in ["/", "/status", "/decisions", "/metrics/x", "/.env"] {
        assert_eq!(ask(target).status, 404, "{target}");
    }
}

#[test]
fn the_admin_door_tells_how_things_are_to_those_who_ask_for_it_by_name() {
    let (_backend, palisade) =
        start("admin: { address: 127.0.0.1:0, socket: admin.sock, hosts: admin.example }");
    palisade.decisions(&["add", "192.0.2.0/24"]);
    for host in ["localhost", "127.0.0.1:9901", "[::1]", "Admin.Example"] {
        assert_eq!(palisade.admin_door("/status", host).status, 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "192.0.2.1", ""] {
        let answer = palisade.admin_door("/status", host);
        assert!(answer.status >= 400, "{host}");
        assert!(!answer.text().contains("uptime"), "{host}");
    }
    assert_eq!(palisade.admin_door("/decisions", "localhost").status, 403);
    assert_eq!(palisade.admin_door("/metrics", "localhost").status, 404);
    let status = palisade.status();
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["ready"], true);
    assert_eq!(status["settings"]["generation"], 1);
    assert_eq!(status["lapi"]["configured"], false);
    assert_eq!(status["decisions"]["total"], 1);
    assert_eq!(status["upstreams"][0]["name"], "backend-name");
    assert_eq!(
        status["listeners"][0]["address"],
        palisade.address().to_string()
    );
    assert_eq!(status["failure_policies"]["lapi"]["on_failure"], "open");
}
