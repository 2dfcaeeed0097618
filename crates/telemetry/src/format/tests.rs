use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;
use std::time::Duration;

use palisade_vocabulary::{ClientAddr, HttpVersion, Ip, Provenance, RequestId, RuleId};
use proptest::prelude::*;
use regex::Regex;
use serde_json::Value;

use crate::*;

/// What CrowdSec's `nginx-logs` parser takes apart, `%{...}` written out.
const NGINX_LOGS: &str = concat!(
    r"(?:(?<vhost>IPORHOST)(?::(?<port>[1-9]\d*))? )?(?<addr>IPORHOST) - (?:[a-zA-Z0-9.@\-+_%]+ )?",
    r#"\[(?<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+\d{4})\] "(?<verb>\b\w+\b) (?<request>.*?)"#,
    r#" HTTP/(?<version>\d+(?:\.\d+)?)" (?<status>\d+) (?<bytes>\d+) "(?<referer>[^"]*)" "(?<ua>[^"]*)""#,
);
/// Its second pattern, for a request line without a verb.
const NGINX_LOGS_MALFORMED: &str = concat!(
    r"(?:(?<vhost>IPORHOST)(?::(?<port>[1-9]\d*))? )?(?<addr>IPORHOST) - (?:[a-zA-Z0-9.@\-+_%]+ )?",
    r#"\[(?<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+\d{4})\] "(?<request>.*?)""#,
    r#" (?<status>\d+) (?<bytes>\d+) "(?<referer>[^"]*)" "(?<ua>[^"]*)""#,
);
/// The same parser as Debian ships it with CrowdSec 1.4.6.
const NGINX_LOGS_1_4: &str = concat!(
    r"(?:(?<vhost>IPORHOST) )?(?<addr>IPORHOST) - (?:[a-zA-Z0-9.@\-+_%]+)? ",
    r#"\[(?<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+\d{4})\] "(?<verb>\b\w+\b) (?<request>.*?)"#,
    r#" HTTP/(?<version>\d+(?:\.\d+)?)" (?<status>\d+) (?<bytes>\d+) "(?<referer>[^"]*)" "(?<ua>[^"]*)""#,
);
const IPORHOST: &str = concat!(
    r"(?:(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:\d{1,3}(?:\.\d{1,3}){3})?",
    r"|\d{1,3}(?:\.\d{1,3}){3}",
    r"|\b[0-9A-Za-z][0-9A-Za-z\-]{0,62}(?:\.[0-9A-Za-z][0-9A-Za-z\-]{0,62})*(?:\.?|\b))",
);
/// A field of a client that is a whole line of another's.
const FORGED: &str =
    "a 198.51.100.66 - - [21/Nov/2026:19:32:25 +0000] \"GET /.env HTTP/1.1\" 404 1 \"-\" \"x\" ";

static NGINX: LazyLock<Regex> = LazyLock::new(|| pattern(NGINX_LOGS));
static MALFORMED: LazyLock<Regex> = LazyLock::new(|| pattern(NGINX_LOGS_MALFORMED));

fn pattern(text: &str) -> Regex {
    Regex::new(&text.replace("IPORHOST", IPORHOST)).unwrap()
}

fn client(ip: impl Into<IpAddr>) -> ClientAddr {
    ClientAddr::peer(Ip::new(ip.into()), 40_000)
}

fn get(target: &[u8]) -> RequestLine<'_> {
    RequestLine::Parsed {
        method: "GET",
        target,
        version: HttpVersion::Http11,
    }
}

fn event<'a>(client: &'a ClientAddr, request: RequestLine<'a>) -> AccessEvent<'a> {
    AccessEvent {
        time: WallTime::from_unix(1_795_289_545, 317_000),
        client,
        request,
        host: "example.com",
        port: Some(443),
        status: 404,
        body_bytes: 153,
        referer: b"",
        user_agent: b"curl/8.0",
        user: "",
        request_id: RequestId::from_bits(0xab),
        duration: Duration::from_micros(2_134),
        upstream: None,
        upstream_duration: None,
        www_authenticate: None,
        site: "example.com",
        outcome: Outcome::Forwarded,
    }
}

fn line(format: AccessFormat, event: &AccessEvent<'_>) -> String {
    let mut out = Vec::new();
    format.write_line(event, &mut out);
    String::from_utf8(out).unwrap()
}

fn decision_line(event: &DecisionEvent<'_>) -> String {
    let mut out = Vec::new();
    event.write_line(&mut out);
    String::from_utf8(out).unwrap()
}

#[track_caller]
fn check(format: AccessFormat, event: &AccessEvent<'_>, expected: &str) {
    assert_eq!(line(format, event), format!("{expected}\n"));
}

const ID: &str = "000000000000000000000000000000ab";

#[test]
fn combined_lines() {
    let client = client([203, 0, 113, 7]);
    let plain = event(&client, get(b"/.env?x=1"));
    let tail = format!("id={ID} duration=0.002134");
    let time = "[21/Nov/2026:19:32:25 +0000]";
    check(
        AccessFormat::Combined,
        &plain,
        &format!(
            r#"example.com 203.0.113.7 - - {time} "GET /.env?x=1 HTTP/1.1" 404 153 "-" "curl/8.0" {tail} outcome=forwarded port=443"#
        ),
    );
    let refused = AccessEvent {
        outcome: Outcome::Refused(Check::Access),
        upstream: Some("app"),
        referer: b"https://example.com/",
        user_agent: b"",
        port: None,
        ..plain
    };
    check(
        AccessFormat::Combined,
        &refused,
        &format!(
            r#"example.com 203.0.113.7 - - {time} "GET /.env?x=1 HTTP/1.1" 404 153 "https://example.com/" "-" {tail} outcome=refused check=access upstream=app"#
        ),
    );
    let malformed = AccessEvent {
        request: RequestLine::Malformed(b"\x16\x03\x01 \"\\"),
        host: "",
        status: 0,
        outcome: Outcome::ClientAborted,
        ..plain
    };
    check(
        AccessFormat::Combined,
        &malformed,
        &format!(
            r#"- 203.0.113.7 - - {time} "\x16\x03\x01 \x22\x5C" 499 153 "-" "curl/8.0" {tail} outcome=client_aborted port=443"#
        ),
    );
}

/// The user as a line of the combined format has it, which an agent takes apart as ever.
#[track_caller]
fn check_user(user: &str, expected: &str) {
    let client = client([203, 0, 113, 7]);
    let event = AccessEvent {
        user,
        ..event(&client, get(b"/"))
    };
    let combined = line(AccessFormat::Combined, &event);
    let start = format!("example.com 203.0.113.7 - {expected} [");
    assert!(combined.starts_with(&start), "{combined}");
    for agent in [&*NGINX, &pattern(NGINX_LOGS_1_4)] {
        let taken = agent.captures(&combined).expect("an agent can read it");
        assert_eq!((&taken["addr"], &taken["status"]), ("203.0.113.7", "404"));
    }
}

#[test]
fn users_are_one_word() {
    check_user("", "-");
    check_user("alice", "alice");
    check_user(
        "Alice.Smith+x_y-z@example.com",
        "Alice.Smith+x_y-z@example.com",
    );
    check_user("al ice\" [x]", "al%20ice%22%20%5Bx%5D");
    check_user("ä%", "%C3%A4%25");
    check_user("-", "%2D");
    check_user(&"u".repeat(300), &format!("{}...", "u".repeat(256)));
}

#[test]
fn users_are_members_where_there_are_any() {
    let client = client([203, 0, 113, 7]);
    let event = |user| AccessEvent {
        user,
        ..event(&client, get(b"/"))
    };
    for (format, name) in [
        (AccessFormat::Json, "user"),
        (AccessFormat::Caddy, "user_id"),
    ] {
        let member = |user| parse_line(&line(format, &event(user)))[name].clone();
        assert_eq!(member("al \"ice"), "al \"ice");
        assert_eq!(member(""), Value::Null);
    }
}

#[test]
fn addresses_are_written_canonical_and_unmapped() {
    let v6 = client(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
    let mapped = client(Ipv4Addr::new(203, 0, 113, 7).to_ipv6_mapped());
    let host = AccessEvent {
        host: "[2001:db8::2]",
        ..event(&v6, get(b"/"))
    };
    let combined = line(AccessFormat::Combined, &host);
    assert!(
        combined.starts_with("2001:db8::2 2001:db8::1 - - ["),
        "{combined}"
    );
    let combined = line(AccessFormat::Combined, &event(&mapped, get(b"/")));
    assert!(
        combined.starts_with("example.com 203.0.113.7 - - ["),
        "{combined}"
    );
    let caddy = line(AccessFormat::Caddy, &event(&mapped, get(b"/")));
    assert!(caddy.contains(r#""client_ip":"203.0.113.7""#), "{caddy}");
}

#[test]
fn agents_old_and_new_find_every_field() {
    let client = client([203, 0, 113, 7]);
    for host in ["example.com", "[2001:db8::2]", "198.51.100.1"] {
        let event = AccessEvent {
            host,
            ..event(&client, get(b"/.env?x=1"))
        };
        let combined = line(AccessFormat::Combined, &event);
        for agent in [&*NGINX, &pattern(NGINX_LOGS_1_4)] {
            let fields = agent.captures(&combined).unwrap();
            assert_eq!(
                &fields["vhost"],
                host.trim_matches(['[', ']']),
                "{combined}"
            );
            assert_eq!(&fields["addr"], "203.0.113.7");
            assert_eq!(&fields["verb"], "GET");
            assert_eq!(&fields["request"], "/.env?x=1");
            assert_eq!(&fields["status"], "404");
            assert_eq!(&fields["bytes"], "153");
            assert_eq!(&fields["ua"], "curl/8.0");
        }
    }
}

#[test]
fn json_lines() {
    let client = ClientAddr {
        ip: Ip::new([203, 0, 113, 7].into()),
        port: None,
        provenance: Provenance::Header {
            name: "x-forwarded-for".into(),
            hop: 2,
        },
    };
    let event = AccessEvent {
        upstream: Some("app"),
        upstream_duration: Some(Duration::new(61, 5_000)),
        user_agent: "caf\u{e9} \u{1f980} \u{202e}\"\\".as_bytes(),
        outcome: Outcome::Refused(Check::Body),
        ..event(&client, get(b"/a\xff\x1b[2J"))
    };
    check(AccessFormat::Json, &event, &[
        r#"{"time":"2026-11-21T19:32:25.000317Z","request_id":"000000000000000000000000000000ab","#,
        r#""client_ip":"203.0.113.7","client_provenance":"header x-forwarded-for hop 2","#,
        r#""host":"example.com","port":443,"method":"GET","target":"/a\\xFF\u001B[2J","version":"HTTP/1.1","#,
        r#""status":404,"body_bytes":153,"user_agent":"caf\u00E9 \uD83E\uDD80 \u202E\"\\","#,
        r#""duration_seconds":0.002134,"upstream":"app","upstream_duration_seconds":61.000005,"#,
        r#""site":"example.com","outcome":"refused","check":"body"}"#,
    ].concat());
}

#[test]
fn caddy_lines() {
    let client = client([203, 0, 113, 7]);
    let event = AccessEvent {
        status: 401,
        www_authenticate: Some(b"Basic realm=\"x\""),
        referer: b"https://example.com/",
        ..event(&client, get(b"/x?y"))
    };
    check(AccessFormat::Caddy, &event, &[
        r#"{"level":"info","ts":1795289545.000317,"logger":"http.log.access","msg":"handled request","#,
        r#""request":{"remote_ip":"203.0.113.7","remote_port":"40000","client_ip":"203.0.113.7","#,
        r#""proto":"HTTP/1.1","method":"GET","host":"example.com","uri":"/x?y","#,
        r#""headers":{"User-Agent":["curl/8.0"],"Referer":["https://example.com/"]}},"#,
        r#""duration":0.002134,"size":153,"status":401,"#,
        r#""resp_headers":{"Www-Authenticate":["Basic realm=\"x\""]},"#,
        r#""request_id":"000000000000000000000000000000ab","outcome":"forwarded"}"#,
    ].concat());
}

fn refusal<'a>(
    client: &'a ClientAddr,
    cause: Cause<'a>,
    subject: Subject<'a>,
) -> DecisionEvent<'a> {
    DecisionEvent {
        time: WallTime::from_unix(1_795_289_545, 317_000),
        mode: DecisionMode::Refused,
        cause,
        client,
        peer: Ip::new([10, 0, 0, 1].into()),
        subject,
        checks_duration: Duration::from_nanos(12_900),
    }
}

fn refused_request(request: RequestLine<'_>) -> Subject<'_> {
    Subject::Request {
        id: RequestId::from_bits(0xab),
        host: "example.com",
        site: "example.com",
        request,
        user_agent: b"curl/8.0",
        status: Some(403),
    }
}

const BAN: MatchedDecision<'_> = MatchedDecision {
    origin: "lists:firehol",
    scenario: "crowdsecurity/ssh-bf",
    kind: "ban",
    scope: "range",
    value: "203.0.113.0/24",
    id: Some(42),
    expires_in: Duration::from_secs(3_599),
};

/// `cause` is the line between the id and the client, `subject` what comes after the peer.
#[track_caller]
fn check_decision(event: &DecisionEvent<'_>, cause: &str, subject: &str) {
    let id = match event.subject {
        Subject::Request { .. } => r#""request_id":"000000000000000000000000000000ab","#,
        Subject::Connection => "",
    };
    let expected = [
        r#"{"time":"2026-11-21T19:32:25.000317Z","#,
        id,
        cause,
        r#","client":{"ip":"203.0.113.7","port":40000,"provenance":"peer"},"peer":"10.0.0.1","#,
        subject,
        r#""checks_microseconds":12}"#,
        "\n",
    ];
    assert_eq!(decision_line(event), expected.concat());
}

const LOGIN: &str = concat!(
    r#""site":"example.com","host":"example.com","method":"GET","path":"/login","#,
    r#""user_agent":"curl/8.0","status":403,"#
);

#[test]
fn lines_of_refused_requests() {
    let client = client([203, 0, 113, 7]);
    let subject = refused_request(get(b"/login?password=secret"));
    let banned = refusal(&client, Cause::Decision(BAN), subject);
    let cause = concat!(
        r#""mode":"refused","check":"decisions","decision":{"origin":"lists:firehol","#,
        r#""scenario":"crowdsecurity/ssh-bf","type":"ban","scope":"range","#,
        r#""value":"203.0.113.0/24","id":42,"expires_in_seconds":3599}"#
    );
    check_decision(&banned, cause, LOGIN);

    let id: RuleId = "scanners".parse().unwrap();
    let reason = "known scanner";
    let would = DecisionEvent {
        mode: DecisionMode::WouldRefuse,
        ..refusal(&client, Cause::Rule { id: &id, reason }, subject)
    };
    let cause = concat!(
        r#""mode":"would_refuse","check":"access","#,
        r#""rule":{"id":"scanners","reason":"known scanner"}"#
    );
    check_decision(&would, cause, LOGIN);
    let reason = "";
    let logged = DecisionEvent {
        mode: DecisionMode::Logged,
        ..refusal(&client, Cause::Rule { id: &id, reason }, subject)
    };
    let cause = r#""mode":"logged","check":"access","rule":{"id":"scanners"}"#;
    check_decision(&logged, cause, LOGIN);

    let protected = |user, locks| Cause::Protected {
        id: &id,
        reason: "credentials_wrong",
        user,
        locks,
    };
    let wrong = refusal(&client, protected("al \"ice", true), subject);
    let cause = concat!(
        r#""mode":"refused","check":"protected","reason":"credentials_wrong","#,
        r#""protected":"scanners","user":"al \"ice","then":"lockout""#
    );
    check_decision(&wrong, cause, LOGIN);
    let wrong = refusal(&client, protected("", false), subject);
    let cause = r#""mode":"refused","check":"protected","reason":"credentials_wrong","protected":"scanners""#;
    check_decision(&wrong, cause, LOGIN);
    let locked = Cause::LockedOut {
        retry_after: Duration::from_millis(1_500),
        user: "",
    };
    let cause =
        r#""mode":"refused","check":"limits","reason":"lockout","retry_after_seconds":1.500000"#;
    check_decision(&refusal(&client, locked, subject), cause, LOGIN);

    let reason = "body_too_large";
    let too_large = refusal(&client, Cause::Body { reason }, subject);
    let cause = r#""mode":"refused","check":"body","reason":"body_too_large""#;
    check_decision(&too_large, cause, LOGIN);
}

#[test]
fn lines_of_what_could_not_be_parsed() {
    let client = client([203, 0, 113, 7]);
    let subject = Subject::Request {
        id: RequestId::from_bits(0xab),
        host: "",
        site: "",
        request: RequestLine::Malformed(b"GET\0"),
        user_agent: b"",
        status: None,
    };
    let reason = "request_line";
    let malformed = refusal(&client, Cause::Hygiene { reason }, subject);
    let cause = r#""mode":"refused","check":"hygiene","reason":"request_line""#;
    check_decision(&malformed, cause, r#""host":"","malformed":"GET\u0000","#);
}

#[test]
fn lines_of_refused_connections() {
    let client = client([203, 0, 113, 7]);
    let reason = "missing";
    let no_header = refusal(&client, Cause::Proxy { reason }, Subject::Connection);
    check_decision(
        &no_header,
        r#""mode":"refused","check":"proxy","reason":"missing""#,
        "",
    );
    let stale = refusal(&client, Cause::DecisionsStale, Subject::Connection);
    let cause = r#""mode":"refused","check":"decisions","reason":"decisions_stale""#;
    check_decision(&stale, cause, "");
}

#[test]
fn lines_of_what_rules_refuse() {
    let client = client([203, 0, 113, 7]);
    let waf = WafCause {
        rule: 949_110,
        message: b"Too much",
        phase: 2,
        score: b"10",
        rules: &[942_100, 949_110],
        failure: None,
    };
    let subject = refused_request(get(b"/login"));
    let by_rule = refusal(&client, Cause::Waf(waf), subject);
    let cause = concat!(
        r#""mode":"refused","check":"waf","waf":{"rule":949110,"message":"Too much","#,
        r#""phase":2,"score":"10","rules":[942100,949110]}"#
    );
    check_decision(&by_rule, cause, LOGIN);
    let failure = WafCause {
        rule: 0,
        message: b"",
        score: b"",
        rules: &[],
        failure: Some("budget_spent"),
        ..waf
    };
    let by_failure = refusal(&client, Cause::Waf(failure), subject);
    let cause = concat!(
        r#""mode":"refused","check":"waf","#,
        r#""waf":{"failure":"budget_spent","phase":2,"rules":[]}"#
    );
    check_decision(&by_failure, cause, LOGIN);
}

fn audit_message<'a>(id: u64, value: &'a [u8]) -> AuditMessage<'a> {
    AuditMessage {
        id,
        phase: 2,
        message: b"SQL",
        data: b"",
        name: b"ARGS:id",
        value,
        severity: Some(2),
        tags: vec![b"attack-sqli", b"one\"two"],
        version: "OWASP_CRS/4.28.0",
        revision: "",
        maturity: 0,
        accuracy: 0,
        asks: Some(("detectSQLi", "")),
        place: ("crs/a.conf", 7),
        has_interrupted: true,
        error_log_line: b"[client 203.0.113.7] ModSecurity: Access denied. [id \"942100\"]",
    }
}

fn audit_lines(messages: &[AuditMessage<'_>], format: AuditFormat) -> String {
    let client = client([203, 0, 113, 7]);
    let event = AuditEvent {
        time: WallTime::from_unix(1_795_289_545, 317_000),
        request_id: RequestId::from_bits(0xab),
        client: &client,
        host: b"example.com",
        site: "example.com",
        request: get(b"/?id=1"),
        status: 403,
        outcome: AuditOutcome::Refused,
        messages,
        messages_left_out: 3,
        body_error: "",
        score: b"5",
        duration: Duration::from_micros(12),
        content: AuditContent {
            server: ([192, 0, 2, 1], 443).into(),
            request_headers: &[
                (b"Host", b"example.com"[..].into()),
                (b"X-A", b"1"[..].into()),
                (b"Accept", b"*/*"[..].into()),
                (b"x-a", b"2\""[..].into()),
            ],
            request_body: b"a=b",
            response_headers: &[(b"Server", b"x"[..].into())],
            response_body: b"no\n",
            only_detects: false,
            components: &[b"OWASP_CRS/4.28.0".to_vec()],
        },
    };
    let mut out = Vec::new();
    event.write(format, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn audit_lines_are_objects_with_every_message() {
    let line = audit_lines(&[audit_message(942_100, b"1'\n")], AuditFormat::Json);
    let expected = concat!(
        r#"{"time":"2026-11-21T19:32:25.000317Z","request_id":"000000000000000000000000000000ab","#,
        r#""client_ip":"203.0.113.7","client_port":40000,"client_provenance":"peer","#,
        r#""site":"example.com","host":"example.com","#,
        r#""request":{"method":"GET","target":"/?id=1","version":"HTTP/1.1"},"#,
        r#""status":403,"outcome":"refused","score":"5","messages":[{"id":942100,"phase":2,"#,
        r#""msg":"SQL","name":"ARGS:id","value":"1'\u000A","severity":2,"#,
        r#""tags":["attack-sqli","one\"two"],"ver":"OWASP_CRS/4.28.0","file":"crs/a.conf","line":7,"#,
        r#""disruptive":"refused"}],"messages_left_out":3,"duration_microseconds":12}"#,
        "\n"
    );
    assert_eq!(line, expected);
}

#[test]
fn an_audit_line_has_a_bound_and_says_what_it_leaves_out() {
    let value = [0; 4096];
    let messages: Vec<_> = (0..1_000).map(|id| audit_message(id, &value)).collect();
    let line = audit_lines(&messages, AuditFormat::Json);
    assert!(line.len() < 128 * 1024, "{}", line.len());
    let json = parse_line(&line);
    let told = json["messages"].as_array().unwrap().len();
    assert!(told > 0, "{json}");
    assert_eq!(json["messages_left_out"], 1_003 - told);
}

#[test]
fn audit_lines_are_as_modsecurity_3_has_them() {
    let check = |parts: &str, expected: &str| {
        let format = AuditFormat::ModSecurity(AuditParts::parse(parts).unwrap());
        let line = audit_lines(&[audit_message(942_100, b"1'\n")], format);
        let expected = expected.replace("{version}", env!("CARGO_PKG_VERSION"));
        assert_eq!(line, expected, "{parts}");
    };
    let head = concat!(
        r#"{"transaction":{"client_ip":"203.0.113.7","time_stamp":"Sat Nov 21 19:32:25 2026","server_id":"","#,
        r#""client_port":40000,"host_ip":"192.0.2.1","host_port":443,"#,
        r#""unique_id":"000000000000000000000000000000ab","#,
        r#""request":{"method":"GET","http_version":1.1,"uri":"/?id=1""#,
    );
    check(
        "AZ",
        &format!("{head}}},\"response\":{{\"http_code\":403}}}}}}\n"),
    );
    let all = concat!(
        r#","body":"a=b","headers":{"Host":"example.com","X-A":"1, 2\"","Accept":"*/*"}},"#,
        r#""response":{"body":"no\u000A","http_code":403,"headers":{"Server":"x"}},"#,
        r#""producer":{"modsecurity":"Palisade v{version}","connector":"Palisade v{version}","#,
        r#""secrules_engine":"Enabled","components":["OWASP_CRS/4.28.0"]},"#,
        r#""messages":[{"message":"SQL","details":{"#,
        r#""match":"Matched \"Operator `DetectSQLi' with parameter `' against variable `ARGS:id' (Value: `1'\u000A' )","#,
        r#""reference":"","ruleId":"942100","file":"crs/a.conf","lineNumber":"7","data":"","severity":"2","#,
        r#""ver":"OWASP_CRS/4.28.0","rev":"","tags":["attack-sqli","one\"two"],"maturity":"0","accuracy":"0"}}]}}"#,
        "\n"
    );
    check("ABCDEFGHIJKZ", &format!("{head}{all}"));
    assert_eq!(AuditParts::parse("ABX"), None);
}

#[test]
fn an_error_log_has_a_line_for_each_message() {
    let messages = [audit_message(1, b"a"), audit_message(2, b"b")];
    let line = "[2026-11-21T19:32:25.000317Z] [error] [client 203.0.113.7] ModSecurity: Access denied. [id \"942100\"]\n";
    assert_eq!(
        audit_lines(&messages, AuditFormat::ErrorLog),
        line.repeat(2)
    );
}

fn shadow_line(path: &[u8], only: &[ShadowRule<'_>]) -> String {
    let client = client([203, 0, 113, 7]);
    let active = ShadowSide {
        ended_by: None,
        failure: None,
        is_refused: false,
        score: b"3",
        rules: &[],
    };
    let event = ShadowEvent {
        time: WallTime::from_unix(1_795_289_545, 317_000),
        request_id: RequestId::from_bits(0xab),
        client: &client,
        host: "example.com",
        site: "example.com",
        method: b"GET",
        path,
        difference: ShadowDifference::NewRefusal,
        active,
        shadow: ShadowSide {
            ended_by: Some((949_110, 2)),
            is_refused: true,
            score: b"8",
            rules: only,
            ..active
        },
        is_answer_unread: true,
    };
    let mut out = Vec::new();
    event.write_line(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn shadow_lines_have_both_outcomes_and_what_matched_on_one_side() {
    let rule = ShadowRule {
        id: 942_100,
        message: b"SQL",
        target: b"ARGS:id",
    };
    let expected = concat!(
        r#"{"time":"2026-11-21T19:32:25.000317Z","kind":"new_refusal","#,
        r#""request_id":"000000000000000000000000000000ab","client_ip":"203.0.113.7","#,
        r#""site":"example.com","host":"example.com","method":"GET","path":"/a","#,
        r#""active":{"outcome":"passed","score":"3","only":[]},"#,
        r#""shadow":{"outcome":"refused","rule":949110,"phase":2,"score":"8","#,
        r#""only":[{"id":942100,"msg":"SQL","target":"ARGS:id"}]},"answer_body":"unread"}"#,
        "\n"
    );
    assert_eq!(shadow_line(b"/a", &[rule]), expected);
}

#[test]
fn a_shadow_line_has_a_bound_and_says_what_it_leaves_out() {
    let rules: Vec<_> = (0..1_000)
        .map(|id| ShadowRule {
            id,
            message: b"",
            target: &[0; 4096],
        })
        .collect();
    let line = shadow_line(&[0; 4096], &rules);
    assert!(line.len() < 64 * 1024, "{}", line.len());
    let side = &parse_line(&line)["shadow"];
    let told = side["only"].as_array().unwrap().len();
    assert!(told > 0 && side["left_out"] == 1_000 - told, "{told}");
}

#[test]
fn a_summary_says_what_was_done_and_what_was_not() {
    let summary = ShadowSummary {
        evaluated: 9,
        agreed: 7,
        skipped: [1, 2, 3, 4, 5],
    };
    let earlier = ShadowSummary {
        evaluated: 3,
        agreed: 2,
        skipped: [1; 5],
    };
    let mut out = Vec::new();
    let time = WallTime::from_unix(1_795_289_545, 317_000);
    summary.since(&earlier).write_line(time, &mut out);
    let expected = concat!(
        r#"{"time":"2026-11-21T19:32:25.000317Z","kind":"summary","evaluated":6,"agreed":5,"#,
        r#""skipped":{"budget":0,"queue_full":1,"memory_full":2,"body_unread":3,"stopping":4}}"#,
        "\n"
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn no_field_can_forge_a_line() {
    let client = client([203, 0, 113, 7]);
    let evil = format!("{FORGED}\n{FORGED}");
    let event = AccessEvent {
        host: &evil,
        referer: evil.as_bytes(),
        user_agent: evil.as_bytes(),
        ..event(&client, get(evil.as_bytes()))
    };
    let combined = line(AccessFormat::Combined, &event);
    let fields = NGINX.captures(&combined).unwrap();
    assert_eq!(&fields["addr"], "203.0.113.7");
    assert_eq!(&fields["status"], "404");
    assert!(
        fields["request"].contains(r"\x22GET\x20/.env"),
        "{combined}"
    );
    assert_eq!(NGINX.find_iter(&combined).count(), 1);
    let malformed = AccessEvent {
        request: RequestLine::Malformed(evil.as_bytes()),
        ..event
    };
    let combined = line(AccessFormat::Combined, &malformed);
    assert_eq!(
        &MALFORMED.captures(&combined).unwrap()["addr"],
        "203.0.113.7"
    );

    // JSON lines that reach an agent's nginx parser by mistake mean nothing to it.
    let subject = Subject::Request {
        id: RequestId::from_bits(1),
        host: &evil,
        site: "",
        request: get(evil.as_bytes()),
        user_agent: evil.as_bytes(),
        status: Some(403),
    };
    let decision = decision_line(&refusal(&client, Cause::Decision(BAN), subject));
    for text in [
        decision,
        line(AccessFormat::Json, &event),
        line(AccessFormat::Caddy, &event),
    ] {
        assert!(!NGINX.is_match(&text), "{text}");
        assert!(!MALFORMED.is_match(&text), "{text}");
    }
}

#[test]
fn what_is_too_long_is_cut() {
    let client = client([203, 0, 113, 7]);
    let long = vec![b'\n'; 1 << 20];
    let host = "h".repeat(1 << 20);
    let event = AccessEvent {
        host: &host,
        referer: &long,
        user_agent: &long,
        ..event(&client, get(&long))
    };
    for format in [
        AccessFormat::Combined,
        AccessFormat::Json,
        AccessFormat::Caddy,
    ] {
        let text = line(format, &event);
        assert!(
            text.len() < crate::LINE_BYTES_MAX,
            "{format:?}: {}",
            text.len()
        );
        assert!(text.contains("..."));
    }
    let subject = Subject::Request {
        id: RequestId::from_bits(1),
        host: &host,
        site: &host,
        request: get(&long),
        user_agent: &long,
        status: Some(403),
    };
    let decision = MatchedDecision {
        origin: &host,
        scenario: &host,
        kind: &host,
        value: &host,
        ..BAN
    };
    let text = decision_line(&refusal(&client, Cause::Decision(decision), subject));
    assert!(text.len() < crate::LINE_BYTES_MAX, "{}", text.len());
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let hostile = prop::sample::select(b"\"\\\n\r\x00\x1b\x7f \xc3\xa9[]{}:,-/aG1".to_vec());
    prop::collection::vec(prop_oneof![hostile, any::<u8>()], 0..80)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        bytes().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        Just(FORGED.to_owned()),
        Just("example.com".to_owned()),
    ]
}

fn request_line() -> impl Strategy<Value = (Option<String>, Vec<u8>)> {
    (prop::option::of(prop_oneof!["[A-Z]{1,8}", text()]), bytes())
}

prop_compose! {
    fn address()(v4 in any::<u32>(), v6 in any::<u128>(), is_v4 in any::<bool>()) -> ClientAddr {
        match is_v4 {
            true => client(Ipv4Addr::from_bits(v4)),
            false => client(Ipv6Addr::from_bits(v6)),
        }
    }
}

/// What a reader of JSON must get back: invalid UTF-8 shown as `\xHH`.
fn shown(bytes: &[u8]) -> String {
    let mut shown = String::new();
    for chunk in bytes.utf8_chunks() {
        shown.push_str(chunk.valid());
        chunk
            .invalid()
            .iter()
            .for_each(|byte| shown.push_str(&format!("\\x{byte:02X}")));
    }
    shown
}

#[track_caller]
fn parse_line(text: &str) -> Value {
    let inner = text.strip_suffix('\n').unwrap();
    assert!(
        inner.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "{inner}"
    );
    serde_json::from_str(inner).unwrap_or_else(|error| panic!("{error}: {inner}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn access_lines_survive_any_bytes(
        client in address(), host in text(), (method, target) in request_line(),
        referer in bytes(), user_agent in bytes(), site in text(),
        status in 0_u16..1_000, body_bytes in any::<u64>(), micros in 0_u64..u64::from(u32::MAX),
    ) {
        let request = match &method {
            Some(method) => RequestLine::Parsed { method, target: &target, version: HttpVersion::Http2 },
            None => RequestLine::Malformed(&target),
        };
        let event = AccessEvent {
            host: &host, referer: &referer, user_agent: &user_agent, site: &site, status, body_bytes,
            duration: Duration::from_micros(micros), www_authenticate: Some(&referer),
            ..event(&client, request)
        };

        let json = parse_line(&line(AccessFormat::Json, &event));
        prop_assert_eq!(json["user_agent"].as_str().unwrap_or_default(), shown(&user_agent));
        prop_assert_eq!(json["referer"].as_str().unwrap_or_default(), shown(&referer));
        prop_assert_eq!(json["body_bytes"].as_u64(), Some(body_bytes));
        let shown_target = if method.is_some() { &json["target"] } else { &json["malformed"] };
        prop_assert_eq!(shown_target.as_str().unwrap(), shown(&target));

        let caddy = parse_line(&line(AccessFormat::Caddy, &event));
        prop_assert_eq!(caddy["request"]["client_ip"].as_str().unwrap(), client.ip.to_string());
        prop_assert_eq!(caddy["request"]["headers"]["User-Agent"][0].as_str().unwrap(), shown(&user_agent));
        prop_assert_eq!(caddy["request"]["uri"].as_str().unwrap(), shown(&target));

        let combined = line(AccessFormat::Combined, &event);
        let inner = combined.strip_suffix('\n').unwrap();
        prop_assert!(inner.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", inner);
        let with_verb = method.as_deref().is_some_and(|method| {
            !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        let shape = if with_verb { &NGINX } else { &MALFORMED };
        let fields = shape.captures(inner).expect(inner);
        prop_assert_eq!(&fields["addr"], client.ip.to_string());
        prop_assert_eq!(fields["bytes"].parse::<u64>().unwrap(), body_bytes);
        if with_verb {
            prop_assert_eq!(&fields["verb"], method.unwrap());
        }
    }

    #[test]
    fn decision_lines_survive_any_bytes(
        client in address(), host in text(), (method, target) in request_line(),
        user_agent in bytes(), site in text(), origin in text(), value in text(), id in any::<i64>(),
    ) {
        let request = match &method {
            Some(method) => RequestLine::Parsed { method, target: &target, version: HttpVersion::Http2 },
            None => RequestLine::Malformed(&target),
        };
        let subject = Subject::Request {
            id: RequestId::from_bits(1), host: &host, site: &site, request, user_agent: &user_agent, status: Some(403),
        };
        let decision = MatchedDecision { origin: &origin, value: &value, id: Some(id), ..BAN };
        let json = parse_line(&decision_line(&refusal(&client, Cause::Decision(decision), subject)));
        prop_assert_eq!(json["decision"]["origin"].as_str().unwrap(), origin);
        prop_assert_eq!(json["decision"]["id"].as_i64(), Some(id));
        prop_assert_eq!(json["host"].as_str().unwrap(), host);
        prop_assert_eq!(json["client"]["ip"].as_str().unwrap(), client.ip.to_string());
    }
}
