//! Lines of logs, and what metrics take of a request.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use gungraun::{library_benchmark, library_benchmark_group};
use palisade_telemetry::{
    AccessEvent, AccessFormat, Cause, DecisionEvent, DecisionMode, Fields, Level, LogSettings,
    MatchedDecision, MetricLabels, Metrics, Outcome, Report, RequestLine, Subject, Telemetry,
    WallTime,
};
use palisade_vocabulary::{ClientAddr, HttpVersion, RequestId};

use crate::TIMES;

library_benchmark_group!(
    name = telemetry,
    benchmarks = [access_line, decision_line, metrics]
);

const BROWSER: &[u8] =
    b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

fn client() -> ClientAddr {
    ClientAddr::peer("203.0.113.77".parse().expect("an address"), 50_123)
}

fn request(client: &ClientAddr) -> AccessEvent<'_> {
    AccessEvent {
        time: WallTime::from_unix(1_795_289_545, 317_000_000),
        client,
        request: RequestLine::Parsed {
            method: "GET",
            target: b"/catalogue/items/4711?colour=green&page=2&sort=price",
            version: HttpVersion::Http11,
        },
        host: "shop.example.com",
        port: Some(443),
        status: 200,
        body_bytes: 15_324,
        referer: b"https://shop.example.com/catalogue",
        user_agent: BROWSER,
        user: "",
        request_id: RequestId::from_bits(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        duration: Duration::from_micros(12_345),
        upstream: Some("app"),
        upstream_duration: Some(Duration::from_micros(11_987)),
        www_authenticate: None,
        site: "shop.example.com",
        outcome: Outcome::Forwarded,
    }
}

fn refusal(client: &ClientAddr) -> DecisionEvent<'_> {
    let event = request(client);
    DecisionEvent {
        time: event.time,
        mode: DecisionMode::Refused,
        cause: Cause::Decision(MatchedDecision {
            origin: "CAPI",
            scenario: "crowdsecurity/http-probing",
            kind: "ban",
            scope: "ip",
            value: "203.0.113.77",
            id: Some(4_711),
            expires_in: Duration::from_secs(3_600),
        }),
        client,
        peer: client.ip,
        subject: Subject::Request {
            id: event.request_id,
            host: event.host,
            site: event.site,
            request: event.request,
            user_agent: event.user_agent,
            status: Some(403),
        },
        checks_duration: Duration::from_nanos(900),
    }
}

#[library_benchmark]
#[bench::combined(AccessFormat::Combined)]
#[bench::json(AccessFormat::Json)]
#[bench::caddy(AccessFormat::Caddy)]
fn access_line(format: AccessFormat) -> Vec<u8> {
    let (client, mut line) = (client(), Vec::with_capacity(4_096));
    let event = request(&client);
    for _ in 0..TIMES {
        line.clear();
        format.write_line(black_box(&event), &mut line);
        black_box(&line);
    }
    line
}

#[library_benchmark]
fn decision_line() -> Vec<u8> {
    let (client, mut line) = (client(), Vec::with_capacity(4_096));
    let event = refusal(&client);
    for _ in 0..TIMES {
        line.clear();
        black_box(&event).write_line(&mut line);
        black_box(&line);
    }
    line
}

struct Silent;

impl Report for Silent {
    fn report(&self, _: Level, _: &'static str, _: &str, _: Fields<'_>) {}
}

/// Without logs: nothing is written, and no other thread runs.
fn without_logs() -> Telemetry {
    let labels = MetricLabels {
        version: "bench",
        hygiene_reasons: &[],
        proxy_reasons: &[],
    };
    let metrics = Arc::new(Metrics::new(labels).expect("metrics"));
    let settings = LogSettings {
        access: None,
        decisions: None,
        audit: None,
        shadow: None,
    };
    let telemetry = Telemetry::open(&settings, metrics, Arc::new(Silent)).expect("telemetry");
    observe(&telemetry);
    telemetry
}

fn observe(telemetry: &Telemetry) {
    let client = client();
    let (event, refusal) = (request(&client), refusal(&client));
    for _ in 0..TIMES {
        telemetry.observe_request(black_box(&event));
        telemetry.observe_decision(black_box(&refusal));
    }
}

#[library_benchmark]
#[bench::of_request_and_refusal(without_logs())]
fn metrics(telemetry: Telemetry) -> Telemetry {
    observe(&telemetry);
    telemetry
}
