//! `listeners`

use std::time::Duration;

use palisade_client_address::ProxyMode;
use palisade_config::Settings;
use palisade_config::files::Memory;
use palisade_proxy::settings::{ClientCertificates, Deadlines, Limits, ListenerSettings};
use palisade_vocabulary::ByteSize;

use crate::support;

const REST: &str = "upstreams: {app: {servers: [127.0.0.1:9000]}}\nsites: [{upstream: app}]\n";

#[track_caller]
fn listener(yaml: &str) -> ListenerSettings {
    let settings: Settings = support::settings_alone(&format!("listeners: [{yaml}]\n{REST}"));
    settings.listeners.into_iter().next().unwrap()
}

#[track_caller]
fn check(yaml: &str, expected: &[&str]) {
    support::check_problems_alone(&format!("listeners: [{yaml}]\n{REST}"), expected);
}

#[test]
fn defaults_are_those_of_the_listener_itself() {
    let listener = listener("{address: \"[::]:8000\"}");
    assert_eq!(listener.address.to_string(), "[::]:8000");
    assert_eq!(listener.deadlines, Deadlines::default());
    assert_eq!(listener.limits, Limits::default());
    assert!(listener.proxy_protocol.is_none() && listener.client_address.is_empty());
    assert!(listener.tls.is_none() && listener.http2);
}

#[test]
fn everything_can_be_set() {
    let listener = listener(
        "{address: 127.0.0.1:8000, http2: false,
         proxy_protocol: {mode: required, from: [10.0.0.0/8, 192.0.2.1]},
         client_address: [{from: 173.245.48.0/20, header: CF-Connecting-IP}, {from: [10.0.0.0/8], header: X-Forwarded-For}],
         deadlines: {proxy_header: 1s, handshake: 2s, head: 500ms, body: 1h, idle: 3s},
         limits: {connections: 5, connections_per_address: 2, waiting_requests: 3, head_bytes: 4KiB, headers: 20, target_bytes: 1KiB, body_bytes: 0B, body_bytes_per_second: 0, answer_bytes_per_second: 9, http2: {streams: 7, streams_per_address: 8, resets_per_second: 1, frames_per_second: 50}}}",
    );
    let policy = listener.proxy_protocol.unwrap();
    assert_eq!(policy.mode, ProxyMode::Required);
    assert!(
        policy.may_send("10.9.9.9".parse().unwrap())
            && policy.may_send("192.0.2.1".parse().unwrap())
    );
    assert!(!policy.may_send("192.0.2.2".parse().unwrap()));
    let headers: Vec<&str> = listener
        .client_address
        .iter()
        .map(|rule| rule.header.name().as_str())
        .collect();
    assert_eq!(headers, ["cf-connecting-ip", "x-forwarded-for"]);
    assert_eq!(listener.deadlines.head, Duration::from_millis(500));
    assert_eq!(listener.deadlines.body, Duration::from_secs(3600));
    let limits = listener.limits;
    let counts = [limits.connections_per_address, limits.waiting_requests];
    assert_eq!(counts, [2, 3]);
    assert_eq!(limits.head_bytes, ByteSize::kib(4));
    let rates = [
        limits.body_bytes_per_second_min,
        limits.answer_bytes_per_second_min,
    ];
    assert_eq!(rates, [0, 9]);
    let http2 = limits.http2;
    assert_eq!((http2.streams, http2.streams_per_address), (7, 8));
    assert_eq!((http2.resets_per_second, http2.frames_per_second), (1, 50));
    assert!(!listener.http2);
}

#[test]
fn who_may_send_a_proxy_header_must_be_said() {
    check(
        "{address: 127.0.0.1:8000, proxy_protocol: {mode: required}}",
        &[
            "1:55: error: `from` is missing here; expected an IP address, a range like 10.0.0.0/8, or the name of a list like $office; or a list of these",
        ],
    );
    check(
        "{address: 127.0.0.1:8000, proxy_protocol: {mode: required, from: []}}",
        &[
            "1:78: error: 0 values; expected 1 to 100000: an IP address, a range like 10.0.0.0/8, or the name of a list like $office",
        ],
    );
    check(
        "{address: 127.0.0.1:8000, proxy_protocol: {mode: optional, from: 10.0.0.1}}",
        &[
            "1:62: warning: `optional` departs from the PROXY protocol's specification: a peer listed in `from` that relays a client's bytes as they are lets that client write the header; prefer `required`",
        ],
    );
}

#[test]
fn headers_that_could_be_forged_are_refused() {
    check(
        "{address: 127.0.0.1:8000, client_address: [{from: 10.0.0.1, header: X_Forwarded_For}]}",
        &[
            "1:81: error: \"X_Forwarded_For\" has an underscore; such headers are never trusted, write it with hyphens",
        ],
    );
}

#[test]
fn bounds_hold() {
    check(
        "{address: 127.0.0.1:8000, deadlines: {head: 1h}, limits: {headers: 5}}",
        &[
            "1:57: error: \"1h\" is out of bounds; expected a duration like 10s, from 100ms to 5m",
            "1:80: error: \"5\" is out of bounds; expected a number from 10 to 1000",
        ],
    );
}

#[test]
fn lists_can_be_named_wherever_addresses_stand() {
    let yaml = format!(
        "listeners: [{{address: 127.0.0.1:8000, proxy_protocol: {{mode: required, from: [$balancers]}}}}]\n{REST}access: {{lists: {{balancers: [192.0.2.0/24]}}}}\n"
    );
    let settings = support::settings_alone(&yaml);
    let policy = settings
        .listeners
        .first()
        .and_then(|listener| listener.proxy_protocol.clone())
        .unwrap();
    assert!(policy.may_send("192.0.2.9".parse().unwrap()));
}

/// A certificate for `names` and its key, both PEM.
pub(crate) fn certificate(names: &[&str]) -> (String, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn tls_files(listener: &str) -> Memory {
    let (certificate_pem, key_pem) = certificate(&[
        "App.Example.com",
        "*.example.net",
        "192.0.2.1",
        "2001:db8::1",
    ]);
    let (other_pem, other_key) = certificate(&["other.example"]);
    Memory::default()
        .with(
            "palisade.yaml",
            format!("listeners: [{{address: 127.0.0.1:8443, tls: {listener}}}]\n{REST}"),
        )
        .with("tls/a.crt", certificate_pem)
        .with("tls/a.key", key_pem.clone())
        .with_world_readable("tls/open.key", key_pem)
        .with("tls/other.crt", other_pem)
        .with("tls/other.key", other_key)
        .with("tls/empty.pem", "")
        .with(
            "tls/garbage.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        )
}

#[test]
fn certificates_are_read_with_their_names() {
    let files = tls_files(
        "{certificates: [{certificate: tls/a.crt, private_key: tls/a.key}, {certificate: tls/other.crt, private_key: tls/other.key}],
          client_certificates: {mode: optional, ca: tls/other.crt}}",
    );
    let loaded = support::load(&files).unwrap();
    let tls = loaded
        .settings
        .listeners
        .first()
        .and_then(|listener| listener.tls.clone())
        .unwrap();
    let names: Vec<&str> = tls
        .certificates
        .iter()
        .flat_map(|c| &c.names)
        .map(|name| &**name)
        .collect();
    assert_eq!(
        names,
        [
            "app.example.com",
            "*.example.net",
            "192.0.2.1",
            "2001:db8::1",
            "other.example"
        ]
    );
    assert!(
        matches!(tls.client_certificates, ClientCertificates::Optional(authorities) if authorities.roots.len() == 1)
    );
    assert_eq!(loaded.sources.iter().count(), 5, "each file is watched");
}

#[track_caller]
fn check_tls(tls: &str, expected: &str) {
    let got = support::problems(&support::load(&tls_files(tls)));
    assert_eq!(got.trim_end(), expected, "{tls}");
}

#[test]
fn certificates_that_can_not_work_are_refused() {
    check_tls(
        "{certificates: [{certificate: tls/a.crt, private_key: tls/none.key}]}",
        "palisade.yaml:1:98: error: tls/none.key: there is no such file",
    );
    check_tls(
        "{certificates: [{certificate: tls/empty.pem, private_key: tls/a.key}]}",
        "palisade.yaml:1:74: error: tls/empty.pem holds no certificate; expected PEM with -----BEGIN CERTIFICATE-----",
    );
    check_tls(
        "{certificates: [{certificate: tls/a.crt, private_key: tls/a.crt}]}",
        "palisade.yaml:1:98: error: tls/a.crt holds no private key (no items found); expected PEM with -----BEGIN PRIVATE KEY-----",
    );
    check_tls(
        "{certificates: [{certificate: tls/a.crt, private_key: tls/other.key}]}",
        "palisade.yaml:1:98: error: the private key can't be used with the certificate: keys may not be consistent: KeyMismatch",
    );
    let garbage = support::problems(&support::load(&tls_files(
        "{certificates: [{certificate: tls/garbage.pem, private_key: tls/a.key}]}",
    )));
    assert!(
        garbage.starts_with(
            "palisade.yaml:1:74: error: tls/garbage.pem: the certificate can't be read: "
        ),
        "{garbage}"
    );
    check_tls(
        "{certificates: []}",
        "palisade.yaml:1:59: error: 0 values; expected 1 to 10000: a mapping with the keys of `listeners.tls.certificates`",
    );
}

#[test]
fn a_key_that_everybody_can_read_is_a_warning() {
    check_tls(
        "{certificates: [{certificate: tls/a.crt, private_key: tls/open.key}]}",
        "palisade.yaml:1:98: warning: every user of this machine can read tls/open.key; run chmod o-r on it",
    );
}

#[test]
fn a_certificate_that_is_not_valid_now_is_a_warning() {
    let mut parameters = rcgen::CertificateParams::new(vec!["old.example".to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2001, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let expired = parameters.self_signed(&key).unwrap().pem();
    let tls = "{certificates: [{certificate: tls/a.crt, private_key: tls/a.key}]}";
    let files = tls_files(tls)
        .with("tls/a.crt", expired)
        .with("tls/a.key", key.serialize_pem());
    let problems = support::problems(&support::load(&files));
    assert!(
        problems.starts_with("palisade.yaml:1:74: warning: tls/a.crt is valid from Jan "),
        "{problems}"
    );
    assert!(problems.ends_with(", and not now\n"), "{problems}");
}

#[test]
fn trusting_everybody_is_a_warning() {
    check(
        "{address: 127.0.0.1:8000, client_address: {from: [10.0.0.1, \"::/0\"], header: X-Forwarded-For}}",
        &["1:62: warning: ::/0 is everybody, and whoever is named here is trusted; name who it is"],
    );
}
