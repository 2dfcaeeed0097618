//! What is told beside the logs of decisions.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

use serde_json::Value;

use super::{EVIL, FORM, post};
use crate::harness::{Backend, Palisade, wait_for};

/// With an audit log, `audit.log`, of which `log` says more.
fn gate(backend: &Backend, rules: &str, log: &str) -> Palisade {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.conf"), rules).unwrap();
    Palisade::start_with_logs(
        folder,
        &format!(
            "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
waf: {{ rules: rules.conf }}
logs: {{ audit: {{ path: audit.log{log} }} }}
"
        ),
    )
}

/// The first line of the audit log that is for the request with this path.
#[track_caller]
fn line(palisade: &Palisade, path: &str) -> Value {
    let log = palisade.directory().join("audit.log");
    wait_for("a line of the audit log", || {
        let log = fs::read_to_string(&log).ok()?;
        let mut lines = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        lines.find(|line: &Value| {
            let request = line.get("transaction").unwrap_or(line);
            let target = request["request"]
                .get("uri")
                .or(request["request"].get("target"));
            target.is_some_and(|target| target.as_str().unwrap().starts_with(path))
        })
    })
}

#[test]
fn the_error_log_and_the_metrics_tell_of_a_rule_that_matched() {
    let backend = Backend::start();
    let palisade = gate(&backend, EVIL, ", format: error_log");
    assert_eq!(palisade.get("/?a=evil").status, 403);
    assert_eq!(palisade.get("/?a=b").status, 200);
    let path = palisade.directory().join("audit.log");
    let told = wait_for("a line", || {
        let told = fs::read_to_string(&path).ok()?;
        told.ends_with('\n').then_some(told)
    });
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(
        told.contains("[error] [client 127.0.0.1] ModSecurity: Access denied. Matched at ARGS:a."),
        "{told}"
    );
    assert!(
        told.contains("[id \"100\"] [msg \"Evil in ARGS:a\"]"),
        "{told}"
    );
    wait_for("both requests to be counted", || {
        let metrics = palisade.metrics();
        let refused = metrics.contains("palisade_refusals_total{check=\"waf\"} 1");
        (refused && metrics.contains("palisade_waf_requests_total 2")).then_some(())
    });
}

/// The paths of all members, with `[]` for what is in a list.
fn members(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members_of) => {
            for (name, value) in members_of {
                members(value, &format!("{path}.{name}"), into);
            }
        }
        Value::Array(values) => {
            for value in values {
                members(value, &format!("{path}[]"), into);
            }
        }
        Value::String(_) => drop(into.insert(format!("{path}: text"))),
        _ => drop(into.insert(format!("{path}: number"))),
    }
}

/// Rules for the audit log of ModSecurity, with all that a rule can say of itself.
const TOLD: &str = r#"SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html
SecComponentSignature "test/1.0"
SecRule ARGS "@contains evil" "id:1,phase:2,deny,status:403,log,auditlog,msg:'Evil',logdata:'found %{MATCHED_VAR}',tag:'a',tag:'b',severity:'CRITICAL',ver:'v1',rev:'2',maturity:'1',accuracy:'2'"
SecRule ARGS:x "@contains mild" "id:2,phase:2,pass,log,auditlog,msg:'Mild'"
"#;

/// What a line of ModSecurity 3.0.9 had, asked with the same rules, all parts and `/?x=mild` by a client that
/// sent Host and User-Agent.
const OF_MODSECURITY: [&str; 29] = [
    ".transaction.client_ip: text",
    ".transaction.client_port: number",
    ".transaction.host_ip: text",
    ".transaction.host_port: number",
    ".transaction.messages[].details.accuracy: text",
    ".transaction.messages[].details.data: text",
    ".transaction.messages[].details.file: text",
    ".transaction.messages[].details.lineNumber: text",
    ".transaction.messages[].details.match: text",
    ".transaction.messages[].details.maturity: text",
    ".transaction.messages[].details.reference: text",
    ".transaction.messages[].details.rev: text",
    ".transaction.messages[].details.ruleId: text",
    ".transaction.messages[].details.severity: text",
    ".transaction.messages[].details.ver: text",
    ".transaction.messages[].message: text",
    ".transaction.producer.components[]: text",
    ".transaction.producer.connector: text",
    ".transaction.producer.modsecurity: text",
    ".transaction.producer.secrules_engine: text",
    ".transaction.request.body: text",
    ".transaction.request.http_version: number",
    ".transaction.request.method: text",
    ".transaction.request.uri: text",
    ".transaction.response.body: text",
    ".transaction.response.http_code: number",
    ".transaction.server_id: text",
    ".transaction.time_stamp: text",
    ".transaction.unique_id: text",
];

#[test]
fn the_audit_log_can_be_as_modsecurity_has_it() {
    let backend = Backend::start();
    let palisade = gate(&backend, TOLD, ", format: modsecurity, parts: ABIJDEFHZ");
    assert_eq!(palisade.get("/one?x=mild").status, 200);
    let told = line(&palisade, "/one");
    let mut found = BTreeSet::new();
    members(&told, "", &mut found);
    found.retain(|path| !path.contains(".headers."));
    let expected: BTreeSet<String> = OF_MODSECURITY.into_iter().map(str::to_owned).collect();
    assert_eq!(found, expected, "{told}");
    let transaction = &told["transaction"];
    assert_eq!(transaction["request"]["headers"]["Host"], "test.example");
    assert_eq!(transaction["response"]["http_code"], 200);
    assert_eq!(
        transaction["messages"][0]["details"]["match"],
        "Matched \"Operator `Contains' with parameter `mild' against variable `ARGS:x' (Value: `mild' )"
    );

    // Bodies, as far as rules saw them.
    let refused = palisade
        .exchange(post(FORM, "y=evil&z=1"))
        .expect("an answer");
    assert_eq!(refused.status, 403);
    let told = &line(&palisade, "/form")["transaction"];
    assert_eq!(told["request"]["body"], "y=evil&z=1");
    assert_eq!(told["response"]["http_code"], 403);
    let message = &told["messages"][0];
    assert_eq!(
        (&message["message"], &message["details"]["ruleId"]),
        (&"Evil".into(), &"1".into())
    );
    assert_eq!(message["details"]["data"], "found evil");
}

#[test]
fn the_audit_log_has_the_parts_that_are_named() {
    let backend = Backend::start();
    let check = |parts: &str, expected: &[&str]| {
        let palisade = gate(
            &backend,
            TOLD,
            &format!(", format: modsecurity, parts: {parts}"),
        );
        assert_eq!(palisade.get("/one?x=mild").status, 200);
        let told = line(&palisade, "/one");
        let all = [
            "request.body",
            "request.headers",
            "response.body",
            "response.headers",
            "messages",
        ];
        let has = |path: &&str| {
            let pointer = format!("/transaction/{}", path.replace('.', "/"));
            told.pointer(&pointer).is_some()
        };
        let found: Vec<&str> = all.into_iter().filter(has).collect();
        assert_eq!(found, expected, "{parts}: {told}");
    };
    check("AZ", &[]);
    check("ABZ", &["request.headers"]);
    check("ACEZ", &["request.body", "response.body"]);
    check("AFHZ", &["response.headers", "messages"]);
}

#[test]
fn secrets_are_not_in_the_audit_log() {
    let backend = Backend::start();
    let rules = r#"SecRuleEngine On
SecRequestBodyAccess On
SecRule ARGS|REQUEST_HEADERS|REQUEST_COOKIES "@rx s3.r3t" "id:1,phase:2,pass,log,msg:'Seen',logdata:'%{MATCHED_VAR_NAME} %{MATCHED_VAR}'"
"#;
    let redact = ", redact: { arguments: [token], headers: [X-Key], cookies: [sid] }";
    for form in ["json", "modsecurity, parts: ABCEFHZ", "error_log"] {
        let palisade = gate(&backend, rules, &format!(", format: {form}{redact}"));
        let body = "user=ann&login%5Btoken%5D=s3cr3t";
        let request = format!(
            "POST /one?token=s3cr3t&q=open HTTP/1.1\r\nHost: palisade.test\r\nX-Key: s3cr3t\r\nCookie: a=b; sid=s3cr3t\r\n\
             {FORM}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(palisade.exchange(&request).expect("an answer").status, 200);
        let log = palisade.directory().join("audit.log");
        let told = wait_for("a line", || {
            let told = fs::read_to_string(&log).ok()?;
            told.ends_with('\n').then_some(told)
        });
        assert!(
            told.contains("Seen") && told.contains("ARGS"),
            "{form}: {told}"
        );
        assert!(!told.contains("s3cr3t"), "{form}: {told}");
        if form != "error_log" {
            assert!(told.contains("/one?token=******&q=open"), "{form}: {told}");
        }
    }
    // The backend has all of it.
    let seen = backend.requests();
    assert!(
        seen.iter().all(|one| one.body.ends_with(b"s3cr3t")),
        "{seen:?}"
    );
}

#[test]
fn a_rotation_of_the_audit_log_costs_no_line() {
    let backend = Backend::start();
    let palisade = gate(&backend, EVIL, "");
    let log = palisade.directory().join("audit.log");
    let lines = |path: &Path| fs::read_to_string(path).unwrap_or_default().lines().count();
    let mut sent = 0;
    let mut fill = || {
        for _ in 0..50 {
            assert_eq!(palisade.get("/?a=evil").status, 403);
        }
        sent += 50;
        sent
    };
    let rotated = [log.with_extension("1"), log.with_extension("2")];
    for (number, to) in rotated.iter().enumerate() {
        fill();
        fs::rename(&log, to).unwrap();
        match number {
            // As logrotate's `create` does.
            0 => drop(File::create(&log).unwrap()),
            _ => palisade.signal("HUP"),
        }
        // What was under way may still go to the old file, nothing that comes then.
        wait_for("a line in the new file", || {
            fill();
            (lines(&log) > 0).then_some(())
        });
    }
    let sent = fill();
    wait_for("all lines", || {
        let all = lines(&log) + rotated.iter().map(|one| lines(one)).sum::<usize>();
        (all == sent).then_some(())
    });
}
