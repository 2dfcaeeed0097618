//! `upstreams`

use std::time::Duration;

use palisade_config::files::Memory;
use palisade_upstream::{
    Balance, CheckPace, CheckThresholds, ConnectRetry, ConnectionLimit, Ejection, HttpProbe,
    KeepAlive, PoolSettings, Probe, ProbeMethod, Protocol, ProxyVersion, Queueing, RetryBudget,
    ServerTrust, SlowStart, StatusRanges, Timeouts, WhenAllDown,
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
          balance: client_address, protocol: http2, timeouts: {connect: 1s, read: 2s, write: 3s}, proxy_protocol: v2,
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
    assert_eq!(pool.protocol, Protocol::Http2);
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
fn typos_are_told() {
    check(
        "{servers: [127.0.0.1:9000], balanse: round_robin}",
        &["1:46: error: unknown key \"balanse\"; did you mean \"balance\"?"],
    );
}

#[test]
fn health_and_load_can_be_set() {
    let pool = pool(
        "{servers: [127.0.0.1:9000], slow_start: 30s, when_all_down: refuse, connections_max: 10,
          queue: {length: 5, timeout: 1s}, retry_budget: {percent: 10, reserve: 3},
          resolver: 127.0.0.1:53,
          health_check: {path: /healthz, method: HEAD, host: app.internal, status: [204, 300-302],
            interval: 1s, timeout: 500ms, healthy_after: 1, unhealthy_after: 4}}",
    );
    let second = Duration::from_secs(1);
    assert_eq!(pool.slow_start, SlowStart::new(30 * second).ok());
    assert_eq!(pool.when_all_down, WhenAllDown::Refuse);
    let queue = Queueing::new(5, second).unwrap();
    assert_eq!(pool.connection_limit, ConnectionLimit::new(10, queue).ok());
    assert_eq!(pool.retry_budget, RetryBudget::new(10, 3).ok());
    assert_eq!(pool.resolver, Some("127.0.0.1:53".parse().unwrap()));
    let check = pool.health_check.unwrap();
    assert_eq!(Ok(check.pace), CheckPace::new(second, second / 2));
    assert_eq!(Ok(check.thresholds), CheckThresholds::new(1, 4));
    let good = vec!["204".parse().unwrap(), "300-302".parse().unwrap()];
    let good = StatusRanges::new(good).unwrap();
    let probe = HttpProbe::new(ProbeMethod::Head, "/healthz", Some("app.internal"), good);
    assert_eq!(check.probe, Probe::Http(probe.unwrap()));
}

#[test]
fn a_check_has_defaults() {
    let check = |yaml: &str| {
        let yaml = format!("{{servers: [127.0.0.1:9000], health_check: {yaml}}}");
        pool(&yaml).health_check.unwrap()
    };
    let got = check("{tcp: true}");
    assert_eq!(got.probe, Probe::Tcp);
    assert_eq!(
        (got.pace, got.thresholds),
        (CheckPace::default(), CheckThresholds::default())
    );
    let probe = HttpProbe::new(ProbeMethod::Get, "/", None, StatusRanges::default());
    assert_eq!(check("{path: /}").probe, Probe::Http(probe.unwrap()));
    let budget = pool("{servers: [127.0.0.1:9000], retry_budget: off}").retry_budget;
    assert_eq!(budget, None);
}

#[test]
fn health_and_load_are_judged() {
    for (yaml, expected) in [
        (
            "health_check: {}",
            "1:60: error: a health check needs a `path`, or `tcp: true`",
        ),
        (
            "health_check: {tcp: true, path: /}",
            "1:60: error: `tcp: true` asks nothing: remove it, or `path`, `method`, `host` and `status`",
        ),
        (
            "health_check: {path: healthz}",
            "1:67: error: \"healthz\" is not the path of a health check; expected one like /healthz",
        ),
        (
            "health_check: {path: /, status: [20x]}",
            "1:79: error: \"20x\" is no range of statuses; expected one like 204 or 200-399",
        ),
        (
            "queue: {length: 5}",
            "1:53: error: nobody waits without `connections_max`; give it, or remove `queue`",
        ),
    ] {
        check(
            &format!("{{servers: [127.0.0.1:9000], {yaml}}}"),
            &[expected],
        );
    }
}

#[test]
fn what_is_spoken_is_one_of_three() {
    check("{servers: [127.0.0.1:9000], protocol: auto, tls: {}}", &[]);
    check("{servers: [127.0.0.1:9000], protocol: http2}", &[]);
    check(
        "{servers: [127.0.0.1:9000], protocol: auto}",
        &[
            "1:56: warning: without `tls` a server can't choose what is spoken: that is HTTP/1.1 then; for HTTP/2 say `http2`",
        ],
    );
    check(
        "{servers: [127.0.0.1:9000], protocol: http2, health_check: {path: /}}",
        &[],
    );
    check(
        "{servers: [127.0.0.1:9000], protocol: http3}",
        &["1:56: error: \"http3\" is not known here; did you mean \"http1\"?"],
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
