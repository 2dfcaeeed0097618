//! `sites.protected` and `lockout`.

use std::time::Duration;

use palisade_config::files::Memory;
use palisade_gate::{ClientCertificate, ProtectedPath};
use palisade_limits::LockoutPolicy;

use crate::listeners::certificate;
use crate::support::{self, load, problems};

const USERS: &str = "alice:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n";

/// Settings whose site has these entries, from line 5 on; `more` stands below them.
fn files(protected: &str, more: &str) -> Memory {
    files_with(protected, more, "")
}

/// The same, where the listener's `tls` has more.
fn files_with(protected: &str, more: &str, tls: &str) -> Memory {
    let (chain, key) = certificate(&["shop.example.com"]);
    let settings = format!(
        "listeners: [{{address: 127.0.0.1:8443, tls: {{{tls}certificates: [{{certificate: a.crt, private_key: a.key}}]}}}}]
upstreams: {{app: {{servers: [127.0.0.1:9000]}}}}
sites:
  - upstream: app
    protected:
{protected}
{more}
"
    );
    Memory::default()
        .with("palisade.yaml", settings)
        .with("users", USERS)
        .with("a.crt", chain)
        .with("a.key", key)
}

#[track_caller]
fn paths(files: &Memory) -> Vec<ProtectedPath> {
    let loaded = load(files).unwrap_or_else(|problems| panic!("{problems}"));
    loaded.settings.gate.sites[0].protected.clone()
}

/// The problems of a site with these entries, of which the first is on line 6.
#[track_caller]
fn check(protected: &str, expected: &[&str]) {
    let got = problems(&load(&files(protected, "")));
    let expected: String = expected.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(got, expected, "{protected}");
}

#[test]
fn an_entry_says_what_it_asks_for() {
    let (ca, _) = certificate(&["ca"]);
    let files = files_with(
        "      - id: admin
        match: {path: {prefix: [/admin]}}
        addresses: [10.0.0.0/8]
        methods: [GET, HEAD]
        client_certificate: {names: [alice, \"*.ops.example.com\"]}
        basic_authentication: {file: users, realm: Admin, user_header: X-User}
        status: 404
      - {id: rest, match: {}, client_certificate: required}
",
        "lockout: {failures: 3, lock_for: 1h}",
        "client_certificates: {ca: ca.crt, mode: optional}, ",
    )
    .with("ca.crt", ca);
    let paths = paths(&files);
    let [admin, rest] = &paths[..] else { panic!() };
    assert_eq!(admin.methods.as_ref().unwrap().field(), "GET, HEAD");
    assert_eq!(admin.status.map(|status| status.as_u16()), Some(404));
    let basic = admin.basic_authentication.as_ref().unwrap();
    assert_eq!(basic.challenge, "Basic realm=\"Admin\", charset=\"UTF-8\"");
    assert_eq!((basic.users.len(), basic.forwards_credentials), (1, false));
    assert_eq!(basic.user_header.as_ref().unwrap(), "x-user");
    let names = admin.client_certificate.as_ref().unwrap();
    assert!(names.accept(&ClientCertificate::new(["a.ops.example.com"])));
    assert!(!names.accept(&ClientCertificate::new(["mallory"])));
    let any = rest.client_certificate.as_ref().unwrap();
    assert!(any.accept(&ClientCertificate::new([])));
    let lockout = load(&files).unwrap().settings.gate.lockout;
    assert_eq!(lockout.failures.get(), 3);
    assert_eq!(lockout.within, LockoutPolicy::default().within);
    assert_eq!(lockout.lock_for, Duration::from_secs(3600));
}

#[test]
fn lockouts_have_defaults() {
    let gate = support::settings("").gate;
    assert_eq!(gate.lockout, LockoutPolicy::default());
}

#[test]
fn an_entry_asks_for_something_that_can_be_known() {
    check(
        "      - {id: a, match: {}}
      - {id: b, match: {country: DE}, methods: GET}
      - {id: c, match: {not: {any: [{asn: 64496}]}}, methods: GET}
      - {id: d, match: {}, methods: get}
      - {id: e, match: {}, status: 200, methods: GET}
",
        &[
            "palisade.yaml:6:9: error: this protects nothing; name at least one of `addresses`, `countries`, `methods`, `client_certificate`, `basic_authentication`",
            "palisade.yaml:7:24: error: `country` and `asn` can't say what is protected: where they can't be known, the path would lie open. Say under `countries` who may pass",
            "palisade.yaml:8:24: error: `country` and `asn` can't say what is protected: where they can't be known, the path would lie open. Say under `countries` who may pass",
            "palisade.yaml:9:37: error: \"get\" is not a method; expected one in upper case, like GET",
            "palisade.yaml:10:36: error: \"200\" is not a status that can be given here; expected a number from 400 to 599",
        ],
    );
}

#[test]
fn a_pattern_that_protects_nothing_is_an_error() {
    let sent_so = "doesn't match a path that is sent so: the canonical path is compared;";
    check(
        "      - {id: a, match: {path: {prefix: admin}}, methods: GET}
      - {id: b, match: {path: [/b, \"/%61dmin\"]}, methods: GET}
      - {id: c, match: {any: [{path: {prefix: /a//b}}, {all: [{path: /a/./b}]}]}, methods: GET}
      - {id: d, match: {path: {equals: /a/../b}}, methods: GET}
      - {id: e, match: {method: get, path: /e}, methods: GET}
      - {id: f, match: {path: {prefix: [/admin, /.well-known/]}}, methods: GET}
",
        &[
            "palisade.yaml:6:9: warning: rule a can never match: path prefix \"admin\": every path starts with a slash",
            "palisade.yaml:6:40: error: \"admin\" never matches: paths start with /",
            &format!("palisade.yaml:7:36: error: \"/%61dmin\" {sent_so} write \"/admin\""),
            &format!("palisade.yaml:8:47: error: \"/a//b\" {sent_so} write \"/a/b\""),
            &format!("palisade.yaml:8:70: error: \"/a/./b\" {sent_so} write \"/a/b\""),
            &format!("palisade.yaml:9:40: error: \"/a/../b\" {sent_so} write \"/b\""),
            "palisade.yaml:10:9: warning: rule e can never match: method equals \"get\": methods are upper case",
            "palisade.yaml:10:33: error: \"get\" never matches: methods are upper case",
        ],
    );
}

#[test]
fn forms_that_a_backend_may_read_as_a_protected_path_are_warned_of() {
    let with = |protected: &str, forms: &str| {
        let more = format!("    allowed_path_forms: {forms}");
        problems(&load(&files(protected, &more)))
    };
    let admin = "      - {id: admin, match: {path: {prefix: /admin}}, methods: GET}";
    assert_eq!(
        with(admin, "[encoded_slash, backslash]"),
        "palisade.yaml:7:25: warning: a path with `encoded_slash`, `backslash` may be protected for the backend (admin) and another one here, which opens it; allow only forms that the backend reads as they are read here\n"
    );
    assert_eq!(problems(&load(&files(admin, ""))), "");
    // The whole site, however a path is read.
    let all = "      - {id: all, match: {}, methods: GET}";
    assert_eq!(with(all, "encoded_slash"), "");
    let many: Vec<String> = (0..6)
        .map(|n| admin.replace("admin,", &format!("a{n},")))
        .collect();
    let told = with(&many.join("\n"), "encoded_slash");
    assert!(told.contains("(a0, a1, a2, a3, 2 more)"), "{told}");
}

#[test]
fn a_certificate_that_nobody_can_show_is_not_asked_for() {
    check(
        "      - {id: a, match: {}, client_certificate: required}
      - {id: b, match: {}, client_certificate: optional}
      - {id: c, match: {}, client_certificate: {names: [\"a.*\"]}}
",
        &[
            "palisade.yaml:6:48: error: no listener asks for certificates, so nobody can show one; give one `tls.client_certificates` with the authority's `ca`",
            "palisade.yaml:7:48: error: \"optional\" is not known here; expected required",
            "palisade.yaml:8:57: error: \"a.*\" is not a name; expected one like alice or \"*.ops.example.com\", at most 255 bytes, with a star in front alone",
        ],
    );
}

#[test]
fn lists_of_revoked_certificates_are_judged() {
    let (ca, _) = certificate(&["ca"]);
    let with = |list: &str| {
        let tls = "client_certificates: {ca: ca.crt, revoked: ca.crl}, ";
        let files = files_with("      - {id: a, match: {}, methods: GET}\n", "", tls);
        let files = files.with("ca.crt", ca.clone()).with("ca.crl", list);
        problems(&load(&files))
    };
    let at = "palisade.yaml:1:88: error: ";
    assert_eq!(
        with(""),
        format!("{at}ca.crl holds no list; expected PEM with -----BEGIN X509 CRL-----\n")
    );
    let broken = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
    let told = with(broken);
    assert!(
        told.starts_with(&format!("{at}client certificates can't be verified")),
        "{told}"
    );
}

#[test]
fn users_files_are_judged_line_by_line() {
    let files = files(
        "      - {id: a, match: {}, basic_authentication: {file: users}}\n",
        "",
    );
    let files = files.with(
        "users",
        format!("{USERS}bob:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\nalice:{{SHA}}x\n"),
    );
    let problems = load(&files).unwrap_err();
    let expected = "users:2:1: error: the password of \"bob\" can't be used: MD5 is guessed too fast; make a new one with `htpasswd -B -C 12 FILE USER`\n\
                    users:3:1: error: the user \"alice\" is at line 1 already; keep one\n";
    assert_eq!(problems, expected);
    let absent = "      - {id: a, match: {}, basic_authentication: {file: absent}}\n";
    check(
        absent,
        &["palisade.yaml:6:57: error: absent: there is no such file"],
    );
}

#[test]
fn what_clients_can_leave_out_is_warned_of() {
    check(
        "      - {id: a, match: {path: /a, not: {header: {X-Internal: x}}}, methods: GET}
      - {id: b, match: {any: [{cookie: {a: b}}]}, methods: GET}
      - {id: c, match: {not: {address: 10.0.0.1}}, methods: GET}
",
        &[
            "palisade.yaml:6:24: warning: whether this is protected depends on header fields, which are the client's own word: it can leave them out, or make them up",
            "palisade.yaml:7:24: warning: whether this is protected depends on header fields, which are the client's own word: it can leave them out, or make them up",
        ],
    );
}

#[test]
fn countries_need_a_database() {
    check(
        "      - {id: a, match: {}, countries: [DE, unknown]}\n",
        &[
            "palisade.yaml:6:9: warning: a asks for countries, which only geo.country_database can tell; without it nobody passes, unless `unknown` is named",
        ],
    );
}

#[test]
fn names_of_rules_and_entries_are_told_apart() {
    let entry = "      - {id: a, match: {path: /x}, methods: GET}\n";
    let rule = "access: {rules: [{id: a, match: {path: /y}, action: block}]}";
    let got = problems(&load(&files(entry, rule)));
    assert!(got.contains("rule id \"a\" is used already"), "{got}");
}

#[test]
fn passwords_over_plain_http_are_warned_of() {
    let plain = |https: &str| {
        let text = format!(
            "listeners: [{{address: 127.0.0.1:8000{https}}}]
upstreams: {{app: {{servers: [127.0.0.1:9000]}}}}
sites: [{{upstream: app, protected: [{{id: a, match: {{}}, basic_authentication: {{file: users}}}}]}}]
"
        );
        let files = Memory::default()
            .with("palisade.yaml", text)
            .with("users", USERS);
        problems(&load(&files))
    };
    let warned = plain("");
    assert!(
        warned.contains("warning: no listener has `tls`: whoever is on the way"),
        "{warned}"
    );
    assert_eq!(
        plain(", proxy_protocol: {mode: required, from: 127.0.0.1}"),
        ""
    );
}
