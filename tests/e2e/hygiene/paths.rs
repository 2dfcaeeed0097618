//! Path forms that servers read in different ways: refused, unless the site allows them.

use palisade_hygiene::RefusalReason;
use palisade_hygiene::RefusalReason::*;

use super::{Refusals, line, one_site};
use crate::harness::{Backend, Palisade};

/// Each form: the target, the reason of its refusal, and the setting that allows it.
const FORMS: [(&str, RefusalReason, &str); 25] = [
    ("/a%2Fb", EncodedSlash, "encoded_slash"),
    ("/a%2fb", EncodedSlash, "encoded_slash"),
    ("/a%5Cb", Backslash, "backslash"),
    ("/a%5cb", Backslash, "backslash"),
    ("/a\\b", Backslash, "backslash"),
    ("/a%00", EncodedNul, "encoded_nul"),
    ("/a%00.png", EncodedNul, "encoded_nul"),
    ("/%zz", MalformedEscape, "malformed_escapes"),
    ("/a%", MalformedEscape, "malformed_escapes"),
    ("/a%4", MalformedEscape, "malformed_escapes"),
    ("/?a=%4", MalformedEscape, "malformed_escapes"),
    ("/?a=%u0041", MalformedEscape, "malformed_escapes"),
    ("/a%252Fb", DoubleEncoding, "double_encoding"),
    ("/a%255cb", DoubleEncoding, "double_encoding"),
    ("/%252e%252e/a", DoubleEncoding, "double_encoding"),
    ("/a%25252Fb", DoubleEncoding, "double_encoding"),
    ("/../a", UnresolvedDotDot, "unresolved_dot_dot"),
    ("/a/../../b", UnresolvedDotDot, "unresolved_dot_dot"),
    ("/a/%2e%2e/b", UnresolvedDotDot, "unresolved_dot_dot"),
    ("/a/.%2E/b", UnresolvedDotDot, "unresolved_dot_dot"),
    ("/a/..;/b", UnresolvedDotDot, "unresolved_dot_dot"),
    ("/a/..;x=y/b", UnresolvedDotDot, "unresolved_dot_dot"),
    // Servers disagree about which segment goes.
    ("/a//../b", UnresolvedDotDot, "unresolved_dot_dot"),
    ("/a/;x/../b", UnresolvedDotDot, "unresolved_dot_dot"),
    ("/a/.;x/../b", UnresolvedDotDot, "unresolved_dot_dot"),
];

#[test]
fn path_forms_are_refused_alone() {
    let mut table = Refusals::start();
    for (target, reason, _) in FORMS {
        table.row_of_many(target, line(&format!("GET {target} HTTP/1.1")), 400, reason);
    }
    table.end();
}

#[test]
fn path_forms_pass_where_their_own_setting_allows_them() {
    let backend = Backend::start();
    let mut settings: Vec<&str> = FORMS.iter().map(|(_, _, setting)| *setting).collect();
    settings.dedup();
    let sites: String = settings
        .iter()
        .map(|setting| {
            let host = setting.replace('_', "-");
            format!("  - {{ hosts: [{host}.example], upstream: app, allowed_path_forms: [{setting}] }}\n")
        })
        .collect();
    let palisade = Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites:
{sites}"
    ));
    let mut forwarded = 0;
    for (target, _, allowing) in FORMS {
        for setting in &settings {
            let host = setting.replace('_', "-");
            let request = format!("GET {target} HTTP/1.1\r\nHost: {host}.example\r\n\r\n");
            let answer = palisade.exchange(request).unwrap();
            let expected = if *setting == allowing { 200 } else { 400 };
            assert_eq!(
                answer.status, expected,
                "{target} where {setting} is allowed"
            );
            if *setting == allowing {
                forwarded += 1;
                let line = backend.requests().last().unwrap().line.clone();
                assert_eq!(line, format!("GET {target} HTTP/1.1"), "as it was sent");
            }
        }
    }
    assert_eq!(backend.requests().len(), forwarded);
}

#[test]
fn what_is_allowed_still_meets_the_rules() {
    let backend = Backend::start();
    let palisade = Palisade::start(&format!(
        "{}
access:
  rules:
    - {{ id: admin, match: {{ path: {{ prefix: /admin }} }}, action: block }}
",
        one_site(
            &backend,
            ", allowed_path_forms: [unresolved_dot_dot, backslash, malformed_escapes]"
        )
    ));
    for target in [
        "/a/%2e%2e/admin",
        "/../admin",
        "/x/..;/../admin",
        "//admin",
        "/./admin",
        "/%61dmin",
        "/admin;x",
        "/a/.;/../admin",
    ] {
        let answer = palisade
            .exchange(line(&format!("GET {target} HTTP/1.1")))
            .unwrap();
        assert_eq!(answer.status, 403, "{target}");
    }
    assert_eq!(backend.connections(), 0);
}

#[test]
fn a_canonical_path_is_forwarded_where_the_site_says_so() {
    let backend = Backend::start();
    let palisade = Palisade::start(&one_site(&backend, ", forward_path: canonical"));
    for (target, expected) in [
        ("/a/../b//c?d=//e", "/b/c?d=//e"),
        ("/%61%20b", "/a%20b"),
        ("/a/./b/", "/a/b/"),
        ("http://a/%41", "/A"),
        ("/ä", "/%C3%A4"),
    ] {
        let answer = palisade
            .exchange(line(&format!("GET {target} HTTP/1.1")))
            .unwrap();
        assert_eq!(answer.status, 200, "{target}");
        let got = backend.requests().last().unwrap().line.clone();
        assert_eq!(got, format!("GET {expected} HTTP/1.1"), "{target}");
    }
}
