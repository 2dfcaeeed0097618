//! Which values are looked at, in which form, and what a match does.

use crate::memory::{MAIN, Memory};
use crate::site::{Request, run, run_files};

/// The matches of rules on a request.
#[track_caller]
fn check(rules: &str, request: &Request, expected: &[&str]) {
    assert_eq!(run(rules, request).matches(), expected, "{rules}");
}

/// A variable of `TX` afterwards; `-` where it isn't set.
#[track_caller]
fn check_tx(rules: &str, request: &Request, name: &str, expected: &str) {
    let value = run(rules, request).tx(name);
    assert_eq!(value.as_deref().unwrap_or("-"), expected, "{rules}");
}

#[test]
fn point_01_every_value_that_matches_acts() {
    let request = Request::get("/?a=x&b=y&c=x");
    check(
        "SecRule ARGS x id:1,phase:1,pass,setvar:tx.score=+5",
        &request,
        &["1 ARGS:a=x", "1 ARGS:c=x"],
    );
    check_tx(
        "SecRule ARGS x id:1,phase:1,pass,setvar:tx.score=+5",
        &request,
        "score",
        "10",
    );
    check_tx(
        "SecRule ARGS x \"id:1,phase:1,pass,setvar:'tx.last=%{MATCHED_VAR_NAME}'\"",
        &request,
        "last",
        "ARGS:c",
    );
    // A transaction ends with the first.
    check(
        "SecRule ARGS x id:1,phase:1,deny",
        &request,
        &["1 ARGS:a=x"],
    );
    // The order is that of targets, and then of the request.
    check(
        "SecRule ARGS:c|ARGS:a|REQUEST_METHOD x|G id:1,phase:1,pass",
        &request,
        &["1 ARGS:c=x", "1 ARGS:a=x", "1 REQUEST_METHOD=GET"],
    );
}

#[test]
fn point_02_what_is_not_there_is_not_looked_at() {
    let get = Request::get("/");
    check("SecRule ARGS:a ^$ id:1,phase:1,pass", &get, &[]);
    check("SecRule ARGS:a !x id:1,phase:1,pass", &get, &[]);
    check("SecRule TX:a !x id:1,phase:1,pass", &get, &[]);
    check("SecRule TX:a \"!@eq 1\" id:1,phase:1,pass", &get, &[]);
    check("SecRule QUERY_STRING !x id:1,phase:1,pass", &get, &[]);
    // A count is always there, and what is empty is there.
    let count = "SecRule &ARGS:a|&TX:a|&QUERY_STRING|&XML:/* \"@eq 0\" id:1,phase:2,pass";
    check(
        count,
        &get,
        &["1 &ARGS=0", "1 &TX=0", "1 &QUERY_STRING=0", "1 &XML=0"],
    );
    check(
        "SecRule REQBODY_PROCESSOR \"!@rx JSON|XML\" id:1,phase:1,pass",
        &get,
        &["1 REQBODY_PROCESSOR="],
    );
    check(
        "SecRule ARGS:a ^$ id:1,phase:1,pass",
        &Request::get("/?a="),
        &["1 ARGS:a="],
    );
    check(
        "SecRule ARGS:a !x id:1,phase:1,pass",
        &Request::get("/?a=&a=x&a=y"),
        &["1 ARGS:a=", "1 ARGS:a=y"],
    );
}

#[test]
fn point_03_links_act_as_soon_as_they_match() {
    let rules = "SecRule ARGS:a x \"id:1,phase:1,deny,chain,setvar:tx.first=1\"
        SecRule ARGS:b y \"chain,setvar:tx.second=1\"
        SecRule ARGS:c z setvar:tx.third=1";
    let ran = run(rules, &Request::get("/?a=x&b=y&c=no"));
    assert_eq!((ran.end().as_str(), ran.matches().len()), ("", 0));
    assert_eq!(ran.tx("first").as_deref(), Some("1"));
    assert_eq!(ran.tx("second").as_deref(), Some("1"));
    assert_eq!(ran.tx("third"), None);
    let ran = run(rules, &Request::get("/?a=x&b=no&c=z"));
    assert_eq!((ran.tx("second"), ran.tx("third")), (None, None));
    let ran = run(rules, &Request::get("/?a=x&b=y&c=z"));
    assert_eq!(ran.end(), "deny 403 by 1 in phase 1");
    assert_eq!(ran.matches(), ["1 ARGS:c=z"]);
    // A link has its own transformations, and none of the first.
    check(
        "SecRule ARGS:a x id:1,phase:1,pass,chain,t:lowercase
         SecRule ARGS:b y",
        &Request::get("/?a=X&b=Y"),
        &[],
    );
    check(
        "SecRule ARGS:a x id:1,phase:1,pass,chain,t:lowercase
         SecRule ARGS:b y t:lowercase",
        &Request::get("/?a=X&b=Y"),
        &["1 ARGS:b=y"],
    );
    // What a chain's first rule skips it skips if all of it matches.
    check(
        "SecRule ARGS:a x id:1,phase:1,nolog,pass,chain,skipAfter:END
         SecRule ARGS:b y
         SecAction id:2,phase:1,pass
         SecMarker END",
        &Request::get("/?a=x&b=n"),
        &["2"],
    );
    // Exclusions by id are for all links.
    check(
        "SecRule ARGS:a x id:1,phase:1,pass,chain
         SecRule ARGS x
         SecRuleUpdateTargetById 1 !ARGS:b",
        &Request::get("/?a=x&b=x"),
        &["1 ARGS:a=x"],
    );
    check(
        "SecAction id:9,phase:1,nolog,pass,ctl:ruleRemoveTargetById=1;ARGS:b
         SecRule ARGS:a x id:1,phase:1,pass,chain
         SecRule ARGS x",
        &Request::get("/?a=x&b=x"),
        &["1 ARGS:a=x"],
    );
}

#[test]
fn point_04_transformations_in_order_and_multi_match() {
    let request = Request::get("/?a=%2541");
    let check = |actions: &str, expected: &[&str]| {
        check(
            &format!("SecRule ARGS ^.*$ \"id:1,phase:1,pass,{actions}\""),
            &request,
            expected,
        );
    };
    check("t:none", &["1 ARGS:a=%41"]);
    check("t:urlDecode,t:lowercase", &["1 ARGS:a=a"]);
    check("t:lowercase,t:urlDecode", &["1 ARGS:a=A"]);
    check("t:urlDecode,t:none,t:lowercase", &["1 ARGS:a=%41"]);
    // Once as it came, and each time that it has changed.
    check(
        "multiMatch,t:lowercase,t:urlDecode,t:trim,t:lowercase",
        &["1 ARGS:a=%41", "1 ARGS:a=A", "1 ARGS:a=a"],
    );
    check_tx(
        "SecRule ARGS .* id:1,phase:1,pass,multiMatch,t:urlDecode,setvar:tx.n=+1",
        &request,
        "n",
        "2",
    );
    // What comes back to what it was has been something else on the way.
    self::check(
        "SecRule ARGS \"@streq abc\" id:1,phase:1,pass,multiMatch,t:base64Decode,t:base64Encode",
        &Request::get("/?a=YWJj"),
        &["1 ARGS:a=abc"],
    );
    // Of values that rules set, too.
    self::check(
        "SecAction id:9,phase:1,nolog,pass,setvar:tx.a=%2541
         SecRule TX:a .* id:1,phase:1,pass,multiMatch,t:lowercase,t:urlDecode,t:urlDecode",
        &Request::get("/"),
        &["1 TX:a=%2541", "1 TX:a=%41", "1 TX:a=A"],
    );
}

#[test]
fn point_05_captures_are_of_the_last_match_alone() {
    let rules = r#"SecRule ARGS:a "(x)(y)(q)?(z)" id:1,phase:1,pass,nolog,capture
        SecAction "id:2,phase:1,pass,nolog,setvar:'tx.one=%{tx.0}-%{tx.1}-%{tx.2}-%{tx.3}-%{tx.4}'"
        SecRule ARGS:b "(b)" id:3,phase:1,pass,nolog,capture
        SecAction "id:4,phase:1,pass,nolog,setvar:'tx.two=%{tx.0}-%{tx.1}-%{tx.2}'"
        SecRule ARGS:b "(b)(b)?" id:5,phase:1,pass,nolog
        SecAction "id:6,phase:1,pass,nolog,setvar:'tx.three=%{tx.0}-%{tx.1}'""#;
    let ran = run(rules, &Request::get("/?a=xyz&b=bb"));
    assert_eq!(ran.tx("one").as_deref(), Some("xyz-x-y--z"));
    assert_eq!(ran.tx("two").as_deref(), Some("b-b-"));
    // Without `capture` they stay.
    assert_eq!(ran.tx("three").as_deref(), Some("b-b"));
    let captured = |operator: &str, value: &str| {
        let rules = format!("SecRule ARGS:a \"{operator}\" id:1,phase:1,pass,nolog,capture");
        run(&rules, &Request::get(&format!("/?a={value}"))).tx("0")
    };
    assert_eq!(captured("@pm abc def", "xDEFx").as_deref(), Some("def"));
    assert_eq!(
        captured("@detectSQLi", "1'+or+1=1--").as_deref(),
        Some("s&1c")
    );
    assert_eq!(captured("@detectXSS", "<script>"), None);
    assert_eq!(captured("@contains b", "abc"), None);
    // Ten groups, the whole among them.
    let ran = run(
        "SecRule ARGS:a (1)(2)(3)(4)(5)(6)(7)(8)(9)(0) id:1,phase:1,pass,nolog,capture",
        &Request::get("/?a=1234567890"),
    );
    assert_eq!(ran.tx("9").as_deref(), Some("9"));
    assert_eq!(ran.tx("10"), None);
}

#[test]
fn point_06_matched_vars_are_of_one_chain() {
    let request = Request::get("/?a=x1&b=x2&c=x1");
    check(
        "SecRule ARGS ^x id:1,phase:1,pass,chain
         SecRule MATCHED_VARS 1$",
        &request,
        &["1 MATCHED_VARS:ARGS:a=x1", "1 MATCHED_VARS:ARGS:c=x1"],
    );
    check(
        "SecRule ARGS ^x id:1,phase:1,pass,chain
         SecRule MATCHED_VARS_NAMES :b",
        &request,
        &["1 MATCHED_VARS_NAMES:ARGS:b=ARGS:b"],
    );
    check(
        "SecRule ARGS 1$ id:1,phase:1,pass,nolog
         SecRule MATCHED_VARS x id:2,phase:1,pass",
        &request,
        &[],
    );
    // A chain that failed leaves nothing to the next.
    check(
        "SecRule ARGS 1$ id:1,phase:1,pass,nolog,chain
         SecRule ARGS nothing
         SecRule ARGS:b x2 id:2,phase:1,pass,chain
         SecRule &MATCHED_VARS \"@eq 1\"",
        &request,
        &["2 &MATCHED_VARS=1"],
    );
    check(
        "SecRule ARGS 1$ id:1,phase:1,pass,chain
         SecRule MATCHED_VAR x chain
         SecRule MATCHED_VAR_NAME ^MATCHED",
        &request,
        &["1 MATCHED_VAR_NAME=MATCHED_VAR"],
    );
    // In the form in which it matched.
    check(
        "SecRule ARGS:b 2$ id:1,phase:1,pass,t:hexEncode,t:hexDecode,t:sha1,t:hexEncode,t:none,t:urlDecode,t:length,chain
         SecRule MATCHED_VAR x",
        &request,
        &[],
    );
    check(
        "SecRule ARGS:b ^2$ id:1,phase:1,pass,t:length,chain
         SecRule MATCHED_VAR ^2$",
        &request,
        &["1 MATCHED_VAR=2"],
    );
}

#[test]
fn point_07_markers_removals_and_block() {
    let request = Request::get("/?a=x");
    // Within the phase that runs.
    check(
        "SecAction id:1,phase:1,nolog,pass,skipAfter:END
         SecAction id:2,phase:1,pass
         SecAction id:3,phase:2,pass
         SecMarker END
         SecAction id:4,phase:1,pass",
        &request,
        &["4", "3"],
    );
    // At once, by ranges.
    check(
        "SecAction id:1,phase:1,nolog,pass,ctl:ruleRemoveById=2-4
         SecAction id:2,phase:1,pass
         SecAction id:4,phase:2,pass
         SecAction id:5,phase:2,pass",
        &request,
        &["5"],
    );
    check(
        "SecAction id:1,phase:1,nolog,pass,ctl:ruleRemoveById=1-999999
         SecAction id:2,phase:1,pass",
        &request,
        &[],
    );
    let block = |defaults: &str| {
        let rules = format!("{defaults}\nSecAction id:1,phase:1,block");
        run(&rules, &request).end()
    };
    assert_eq!(block(""), "");
    assert_eq!(block("SecDefaultAction phase:1,log,pass"), "");
    assert_eq!(
        block("SecDefaultAction phase:1,log,deny,status:418"),
        "deny 418 by 1 in phase 1"
    );
    assert_eq!(block("SecDefaultAction phase:2,log,deny"), "");
}

#[test]
fn point_08_defaults_by_phase_and_updates_of_what_is_loaded() {
    let rules = "SecDefaultAction phase:1,nolog,pass
        SecDefaultAction phase:2,log,deny,status:406
        SecAction id:1,phase:1
        SecAction id:2,phase:2";
    let ran = run(rules, &Request::get("/"));
    assert_eq!(ran.matches(), ["2"]);
    assert_eq!(ran.end(), "deny 406 by 2 in phase 2");
    // For rules that come after it.
    let ran = run(
        "SecAction id:1,phase:1
         SecDefaultAction phase:1,log,deny
         SecAction id:2,phase:1",
        &Request::get("/"),
    );
    assert_eq!(ran.end(), "deny 403 by 2 in phase 1");
    let cookies = Request::get("/").header("Cookie", "_ga_X1=bad; sid=bad");
    check(
        "SecRule REQUEST_COOKIES bad id:1,phase:1,pass,tag:t
         SecRuleUpdateTargetById 1 !REQUEST_COOKIES:/^_GA(?:_\\w+)?$/
         SecRule REQUEST_COOKIES bad id:2,phase:1,pass,tag:t",
        &cookies,
        &[
            "1 REQUEST_COOKIES:sid=bad",
            "2 REQUEST_COOKIES:_ga_X1=bad",
            "2 REQUEST_COOKIES:sid=bad",
        ],
    );
    check(
        "SecRule REQUEST_COOKIES bad id:1,phase:1,pass,tag:t
         SecRuleUpdateTargetByTag t !REQUEST_COOKIES:sid
         SecRule REQUEST_COOKIES bad id:2,phase:1,pass,tag:t",
        &cookies,
        &[
            "1 REQUEST_COOKIES:_ga_X1=bad",
            "2 REQUEST_COOKIES:_ga_X1=bad",
            "2 REQUEST_COOKIES:sid=bad",
        ],
    );
}

#[test]
fn point_09_selectors_ignore_case() {
    let request = Request::get("/?Name=x")
        .header("User-Agent", "x")
        .header("Cookie", "SID=x");
    check(
        "SecRule ARGS:nAmE|REQUEST_HEADERS:USER-AGENT|REQUEST_COOKIES:sid x id:1,phase:1,pass",
        &request,
        &[
            "1 ARGS:Name=x",
            "1 REQUEST_HEADERS:User-Agent=x",
            "1 REQUEST_COOKIES:SID=x",
        ],
    );
    // The expression itself is not changed: \W stays \W.
    check(
        "SecRule ARGS:/^NA\\w+$/|REQUEST_HEADERS:/^USER\\W/ x id:1,phase:1,pass",
        &request,
        &["1 ARGS:Name=x", "1 REQUEST_HEADERS:User-Agent=x"],
    );
    check(
        "SecAction \"id:9,phase:1,nolog,pass,setvar:'tx.Multipart_Types_1=x',setvar:'tx.COUNTER_%{REQUEST_METHOD}=x'\"
         SecRule TX:/MULTIPART_TYPES_*/|TX:multipart_types_1|TX:/^counter_get$/ x id:1,phase:1,pass",
        &request,
        &[
            "1 TX:multipart_types_1=x",
            "1 TX:multipart_types_1=x",
            "1 TX:counter_get=x",
        ],
    );
    check("SecRule ARGS|!ARGS:NAME x id:1,phase:1,pass", &request, &[]);
}

#[test]
fn point_10_names_are_those_of_the_target() {
    let request = Request::form("b=x").to("/?a=x");
    check(
        "SecRule ARGS x id:1,phase:2,pass
         SecRule ARGS_GET|ARGS_POST x id:2,phase:2,pass
         SecRule ARGS_NAMES a|b id:3,phase:2,pass
         SecRule REQUEST_METHOD POST id:4,phase:2,pass
         SecRule &ARGS:a 1 id:5,phase:2,pass",
        &request,
        &[
            "1 ARGS:a=x",
            "1 ARGS:b=x",
            "2 ARGS_GET:a=x",
            "2 ARGS_POST:b=x",
            "3 ARGS_NAMES:a=a",
            "3 ARGS_NAMES:b=b",
            "4 REQUEST_METHOD=POST",
            "5 &ARGS=1",
        ],
    );
    check_tx(
        "SecRule ARGS x \"id:1,phase:2,pass,setvar:'tx.names=%{tx.names} %{MATCHED_VAR_NAME}'\"",
        &request,
        "names",
        " ARGS:a ARGS:b",
    );
}

#[test]
fn point_11_numbers_are_read_as_atoi_reads_them() {
    let holds = |operator: &str, value: &str| {
        let rules = format!("SecRule ARGS:a \"{operator}\" id:1,phase:1,pass");
        !run(&rules, &Request::get(&format!("/?a={value}")))
            .ids()
            .is_empty()
    };
    assert!(holds("@eq 5", "5"));
    assert!(holds("@eq 5", "+5abc"));
    assert!(holds("@eq 0", "abc"));
    assert!(holds("@eq 0", ""));
    assert!(holds("@lt 0", "-3"));
    assert!(holds("@gt 4", "5.9"));
    assert!(holds("!@eq 5", "4"));
    let tx = |actions: &str| {
        let rules = format!("SecAction \"id:1,phase:1,nolog,pass,{actions}\"");
        let value = run(&rules, &Request::get("/")).tx("a");
        value.unwrap_or_else(|| "-".to_owned())
    };
    assert_eq!(tx("setvar:tx.a=+3"), "3");
    assert_eq!(tx("setvar:tx.a=7x,setvar:tx.a=+3"), "10");
    assert_eq!(tx("setvar:tx.a=text,setvar:tx.a=+3"), "3");
    assert_eq!(tx("setvar:tx.a=5,setvar:tx.a=-3"), "2");
    // Counters never go below zero.
    assert_eq!(tx("setvar:tx.a=5,setvar:tx.a=-9"), "0");
    assert_eq!(tx("setvar:tx.b=4,setvar:'tx.a=+%{tx.b}'"), "4");
    assert_eq!(tx("setvar:'tx.a=+%{tx.none}'"), "0");
    // The argument's macros are expanded each time.
    check(
        "SecAction id:8,phase:1,nolog,pass,setvar:tx.limit=5
         SecRule ARGS:a \"@gt %{tx.limit}\" id:1,phase:1,pass,setvar:tx.limit=+1",
        &Request::get("/?a=6&a=6&a=7"),
        &["1 ARGS:a=6", "1 ARGS:a=7"],
    );
}

#[test]
fn point_12_operators() {
    let cases = [
        ("@within GET POST", "POST", true),
        ("@within GET POST", "", true),
        ("@within GET POST", "post", false),
        ("@pm abc DEF", "xxdefxx", true),
        ("@pm abc def", "de", false),
        ("@pmFromFile words", "xTWO+words", true),
        ("@pmFromFile words", "two", false),
        ("@pmFromFile words", "%23+no+phrase", false),
        ("@endsWith Abc", "xAbc", true),
        ("@endsWith Abc", "xabc", false),
        ("@contains Abc", "xAbcx", true),
        ("@contains Abc", "xabcx", false),
        ("@streq Abc", "Abc", true),
        ("@streq Abc", "abc", false),
        ("@validateByteRange 32-126", "", false),
        ("@validateByteRange 32-126", "abc", false),
        ("@validateByteRange 32-126", "ab%00", true),
        ("@ipMatch 192.0.2.0/24,2001:db8::/32", "192.0.2.9", true),
        ("@ipMatch 192.0.2.0/24,2001:db8::/32", "2001:db8::9", true),
        ("@ipMatch 192.0.2.0/24,2001:db8::/32", "192.0.3.9", false),
        // A dot is any byte, and `$` the very end.
        ("@rx ^a.b$", "a%0ab", true),
        ("@rx a$", "a%0a", false),
    ];
    for (operator, value, expected) in cases {
        let rules = format!("SecRule ARGS:a \"{operator}\" id:1,phase:1,pass");
        let files = Memory::new(&format!("SecRuleEngine On\n{rules}"))
            .with("words", b"# no phrase\n two words \n\nother\n");
        let ran = run_files(&files, &Request::get(&format!("/?a={value}")));
        assert_eq!(!ran.ids().is_empty(), expected, "{operator} of {value}");
    }
}

#[test]
fn point_13_unknown_macros_are_empty() {
    let files = Memory::default().with(
        MAIN,
        b"SecRuleEngine On
        SecAction \"id:1,phase:1,pass,nolog,setvar:'tx.a=[%{NO_SUCH}%{tx.none}%{ARGS.none}%{rule.none}]',\\
            setvar:'tx.b=[%{rule.id} %{rule.msg} %{rule.severity} %{REMOTE_ADDR} %{request_headers.HOST} %{tx.a}]',\\
            msg:'m',severity:CRITICAL\"",
    );
    let request = Request::get("/").header("Host", "h.example");
    let ran = run_files(&files, &request);
    assert_eq!(ran.tx("a").as_deref(), Some("[]"));
    assert_eq!(
        ran.tx("b").as_deref(),
        Some("[1 m 2 192.0.2.7 h.example []]")
    );
}

#[test]
fn lists_of_targets_that_change_have_all_kinds() {
    let xml = Request::post("text/xml", "<a b='bad1'>bad2</a>");
    let rules =
        "SecAction \"id:9,phase:1,nolog,pass,ctl:requestBodyProcessor=XML,setvar:tx.a=bad0\"
        SecRule TX:a|XML:/*|XML://@*|REQUEST_URI bad id:1,phase:2,pass";
    check(
        rules,
        &xml.clone().to("/bad3"),
        &[
            "1 TX:a=bad0",
            "1 XML=bad2",
            "1 XML=bad1",
            "1 REQUEST_URI=/bad3",
        ],
    );
    check(
        "SecAction id:9,phase:1,nolog,pass,ctl:requestBodyProcessor=XML
         SecRule &TX:a|&XML:/* \"@eq 1\" id:1,phase:2,pass",
        &xml,
        &["1 &XML=1"],
    );
}
