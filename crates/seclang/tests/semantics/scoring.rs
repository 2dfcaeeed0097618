//! Phases, scores, and what a transaction comes to.

use crate::site::{Request, run};

/// A part of CRS in small: rules add to scores by level, and a last one compares.
const SCORING: &str = r#"
SecDefaultAction "phase:1,log,auditlog,pass"
SecDefaultAction "phase:2,log,auditlog,pass"
SecDefaultAction "phase:4,log,auditlog,pass"
SecAction "id:900,phase:1,nolog,pass,setvar:tx.critical=5,setvar:tx.threshold=5,setvar:tx.level=1,setvar:tx.early=0"
SecRule ARGS:early "@eq 1" "id:901,phase:1,nolog,pass,setvar:tx.early=1"
SecRule REQUEST_HEADERS:User-Agent "@pm scanner" "id:913,phase:1,block,capture,msg:'Scanner',severity:CRITICAL,setvar:'tx.score_pl1=+%{tx.critical}'"
SecRule ARGS "@rx attack" "id:942,phase:2,block,msg:'Attack',severity:CRITICAL,setvar:'tx.score_pl1=+%{tx.critical}'"
SecRule TX:LEVEL "@lt 2" "id:943,phase:2,pass,nolog,skipAfter:END-PL2"
SecRule ARGS "@rx att" "id:944,phase:2,block,severity:WARNING,setvar:'tx.score_pl2=+3'"
SecMarker "END-PL2"
SecRule TX:EARLY "@eq 1" "id:949050,phase:1,pass,nolog,setvar:'tx.blocking=+%{tx.score_pl1}',setvar:'tx.blocking=+%{tx.score_pl2}'"
SecRule TX:EARLY "@eq 0" "id:949060,phase:2,pass,nolog,setvar:'tx.blocking=+%{tx.score_pl1}',setvar:'tx.blocking=+%{tx.score_pl2}'"
SecRule TX:BLOCKING "@ge %{tx.threshold}" "id:949111,phase:1,deny,status:403,msg:'Early score %{tx.blocking}',chain"
    SecRule TX:EARLY "@eq 1"
SecRule TX:BLOCKING "@ge %{tx.threshold}" "id:949110,phase:2,deny,status:403,msg:'Score %{tx.blocking}'"
SecRule RESPONSE_BODY "@pm leak" "id:953,phase:4,block,severity:ERROR,setvar:'tx.outbound=+4'"
SecRule TX:OUTBOUND "@ge 4" "id:959100,phase:4,deny,status:502,msg:'Outbound %{tx.outbound}'"
SecRule TX:BLOCKING "@ge 1" "id:980170,phase:5,pass,log,noauditlog,msg:'Sum %{tx.blocking}'"
"#;

#[track_caller]
fn check(request: &Request, ids: &[u64], end: &str) {
    let ran = run(SCORING, request);
    assert_eq!((ran.ids().as_slice(), ran.end().as_str()), (ids, end));
}

#[test]
fn point_27_scores_are_rules_like_any_other() {
    check(&Request::get("/?a=fine"), &[], "");
    let scanner = Request::get("/").header("User-Agent", "a scanner");
    check(
        &scanner,
        &[913, 949_110, 980_170],
        "deny 403 by 949110 in phase 2",
    );
    check(
        &scanner.clone().to("/?early=1"),
        &[913, 949_111, 980_170],
        "deny 403 by 949111 in phase 1",
    );
    let ran = run(SCORING, &Request::get("/?a=attack&b=attack"));
    assert_eq!(ran.ids(), [942, 942, 949_110, 980_170]);
    assert_eq!(ran.tx("blocking").as_deref(), Some("10"));
    assert_eq!(ran.messages()[2], "Score 10|");
}

#[test]
fn point_28_answers_are_looked_at_where_their_type_is_listed() {
    check(
        &Request::get("/").answered(200, "text/html; charset=utf-8", "a leak"),
        &[953, 959_100],
        "deny 502 by 959100 in phase 4",
    );
    check(
        &Request::get("/").answered(200, "image/png", "a leak"),
        &[],
        "",
    );
    check(&Request::get("/").answered(200, "", "a leak"), &[], "");
    let found = |rules: &str, request: &Request| run(rules, request).matches();
    let rule = "SecRule RESPONSE_BODY leak id:1,phase:4,pass";
    let png = Request::get("/").answered(200, "Image/PNG", "leak");
    let rules = format!("SecResponseBodyMimeType image/png\n{rule}");
    assert_eq!(found(&rules, &png), ["1 RESPONSE_BODY=leak"]);
    let rules =
        format!("SecAction id:2,phase:3,nolog,pass,ctl:forceResponseBodyVariable=On\n{rule}");
    assert_eq!(found(&rules, &png), ["1 RESPONSE_BODY=leak"]);
    let html = Request::get("/").answered(200, "text/html", "leak");
    let rules = format!("SecResponseBodyMimeTypesClear\n{rule}");
    assert_eq!(found(&rules, &html), [""; 0]);
    let rules = format!("SecResponseBodyAccess Off\n{rule}");
    assert_eq!(found(&rules, &html), [""; 0]);
    let rules = format!("SecAction id:2,phase:3,nolog,pass,ctl:responseBodyAccess=Off\n{rule}");
    assert_eq!(found(&rules, &html), [""; 0]);
    // Without a type it is looked at where the list says so.
    let bare = Request::get("/").answered(200, "", "leak");
    let rules = format!("SecResponseBodyMimeType (null)\n{rule}");
    assert_eq!(found(&rules, &bare), ["1 RESPONSE_BODY=leak"]);
    // The part within the limit.
    let rules = "SecResponseBodyLimit 3\nSecResponseBodyLimitAction ProcessPartial
         SecRule RESPONSE_BODY|OUTBOUND_DATA_ERROR .* id:1,phase:4,pass";
    assert_eq!(
        found(rules, &html),
        ["1 RESPONSE_BODY=lea", "1 OUTBOUND_DATA_ERROR=1"]
    );
    let rules = "SecRule RESPONSE_STATUS|RESPONSE_PROTOCOL|STATUS_LINE|RESPONSE_CONTENT_TYPE|RESPONSE_HEADERS|RESPONSE_HEADERS_NAMES|&RESPONSE_BODY .* id:1,phase:3,pass";
    assert_eq!(
        found(rules, &html),
        [
            "1 RESPONSE_STATUS=200",
            "1 RESPONSE_PROTOCOL=HTTP/1.1",
            "1 STATUS_LINE=HTTP/1.1 200 OK",
            "1 RESPONSE_CONTENT_TYPE=text/html",
            "1 RESPONSE_HEADERS:Content-Type=text/html",
            "1 RESPONSE_HEADERS_NAMES:Content-Type=Content-Type",
            "1 &RESPONSE_BODY=0"
        ]
    );
}

#[test]
fn point_29_logging_rules_always_run() {
    let rules = "SecAction id:1,phase:1,deny,nolog
        SecAction id:2,phase:5,pass,log,noauditlog
        SecAction id:3,phase:5,pass,nolog
        SecAction id:4,phase:5,pass,nolog,auditlog
        SecAction id:5,phase:4,pass,log
        SecAction id:6,phase:5,pass,setvar:tx.over=1";
    let ran = run(rules, &Request::get("/"));
    // What ended it is told, even where it isn't to be logged.
    assert_eq!(ran.ids(), [1, 2, 6]);
    assert_eq!(ran.end(), "deny 403 by 1 in phase 1");
    assert_eq!(ran.tx("over").as_deref(), Some("1"));
    // Nothing can be refused there any more.
    let ran = run(
        "SecDefaultAction phase:5,log,deny\nSecAction id:1,phase:5,block\nSecAction id:2,phase:5",
        &Request::get("/"),
    );
    assert_eq!((ran.end().as_str(), ran.ids()), ("", vec![1, 2]));
}

#[test]
fn point_30_detection_only_ends_nothing() {
    let rules = "SecRuleEngine DetectionOnly
        SecAction id:1,phase:1,pass,setvar:tx.a=+1
        SecAction id:2,phase:1,deny,status:406
        SecAction id:3,phase:1,drop
        SecAction id:4,phase:1,allow
        SecAction id:5,phase:2,pass,setvar:tx.a=+1";
    let ran = run(rules, &Request::get("/"));
    assert_eq!(ran.end(), "");
    assert_eq!(ran.would_be(), "deny 406 by 2 in phase 1");
    assert_eq!(ran.ids(), [1, 2, 3, 4, 5]);
    assert_eq!(ran.tx("a").as_deref(), Some("2"));
}

#[test]
fn the_severest_severity_is_kept() {
    let rules = "SecRule HIGHEST_SEVERITY \"@eq 255\" id:1,phase:1,pass
        SecAction id:2,phase:1,nolog,pass,severity:WARNING
        SecAction id:3,phase:1,nolog,pass,severity:2
        SecAction id:4,phase:1,nolog,pass,severity:NOTICE
        SecRule HIGHEST_SEVERITY .* id:5,phase:1,pass";
    let ran = run(rules, &Request::get("/"));
    assert_eq!(
        ran.matches(),
        ["1 HIGHEST_SEVERITY=255", "5 HIGHEST_SEVERITY=2"]
    );
    // Of a rule that does nothing else, too.
    let rules = "SecRule &TX:a \"@eq 0\" id:1,phase:1,nolog,pass,severity:1
        SecRule HIGHEST_SEVERITY .* id:2,phase:1,pass";
    let ran = run(rules, &Request::get("/"));
    assert_eq!(ran.matches(), ["2 HIGHEST_SEVERITY=1"]);
}
