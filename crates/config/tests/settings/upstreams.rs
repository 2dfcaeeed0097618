//! `upstreams`

use std::time::Duration;

use palisade_config::files::Memory;
use palisade_upstream::{
    Balance, ConnectRetry, Ejection, KeepAlive, PoolSettings, ProxyVersion, ServerTrust, Timeouts,
};

use crate::support;

const REST: &str = "listeners: [{address: 127.0.0.1:8000}]\nsites: [{upstream: app}]\n";

#[track_caller]
fn pool(yaml: &str) -> PoolSettings {
    let settings = support::settings_alone(&format!("upstreams: {{app: {yaml}}}\n{REST}"));
    settings.upstreams.into_iter().next().unwrap()
}

#[track_caller]
fn check(yaml: &str, expected: &[&str]) {
    support::check_problems_alone(&format!("upstreams: {{app: {yaml}}}\n{REST}"), expected);
}

#[test]
fn defaults_are_those_of_the_pool_itself() {
    let got = pool("{servers: [127.0.0.1:9000]}");
    let servers = got.servers.clone();
    assert_eq!(got, PoolSettings::new("app", servers));
}

#[test]
fn everything_can_be_set() {
    let pool = pool(
        "{servers: [127.0.0.1:9000, {address: \"App.Internal:80\", weight: 2}, \"[2001:db8::1]:1\"],
          balance: client_address, timeouts: {connect: 1s, read: 2s, write: 3s}, proxy_protocol: v2,
          tls: {server_name: app.internal}, keep_alive: {idle_connections: 0, idle_timeout: 1s},
          ejection: {failures: 5, period: 1m}, connect_retry: {attempts: 1, within: 1s}}",
    );
    let servers: Vec<String> = pool
        .servers
        .as_slice()
        .iter()
        .map(|s| format!("{} {}", s.address, s.weight.get()))
        .collect();
    assert_eq!(
        servers,
        ["127.0.0.1:9000 1", "app.internal:80 2", "[2001:db8::1]:1 1"]
    );
    assert_eq!(pool.balance, Balance::ClientAddress);
    let second = Duration::from_secs;
    assert_eq!(
        Ok(pool.timeouts),
        Timeouts::new(second(1), second(2), second(3))
    );
    assert_eq!(pool.proxy_protocol, Some(ProxyVersion::V2));
    assert!(
        pool.tls
            .is_some_and(|tls| tls.server_name.is_some() && tls.trust == ServerTrust::SystemRoots)
    );
    assert_eq!(Ok(pool.keep_alive), KeepAlive::new(0, second(1)));
    assert_eq!(pool.ejection, Ejection::new(5, second(60)).ok());
    assert_eq!(Ok(pool.connect_retry), ConnectRetry::new(1, second(1)));
}

#[test]
fn ejection_can_be_off() {
    assert_eq!(
        pool("{servers: [127.0.0.1:9000], ejection: off}").ejection,
        None
    );
    check(
        "{servers: [127.0.0.1:9000], ejection: never}",
        &["1:56: error: \"never\" is not known here; expected off"],
    );
}

#[test]
fn servers_are_judged() {
    check(
        "{servers: [127.0.0.1, {address: app:0}, 127.0.0.1:9000]}",
        &[
            "1:29: error: \"127.0.0.1\" is not a server; expected ADDRESS:PORT, [IPV6]:PORT or HOST:PORT",
            "1:50: error: \"app:0\" is not a server; expected ADDRESS:PORT, [IPV6]:PORT or HOST:PORT",
        ],
    );
    check(
        "{servers: [127.0.0.1:9000, 127.0.0.1:9000]}",
        &[
            "1:28: error: server 127.0.0.1:9000 is listed twice; give it a `weight` to send it more requests",
        ],
    );
    check(
        "{}",
        &[
            "1:18: error: `servers` is missing here; expected a list, not empty, of: a server like 127.0.0.1:9000 or app.internal:9000; or a mapping with the keys of `upstreams.servers`",
        ],
    );
}

#[test]
fn what_comes_later_is_told_apart_from_typos() {
    check(
        "{servers: [127.0.0.1:9000], health_check: {path: /healthz}}",
        &[
            "1:46: error: `health_check` (active health checks): this version can't do it yet; remove it",
        ],
    );
    check(
        "{servers: [127.0.0.1:9000], balanse: round_robin}",
        &["1:46: error: unknown key \"balanse\"; did you mean \"balance\"?"],
    );
}

#[test]
fn trust_is_said_once() {
    check(
        "{servers: [127.0.0.1:9000], tls: {verify: false}}",
        &[
            "1:60: warning: anyone between here and the server can read and change the traffic; prefer `ca`",
        ],
    );
    check(
        "{servers: [127.0.0.1:9000], tls: {verify: false, ca: x.pem}}",
        &[
            "1:60: error: `verify: false` believes any certificate, so `ca` would have no effect; remove one of them",
        ],
    );
    check(
        "{servers: [127.0.0.1:9000], tls: {certificate: x.pem}}",
        &["1:51: error: `certificate` and `private_key` go together; give both or neither"],
    );
    check(
        "{servers: [127.0.0.1:9000], tls: {ca: x.pem}}",
        &["1:56: error: x.pem: there is no such file"],
    );
}

#[test]
fn certificates_towards_servers_are_read() {
    let (certificate, key) = crate::listeners::certificate(&["client.example"]);
    let yaml = format!(
        "upstreams: {{app: {{servers: [127.0.0.1:9000], tls: {{ca: a.crt, certificate: a.crt, private_key: a.key}}}}}}\n{REST}"
    );
    let files = Memory::default()
        .with("palisade.yaml", yaml)
        .with("a.crt", certificate)
        .with("a.key", key);
    let settings = support::load(&files).unwrap().settings;
    let tls = settings
        .upstreams
        .first()
        .and_then(|pool| pool.tls.clone())
        .unwrap();
    assert!(matches!(tls.trust, ServerTrust::Roots(_)) && tls.client_certificate.is_some());
}
