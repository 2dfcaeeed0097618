use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::local_decisions::NewDecision;
use crate::test_context::{API_KEY, TestDoors, lapi_status, over_socket, over_tcp, parts};

async fn ask(doors: &TestDoors, request: &str) -> (u16, String) {
    let answer = over_tcp(doors.admin, request).await;
    let (status, body) = parts(&answer);
    (status, body.to_owned())
}

async fn check(doors: &TestDoors, request: &str, status: u16, contains: &str) {
    let (got, body) = ask(doors, request).await;
    assert_eq!(got, status, "{request}: {body}");
    assert!(body.contains(contains), "{request}: {body}");
}

#[tokio::test]
async fn loopback_and_configured_hosts_are_answered() {
    let doors = TestDoors::open().await;
    for host in ["localhost", "127.0.0.1:9901", "[::1]", "Admin.Example.com"] {
        let request = format!("GET /status HTTP/1.1\r\nHost: {host}\r\n\r\n");
        check(&doors, &request, 200, "\"version\":\"1.2.3\"").await;
    }
}

#[tokio::test]
async fn a_page_that_was_rebound_to_this_machine_learns_nothing() {
    let doors = TestDoors::open().await;
    for host in ["evil.example", "localhost.evil.example", "192.0.2.1"] {
        let request = format!("GET /status HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let told = format!("this is not \\\"{host}\\\"; ask for localhost");
        check(&doors, &request, 421, &told).await;
        let nowhere = format!("GET /nowhere HTTP/1.1\r\nHost: {host}\r\n\r\n");
        check(&doors, &nowhere, 421, "").await;
    }
    check(
        &doors,
        "GET /status HTTP/1.0\r\n\r\n",
        400,
        "needs one Host",
    )
    .await;
    let two = "GET /status HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n";
    check(&doors, two, 400, "needs one Host").await;
    let absolute = "GET http://evil.example/status HTTP/1.1\r\nHost: localhost\r\n\r\n";
    check(&doors, absolute, 421, "evil.example").await;
}

#[tokio::test]
async fn nothing_can_be_changed_over_tcp() {
    let doors = TestDoors::open().await;
    for request_line in ["GET /decisions", "POST /decisions", "DELETE /decisions/all"] {
        let request = format!("{request_line} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        check(&doors, &request, 403, "through the socket alone").await;
    }
    check(
        &doors,
        "POST /status HTTP/1.1\r\nHost: localhost\r\n\r\n",
        405,
        "GET, HEAD",
    )
    .await;
    check(
        &doors,
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        404,
        "there is /status",
    )
    .await;
    check(
        &doors,
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
        404,
        "",
    )
    .await;
}

#[tokio::test]
async fn status_tells_all_that_an_operator_asks() {
    let doors = TestDoors::open().await;
    let context = &doors.context;
    let now = context.shared.clock.now();
    let scope = palisade_decisions::Scope::parse("Ip", "192.0.2.1").unwrap();
    let hour = std::time::Duration::from_secs(3_600);
    let ban = NewDecision::new(scope, palisade_decisions::Remedy::Ban, hour, "x").unwrap();
    context.local.add(ban, now).unwrap();
    context.lapi.store(Some(lapi_status()));
    context.reload.loaded(&"00ff", now);
    context
        .reload
        .refused(&"palisade.yaml:3:1: error: unknown key", now);

    let (status, body) = ask(&doors, "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(status, 200);
    assert!(!body.contains(API_KEY));
    let mut got: Value = serde_json::from_str(&body).unwrap();
    assert!(got["started_unix_seconds"].as_u64().unwrap() > 1_700_000_000);
    got["started_unix_seconds"] = json!(0);
    let seconds = [
        "/uptime_seconds",
        "/settings/loaded_seconds_ago",
        "/settings/refused/seconds_ago",
    ];
    for pointer in seconds {
        let value = got.pointer_mut(pointer).unwrap();
        assert!(value.as_u64().unwrap() < 600, "{pointer}");
        *value = json!(0);
    }
    assert_eq!(got, expected_status(doors.listener));
}

/// What there is to tell of the process that [`TestDoors`] makes up, listening at `address`.
fn expected_status(address: SocketAddr) -> Value {
    json!({
    "version": "1.2.3",
    "started_unix_seconds": 0,
    "uptime_seconds": 0,
    "ready": true,
    "not_ready_because": [],
    "confinement": { "landlock": false, "seccomp": false, "no_core_dumps": false },
    "settings": {
        "generation": 1,
        "hash": "00ff",
        "loaded_seconds_ago": 0,
        "refused": {
            "seconds_ago": 0,
            "error": "palisade.yaml:3:1: error: unknown key",
        },
    },
    "sites": 1,
    "listeners": [{ "address": address.to_string() }],
    "lists": [],
    "lapi": {
        "configured": true,
        "url": "http://127.0.0.1:8080/",
        "usage_metrics": null,
        "synced": false,
        "key_refused": false,
        "last_good_poll_age_seconds": null,
        "consecutive_failures": 0,
        "last_error": null,
        "not_saved": null,
        "usage_metrics": null,
    },
    "lists": [],
    "lockouts": { "clients": 0, "locked": 0, "ended_early": 0 },
    "decisions": {
        "total": 1,
        "counts": [
            { "source": "local", "origin": "local", "type": "ban", "decisions": 1 },
        ],
    },
    "geo": { "country_database": false, "asn_database": false, "unusable": [] },
    "waf": no_rules(),
    "upstreams": [{
        "name": "app",
        "balance": "round_robin",
        "when_all_down": "try_any",
        "queued_requests": 0,
        "servers": [{
            "address": "127.0.0.1:9000",
            "name": null,
            "own_door": null,
            "up": true,
            "health_check": null,
            "weight": 1,
            "in_flight": 0,
            "consecutive_failures": 0,
            "ejected_for_seconds": null,
            "idle_connections": 0,
            "http2_connections": 0,
        }],
    }],
    "failure_policies": {
        "lapi": {
            "mode": "block",
            "on_failure": "open",
            "stale_after_seconds": 600,
            "fallback_remediation": "ban",
        },
        "waf": { "on_failure": { "open": 0, "closed": 0 } },
    },
    })
}

fn no_rules() -> Value {
    json!({
        "rule_sets": 0,
        "sites": { "guarded": 0, "only_detecting": 0, "shadowed": 0 },
        "body_memory": { "bytes": 0, "bytes_max": 268_435_456 },
        "shadow_memory": { "bytes": 0, "bytes_max": 67_108_864 },
    })
}

#[tokio::test]
async fn the_socket_tells_the_same_whatever_the_host() {
    let doors = TestDoors::open().await;
    let request = "GET /status HTTP/1.1\r\nHost: whatever\r\n\r\n";
    let answer = over_socket(&doors.socket, request).await;
    let (status, body) = parts(&answer);
    assert_eq!(status, 200);
    let got: Value = serde_json::from_str(body).unwrap();
    assert_eq!(got["lapi"]["configured"], json!(false));
    assert_eq!(got["settings"]["hash"], Value::Null);
}
