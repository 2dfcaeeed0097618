use std::fmt::Write;
use std::time::Duration;

use palisade_vocabulary::{ClientAddr, HttpVersion, Ip, RequestId};
use prometheus::proto::MetricType;

use super::*;
use crate::*;

fn new_metrics() -> Metrics {
    Metrics::new(MetricLabels {
        version: "1.2.3",
        hygiene_reasons: &["request_line", "host_missing"],
        proxy_reasons: &["missing"],
    })
    .unwrap()
}

fn text(metrics: &Metrics, now_millis: u64) -> String {
    let mut text = String::new();
    metrics
        .render(Tick::from_millis(now_millis), &mut text)
        .unwrap();
    text
}

/// The rendered text must have this line.
#[track_caller]
fn check(metrics: &Metrics, expected: &str) {
    let text = text(metrics, 7_500);
    assert!(
        text.lines().any(|line| line == expected),
        "{expected} is not in:\n{text}"
    );
}

fn request(client: &ClientAddr, outcome: Outcome, status: u16) -> AccessEvent<'_> {
    AccessEvent {
        time: WallTime::from_unix(0, 0),
        client,
        request: RequestLine::Parsed {
            method: "GET",
            target: b"/",
            version: HttpVersion::Http11,
        },
        host: "",
        port: None,
        status,
        body_bytes: 100,
        referer: b"",
        user_agent: b"",
        user: "",
        request_id: RequestId::from_bits(0),
        duration: Duration::from_millis(20),
        upstream: None,
        upstream_duration: None,
        www_authenticate: None,
        site: "",
        outcome,
    }
}

fn decision<'a>(client: &'a ClientAddr, mode: DecisionMode, cause: Cause<'a>) -> DecisionEvent<'a> {
    DecisionEvent {
        time: WallTime::from_unix(0, 0),
        mode,
        cause,
        client,
        peer: client.ip,
        subject: Subject::Connection,
        checks_duration: Duration::ZERO,
    }
}

fn client() -> ClientAddr {
    ClientAddr::peer(Ip::new([203, 0, 113, 7].into()), 1)
}

#[test]
fn requests_are_counted_by_outcome_and_status() {
    let (metrics, client) = (new_metrics(), client());
    metrics
        .requests
        .observe(&request(&client, Outcome::Forwarded, 200));
    metrics
        .requests
        .observe(&request(&client, Outcome::Forwarded, 204));
    metrics
        .requests
        .observe(&request(&client, Outcome::Refused(Check::Access), 403));
    metrics
        .requests
        .observe(&request(&client, Outcome::ClientAborted, 0));
    check(
        &metrics,
        r#"palisade_requests_total{outcome="forwarded",status="2xx"} 2"#,
    );
    check(
        &metrics,
        r#"palisade_requests_total{outcome="refused",status="4xx"} 1"#,
    );
    check(
        &metrics,
        r#"palisade_requests_total{outcome="client_aborted",status="none"} 1"#,
    );
    check(
        &metrics,
        r#"palisade_requests_total{outcome="upstream_failed",status="5xx"} 0"#,
    );
    check(&metrics, "palisade_response_body_bytes_total 400");
    check(
        &metrics,
        r#"palisade_request_duration_seconds_bucket{le="0.025"} 4"#,
    );
}

#[test]
fn refusals_are_counted_by_check_and_reason() {
    let (metrics, client) = (new_metrics(), client());
    let observe = |mode, cause| metrics.decisions.observe(&decision(&client, mode, cause));
    let id = "r".parse().unwrap();
    let rule = Cause::Rule {
        id: &id,
        reason: "",
    };
    observe(DecisionMode::Refused, rule);
    observe(DecisionMode::WouldRefuse, rule);
    observe(DecisionMode::WouldRefuse, rule);
    observe(DecisionMode::Logged, rule);
    for reason in ["host_missing", "host_missing", "of another version"] {
        observe(DecisionMode::Refused, Cause::Hygiene { reason });
    }
    observe(DecisionMode::Refused, Cause::Proxy { reason: "missing" });
    let reason = "request_line";
    observe(DecisionMode::Refused, Cause::Body { reason });
    check(&metrics, r#"palisade_refusals_total{check="access"} 1"#);
    check(
        &metrics,
        r#"palisade_would_be_refusals_total{check="access"} 2"#,
    );
    check(
        &metrics,
        r#"palisade_logged_matches_total{check="access"} 1"#,
    );
    check(&metrics, r#"palisade_refusals_total{check="hygiene"} 3"#);
    check(
        &metrics,
        r#"palisade_hygiene_refusals_total{reason="host_missing"} 2"#,
    );
    check(
        &metrics,
        r#"palisade_hygiene_refusals_total{reason="request_line"} 1"#,
    );
    check(
        &metrics,
        r#"palisade_hygiene_refusals_total{reason="of another version"} 1"#,
    );
    check(
        &metrics,
        r#"palisade_proxy_refusals_total{reason="missing"} 1"#,
    );
}

#[test]
fn origins_and_types_of_decisions_are_bounded() {
    let (metrics, client) = (new_metrics(), client());
    let names = [
        ("CAPI", "ban"),
        ("lists:a", "Ban"),
        ("lists:b", "captcha"),
        ("mine", "mfa"),
    ];
    for (origin, kind) in names {
        let cause = Cause::Decision(MatchedDecision {
            origin,
            scenario: "",
            kind,
            scope: "ip",
            value: "203.0.113.7",
            id: None,
            expires_in: Duration::ZERO,
        });
        metrics
            .decisions
            .observe(&decision(&client, DecisionMode::Refused, cause));
    }
    check(
        &metrics,
        r#"palisade_decision_matches_total{origin="CAPI",type="ban"} 1"#,
    );
    check(
        &metrics,
        r#"palisade_decision_matches_total{origin="lists",type="ban"} 1"#,
    );
    check(
        &metrics,
        r#"palisade_decision_matches_total{origin="lists",type="captcha"} 1"#,
    );
    check(
        &metrics,
        r#"palisade_decision_matches_total{origin="other",type="other"} 1"#,
    );

    let count = |(origin, kind)| DecisionCount {
        origin,
        kind,
        count: 10,
    };
    metrics.set_decisions(names.into_iter().chain([("lists:c", "ban")]).map(count));
    check(
        &metrics,
        r#"palisade_decisions{origin="lists",type="ban"} 20"#,
    );
    check(
        &metrics,
        r#"palisade_decisions{origin="other",type="other"} 10"#,
    );
    metrics.set_decisions([count(("CAPI", "ban"))]);
    check(
        &metrics,
        r#"palisade_decisions{origin="CAPI",type="ban"} 10"#,
    );
    check(
        &metrics,
        r#"palisade_decisions{origin="lists",type="ban"} 0"#,
    );
}

#[test]
fn the_lapi_is_shown_where_there_is_one() {
    let metrics = new_metrics();
    assert!(!text(&metrics, 0).contains("palisade_lapi"));
    let lapi = metrics
        .lapi(&["connect", "key_refused"], Tick::from_millis(1_000))
        .unwrap();
    check(&metrics, "palisade_lapi_last_success_age_seconds 6.5");
    check(&metrics, "palisade_lapi_synced 0");
    check(&metrics, r#"palisade_lapi_polls_total{result="connect"} 0"#);
    lapi.key_refused("key_refused");
    check(&metrics, "palisade_lapi_key_refused 1");
    lapi.succeeded(Tick::from_millis(5_000));
    lapi.failed("connect");
    let again = metrics.lapi(&[], Tick::from_millis(6_000)).unwrap();
    assert!(Arc::ptr_eq(&again, &lapi));
    check(&metrics, "palisade_lapi_last_success_age_seconds 2.5");
    check(&metrics, "palisade_lapi_synced 1");
    check(&metrics, "palisade_lapi_key_refused 0");
    check(&metrics, r#"palisade_lapi_polls_total{result="connect"} 1"#);
    check(&metrics, r#"palisade_lapi_polls_total{result="ok"} 1"#);
    metrics.forget_lapi();
    assert!(!text(&metrics, 0).contains("palisade_lapi"));
}

fn server(is_up: bool) -> ServerGauges<'static> {
    ServerGauges {
        upstream: "app",
        server: "app.test:80",
        is_up,
        in_flight: 3,
        check_failures: Some(7),
        name_failing: Some(!is_up),
    }
}

#[test]
fn servers_are_shown_as_they_are() {
    let metrics = new_metrics();
    let labels = r#"{server="app.test:80",upstream="app"}"#;
    for is_up in [true, false] {
        metrics.set_servers([("app", 2)], [server(is_up)]).unwrap();
        let text = text(&metrics, 0);
        for (name, value) in [
            ("up", u8::from(is_up)),
            ("requests_in_flight", 3),
            ("check_failures", 7),
            ("name_lookup_failing", u8::from(!is_up)),
        ] {
            let line = format!("palisade_upstream_server_{name}{labels} {value}\n");
            assert!(text.contains(&line), "{line}");
        }
        assert!(text.contains("palisade_upstream_queued_requests{upstream=\"app\"} 2\n"));
    }
    metrics.set_servers([], []).unwrap();
    assert!(
        !text(&metrics, 0).contains("upstream=\"app\""),
        "gone with its settings"
    );
}

#[test]
fn upstreams_come_and_go() {
    let metrics = new_metrics();
    let app = metrics.upstream("app").unwrap();
    app.answered(BackendProtocol::Http2, Duration::from_millis(3));
    app.stream_reset();
    app.connect_failed();
    app.retried();
    app.ejected();
    metrics.upstream("app").unwrap().retried();
    check(
        &metrics,
        r#"palisade_upstream_duration_seconds_bucket{upstream="app",le="0.0025"} 0"#,
    );
    check(
        &metrics,
        r#"palisade_upstream_duration_seconds_bucket{upstream="app",le="0.005"} 1"#,
    );
    check(
        &metrics,
        r#"palisade_upstream_connect_failures_total{upstream="app"} 1"#,
    );
    check(
        &metrics,
        r#"palisade_upstream_retries_total{upstream="app"} 2"#,
    );
    check(
        &metrics,
        r#"palisade_upstream_ejections_total{upstream="app"} 1"#,
    );
    check(
        &metrics,
        r#"palisade_upstream_answers_total{protocol="http2",upstream="app"} 1"#,
    );
    check(
        &metrics,
        r#"palisade_upstream_answers_total{protocol="http1",upstream="app"} 0"#,
    );
    check(
        &metrics,
        r#"palisade_upstream_stream_resets_total{upstream="app"} 1"#,
    );
    metrics.forget_upstream("app");
    metrics.forget_upstream("never was");
    assert!(!text(&metrics, 0).contains("upstream=\"app\""));
}

#[test]
fn the_rest_is_counted() {
    let metrics = new_metrics();
    metrics.connections.opened();
    metrics.connections.opened();
    metrics.connections.closed();
    metrics.connections.refused(SlotRefusal::Address);
    metrics
        .connections
        .handshake_failed(HandshakeFailure::Timeout);
    metrics.connections.stream_refused(StreamRefusal::Address);
    metrics.connections.request_evicted();
    check(
        &metrics,
        r#"palisade_streams_refused_total{slots="address"} 1"#,
    );
    check(&metrics, "palisade_requests_evicted_total 1");
    check(&metrics, "palisade_connections_open 1");
    check(&metrics, "palisade_connections_accepted_total 2");
    check(
        &metrics,
        r#"palisade_connections_refused_total{slots="address"} 1"#,
    );
    check(
        &metrics,
        r#"palisade_tls_handshake_failures_total{reason="timeout"} 1"#,
    );

    metrics.snapshot.started(1);
    metrics.snapshot.reload_failed();
    check(&metrics, "palisade_snapshot_generation 1");
    check(&metrics, "palisade_last_reload_failed 1");
    metrics.snapshot.reloaded(2);
    check(&metrics, "palisade_snapshot_generation 2");
    check(&metrics, "palisade_last_reload_failed 0");
    check(&metrics, r#"palisade_reloads_total{result="failed"} 1"#);

    metrics.geo.set_loaded(GeoDatabase::Country, true);
    metrics.geo.load_failed(GeoDatabase::Asn);
    check(
        &metrics,
        r#"palisade_geo_database_loaded{database="country"} 1"#,
    );
    check(
        &metrics,
        r#"palisade_geo_database_load_failures_total{database="asn"} 1"#,
    );

    metrics.sink(&Sink::Stdout).unwrap().dropped_lines.inc();
    check(
        &metrics,
        r#"palisade_log_lines_dropped_total{sink="stdout"} 1"#,
    );
    check(&metrics, r#"palisade_build_info{version="1.2.3"} 1"#);
}

#[test]
fn shadows_are_counted_and_summed_up() {
    let metrics = new_metrics();
    metrics.shadow.evaluated();
    metrics.shadow.evaluated();
    metrics.shadow.disagreed(ShadowDifference::NewRefusal);
    metrics.shadow.skipped(ShadowSkip::QueueFull);
    check(&metrics, "palisade_waf_shadow_evaluated_total 2");
    check(
        &metrics,
        r#"palisade_waf_shadow_disagreements_total{kind="new_refusal"} 1"#,
    );
    check(
        &metrics,
        r#"palisade_waf_shadow_skipped_total{reason="queue_full"} 1"#,
    );
    let expected = ShadowSummary {
        evaluated: 2,
        agreed: 1,
        skipped: [0, 1, 0, 0, 0],
    };
    assert_eq!(metrics.shadow.summary(), expected);
}

/// `METRICS.md` lists every metric. Write it anew with `UPDATE_GOLDEN=1 cargo test`.
#[test]
fn failures_of_rules_are_counted_by_rule_as_far_as_there_are_few() {
    let metrics = new_metrics();
    check(
        &metrics,
        r#"palisade_waf_failures_total{reason="panicked",rule="none"} 0"#,
    );
    metrics.rules.failed("budget_spent", Some(942_100));
    metrics.rules.failed("budget_spent", Some(942_100));
    metrics.rules.failed("budget_spent", None);
    for rule in 1..=200 {
        metrics.rules.failed("panicked", Some(rule));
    }
    check(
        &metrics,
        r#"palisade_waf_failures_total{reason="budget_spent",rule="942100"} 2"#,
    );
    check(
        &metrics,
        r#"palisade_waf_failures_total{reason="budget_spent",rule="none"} 1"#,
    );
    check(
        &metrics,
        r#"palisade_waf_failures_total{reason="panicked",rule="99"} 1"#,
    );
    check(
        &metrics,
        r#"palisade_waf_failures_total{reason="panicked",rule="other"} 101"#,
    );
}

#[test]
fn metrics_md_lists_every_metric() {
    let metrics = new_metrics();
    metrics.lapi(&[], Tick::from_millis(0)).unwrap();
    metrics.set_confinement("landlock", true).unwrap();
    metrics.upstream("app").unwrap();
    metrics.set_servers([("app", 0)], [server(true)]).unwrap();
    metrics.set_lists([list_reading("drop", 0)]);
    metrics.sink(&Sink::Stdout).unwrap();
    let list = metric_list(&metrics.gather(Tick::from_millis(0)));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/METRICS.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &list).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        list == committed,
        "METRICS.md is out of date: run with UPDATE_GOLDEN=1\n{list}"
    );
}

fn list_reading(name: &str, failures: u64) -> ListReading<'_> {
    ListReading {
        purpose: "block",
        name,
        entries: 7,
        bad_entries: 1,
        age: Some(Duration::from_secs(9)),
        failures,
        is_not_saved: failures == 3,
    }
}

#[test]
fn lists_are_shown_as_long_as_they_are_there() {
    let metrics = new_metrics();
    metrics.set_lists([list_reading("drop", 2), list_reading("tor", 0)]);
    metrics.set_lists([list_reading("drop", 3)]);
    check(
        &metrics,
        "palisade_list_entries{list=\"drop\",purpose=\"block\"} 7",
    );
    check(
        &metrics,
        "palisade_list_age_seconds{list=\"drop\",purpose=\"block\"} 9",
    );
    let failures = "palisade_list_failures_total{list=\"drop\",purpose=\"block\"} 3";
    check(&metrics, failures);
    assert!(!text(&metrics, 0).contains("tor"));
}

fn metric_list(families: &[MetricFamily]) -> String {
    let mut list = String::from(
        "# Metrics\n\n\
         All of `/metrics`. Units are base units, and the values of every label are a fixed or a\n\
         configured set: never an address, a path or anything else that a client chooses.\n\
         Made by `UPDATE_GOLDEN=1 cargo test -p palisade-telemetry metrics_md`.\n\n\
         | metric | type | labels | what it says |\n|---|---|---|---|\n",
    );
    for family in families {
        let kind = match family.get_field_type() {
            MetricType::COUNTER => "counter",
            MetricType::GAUGE => "gauge",
            MetricType::HISTOGRAM => "histogram",
            other => panic!("{other:?}"),
        };
        assert!(family.name().starts_with("palisade_"), "{}", family.name());
        let labels = family.get_metric()[0].get_label();
        let labels: Vec<_> = labels
            .iter()
            .map(|label| format!("`{}`", label.name()))
            .collect();
        let (name, help) = (family.name(), family.help());
        writeln!(
            list,
            "| `{name}` | {kind} | {} | {help} |",
            labels.join(", ")
        )
        .unwrap();
    }
    list
}
