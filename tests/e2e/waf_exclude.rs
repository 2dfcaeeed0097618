//! `palisade waf exclude`: from a request that was refused and should not be to an exclusion that lets it
//! through, and nothing else.

mod logs;
mod places;
mod proofs;
mod writing;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::harness::{Answer, Backend, Palisade, wait_for};
use crate::waf::crs::{crs, rules};

/// Rules that find something in every kind of place, and others behind them.
const RULES: &str = r#"SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 1048576
SecRule REQUEST_HEADERS:Content-Type "@beginsWith application/json" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule ARGS|ARGS_NAMES|REQUEST_COOKIES|REQUEST_HEADERS|!REQUEST_HEADERS:Cookie|REQUEST_FILENAME "@contains evil" "id:100,phase:2,deny,log,msg:'Evil in %{MATCHED_VAR_NAME}'"
SecRule ARGS|REQUEST_COOKIES|REQUEST_HEADERS "@contains worse" "id:101,phase:2,deny,log,msg:'Worse'"
SecRule ARGS|REQUEST_HEADERS "@rx chain(\w+)" "id:103,phase:2,deny,log,capture,setvar:'tx.kept=%{TX.1}',setvar:'tx.kept_name=%{MATCHED_VAR_NAME}',logdata:'Matched Data: %{TX.0} found within %{TX.kept_name}: %{TX.0}',chain"
    SecRule TX:kept "@contains d" "t:none"
SecRule ARGS "@contains early" "id:102,phase:1,deny,log,msg:'Early'"
"#;

/// Tests of rule 100: an attack that it alone finds, one that another finds too, and none.
const TESTS: &str = r#"rule_id: 100
tests:
  - test_id: 1
    stages: [{ input: { uri: "/?x=evil", headers: { Host: localhost } }, output: { log: { expect_ids: [100] } } }]
  - test_id: 2
    stages: [{ input: { uri: "/?x=evil+worse", headers: { Host: localhost } }, output: { log: { expect_ids: [100] } } }]
  - test_id: 4
    stages: [{ input: { uri: "/?x=a+chained", headers: { Host: localhost } }, output: { log: { expect_ids: [103] } } }]
  - test_id: 3
    stages: [{ input: { uri: "/?x=good", headers: { Host: localhost } }, output: { log: { no_expect_ids: [100] } } }]
"#;

/// A Palisade with rules, whose exclusions are in a file of their own.
struct Site {
    palisade: Palisade,
    backend: Backend,
}

/// The two hosts that have the rules, of which one has no name in the settings.
const SITES: &str = "[{ hosts: app.example, upstream: app, waf: { rules_before: exclusions.conf } }, \
    { upstream: app, waf: { rules_before: exclusions.conf } }]";

impl Site {
    /// With [`RULES`] and [`TESTS`].
    #[track_caller]
    fn start() -> Self {
        Self::with(
            "rules: rules/rules.conf",
            SITES,
            "audit: { path: audit.jsonl }",
        )
    }

    /// With OWASP CRS, which this names the folder of.
    #[track_caller]
    fn with_crs(crs: &str) -> Self {
        let mut files = rules(crs, &["blocking.conf"]);
        files.insert(1, "limits.conf".to_owned());
        Self::with(
            &format!("rules: {files:?}"),
            SITES,
            "audit: { path: audit.jsonl }",
        )
    }

    #[track_caller]
    fn with(waf: &str, sites: &str, audit: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        fs::create_dir(folder.path().join("rules")).unwrap();
        fs::create_dir_all(folder.path().join("regression/tests")).unwrap();
        write("rules/rules.conf", RULES);
        write("regression/tests/100.yaml", TESTS);
        write("exclusions.conf", "# Exclusions of this deployment.\n");
        write(
            "limits.conf",
            "SecRequestBodyLimit 1048576\nSecRequestBodyNoFilesLimit 1048576\n",
        );
        let backend = Backend::start();
        let settings = format!(
            "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: {sites}
waf: {{ {waf} }}
logs: {{ decisions: {{ path: decisions.log }}, {audit} }}
"
        );
        let palisade = Palisade::start_with_logs(folder, &settings);
        Self { palisade, backend }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.palisade.directory().join(name)
    }

    fn exclusions(&self) -> String {
        fs::read_to_string(self.path("exclusions.conf")).unwrap()
    }

    /// The answer to a request whose bytes these are.
    #[track_caller]
    fn ask(&self, request: &str) -> Answer {
        self.palisade.exchange(request).expect("an answer")
    }

    /// The id of a request that is refused, once the audit log has it.
    #[track_caller]
    fn refused(&self, request: &str) -> String {
        let answer = self.ask(request);
        assert_eq!(answer.status, 403, "{request}");
        let id = answer.header("x-request-id").expect("an id").to_owned();
        self.audit_line(&id);
        id
    }

    /// The line of the audit log of a request.
    #[track_caller]
    fn audit_line(&self, id: &str) -> String {
        wait_for("a line of the audit log", || {
            let log = fs::read_to_string(self.path("audit.jsonl")).ok()?;
            let mut lines = log.split_inclusive('\n');
            let line = lines.find(|line| line.contains(id) && line.ends_with('\n'))?;
            Some(line.to_owned())
        })
    }

    /// `palisade waf exclude` to its end, with something on standard input.
    fn exclude_from(&self, arguments: &[&str], input: &str) -> Ended {
        let mut command = Palisade::command();
        let settings = self.palisade.settings();
        command.args(["waf", "exclude", "--config"]).arg(settings);
        let piped = command.args(arguments).stdin(Stdio::piped());
        let piped = piped.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        // One that doesn't read it may be gone.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ended::of(child.wait_with_output().unwrap())
    }

    fn exclude(&self, arguments: &[&str]) -> Ended {
        self.exclude_from(arguments, "")
    }

    /// Writes an exclusion for a request to the file that the settings name, and reads them again.
    #[track_caller]
    fn exclude_and_reload(&self, id: &str, more: &[&str]) -> Ended {
        let file = self.path("exclusions.conf");
        let arguments = [id, "--write", file.to_str().unwrap()];
        let ended = self.exclude(&[&arguments[..], more].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        self.reload();
        ended
    }

    #[track_caller]
    fn reload(&self) {
        let name = "palisade_reloads_total{result=\"ok\"}";
        let before = self.palisade.metric(name);
        self.palisade.signal("HUP");
        wait_for("a reload", || {
            (self.palisade.metric(name) > before).then_some(())
        });
    }

    #[track_caller]
    fn check(&self, table: &[(&str, u16)]) {
        for (request, status) in table {
            assert_eq!(self.ask(request).status, *status, "{request}");
        }
    }
}

/// How it ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    printed: String,
    said: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code().unwrap(),
            printed: text(output.stdout),
            said: text(output.stderr),
        }
    }

    /// Each of these is in what was printed.
    #[track_caller]
    fn prints(&self, expected: &[&str]) {
        for expected in expected {
            assert!(
                self.printed.contains(expected),
                "{expected:?} is not in:\n{}\n{}",
                self.printed,
                self.said
            );
        }
    }

    #[track_caller]
    fn fails(&self, expected: &str) {
        assert_eq!(self.code, 1, "{self:?}");
        assert!(self.said.contains(expected), "{expected:?}: {self:?}");
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.printed).expect("JSON")
    }
}

/// A request for a target of a host.
fn get(host: &str, target: &str) -> String {
    get_with(host, target, "")
}

/// The same with header lines, each ended by CR LF.
fn get_with(host: &str, target: &str, headers: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n{headers}\r\n"
    )
}

fn post(host: &str, target: &str, content_type: &str, body: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n\
         Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What OWASP CRS takes for an injection of SQL (942100), and what for a script (941).
const SQL: &str = "1%27+or+1%3D1--+";
const SCRIPT: &str = "%3Cscript%3Ealert(1)%3C/script%3E";

#[test]
fn a_false_positive_of_crs_passes_and_nothing_else() {
    let Some(crs) = crs("an exclusion for a false positive") else {
        return;
    };
    let site = Site::with_crs(&crs);
    let request = get("app.example", &format!("/search?q={SQL}"));
    let id = site.refused(&request);
    let ended = site.exclude_and_reload(&id, &["--comment", "titles of books"]);
    ended.prints(&[
        "rule 942100: SQL Injection Attack Detected via libinjection [ARGS:q = 1' or 1=1-- ]",
        "SecRule REQUEST_FILENAME \"@streq /search\" \"id:98000000,",
        "ctl:ruleRemoveTargetById=942100;ARGS:q\"",
        "without the exclusion refused by rule 949110 (also matched: 942100), with it passed",
        "LET THROUGH",
        "942100-1         1234 OR 1=1",
        "5003 tests as they are: 0 changed",
    ]);
    assert!(site.exclusions().contains("# Why: titles of books\n"));
    site.check(&[
        (&request, 200),
        (&get("app.example", &format!("/search?r={SQL}")), 403),
        (&get("app.example", &format!("/other?q={SQL}")), 403),
        (&get("app.example", &format!("/search/?q={SQL}")), 403),
        (&get("b.example", &format!("/search?q={SQL}")), 403),
        (&get("app.example", &format!("/search?q={SCRIPT}")), 403),
        (&get("app.example", &format!("/search?q=1&r={SQL}")), 403),
    ]);
    assert_eq!(site.backend.requests().len(), 1);
}

#[test]
fn a_rule_that_alone_does_not_refuse_is_not_spared() {
    let Some(crs) = crs("an exclusion of what has to be excluded alone") else {
        return;
    };
    let site = Site::with_crs(&crs);
    // That the host is an address scores 3 of the 5 that refuse.
    let request = get("192.0.2.1", &format!("/search?q={SQL}"));
    let id = site.refused(&request);
    assert!(site.audit_line(&id).contains("920350"));
    let ended = site.exclude_and_reload(&id, &[]);
    ended.prints(&[
        "left out           rule 920350: the request passes without sparing it",
        "ctl:ruleRemoveTargetById=942100;ARGS:q\"",
    ]);
    assert!(
        !site
            .exclusions()
            .contains("ctl:ruleRemoveTargetById=920350")
    );
    site.check(&[(&request, 200)]);
    // Who names a rule gets it.
    let named = site.exclude(&[&id, "--rule", "920350", "--unproven"]);
    named.prints(&["ctl:ruleRemoveTargetById=920350;REQUEST_HEADERS:Host\""]);
}
