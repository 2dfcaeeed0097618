use palisade_gate::settings::DecisionsPolicy;
use palisade_geo::GeoDatabases;
use palisade_vocabulary::FailurePolicy;

use crate::test_context::{TestDoors, lapi_status, over_tcp, parts};

async fn check(doors: &TestDoors, request_line: &str, status: u16, contains: &str) {
    let request = format!("{request_line} HTTP/1.1\r\nHost: anything.example\r\n\r\n");
    let answer = over_tcp(doors.metrics, request).await;
    let (got, _) = parts(&answer);
    assert_eq!(got, status, "{request_line}: {answer}");
    assert!(answer.contains(contains), "{request_line}: {answer}");
}

#[tokio::test]
async fn it_has_metrics_and_health_and_nothing_else() {
    let doors = TestDoors::open().await;
    check(
        &doors,
        "GET /metrics",
        200,
        "palisade_build_info{version=\"1.2.3\"} 1\n",
    )
    .await;
    check(
        &doors,
        "GET /metrics",
        200,
        "content-type: text/plain; version=0.0.4",
    )
    .await;
    check(&doors, "GET /metrics?x=y", 200, "palisade_decisions{").await;
    check(&doors, "GET /healthz", 200, "\r\n\r\nok\n").await;
    check(&doors, "GET /readyz", 200, "\r\n\r\nready\n").await;
    check(&doors, "HEAD /healthz", 200, "content-length: 3").await;
    check(&doors, "POST /metrics", 405, "allow: GET, HEAD").await;
    check(&doors, "DELETE /readyz", 405, "allow: GET, HEAD").await;
    for path in [
        "/",
        "/status",
        "/decisions",
        "/metrics/",
        "/healthz/x",
        "//metrics",
    ] {
        check(
            &doors,
            &format!("GET {path}"),
            404,
            "there is /metrics, /healthz, /readyz",
        )
        .await;
    }
    check(&doors, "POST /decisions", 404, "").await;
    doors.close().await;
}

#[tokio::test]
async fn a_head_has_no_body() {
    let doors = TestDoors::open().await;
    let answer = over_tcp(doors.metrics, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(parts(&answer), (200, ""));
}

#[tokio::test]
async fn a_draining_process_is_healthy_and_not_ready() {
    let doors = TestDoors::open().await;
    doors.draining.send_replace(true);
    check(&doors, "GET /healthz", 200, "ok").await;
    check(
        &doors,
        "GET /readyz",
        503,
        "\r\n\r\ndraining: the process ends\n",
    )
    .await;
}

#[tokio::test]
async fn a_closed_policy_is_not_ready_before_lapi_answered() {
    let policy = DecisionsPolicy {
        on_failure: FailurePolicy::Closed,
        ..DecisionsPolicy::default()
    };
    let doors = TestDoors::with(policy, None, GeoDatabases::default());
    check(&doors, "GET /readyz", 200, "ready").await;
    doors.context.lapi.store(Some(lapi_status()));
    let reason = "crowdsec: nothing was got from LAPI yet, and on_failure is closed\n";
    check(&doors, "GET /readyz", 503, reason).await;
    doors.draining.send_replace(true);
    let both = format!("draining: the process ends\n{reason}");
    check(&doors, "GET /readyz", 503, &both).await;
}
