//! A request and a refusal, and telemetry that observes them: the same for all benchmarks.

use std::sync::Arc;
use std::time::Duration;

use palisade_telemetry::{
    AccessEvent, Cause, DecisionEvent, DecisionMode, Fields, Level, LogSettings, MatchedDecision,
    MetricLabels, Metrics, Outcome, Report, RequestLine, Subject, Telemetry, WallTime,
};
use palisade_vocabulary::{ClientAddr, HttpVersion, RequestId};

const BROWSER: &[u8] =
    b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

pub(crate) fn client() -> ClientAddr {
    ClientAddr::peer("203.0.113.77".parse().expect("an address"), 50_123)
}

pub(crate) fn request(client: &ClientAddr) -> AccessEvent<'_> {
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

pub(crate) fn refusal(client: &ClientAddr) -> DecisionEvent<'_> {
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

/// Nothing is written, and no other thread runs.
pub(crate) const WITHOUT_LOGS: LogSettings = LogSettings {
    access: None,
    decisions: None,
    audit: None,
    shadow: None,
};

struct Silent;

impl Report for Silent {
    fn report(&self, _: Level, _: &'static str, _: &str, _: Fields<'_>) {}
}

pub(crate) fn open(settings: &LogSettings) -> Telemetry {
    let labels = MetricLabels {
        version: "bench",
        hygiene_reasons: &[],
        proxy_reasons: &[],
    };
    let metrics = Arc::new(Metrics::new(labels).expect("metrics"));
    Telemetry::open(settings, metrics, Arc::new(Silent)).expect("telemetry")
}
