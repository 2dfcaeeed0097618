//! `palisade waf explain`

use serde_json::{Value, json};

use super::{Ended, Folder};

const RULES: &str = r#"SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecRequestBodyLimit 100
SecAction "id:1,phase:1,nolog,pass,setvar:tx.inbound_anomaly_score_threshold=5"
SecRule ARGS "@contains evil" "id:2,phase:2,pass,log,t:lowercase,severity:CRITICAL,msg:'Evil in %{MATCHED_VAR_NAME}',logdata:'%{MATCHED_VAR}',setvar:tx.inbound_anomaly_score=+5"
SecRule TX:inbound_anomaly_score "@ge %{tx.inbound_anomaly_score_threshold}" "id:3,phase:2,deny,status:403,log,msg:'Too evil'"
SecRule REMOTE_ADDR "@ipMatch 198.51.100.0/24" "id:4,phase:1,drop,log,msg:'Not you'"
SecRule REQUEST_HEADERS:X-Go "@rx ^." "id:5,phase:1,redirect:https://a.example/,log"
SecRule RESPONSE_STATUS "@eq 500" "id:6,phase:3,pass,log,msg:'It broke'"
SecRule RESPONSE_BODY "@contains ORA-00933" "id:7,phase:4,deny,log,msg:'It leaks'"
SecRule REQUEST_METHOD "@streq PUT" "id:8,phase:1,pass,log,msg:'A put'"
SecRule REQUEST_BODY "@contains raw" "id:9,phase:2,pass,log,msg:'Raw'"
SecRule REQBODY_ERROR "!@eq 0" "id:10,phase:2,deny,status:400,log,msg:'%{REQBODY_ERROR_MSG}'"
"#;

fn folder() -> Folder {
    let detect = "SecRuleEngine DetectionOnly\n";
    Folder::with(&[("rules.conf", RULES), ("detect.conf", detect)])
}

/// What is told of a request, of which the arguments behind `--rules rules.conf` speak.
#[track_caller]
fn check(arguments: &[&str], expected: &[&str]) -> Ended {
    let ended = folder().waf(&[&["explain", "--rules", "rules.conf"], arguments].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.prints(expected);
    ended
}

const EVIL: &str = "https://app.example/x?q=EVIL+one";

#[test]
fn matches_scores_and_the_verdict_are_told() {
    let ended = check(
        &[EVIL],
        &[
            "client 192.0.2.1",
            "request GET /x?q=EVIL+one HTTP/1.1",
            "hygiene the head is clean",
            "rule 2 phase 2, CRITICAL, rules.conf:6:1",
            "msg Evil in ARGS:q",
            "data evil one",
            "matched ARGS:q = evil one",
            "does setvar:tx.inbound_anomaly_score=+5",
            "rule 3 phase 2, rules.conf:7:1",
            "matched TX:inbound_anomaly_score = 5",
            "does deny,status:403",
            "1 rules matched that are not logged; --all shows what they did:",
            "tx.inbound_anomaly_score 5",
            "tx.inbound_anomaly_score_threshold 5",
            "of 134217728 bytes looked at,",
            "=> would be refused by rule 3 with status 403 in phase 2",
        ],
    );
    assert_eq!(ended.said, "");
    check(&["https://app.example/x?q=good"], &["=> passes"]);
    check(
        &[EVIL, "--all"],
        &[
            "rule 1 phase 1, rules.conf:5:1, not logged",
            "does setvar:tx.inbound_anomaly_score_threshold=5",
        ],
    );
}

#[test]
fn other_ends() {
    check(
        &["http://a.example", "--client", "198.51.100.7"],
        &[
            "client 198.51.100.7",
            "=> would be dropped without an answer by rule 4 in phase 1",
        ],
    );
    check(
        &["http://a.example/", "-H", "x-go: 1"],
        &["=> would be redirected by rule 5 with status 302 in phase 1 to https://a.example/"],
    );
    check(
        &["detect.conf", EVIL],
        &[
            "=> passes, since rules only detect (SecRuleEngine DetectionOnly); else it would be refused by rule 3 with status 403 in phase 2",
        ],
    );
}

#[test]
fn rules_that_do_not_run_and_rules_that_are_wrong() {
    let files = [
        ("off.conf", "SecAction id:1,phase:1,deny\n"),
        ("bad.conf", "SecNothing\n"),
    ];
    let folder = Folder::with(&files);
    let off = folder.waf(&["explain", "--rules", "off.conf", "http://a.example/"]);
    assert_eq!(off.code, 0, "{off:?}");
    off.prints(&["=> passes, since no rule runs (SecRuleEngine Off)"]);
    assert!(off.said.contains("SecRuleEngine is Off"), "{off:?}");
    let bad = folder.waf(&["explain", "http://a.example/", "--rules", "bad.conf"]);
    assert_eq!((bad.code, &*bad.printed), (1, ""));
    assert!(bad.said.contains("bad.conf:1:1: error: "), "{bad:?}");
}

#[test]
fn bodies() {
    check(
        &["--data", "q=evil", "https://a.example/"],
        &[
            "request POST / HTTP/1.1",
            "request's body 6 bytes",
            "matched ARGS:q = evil",
        ],
    );
    check(
        &[
            "-X",
            "PUT",
            "-H",
            "Content-Type: text/plain",
            "-d",
            "raw",
            "https://a.example/",
        ],
        &["A put", "request's body 3 bytes"],
    );
    let long = "a".repeat(120);
    check(
        &["--data", &long, "https://a.example/"],
        &[
            "request's body 120 bytes, more than 100, so that no rule sees them",
            "=> would be refused with status 413 in phase 2: the body is over its limit",
        ],
    );
    // What only detects goes on with the beginning.
    check(
        &["detect.conf", "--data", &long, "https://a.example/"],
        &["request's body 120 bytes, of which rules see the first 100"],
    );
    let folder = folder();
    std::fs::write(folder.0.path().join("body"), "q=evil&r=1").unwrap();
    let arguments = [
        "explain",
        "--rules",
        "rules.conf",
        "--data-file",
        "body",
        "http://a.example/",
    ];
    folder.waf(&arguments).prints(&["matched ARGS:q = evil"]);
}

#[test]
fn coded_bodies_are_decoded() {
    let check = |coding: &str, body: &str, expected: &[&str]| {
        let raw = format!(
            "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Encoding: {coding}\r\nContent-Length: 6\r\n\r\n{body}"
        );
        let arguments = ["explain", "--rules", "rules.conf", "--raw", "-"];
        folder()
            .waf_with_input(&arguments, raw.as_bytes())
            .prints(expected);
    };
    check(
        "identity",
        "q=evil",
        &["request's body 6 bytes", "matched ARGS:q = evil"],
    );
    check(
        "gzip",
        "q=good",
        &[
            "request's body 6 bytes, as it was sent: the body is not gzip:",
            "msg Content coding error: the body is not gzip:",
            "=> would be refused by rule 10 with status 400 in phase 2",
        ],
    );
    check(
        "lzma",
        "q=good",
        &["6 bytes, as it was sent: Content-Encoding names something else than gzip"],
    );
}

#[test]
fn raw_requests() {
    let raw = "GET /?q=evil HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let folder = folder();
    std::fs::write(folder.0.path().join("request.txt"), raw).unwrap();
    let from_file = folder.waf(&["explain", "--rules", "rules.conf", "--raw", "request.txt"]);
    from_file.prints(&[
        "request GET /?q=evil HTTP/1.1",
        "=> would be refused by rule 3",
    ]);
    let check = |raw: &str, expected: &[&str]| {
        let arguments = ["explain", "--rules", "rules.conf", "--raw", "-"];
        let ended = folder.waf_with_input(&arguments, raw.as_bytes());
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.prints(expected);
    };
    check(
        "GET /?q=evil HTTP/1.1\nHost: a.example\n\n",
        &[
            "the lines of its head end with LF alone",
            "hygiene refused with 400 before any rule:",
            "=> refused with 400 before any rule; by the rules alone it would be refused by rule 3",
        ],
    );
    check(
        "GET / HTTP/1.1\r\nHost: a.example",
        &["its head has no end: an empty line must follow it"],
    );
    check(
        "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nabc",
        &["its body has 3 bytes, which is less than Content-Length says"],
    );
    check(
        "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nabc",
        &["1 bytes behind its body are left out; Content-Length: 3 would include them"],
    );
    check(
        "POST / HTTP/1.1\r\nHost: a.example\r\n\r\nabc",
        &["3 bytes behind its head are no body without Content-Length: 3"],
    );
    check(
        "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc",
        &["its last chunk, of size 0, is missing"],
    );
    check("", &["hygiene refused with 400"]);
}

#[test]
fn answers() {
    let check = |answer: &str, more: &[&str], expected: &[&str]| {
        let folder = folder();
        std::fs::write(folder.0.path().join("answer"), answer).unwrap();
        let arguments = ["explain", "--rules", "rules.conf", "--response", "answer"];
        let ended = folder.waf(&[&arguments, more].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.prints(expected);
    };
    let url = "https://a.example/";
    check(
        "HTTP/1.1 500 Oops\r\nContent-Type: text/html\r\n\r\nORA-00933: x",
        &[url],
        &[
            "answer's body 12 bytes",
            "rule 6 phase 3",
            "rule 7 phase 4",
            "=> would be refused by rule 7 with status 403 in phase 4",
        ],
    );
    check(
        "HTTP/1.1 200\nContent-Type: image/png\n\nORA-00933",
        &[url],
        &[
            "answer's body 9 bytes, which no rule sees: SecResponseBodyAccess is Off, or",
            "=> passes",
        ],
    );
    check(
        "HTTP/1.1 200 OK\r\n\r\n",
        &[EVIL],
        &["answer's body phase 4 was not reached"],
    );
}

#[test]
fn files_and_words_that_can_not_be_used() {
    let check = |arguments: &[&str], expected: &str| {
        let folder = folder();
        std::fs::write(folder.0.path().join("page.html"), "<html>").unwrap();
        let ended = folder.waf(&[&["explain", "--rules", "rules.conf"], arguments].concat());
        assert_eq!((ended.code, &*ended.printed), (1, ""), "{ended:?}");
        assert!(ended.said.contains(expected), "{ended:?}");
    };
    check(
        &["--raw", "none"],
        "palisade: can't open none: No such file",
    );
    check(
        &["--data-file", "none", "http://a/"],
        "palisade: can't open none: No such file",
    );
    check(&["--raw", "."], "palisade: can't read .: Is a directory");
    check(
        &["--response", "page.html", "http://a/"],
        "--response is no answer; expected one that begins like HTTP/1.1 200 OK",
    );
    check(
        &["ftp://a/"],
        "\"ftp://a/\" is not an address; expected one like https://",
    );
    check(
        &["http://a/?q=1 or 1"],
        "white space or a control character at byte 14; write it as %20",
    );
    check(
        &["--header", "X", "http://a/"],
        "\"X\" is not a header; expected 'Name: value'",
    );
    check(
        &["--header", "X: a\r\nY: b", "http://a/"],
        "is not a header",
    );
    check(
        &["--method", "A B", "http://a/"],
        "\"A B\" is not a method; expected one like GET",
    );
}

#[test]
fn a_terminal_sees_no_control_characters() {
    let url = "https://a.example/?q=evil%1b%5b2J%0a%e2%80%ae%ff";
    let ended = check(
        &[url],
        &["matched ARGS:q = evil\\u{1b}[2j\\n\\u{202e}\\xff"],
    );
    let is_bad = |byte: u8| byte.is_ascii_control() && byte != b'\n';
    assert!(!ended.printed.bytes().any(is_bad), "{ended:?}");
    let json = check(&[url, "--json"], &[]).printed;
    assert!(
        !json.bytes().any(is_bad) && json.contains("\\u202e"),
        "{json}"
    );
}

#[test]
fn json_has_all_of_it() {
    let printed = check(&[EVIL, "--json"], &[]).printed;
    let told: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        told["matches"][0],
        json!({
            "id": 2, "phase": 2, "severity": "CRITICAL", "message": "Evil in ARGS:q", "data": "evil one",
            "variable": "ARGS:q", "value": "evil one", "file": "rules.conf", "line": 6, "tags": [],
            "actions": ["pass", "setvar:tx.inbound_anomaly_score=+5"],
            "is_logged": true, "is_disruptive": false,
        })
    );
    assert_eq!(
        told["verdict"],
        json!({"outcome": "refused", "rule": 3, "phase": 2, "action": "deny", "status": 403, "location": null})
    );
    assert_eq!(
        told["scores"],
        json!({"inbound_anomaly_score": 5, "inbound_anomaly_score_threshold": 5})
    );
    assert_eq!(told["matched_without_log"], json!([1]));
    assert_eq!(told["hygiene"], Value::Null);
    assert_eq!(told["budget"]["bytes_max"], json!(1 << 27));
    let outcome = |arguments: &[&str]| {
        let printed = check(&[arguments, &["--json"]].concat(), &[]).printed;
        let told: Value = serde_json::from_str(&printed).unwrap();
        told["verdict"]["outcome"].as_str().unwrap().to_owned()
    };
    assert_eq!(outcome(&["detect.conf", EVIL]), "detected");
    assert_eq!(outcome(&["http://a.example/"]), "passes");
}

#[test]
fn countries_are_those_of_the_database() {
    let rules = "SecRuleEngine On
SecRule REMOTE_ADDR @geoLookup \"id:1,phase:1,nolog,pass,chain\"
SecRule GEO:COUNTRY_CODE \"@streq DE\" \"t:none\"
SecRule GEO:COUNTRY_CODE \"@streq DE\" \"id:2,phase:1,deny,msg:'From Germany'\"
";
    let folder = Folder::with(&[("rules.conf", rules), ("none.mmdb", "none")]);
    let database = palisade_testkit::mmdb::country_database(&[("192.0.2.0/24", "DE")]);
    std::fs::write(folder.0.path().join("country.mmdb"), database).unwrap();
    let explained = |more: &[&str]| {
        let words = ["explain", "http://a.example/", "--rules", "rules.conf"];
        folder.waf(&[&words, more].concat())
    };
    let found = explained(&["--country-database", "country.mmdb"]);
    found.prints(&["msg From Germany", "refused by rule 2 with status 403"]);
    assert_eq!(found.said, "", "{found:?}");
    let elsewhere = [
        "--country-database",
        "country.mmdb",
        "--client",
        "198.51.100.1",
    ];
    explained(&elsewhere).prints(&["=> passes"]);
    let without = explained(&[]);
    without.prints(&["=> passes"]);
    assert!(without.said.contains("1 warnings"), "{without:?}");
    for (file, expected) in [
        ("none.mmdb", "not a MaxMind database"),
        ("no", "can't read no"),
    ] {
        let ended = explained(&["--country-database", file]);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.said.contains(expected), "{ended:?}");
    }
}
