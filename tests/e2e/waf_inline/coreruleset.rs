//! OWASP CRS at its default paranoia, where it is at hand: a folder named by `PALISADE_CRS`.

use serde_json::Value;

use super::benign::{form, hashing_backend, upload};
use super::{FORM, Gate, SetUp, gzip, ids, multipart, post, post_chunked};
use crate::harness::{Backend, Http2Client, Palisade, run};
use crate::waf::crs::{crs, rules};

/// Of bodies, rules look at one MiB, with files and without.
const LIMITS: &str = "SecRequestBodyLimit 1048576
SecRequestBodyNoFilesLimit 1048576
SecRequestBodyLimitAction ProcessPartial
";
const INJECTION: &str = "id=1%27+or+1%3D1--+";
const BROWSER: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0)\r\nAccept: */*\r\n";

/// The key of `waf` that names CRS's files behind what a deployment adds.
fn files(crs: &str) -> String {
    let mut files = rules(crs, &["blocking.conf"]);
    files.insert(1, "limits.conf".to_owned());
    format!("rules: {files:?}")
}

fn gate(crs: &str, mode: &str) -> Gate {
    Gate::set_up(
        Backend::start(),
        &SetUp {
            files: &[("limits.conf", LIMITS)],
            waf: &format!("{}{mode}", files(crs)),
            ..SetUp::default()
        },
    )
}

/// An injection of SQL in a query, a form, JSON, a multipart form and a chunked body.
fn attacks() -> [(&'static str, Vec<u8>); 5] {
    let with_browser = |headers: &str| format!("{BROWSER}{headers}");
    let form = with_browser(FORM);
    let json = with_browser("Content-Type: application/json\r\n");
    let (headers, parts) = multipart("id", b"1' or 1=1-- ", None);
    let get = format!("GET /?{INJECTION} HTTP/1.1\r\nHost: test.example\r\n{BROWSER}\r\n");
    [
        ("query", get.into_bytes()),
        ("form", post(&form, INJECTION)),
        ("JSON", post(&json, r#"{"id": "1' or 1=1-- "}"#)),
        ("multipart", post(&with_browser(headers), parts)),
        ("chunks", post_chunked(&form, INJECTION, 5)),
    ]
}

#[test]
fn an_injection_of_sql_is_refused_before_the_backend_hears_of_it() {
    let Some(crs) = crs("an injection of SQL, refused") else {
        return;
    };
    let gate = gate(&crs, "");
    for (place, attack) in attacks() {
        let answer = gate.palisade.exchange(attack).expect("an answer");
        assert_eq!(answer.status, 403, "{place}");
    }
    gate.backend_saw_nothing();
}

#[test]
fn an_injection_of_sql_that_is_only_detected_is_in_both_logs() {
    let Some(crs) = crs("an injection of SQL, detected") else {
        return;
    };
    let gate = gate(&crs, ", mode: detect");
    for (place, attack) in attacks() {
        let mut client = gate.palisade.connect();
        let port = client.local_address().port();
        let answer = client.send(attack).answer().expect("an answer");
        assert_eq!(answer.status, 200, "{place}");
        let line = gate.wait_for_audit(|line| line["client_port"] == port);
        assert_eq!(line["outcome"], "would_refuse", "{place}: {line}");
        assert!(ids(&line).contains(&942_100), "{place}: {line}");
        let decision = gate
            .palisade
            .wait_for_decision(|line| line["client"]["port"] == port);
        check_decision(&decision);
    }
    assert_eq!(gate.backend.requests().len(), 5);
}

#[track_caller]
fn check_decision(decision: &Value) {
    let waf = &decision["waf"];
    assert_eq!(
        (&decision["check"], &decision["mode"]),
        (&"waf".into(), &"would_refuse".into())
    );
    assert_eq!(waf["rule"], 949_110, "{waf}");
    let score: u64 = waf["score"].as_str().unwrap().parse().unwrap();
    assert!(score >= 5, "{waf}");
    let rules = waf["rules"].as_array().unwrap();
    assert!(rules.contains(&942_100.into()), "{waf}");
}

#[test]
fn a_leak_is_found_whether_it_is_compressed_or_not() {
    let Some(crs) = crs("leaks in answers") else {
        return;
    };
    let leak =
        b"<p>You have an error in your SQL syntax; check the manual that corresponds to your \
        MySQL server version for the right syntax to use near 'x'</p>";
    for (coding, body) in [
        ("", leak.to_vec()),
        ("Content-Encoding: gzip\r\n", gzip(leak)),
    ] {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{coding}Content-Length: {}\r\n\r\n",
            body.len()
        );
        let backend = Backend::answering([head.as_bytes(), &body].concat());
        let gate = Gate::set_up(
            backend,
            &SetUp {
                files: &[("limits.conf", LIMITS)],
                waf: &files(&crs),
                ..SetUp::default()
            },
        );
        let headers = format!("{BROWSER}Accept-Encoding: gzip\r\n");
        let got = gate.palisade.get_with("/", &headers);
        assert_eq!(got.status, 403, "{coding:?}: {}", got.head);
        let line = gate.wait_for_audit(|line| line["outcome"] == "refused");
        assert!(ids(&line).contains(&951_230), "{coding:?}: {line}");
    }
}

#[test]
fn benign_bodies_arrive_whole() {
    let Some(crs) = crs("benign bodies") else {
        return;
    };
    let gate = gate(&crs, "");
    let form = form();
    let headers = format!("{BROWSER}{FORM}");
    assert_eq!(gate.post(&headers, &form).status, 200);
    let chunks = gate.palisade.exchange(post_chunked(&headers, &form, 1000));
    assert_eq!(chunks.unwrap().status, 200);
    run(async {
        let client = Http2Client::connect(gate.palisade.address()).await;
        let fields = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("user-agent", "Mozilla/5.0"),
            ("accept", "*/*"),
        ];
        let mut exchange = client.begin("POST", "/form", &fields, false).await;
        exchange.send(&form).await;
        exchange.end();
        assert_eq!(exchange.answer().await.unwrap().status, 200);
    });
    let seen = gate.backend.requests();
    assert!(seen.len() == 3 && seen.iter().all(|request| request.body == form));
}

#[test]
fn a_benign_upload_of_100_mib_arrives_whole() {
    let Some(crs) = crs("an upload of 100 MiB") else {
        return;
    };
    let (backend, arrived) = hashing_backend();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("limits.conf"), LIMITS).unwrap();
    let palisade = Palisade::start_in(
        folder,
        &format!(
            "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
waf: {{ {} }}
",
            files(&crs)
        ),
    );
    upload(&palisade, &arrived);
}
