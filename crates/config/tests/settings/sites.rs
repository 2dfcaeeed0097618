//! `sites`

use std::time::Duration;

use palisade_gate::settings::{ForwardPath, HttpsPolicy, SiteSettings};
use palisade_vocabulary::{ByteSize, Mode};

use crate::support;

const REST: &str = "listeners: [{address: 127.0.0.1:8000}]\nupstreams: {app: {servers: [127.0.0.1:9000]}, api: {servers: [127.0.0.1:9001]}}\n";

#[track_caller]
fn sites(yaml: &str) -> Vec<SiteSettings> {
    support::settings_alone(&format!("sites: [{yaml}]\n{REST}"))
        .gate
        .sites
}

#[track_caller]
fn check(yaml: &str, expected: &[&str]) {
    let got = support::problems(&support::load_alone(&format!("sites: [{yaml}]\n{REST}")));
    // Which upstreams a site uses is not what these tests are about.
    let got: Vec<&str> = got
        .lines()
        .filter(|line| !line.contains("no site uses the upstream"))
        .collect();
    let expected: Vec<String> = expected
        .iter()
        .map(|line| format!("palisade.yaml:{line}"))
        .collect();
    assert_eq!(got, expected, "{yaml}");
}

#[test]
fn a_site_is_named_after_its_first_host() {
    let sites = sites(
        "{hosts: [App.Example.com., \"*.app.example.com\"], upstream: app}, {hosts: \"[2001:DB8::1]\", upstream: app}, {upstream: api}",
    );
    let names: Vec<&str> = sites.iter().map(|site| &*site.name).collect();
    assert_eq!(names, ["app.example.com", "[2001:db8::1]", "default"]);
    let hosts: Vec<String> = sites
        .iter()
        .map(|site| format!("{:?}", site.hosts))
        .collect();
    assert_eq!(
        hosts,
        [
            "[Exact(\"app.example.com\"), Wildcard(\"app.example.com\")]",
            "[Exact(\"[2001:db8::1]\")]",
            "[]"
        ]
    );
}

#[test]
fn everything_can_be_set() {
    let sites = sites(
        "{hosts: a.example, upstream: app, routes: [{path_prefix: /api, upstream: api}, {path_prefix: /, upstream: app}],
          mode: detect, https: redirect, hsts_max_age: 1d, forward_path: canonical, body_bytes: 1MiB, misdirected: serve,
          allowed_path_forms: [encoded_slash, backslash],
          headers: {request: {set: {X-Env: prod}}, response: {set: {X-Frame-Options: DENY}, remove: [Server]}},
          access: {rules: [{id: r, match: {path: /x}, action: block}]}}",
    );
    let site = sites.first().unwrap();
    let routes: Vec<String> = site
        .routes
        .iter()
        .map(|r| format!("{} {}", r.path_prefix, r.upstream))
        .collect();
    assert_eq!(routes, ["/api api", "/ app"]);
    assert_eq!(site.mode, Mode::Detect);
    assert_eq!(
        site.https,
        HttpsPolicy::Redirect {
            hsts_max_age: Duration::from_secs(86_400)
        }
    );
    assert_eq!(site.forward_path, ForwardPath::Canonical);
    assert_eq!(site.body_bytes_max, Some(ByteSize::mib(1)));
    assert!(!site.check_certificate_name);
    assert!(
        site.path_policy.encoded_slash
            && site.path_policy.backslash
            && !site.path_policy.encoded_nul
    );
    assert_eq!(
        format!("{:?}", site.request_headers.set),
        "[(\"x-env\", \"prod\")]"
    );
    assert_eq!(
        format!("{:?}", site.response_headers.remove),
        "[\"server\"]"
    );
    assert_eq!(site.rules.len(), 1);
}

#[test]
fn hosts_are_names_alone() {
    for (host, problem) in [
        (
            "\"https://a.example\"",
            "is not a host; expected a name like example.com, \"*.example.com\", or an address; no scheme, port or path",
        ),
        (
            "\"a.example:443\"",
            "has a port; a site answers on every listener, so remove it",
        ),
        (
            "\"a.*.example\"",
            "is not a host; expected a name like example.com, \"*.example.com\", or an address; no scheme, port or path",
        ),
        (
            "\"\"",
            "is not a host; expected a name like example.com, \"*.example.com\", or an address; no scheme, port or path",
        ),
    ] {
        check(
            &format!("{{hosts: [{host}], upstream: app}}"),
            &[&format!("1:18: error: {host} {problem}")],
        );
    }
}

#[test]
fn a_host_has_one_site() {
    check(
        "{hosts: [a.example, b.example], upstream: app}, {hosts: [A.example], upstream: app}",
        &["1:66: error: \"a.example\" is another site's already, at palisade.yaml:1:18; keep one"],
    );
    check(
        "{upstream: app}, {upstream: api}",
        &["1:26: error: a second site without `hosts`; the default site is at palisade.yaml:1:9"],
    );
}

#[test]
fn a_site_sends_its_requests_somewhere() {
    check(
        "{hosts: a.example}",
        &["1:9: error: this site has neither `upstream` nor `routes`; say where its requests go"],
    );
    check(
        "{upstream: appp}",
        &["1:20: error: there is no upstream \"appp\"; did you mean \"app\"?"],
    );
    check(
        "{upstream: banana}",
        &["1:20: error: there is no upstream \"banana\""],
    );
    check(
        "{routes: [{path_prefix: /a, upstream: nowhere}]}",
        &["1:47: error: there is no upstream \"nowhere\""],
    );
}

#[test]
fn routes_are_canonical_and_differ() {
    check(
        "{routes: [{path_prefix: api, upstream: app}]}",
        &[
            "1:33: error: \"api\" is not a path; expected one that starts with /, at most 2048 bytes",
        ],
    );
    check(
        "{routes: [{path_prefix: /a//b, upstream: app}, {path_prefix: /%61, upstream: app}]}",
        &[
            "1:33: error: \"/a//b\" can never match: routes are compared with the canonical path; write \"/a/b\"",
            "1:70: error: \"/%61\" can never match: routes are compared with the canonical path; write \"/a\"",
        ],
    );
    check(
        "{routes: [{path_prefix: /a, upstream: app}, {path_prefix: /b, upstream: app}, {path_prefix: /a, upstream: api}]}",
        &["1:101: error: \"/a\" is routed twice, first at palisade.yaml:1:33; keep one"],
    );
}

#[test]
fn headers_can_not_break_a_message() {
    check(
        "{upstream: app, headers: {response: {set: {\"X A\": b, Content-Length: 1, X-B: \"a\\r\\nb: c\"}, remove: [Host]}}}",
        &[
            "1:52: error: \"X A\" is not the name of a header; expected one like X-Forwarded-For",
            "1:62: error: \"Content-Length\" can't be changed: where a message ends and which host it is for is decided by the proxy",
            "1:86: error: the value (7 bytes) can't be sent as a header; expected ASCII text without line breaks or spaces around it, at most 8192 bytes",
            "1:109: error: \"Host\" can't be changed: where a message ends and which host it is for is decided by the proxy",
        ],
    );
}

#[test]
fn redirects_need_something_to_redirect_to() {
    check(
        "{upstream: app, https: redirect}",
        &[
            "1:32: warning: no listener has `tls`, so every request to this site is redirected, without end",
        ],
    );
    check(
        "{upstream: app, hsts_max_age: 1d}",
        &[
            "1:39: error: `hsts_max_age` has no effect without `https: redirect`; add that or remove this",
        ],
    );
    check(
        "{upstream: app, https: redirct}",
        &["1:32: error: \"redirct\" is not known here; did you mean \"redirect\"?"],
    );
}

#[test]
fn what_comes_later_is_told_apart_from_typos() {
    check(
        "{upstream: app, limits: {mode: block}}",
        &["1:25: error: `limits` (rate limits): this version can't do it yet; remove it"],
    );
}
