//! What is for the audit log, and what it is not to show.

use palisade_seclang::Sanitised;
use palisade_vocabulary::HiddenNames;

use crate::site::{Ran, Request, Site, run};

fn shown(sanitised: Sanitised<'_>) -> String {
    match sanitised {
        Sanitised::Argument(name) => format!("argument {}", name.escape_ascii()),
        Sanitised::RequestHeader(name) => format!("request {}", name.escape_ascii()),
        Sanitised::ResponseHeader(name) => format!("response {}", name.escape_ascii()),
        Sanitised::RequestCookie(name) => format!("cookie {}", name.escape_ascii()),
        Sanitised::Bytes {
            text,
            shown_first,
            shown_last,
        } => format!("{} {shown_first}/{shown_last}", text.escape_ascii()),
        Sanitised::Everything => "everything".to_owned(),
    }
}

fn sanitised(ran: &Ran) -> Vec<String> {
    ran.transaction().sanitised().map(shown).collect()
}

fn login(query: &str) -> Request {
    Request::form("user=ann&Password=s3cret&card=4111111111111111")
        .to(&format!("/login?{query}"))
        .header("Authorization", "Basic YTpi")
        .header("Cookie", "sid=xyz")
        .answered(200, "text/html", "")
}

#[test]
fn names_and_what_matched_are_sanitised() {
    #[track_caller]
    fn check(rule: &str, expected: &[&str]) {
        let ran = run(rule, &login("Key=k1&key=k2"));
        assert_eq!(sanitised(&ran), expected, "{rule}");
    }
    check("SecAction id:1,phase:2,pass", &[]);
    check(
        "SecRule ARGS ^ann$ id:1,phase:2,pass,sanitiseArg:password,sanitiseArg:Password",
        &["argument password"],
    );
    check(
        "SecRule ARGS nowhere id:1,phase:2,pass,sanitiseArg:password",
        &[],
    );
    check(
        "SecAction \"id:1,phase:1,nolog,pass,sanitizeRequestHeader:Authorization,sanitiseResponseHeader:Set-Cookie\"",
        &["request Authorization", "response Set-Cookie"],
    );
    // Each value that matches, by its name.
    check(
        "SecRule ARGS ^k id:1,phase:2,nolog,pass,sanitiseMatched",
        &["argument Key"],
    );
    check(
        "SecRule ARGS_NAMES card id:1,phase:2,pass,sanitiseMatched",
        &["argument card"],
    );
    check(
        "SecRule REQUEST_HEADERS Basic id:1,phase:1,pass,sanitizeMatched",
        &["request Authorization"],
    );
    check(
        "SecRule RESPONSE_HEADERS html id:1,phase:3,pass,sanitiseMatched",
        &["response Content-Type"],
    );
    // What has no name there is what it is.
    check(
        "SecRule REQUEST_COOKIES xyz id:1,phase:1,pass,sanitiseMatched",
        &["xyz 0/0"],
    );
    check(
        "SecRule REQUEST_METHOD POST id:1,phase:1,pass,sanitiseMatched",
        &["POST 0/0"],
    );
    check(
        "SecRule &ARGS 5 id:1,phase:2,pass,sanitiseMatched",
        &["5 0/0"],
    );
    // What the operator found, but for some of its bytes.
    check(
        "SecRule ARGS \"@rx 4\\d{15}\" id:1,phase:2,pass,capture,sanitiseMatchedBytes:1/4",
        &["4111111111111111 1/4"],
    );
    check(
        "SecRule ARGS \"@rx s3\" id:1,phase:2,pass,capture,sanitiseMatchedBytes",
        &["s3 0/0"],
    );
    check(
        "SecRule ARGS \"@rx s3\" id:1,phase:2,pass,sanitiseMatchedBytes",
        &["argument Password"],
    );
    // Links of a chain act as soon as they match.
    check(
        "SecRule ARGS ^ann$ id:1,phase:2,pass,chain,sanitiseMatched\nSecRule ARGS nowhere",
        &["argument user"],
    );
}

#[test]
fn values_of_hidden_names_are_told_of_no_match() {
    let hidden = HiddenNames {
        arguments: vec!["password".into()],
        headers: vec!["authorization".into()],
        cookies: vec!["sid".into()],
    };
    let check = |rule: &str, expected: &[&str]| {
        let data = "phase:2,pass,t:uppercase,msg:'%{MATCHED_VAR_NAME}',logdata:'%{MATCHED_VAR}'";
        let site = Site::new(&format!("SecRule {rule} \"@rx .\" \"id:1,{data}\""));
        let ran = site.run_without(&login("x[password]=zz9"), &hidden);
        let all = ran.messages().into_iter().zip(ran.matches());
        let told: Vec<_> = all
            .map(|(one, matched)| format!("{one} {matched}"))
            .collect();
        assert_eq!(told, expected, "{rule}");
    };
    check("ARGS:user", &["ARGS:user|ANN 1 ARGS:user=ANN"]);
    check(
        "ARGS:Password",
        &["ARGS:Password|****** 1 ARGS:Password=******"],
    );
    check(
        "ARGS_GET",
        &["ARGS_GET:x[password]|*** 1 ARGS_GET:x[password]=***"],
    );
    check(
        "REQUEST_HEADERS:Authorization",
        &["REQUEST_HEADERS:Authorization|********** 1 REQUEST_HEADERS:Authorization=**********"],
    );
    check(
        "REQUEST_COOKIES",
        &["REQUEST_COOKIES:sid|*** 1 REQUEST_COOKIES:sid=***"],
    );
    // In another spelling too.
    check(
        "REQUEST_HEADERS:Cookie",
        &["REQUEST_HEADERS:Cookie|******* 1 REQUEST_HEADERS:Cookie=*******"],
    );
}

/// `msg`, `logdata` and value of each match of rules for a request with a password and a card.
fn told(rules: &str) -> Vec<String> {
    let ran = run(rules, &login("a=s3cret"));
    let all = ran.messages().into_iter().zip(ran.matches());
    all.map(|(messages, matches)| format!("{messages} {matches}"))
        .collect()
}

#[test]
fn what_is_sanitised_is_told_of_no_match() {
    #[track_caller]
    fn check(rules: &str, expected: &[&str]) {
        assert_eq!(told(rules), expected, "{rules}");
    }
    let data = "msg:'In %{MATCHED_VAR_NAME}',logdata:'%{TX.0} in %{MATCHED_VAR}'";
    let by_name = format!(
        "SecRule ARGS:password|ARGS:user \"@rx .+\" \"id:1,phase:2,pass,capture,{data},t:uppercase\"
         SecAction id:2,phase:5,pass,nolog,sanitiseArg:password"
    );
    check(
        &by_name,
        &[
            "In ARGS:Password|**************** 1 ARGS:Password=******",
            "In ARGS:user|ANN in ANN 1 ARGS:user=ANN",
        ],
    );
    // Wherever else it stands, as it is.
    let elsewhere = "SecRule ARGS:a s3 \"id:1,phase:2,pass,msg:'A s3cret',logdata:'%{ARGS.user} %{ARGS.password}.'\"
         SecAction id:2,phase:5,pass,nolog,sanitiseArg:password";
    check(elsewhere, &["A s3cret|ann ******. 1 ARGS:a=******"]);
    // Where it may stand in another spelling, nothing is shown.
    let whole = "SecRule REQUEST_URI login \"id:1,phase:2,pass,logdata:'%{MATCHED_VAR}',sanitiseArg:password\"
         SecRule ARGS:user ann \"id:2,phase:2,pass,logdata:'%{REQUEST_URI}'\"
         SecRule ARGS:password cr \"id:3,phase:2,pass,capture,chain,logdata:'%{TX.0}'\"
         SecRule ARGS:user ann";
    check(
        whole,
        &[
            "|*************** 1 REQUEST_URI=***************",
            "|*************** 2 ARGS:user=ann",
            "|** 3 ARGS:user=ann",
        ],
    );
    let card = "SecRule ARGS \"@rx 4\\d{15}\" \"id:1,phase:2,pass,capture,logdata:'%{TX.0} in %{MATCHED_VAR}',sanitiseMatchedBytes:1/4\"";
    check(
        card,
        &["|4***********1111 in 4***********1111 1 ARGS:card=4***********1111"],
    );
    let header = "SecRule REQUEST_COOKIES|REQUEST_HEADERS xyz \"id:1,phase:1,pass,logdata:'%{MATCHED_VAR}',sanitiseRequestHeader:cookie\"";
    check(
        header,
        &[
            "|*** 1 REQUEST_COOKIES:sid=***",
            "|******* 1 REQUEST_HEADERS:Cookie=*******",
        ],
    );
}

#[test]
fn copies_in_other_letters_or_decoded_are_sanitised() {
    let check = |copy: &str, expected: &str| {
        let rules = format!(
            "SecRule ARGS:password . \"id:1,phase:2,pass,nolog,setvar:'tx.copy=%{{MATCHED_VAR}}',{copy}\"
             SecRule TX:copy ^ \"id:2,phase:2,pass,t:lowercase,logdata:'has %{{TX.copy}}.'\"
             SecAction id:3,phase:5,pass,nolog,sanitiseArg:password"
        );
        assert_eq!(told(&rules), [expected], "{copy}");
    };
    check("t:none", "|has ******. 2 TX:copy=******");
    check(
        "t:uppercase,t:urlDecodeUni,setvar:'tx.copy=A%{tx.copy}'",
        "|has A******. 2 TX:copy=a******",
    );
    let header = "SecRule REQUEST_HEADERS:Authorization . \"id:1,phase:1,pass,nolog,t:urlDecodeUni,t:lowercase,setvar:'tx.copy=%{MATCHED_VAR}'\"
         SecRule TX:copy ^ \"id:2,phase:1,pass,logdata:'%{TX.copy}'\"
         SecAction id:3,phase:5,pass,nolog,sanitiseRequestHeader:authorization";
    let request = Request::get("/").header("Authorization", "Token+a%20b%25C");
    let ran = run(header, &request);
    assert_eq!(ran.matches(), ["2 TX:copy=***********"]);
}

#[test]
fn what_is_cut_off_is_sanitised_too() {
    let secret = "0123456789".repeat(30);
    let request = Request::get(&format!("/?p={secret}&a={}{secret}", "x".repeat(400)));
    let ran = run(
        "SecRule ARGS:a x \"id:1,phase:1,pass,sanitiseArg:p\"
         SecRule ARGS:p 0 \"id:2,phase:1,pass,chain,logdata:'-%{ARGS.a}%{ARGS.p}%{ARGS.p}'\"
         SecRule REQUEST_METHOD GET",
        &request,
    );
    let matches = ran.matches().join("");
    assert_eq!(matches.matches('*').count(), 512 - 400, "{matches}");
    let messages = ran.messages().join("");
    assert_eq!(messages.matches('*').count(), 1_024 - 401, "{messages}");
    assert!(!messages.contains('0'), "{messages}");
}

#[test]
fn beyond_what_is_kept_nothing_is_shown() {
    let query: String = (0..257).map(|number| format!("&n{number}=v")).collect();
    let ran = run(
        "SecRule ARGS:/^n/ v id:1,phase:1,nolog,pass,sanitiseMatched
         SecRule ARGS:user ann \"id:2,phase:1,pass,msg:'Hi',logdata:'%{MATCHED_VAR}'\"",
        &Request::get(&format!("/?user=ann{query}")),
    );
    assert_eq!(sanitised(&ran).first().unwrap(), "everything");
    assert_eq!(sanitised(&ran).len(), 257);
    assert_eq!(ran.messages(), ["Hi|***"]);
    assert_eq!(ran.matches(), ["2 ARGS:user=***"]);
    // Nor where there are more values than are searched for.
    let ran = run(
        "SecRule ARGS:user ann \"id:2,phase:1,pass,sanitiseArg:p,logdata:'%{MATCHED_VAR}'\"",
        &Request::get(&format!("/?user=ann{}", "&p=v".repeat(17))),
    );
    assert_eq!(ran.messages(), ["|***"]);
}

#[test]
fn what_goes_to_the_audit_log() {
    #[track_caller]
    fn check(settings: &str, rule: &str, status: Option<u16>, expected: bool) {
        let rules = format!("{settings}\nSecRule ARGS:a x id:1,phase:1,{rule}");
        let site = Site::new(&rules);
        let ran = site.run(&Request::get("/?a=x"));
        let settings = site.program().settings();
        let is_logged = ran.transaction().is_for_audit_log(settings, status);
        assert_eq!(is_logged, expected, "{rules} {status:?}");
    }
    let silent = "pass,nolog";
    let relevant = "SecAuditEngine RelevantOnly\nSecAuditLogRelevantStatus \"^(?:5|4(?!04))\"";
    for (engine, rule, status, expected) in [
        // By default nothing does.
        ("", "pass", Some(500), false),
        ("SecAuditEngine Off", "deny", Some(403), false),
        ("SecAuditEngine On", silent, Some(200), true),
        ("SecAuditEngine On", "pass,noauditlog", None, true),
        // A rule that matched.
        ("SecAuditEngine RelevantOnly", "pass", Some(200), true),
        (
            "SecAuditEngine RelevantOnly",
            "pass,nolog,auditlog",
            None,
            true,
        ),
        ("SecAuditEngine RelevantOnly", silent, Some(500), false),
        (
            "SecAuditEngine RelevantOnly",
            "deny,noauditlog",
            Some(403),
            false,
        ),
        // Or the status.
        (relevant, silent, Some(500), true),
        (relevant, silent, Some(403), true),
        (relevant, silent, Some(404), false),
        (relevant, silent, Some(200), false),
        (relevant, silent, None, false),
        (relevant, "pass", Some(404), true),
        (relevant, "deny,noauditlog", Some(403), true),
        // What a rule makes of it.
        (
            "SecAuditEngine On",
            "pass,nolog,ctl:auditEngine=Off",
            Some(500),
            false,
        ),
        (relevant, "pass,ctl:auditEngine=Off", Some(500), false),
        (relevant, "pass,nolog,ctl:auditEngine=On", Some(200), true),
        (
            "SecAuditEngine On",
            "pass,nolog,ctl:auditEngine=RelevantOnly",
            Some(200),
            false,
        ),
        // Where no rule runs.
        (
            "SecRuleEngine Off\nSecAuditEngine On",
            "pass",
            Some(500),
            false,
        ),
        (
            "SecRuleEngine DetectionOnly\nSecAuditEngine On",
            silent,
            Some(200),
            true,
        ),
        (
            "SecAuditEngine On",
            "pass,ctl:ruleEngine=Off",
            Some(200),
            true,
        ),
    ] {
        check(engine, rule, status, expected);
    }
}
