//! `palisade waf shadow report`

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::Value;

use super::{ACTIVE, Gate, STRICTER};
use crate::harness::{Backend, Palisade};

#[track_caller]
fn report(arguments: &[&str]) -> String {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn run(arguments: &[&str]) -> Output {
    Palisade::execute(&[&["waf", "shadow", "report"], arguments].concat())
}

#[test]
fn it_says_what_promotion_would_refuse_by_rule_path_and_client() {
    let mut gate = Gate::with(ACTIVE, STRICTER);
    for (target, status) in [
        ("/shop?q=odd", 200),
        ("/shop?q=odd&x=1", 200),
        ("/cart?x=odd", 200),
        ("/cart?q=evil", 403),
        ("/cart?q=good", 200),
    ] {
        assert_eq!(gate.palisade.get(target).status, status, "{target}");
    }
    gate.wait_for_metric(super::EVALUATED, 5.0);
    gate.stop();
    let settings = gate.palisade.settings();
    let text = report(&["--config", settings.to_str().unwrap(), "--top", "1"]);
    let has = |line: &str| text.lines().any(|told| told.trim_end() == line);
    assert!(
        has("judged                     5  requests, of which 2 came to the same"),
        "{text}"
    );
    assert!(
        has("new refusals               3  pass now, and would be refused"),
        "{text}"
    );
    assert!(
        has("lost refusals              0  are refused now, and would pass"),
        "{text}"
    );
    assert!(
        has("                           3         3  300        Too odd  ARGS:q"),
        "{text}"
    );
    assert!(
        has("                           2         2  test.example/shop"),
        "{text}"
    );
    assert!(has("  ... and 1 more; --top N shows more"), "{text}");
    assert!(
        has("                           3         3  127.0.0.1"),
        "{text}"
    );
    assert!(
        text.contains("Promotion would refuse 3 of the requests that pass now."),
        "{text}"
    );
    let log = gate.log_path();
    let json = report(&["--json", log.to_str().unwrap()]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["evaluated"], &json["agreed"]),
        (&5.into(), &2.into()),
        "{json}"
    );
    assert_eq!(
        (&json["would_be_refused"], &json["new_refusals"]),
        (&3.into(), &3.into())
    );
    let path = serde_json::json!({"name": "test.example/cart", "would_be_refused": 1, "all": 1});
    assert_eq!(json["paths"][1], path, "{json}");
}

#[test]
fn it_says_what_is_next_where_nothing_would_be_refused() {
    let mut gate = Gate::with(ACTIVE, STRICTER);
    let path = gate.log_path();
    let path = path.to_str().unwrap();
    assert!(report(&[path]).contains("Nothing was judged"));
    assert_eq!(gate.palisade.get("/?q=good").status, 200);
    gate.wait_for_metric(super::EVALUATED, 1.0);
    gate.stop();
    let text = report(&[path]);
    assert!(text.contains("Next: `waf.shadow.promoted: true`"), "{text}");
}

#[test]
fn it_reads_several_logs_and_tells_of_what_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let summary = r#"{"time":"2026-11-30T10:00:00Z","kind":"summary","evaluated":4,"agreed":4,"skipped":{"budget":2}}"#;
    let forged = r#"{"time":"2026-11-30T11:00:00Z","kind":"new_refusal","client_ip":"192.0.2.1","host":"h\u001b[2J","path":"/\u202e","active":{"outcome":"passed","only":[]},"shadow":{"outcome":"refused","rule":7,"only":[{"id":7}]}}"#;
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    std::fs::write(&one, format!("{summary}\n{{\"time\":\n")).unwrap();
    std::fs::write(&other, format!("{forged}\n{summary}\n")).unwrap();
    let output = run(&[one.to_str().unwrap(), other.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("8  requests, of which 8 came to the same; skipped: 4 budget"),
        "{text}"
    );
    assert!(
        text.contains("2026-11-30T10:00:00Z to 2026-11-30T11:00:00Z"),
        "{text}"
    );
    assert!(text.contains(r"h\u{1b}[2J/\u{202e}"), "{text}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        said,
        "1 lines are no lines of a shadow log, and are left out\n"
    );
    // From standard input, as JSON, it is as harmless.
    let mut child = Palisade::command()
        .args(["waf", "shadow", "report", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(forged.as_bytes())
        .unwrap();
    let json = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(json.contains(r"h\u001b[2J/\u202e"), "{json}");
}

#[test]
fn logs_that_are_not_there_are_told() {
    let check = |arguments: &[&str], expected: &str| {
        let output = run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(expected), "{said}");
    };
    check(
        &["/nowhere/shadow.jsonl"],
        "can't read /nowhere/shadow.jsonl: ",
    );
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("palisade.yaml");
    let with_logs = |logs: &str| {
        let backend = Backend::start();
        let yaml = format!(
            "listeners: [{{ address: 127.0.0.1:0 }}]\nupstreams: {{ app: {{ servers: [\"{backend}\"] }} }}\nsites: [{{ upstream: app }}]\n{logs}\n"
        );
        std::fs::write(&settings, yaml).unwrap();
    };
    let config = ["--config", settings.to_str().unwrap()];
    with_logs("");
    check(&config, "the settings have no `logs.shadow`");
    with_logs("logs: { shadow: { path: \"-\" } }");
    check(&config, "`logs.shadow` goes to standard output");
}
