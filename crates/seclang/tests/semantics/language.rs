//! Directives and actions.

use palisade_seclang::syntax::{AuditMode, EngineMode, XmlArguments};
use palisade_seclang::{AuditSettings, BodyAccess, CompileOptions, RelevantStatus, Settings};

use crate::memory::{MAIN, Memory};
use crate::site::{Request, Site, run, run_files};

/// The ids of the rules that match.
#[track_caller]
fn check(rules: &str, request: &Request, expected: &[u64]) {
    assert_eq!(run(rules, request).ids(), expected, "{rules}");
}

/// How a transaction is ended.
#[track_caller]
fn check_end(rules: &str, expected: &str) {
    let ran = run(rules, &Request::get("/?a=x"));
    assert_eq!(ran.end(), expected, "{rules}");
}

/// `TX:a` after actions of one rule, on `/?a=x`.
#[track_caller]
fn check_tx(actions: &str, expected: &str) {
    let rules = format!("SecRule ARGS:a x \"id:1,phase:1,pass,nolog,{actions}\"");
    let value = run(&rules, &Request::get("/?a=x")).tx("a");
    assert_eq!(value.as_deref().unwrap_or("-"), expected, "{actions}");
}

#[test]
fn rules_without_actions_need_an_id_and_are_of_phase_2() {
    check("SecRule ARGS x id:1", &Request::get("/?a=x"), &[1]);
    let ran = run("SecRule ARGS x id:1,deny", &Request::form("a=x"));
    assert_eq!(ran.end(), "deny 403 by 1 in phase 2");
    // An operator without a name is an expression.
    check("SecRule ARGS \"^x$\" id:1", &Request::get("/?a=x"), &[1]);
    check("SecRule ARGS \"! ^x$\" id:1", &Request::get("/?a=x"), &[]);
}

#[test]
fn phases_by_number_and_name() {
    let rules = "SecAction id:5,phase:logging,pass
        SecAction id:4,phase:response,pass
        SecAction id:3,phase:3,pass
        SecAction id:2,phase:request,pass
        SecAction id:1,phase:1,pass";
    check(rules, &Request::get("/"), &[1, 2, 3, 4, 5]);
}

#[test]
fn the_engine_is_off_on_or_detects() {
    let rules = |mode: &str| format!("SecRuleEngine {mode}\nSecAction id:1,phase:1,deny");
    check(&rules("Off"), &Request::get("/"), &[]);
    check_end(&rules("on"), "deny 403 by 1 in phase 1");
    check_end(&rules("DetectionOnly"), "");
    // Without it nothing runs.
    let files = Memory::new("SecAction id:1,phase:1,deny");
    assert_eq!(run_files(&files, &Request::get("/")).end(), "");
    check(
        "SecAction id:1,phase:1,pass,ctl:ruleEngine=Off
         SecAction id:2,phase:1,deny
         SecAction id:3,phase:2,deny",
        &Request::get("/"),
        &[1],
    );
    check_end(
        "SecAction id:1,phase:1,pass,ctl:ruleEngine=DetectionOnly
         SecAction id:2,phase:1,deny",
        "",
    );
    check_end(
        "SecRuleEngine DetectionOnly
         SecAction id:1,phase:1,pass,ctl:ruleEngine=On
         SecAction id:2,phase:2,deny",
        "deny 403 by 2 in phase 2",
    );
}

#[test]
fn how_a_transaction_ends() {
    check_end("SecAction id:1,phase:1,deny", "deny 403 by 1 in phase 1");
    check_end(
        "SecAction id:1,phase:2,deny,status:429",
        "deny 429 by 1 in phase 2",
    );
    check_end("SecAction id:1,phase:3,drop", "drop by 1 in phase 3");
    check_end(
        "SecAction \"id:1,phase:1,redirect:'https://h.example/?from=%{REMOTE_ADDR}'\"",
        "redirect 302 https://h.example/?from=192.0.2.7 by 1 in phase 1",
    );
    check_end(
        "SecAction id:1,phase:1,redirect:/x,status:307",
        "redirect 307 /x by 1 in phase 1",
    );
    check_end("SecAction id:1,phase:1,pass,status:500", "");
    check_end("SecAction id:1,phase:1,block", "");
    check_end(
        "SecDefaultAction phase:1,redirect:/blocked
         SecAction id:1,phase:1,block",
        "redirect 302 /blocked by 1 in phase 1",
    );
    // The rule's own words come before those of the default.
    check_end(
        "SecDefaultAction phase:1,deny,status:500
         SecAction id:1,phase:1,pass
         SecAction id:2,phase:1,block,status:429",
        "deny 429 by 2 in phase 1",
    );
    // Nothing runs behind it.
    check(
        "SecAction id:1,phase:1,deny
         SecAction id:2,phase:1,pass
         SecAction id:3,phase:2,pass",
        &Request::get("/"),
        &[1],
    );
}

#[test]
fn allow_has_three_scopes() {
    let rules = |allow: &str| {
        format!(
            "SecAction id:1,phase:1,nolog,{allow}
             SecAction id:10,phase:1,pass
             SecAction id:20,phase:2,pass
             SecAction id:21,phase:2,pass
             SecAction id:30,phase:3,pass
             SecAction id:31,phase:3,pass
             SecAction id:40,phase:4,pass
             SecAction id:50,phase:5,pass
             SecAction id:51,phase:5,pass"
        )
    };
    let get = Request::get("/");
    check(&rules("allow"), &get, &[50, 51]);
    check(&rules("allow:phase"), &get, &[20, 21, 30, 31, 40, 50, 51]);
    check(&rules("allow:request"), &get, &[30, 31, 40, 50, 51]);
    let in_phase_3 = |allow: &str| {
        rules("pass").replace(
            "SecAction id:30,phase:3,pass",
            &format!("SecAction id:30,phase:3,{allow}"),
        )
    };
    check(&in_phase_3("allow"), &get, &[10, 20, 21, 30, 50, 51]);
    check(
        &in_phase_3("allow:request"),
        &get,
        &[10, 20, 21, 30, 40, 50, 51],
    );
    check(
        &in_phase_3("allow:phase"),
        &get,
        &[10, 20, 21, 30, 40, 50, 51],
    );
    // All of its chain has to match.
    check(
        "SecRule ARGS:a x id:1,phase:1,allow,nolog,chain
         SecRule ARGS:b y
         SecAction id:2,phase:1,pass",
        &Request::get("/?a=x"),
        &[2],
    );
}

#[test]
fn skip_and_skip_after() {
    let get = Request::get("/");
    check(
        "SecAction id:1,phase:1,nolog,pass,skip:2
         SecAction id:2,phase:1,pass
         SecAction id:3,phase:2,pass
         SecMarker BETWEEN
         SecAction id:4,phase:1,pass,chain
         SecAction nolog
         SecAction id:5,phase:1,pass",
        &get,
        &[5, 3],
    );
    check(
        "SecAction id:1,phase:1,nolog,pass,skip:9
         SecAction id:2,phase:1,pass
         SecAction id:3,phase:2,pass",
        &get,
        &[3],
    );
    check(
        "SecAction id:1,phase:1,nolog,pass,skipAfter:3
         SecAction id:2,phase:1,pass
         SecAction id:3,phase:1,pass
         SecAction id:4,phase:1,pass",
        &get,
        &[4],
    );
    // The next of that name.
    check(
        "SecAction id:1,phase:1,nolog,pass,skipAfter:M
         SecAction id:2,phase:1,pass
         SecMarker M
         SecAction id:3,phase:1,pass
         SecMarker M
         SecAction id:4,phase:1,pass",
        &get,
        &[3, 4],
    );
    // A marker behind is none, so that the phase ends.
    check(
        "SecMarker M
         SecAction id:1,phase:1,nolog,pass,skipAfter:M
         SecAction id:2,phase:1,pass
         SecAction id:3,phase:2,pass",
        &get,
        &[3],
    );
    // A rule that was taken away still marks its place.
    check(
        "SecAction id:1,phase:1,nolog,pass,skipAfter:3
         SecAction id:2,phase:1,pass
         SecAction id:3,phase:1,pass
         SecAction id:4,phase:1,pass
         SecRuleRemoveById 3",
        &get,
        &[4],
    );
    check(
        "SecAction id:9,phase:1,nolog,pass,ctl:ruleRemoveById=3
         SecAction id:1,phase:1,nolog,pass,skipAfter:3
         SecAction id:2,phase:1,pass
         SecAction id:3,phase:1,pass
         SecAction id:4,phase:1,pass",
        &get,
        &[4],
    );
}

#[test]
fn variables_are_set() {
    check_tx("setvar:tx.a", "1");
    check_tx("setvar:tx.a=", "");
    check_tx("setvar:tx.a=0", "0");
    check_tx("setvar:tx.a=007", "007");
    check_tx("setvar:'tx.a=a=b, c'", "a=b, c");
    check_tx("setvar:TX.A=x", "x");
    check_tx("setvar:tx.a=1,setvar:!tx.a", "-");
    check_tx("setvar:'tx.a=%{MATCHED_VAR_NAME}: %{ARGS.a}'", "ARGS:a: x");
    check_tx("setvar:tx.n=a,setvar:'tx.%{tx.n}=v'", "v");
    check_tx("setvar:'tx.%{ARGS_NAMES}=v'", "v");
    check_tx("setvar:'tx.b_%{ARGS.a}=7',setvar:'tx.a=+%{tx.b_x}'", "7");
    check_tx(
        "setvar:tx.a=9223372036854775807,setvar:tx.a=+1",
        "9223372036854775807",
    );
    // What only a request names.
    let ran = run(
        "SecRule ARGS ^ \"id:1,phase:1,nolog,pass,setvar:'tx.seen_%{MATCHED_VAR_NAME}=+1'\"
         SecRule TX:/^seen_/ \"@gt 1\" id:2,phase:1,pass",
        &Request::get("/?a=1&B=2&b=3"),
    );
    assert_eq!(ran.matches(), ["2 TX:seen_args:b=2"]);
}

#[test]
fn environment_variables_are_set() {
    let ran = run(
        "SecAction \"id:1,phase:1,nolog,pass,setenv:a=%{REMOTE_ADDR},setenv:b,setenv:c=1,setenv:!c,setvar:'tx.a=%{ENV.a}'\"
         SecRule ENV ^ id:2,phase:1,pass
         SecRule ENV:a|&ENV:c ^ id:3,phase:1,pass",
        &Request::get("/"),
    );
    assert_eq!(
        ran.matches(),
        [
            "2 ENV:a=192.0.2.7",
            "2 ENV:b=1",
            "3 ENV:a=192.0.2.7",
            "3 &ENV=0"
        ]
    );
    assert_eq!(ran.tx("a").as_deref(), Some("192.0.2.7"));
}

#[test]
fn records_of_collections() {
    let ran = run(
        "SecAction \"id:1,phase:1,nolog,pass,setvar:ip.early=1,initcol:ip=%{REMOTE_ADDR},setsid:s1,setuid:u1,setrsc:r1,initcol:global=g\"
         SecAction id:2,phase:1,nolog,pass,setvar:ip.a=+1,setvar:session.a=x,setvar:user.a=y,setvar:resource.a=z,setvar:global.a=2,setvar:ip.b=1,setvar:!ip.b
         SecRule IP:a|SESSION:a|USER:a|RESOURCE:a|GLOBAL:a|SESSIONID|USERID|&IP:early|&IP:b ^ id:3,phase:2,pass
         SecAction \"id:4,phase:2,nolog,pass,setvar:'tx.a=%{ip.a}%{SESSION.A}%{user.a}%{global.a}'\"",
        &Request::get("/"),
    );
    assert_eq!(
        ran.matches(),
        [
            "3 IP:a=1",
            "3 SESSION:a=x",
            "3 USER:a=y",
            "3 RESOURCE:a=z",
            "3 GLOBAL:a=2",
            "3 SESSIONID=s1",
            "3 USERID=u1",
            "3 &IP=0",
            "3 &IP=0",
        ]
    );
    assert_eq!(ran.tx("a").as_deref(), Some("1xy2"));
}

#[test]
fn what_rules_say_of_themselves() {
    let ran = run(
        "SecRule ARGS:a x \"id:1,phase:1,pass,capture,msg:'Found %{MATCHED_VAR} in %{MATCHED_VAR_NAME}',logdata:'%{TX.0} of %{REMOTE_ADDR}',severity:ERROR,tag:a,tag:'b/%{rule.id}',rev:2,ver:'OWASP/4',maturity:9,accuracy:8\"",
        &Request::get("/?a=x"),
    );
    assert_eq!(ran.messages(), ["Found x in ARGS:a|x of 192.0.2.7"]);
    let site = Site::new(
        "SecRule ARGS:a x \"id:1,phase:1,pass,severity:ERROR,tag:a,tag:b,rev:2,ver:'OWASP/4',maturity:9,accuracy:8,chain\"
         SecRule ARGS:b y",
    );
    let rule = site.program().rules().next().unwrap();
    assert_eq!((rule.id(), rule.link_count()), (1, 2));
    assert_eq!(rule.severity(), Some(3));
    assert_eq!((rule.maturity(), rule.accuracy()), (Some(9), Some(8)));
    assert_eq!(
        (rule.revision(), rule.version()),
        (Some("2"), Some("OWASP/4"))
    );
    let tags: Vec<_> = rule.tags().collect();
    assert_eq!(tags, [b"a", b"b"]);
    assert_eq!(rule.place().to_string(), "main.conf:4:1");
}

#[test]
fn the_engine_of_the_audit_log() {
    let audit = |rules: &str| {
        let site = Site::new(rules);
        let ran = site.run(&Request::get("/?a=x"));
        let transaction = ran.transaction();
        let parts = transaction.audit_parts(site.program().settings());
        let parts = String::from_utf8(parts.to_vec()).unwrap();
        (transaction.audit_mode(), parts)
    };
    assert_eq!(audit(""), (AuditMode::Off, "ABCFHZ".to_owned()));
    assert_eq!(
        audit("SecAuditEngine RelevantOnly\nSecAuditLogParts ABZ"),
        (AuditMode::RelevantOnly, "ABZ".to_owned())
    );
    assert_eq!(
        audit(
            "SecAuditLogParts ABCFZ
             SecAction id:1,phase:1,nolog,pass,ctl:auditEngine=On,ctl:auditLogParts=+EH
             SecAction id:2,phase:1,nolog,pass,ctl:auditLogParts=-CF
             SecAction id:3,phase:1,nolog,pass,ctl:auditLogParts=+E"
        ),
        (AuditMode::On, "ABZEH".to_owned())
    );
    assert_eq!(
        audit("SecAction id:1,phase:1,nolog,pass,ctl:auditLogParts=AIZ").1,
        "AIZ"
    );
    let relevant = |actions: &str| {
        let rules = format!("SecRule ARGS:a x id:1,phase:1,{actions}");
        run(&rules, &Request::get("/?a=x"))
            .transaction()
            .is_audit_relevant()
    };
    assert!(relevant("pass"));
    assert!(relevant("pass,nolog,auditlog"));
    assert!(!relevant("pass,nolog"));
    assert!(!relevant("pass,log,noauditlog"));
    assert!(!relevant("deny,noauditlog"));
    assert!(relevant("deny,log"));
}

#[test]
fn settings_are_read() {
    let files = Memory::new(
        "SecRuleEngine DetectionOnly
        SecRequestBodyAccess On
        SecRequestBodyLimit 1
        SecRequestBodyNoFilesLimit 2
        SecRequestBodyLimitAction ProcessPartial
        SecRequestBodyJsonDepthLimit 3
        SecResponseBodyAccess On
        SecResponseBodyLimit 4
        SecResponseBodyLimitAction ProcessPartial
        SecResponseBodyMimeTypesClear
        SecResponseBodyMimeType text/HTML application/json
        SecParseXmlIntoArgs On
        SecArgumentsLimit 5
        SecArgumentSeparator ;
        SecUploadFileLimit 6
        SecComponentSignature \"OWASP_CRS/4\"
        SecComponentSignature other
        SecWebAppId app
        SecCollectionTimeout 7
        SecAuditEngine RelevantOnly
        SecAuditLogParts ABZ
        SecAuditLogRelevantStatus \"^5\"
        SecAuditLogType Serial",
    );
    let site = Site::of(&files, CompileOptions::default());
    let body = |limit| BodyAccess {
        is_on: true,
        is_said: true,
        limit,
        is_partial_processed: true,
    };
    let expected = Settings {
        engine: EngineMode::DetectionOnly,
        request_body: body(1),
        request_body_no_files_limit: 2,
        json_depth_limit: 3,
        response_body: body(4),
        response_body_mime_types: vec![b"text/html".into(), b"application/json".into()],
        xml_arguments: XmlArguments::On,
        arguments_limit: 5,
        argument_separator: b';',
        upload_file_limit: 6,
        component_signatures: vec![b"OWASP_CRS/4".into(), b"other".into()],
        web_app_id: b"app".into(),
        collection_timeout: 7,
        audit: AuditSettings {
            engine: AuditMode::RelevantOnly,
            parts: b"ABZ".into(),
            relevant_status: Some(RelevantStatus::parse(b"^5").unwrap()),
        },
        files: vec![MAIN.into()],
    };
    assert_eq!(*site.program().settings(), expected);
    let ran = run(
        "SecArgumentSeparator ;\nSecRule ARGS ^ id:1,phase:1,pass",
        &Request::get("/?a=1;b=2&c"),
    );
    assert_eq!(ran.matches(), ["1 ARGS:a=1", "1 ARGS:b=2&c"]);
}

#[test]
fn files_include_files() {
    let files = Memory::default()
        .with(
            MAIN,
            b"SecRuleEngine On\nInclude rules/*.conf\nSecAction id:9,phase:1,pass\nIncludeOptional none/*.conf\nIncludeOptional none.conf",
        )
        .with("rules/b.conf", b"SecAction id:2,phase:1,pass\nInclude other.conf")
        .with("rules/a.conf", b"SecAction id:1,phase:1,pass")
        .with("rules/a.data", b"no rules")
        .with("other.conf", b"SecAction id:3,phase:1,pass");
    let ran = run_files(&files, &Request::get("/"));
    assert_eq!(ran.ids(), [1, 2, 3, 9]);
    let site = Site::of(&files, CompileOptions::default());
    let names = site.program().settings().files.iter();
    let names: Vec<_> = names.map(|name| name.to_str().unwrap()).collect();
    assert_eq!(names, [MAIN, "rules/a.conf", "rules/b.conf", "other.conf"]);
}

#[test]
fn a_unicode_map_is_read() {
    let rules = |directive: &str| {
        let text = format!(
            "SecRuleEngine On\n{directive}\nSecRule ARGS:a ^ id:1,phase:1,pass,t:urlDecodeUni"
        );
        let files = Memory::new(&text).with(
            "unicode.mapping",
            b"1252 (ANSI)\n00a1:21 2032:27 \n\n20127 (US-ASCII)\n00a1:63 \n",
        );
        run_files(&files, &Request::get("/?a=%25u2032")).matches()
    };
    assert_eq!(
        rules("SecUnicodeMapFile unicode.mapping 1252"),
        ["1 ARGS:a=\\'"]
    );
    assert_eq!(
        rules("SecUnicodeMapFile unicode.mapping 20127"),
        ["1 ARGS:a=2"]
    );
}

#[test]
fn chains_match_link_by_link() {
    let request = Request::get("/?a=x&b=y&c=z");
    let chain = |second: &str, third: &str| {
        format!(
            "SecRule ARGS:a x id:1,phase:1,pass,chain
             SecRule ARGS:b {second} chain
             SecRule ARGS:c {third}"
        )
    };
    check(&chain("y", "z"), &request, &[1]);
    check(&chain("n", "z"), &request, &[]);
    check(&chain("y", "n"), &request, &[]);
    check(&chain("!n", "!n"), &request, &[1]);
    // Links may be actions alone.
    check(
        "SecAction id:1,phase:1,pass,chain
         SecRule ARGS:b y chain
         SecAction setvar:tx.a=1",
        &request,
        &[1],
    );
    // A capture of one link is there for the next.
    check(
        "SecRule ARGS:a (.) id:1,phase:1,pass,capture,chain
         SecRule ARGS:d \"@streq %{tx.1}\"",
        &Request::get("/?a=q&d=q"),
        &[1],
    );
}

#[test]
fn what_is_logged() {
    let logged = |actions: &str| {
        let rules = format!("SecRule ARGS:a x id:1,phase:1,{actions}");
        run(&rules, &Request::get("/?a=x")).ids().len()
    };
    assert_eq!(logged("pass"), 1);
    assert_eq!(logged("pass,log"), 1);
    assert_eq!(logged("pass,nolog"), 0);
    assert_eq!(logged("pass,nolog,auditlog"), 0);
    assert_eq!(logged("pass,log,noauditlog"), 1);
    assert_eq!(logged("pass,nolog,log"), 1);
}

#[test]
fn what_is_refused_quietly_is_told_with_what_matched() {
    let ran = run(
        "SecRule ARGS:a x \"id:1,phase:1,deny,nolog,msg:'%{MATCHED_VAR_NAME}',logdata:'%{MATCHED_VAR}'\"",
        &Request::get("/?a=x"),
    );
    assert_eq!(ran.messages(), ["ARGS:a|x"]);
    let ran = run(
        "SecRule ARGS:a x \"id:1,phase:1,nolog,redirect:'/no?%{MATCHED_VAR}'\"",
        &Request::get("/?a=x"),
    );
    assert_eq!(ran.end(), "redirect 302 /no?x by 1 in phase 1");
}

#[test]
fn a_rule_decides_where_to_go_on_whatever_else_it_does() {
    // Those that do nothing else are compiled to less.
    let conditions = [
        "TX:a \"@lt 5\"",
        "TX:a \"!@lt 5\"",
        "TX:a \"@eq 5\"",
        "TX:a \"@ge %{tx.b}\"",
        "TX:a \"!@ge %{tx.none}\"",
        "TX:a \"@le 5%{tx.none}\"",
        "&TX:a \"@eq 0\"",
        "&TX:a \"!@eq 0\"",
        "&TX:a \"@gt %{tx.b}\"",
        "TX:a|!TX:a \"@eq 5\"",
        "TX:0 \"@eq 5\"",
    ];
    let values = [
        "",
        "setvar:tx.a=5",
        "setvar:tx.a=5x",
        "setvar:tx.a=x",
        "setvar:tx.a=",
        "setvar:tx.a=9",
        "setvar:tx.a=9,ctl:ruleRemoveTargetById=1;TX:a",
        "setvar:tx.a=3,ctl:ruleRemoveTargetById=1;TX",
        "setvar:tx.a=3,ctl:ruleRemoveById=1",
    ];
    for (condition, value) in conditions
        .iter()
        .flat_map(|one| values.map(|value| (one, value)))
    {
        let ids = |more: &str| {
            let rules = format!(
                "SecAction id:9,phase:1,nolog,pass,setvar:tx.b=7,{value}
                 SecRule {condition} id:1,phase:1,nolog,pass,skipAfter:END{more}
                 SecAction id:2,phase:1,pass
                 SecMarker END
                 SecAction id:3,phase:1,pass"
            );
            run(&rules, &Request::get("/")).ids()
        };
        let whole = ids(",setvar:tx.c=1");
        assert_eq!(ids(""), whole, "{condition} {value}");
    }
}

#[test]
fn rules_take_their_lines_and_quotes_as_apache_does() {
    check(
        "SecRule ARGS:a \\
            \"@rx x\" \\
            \"id:1,\\
            phase:1,\\
            pass\"
        # SecAction id:2,phase:1,pass
        secaction 'id:3,phase:1,pass,msg:\"a b\"'",
        &Request::get("/?a=x"),
        &[1, 3],
    );
    let ran = run(
        r#"SecAction "id:1,phase:1,pass,msg:'it\'s, %{tx.none}\"so\"'""#,
        &Request::get("/"),
    );
    assert_eq!(ran.messages(), ["it\\\'s, \\\"so\\\"|"]);
}
