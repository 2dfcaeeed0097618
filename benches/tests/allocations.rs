//! A request that passes is judged without allocating.
//!
//! The scene is the one whose time `judge.rs` measures: the shipped rules, ten lists, 50,000
//! decisions, a trusted hop. What may allocate: the first requests of a thread, until its scratch
//! and its log line have grown; a refusal, which carries what refused it; a rule that logs or only
//! detects, which leaves a record; a site with `forward_path: canonical` or `https: redirect`, which
//! makes a target; a path with escapes or `;params` longer than any before.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use palisade_benches::browser::{BrowserRequest, HEAD};
use palisade_benches::scene::{Scene, header_value};
use palisade_benches::settings::Rules;
use palisade_hygiene::HeadLimits;
use palisade_hygiene::h1::{HeadSearch, check_head};
use palisade_proxy::judge::{Ruling, Scratch};
use palisade_telemetry::{
    AccessEvent, AccessFormat, AccessLogSettings, LogSettings, MetricLabels, Metrics, OperatorLog,
    Outcome, RequestLine, Sink, Telemetry, WallTime,
};
use palisade_testkit::alloc::{CountingAllocator, allocations_of};
use palisade_vocabulary::{ClientAddr, HttpVersion, RequestId};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Judges these clients' requests, each of which passes, twice: the second time nothing is allocated.
#[track_caller]
fn check_passes_without_allocating(rules: Rules, clients: impl Fn(&Scene) -> Vec<HeaderValue>) {
    let scene = Scene::new(rules, 50_000);
    let clients = clients(&scene);
    let (mut request, mut scratch) = (BrowserRequest::new(), Scratch::default());
    let mut judge_all = || {
        for client in &clients {
            request.set_client(client);
            assert!(scene.passes(&request, &mut scratch), "{client:?} passes");
        }
    };
    let cold = allocations_of(&mut judge_all);
    assert!(cold > 0, "the scratch grows, and the counter counts");
    assert_eq!(allocations_of(&mut judge_all), 0);
}

#[test]
fn a_benign_request_allocates_nothing() {
    check_passes_without_allocating(Rules::Shipped, |scene| scene.benign_clients(1_000));
}

#[test]
fn nor_does_one_whose_country_is_asked_for() {
    check_passes_without_allocating(Rules::ShippedAndCountry, |scene| {
        scene.benign_clients(1_000)
    });
}

#[test]
fn nor_does_one_among_ten_thousand_rules() {
    check_passes_without_allocating(Rules::Made(10_000), |scene| scene.benign_clients(1_000));
}

#[test]
fn a_trusted_client_allocates_nothing() {
    let scene = Scene::new(Rules::Shipped, 50_000);
    let (mut request, mut scratch) = (BrowserRequest::new(), Scratch::default());
    let trusted = &scene.snapshot.trusted_clients;
    let mut random = palisade_bench::random::Random::new(9);
    let client = loop {
        let address = random.address();
        if trusted.contains(address.into()) {
            break address;
        }
    };
    request.set_client(&header_value(&client.to_string()));
    assert!(scene.passes(&request, &mut scratch), "it is trusted");
    let again = allocations_of(|| assert!(scene.passes(&request, &mut scratch)));
    assert_eq!(again, 0);
}

#[test]
fn a_refusal_allocates_little() {
    let scene = Scene::new(Rules::Shipped, 50_000);
    let (mut request, mut scratch) = (BrowserRequest::new(), Scratch::default());
    let agent = HeaderValue::from_static("sqlmap/1.8");
    request.headers.insert(http::header::USER_AGENT, agent);
    let mut refuse = || {
        let ruling = scene.judge(&request, &mut scratch).ruling;
        assert!(matches!(ruling, Ruling::Refuse(_)), "{ruling:?}");
    };
    refuse();
    let again = allocations_of(refuse);
    assert!(again <= 2, "the rule's id and reason: {again}");
}

#[test]
fn a_head_is_found_and_checked_without_allocating() {
    let limits = HeadLimits::default();
    let allocations = allocations_of(|| {
        let found = HeadSearch::default().find(HEAD.as_bytes(), &limits);
        assert_eq!(found, Ok(Some(0..HEAD.len())));
        assert!(check_head(HEAD.as_bytes(), &limits).is_ok());
    });
    assert_eq!(allocations, 0);
}

#[track_caller]
fn check_observing_allocates_nothing(settings: &LogSettings) {
    let labels = MetricLabels {
        version: "1.2.3",
        hygiene_reasons: &[],
        proxy_reasons: &[],
    };
    let metrics = Arc::new(Metrics::new(labels).unwrap());
    let report = OperatorLog::stderr(metrics.sink(&Sink::Stderr).unwrap()).unwrap();
    let telemetry = Telemetry::open(settings, metrics, Arc::new(report)).unwrap();
    let request = BrowserRequest::new();
    let client = ClientAddr::peer("198.51.100.7".parse().unwrap(), 40_000);
    let observe = |number: u128| {
        telemetry.observe_request(&AccessEvent {
            time: WallTime::from_unix(1_700_000_000 + number as u64 / 100, 0),
            client: &client,
            request: RequestLine::Parsed {
                method: request.head.method,
                target: b"/products/chairs/oak-folding-chair-1284.html?color=green&page=2",
                version: HttpVersion::Http11,
            },
            host: "shop-07.example.com",
            port: Some(8_000),
            status: 200,
            body_bytes: 1_024,
            referer: request.headers["referer"].as_bytes(),
            user_agent: request.headers["user-agent"].as_bytes(),
            user: "",
            request_id: RequestId::from_bits(number),
            duration: Duration::from_micros(1_234),
            upstream: Some("app"),
            upstream_duration: Some(Duration::from_micros(1_000)),
            www_authenticate: None,
            site: "shop-07.example.com",
            outcome: Outcome::Forwarded,
        });
    };
    (0..1_000).for_each(observe);
    let warm = allocations_of(|| (0..1_000).for_each(observe));
    assert_eq!(warm, 0, "{settings:?}");
    telemetry.flush(Duration::from_secs(30)).unwrap();
}

#[test]
fn observing_a_request_allocates_nothing() {
    check_observing_allocates_nothing(&LogSettings::default());
}

#[test]
fn nor_does_writing_its_line() {
    let folder = tempfile::tempdir().unwrap();
    for format in [
        AccessFormat::Combined,
        AccessFormat::Json,
        AccessFormat::Caddy,
    ] {
        let sink = Sink::File(folder.path().join(format!("{format:?}.log")));
        check_observing_allocates_nothing(&LogSettings {
            access: Some(AccessLogSettings { sink, format }),
            decisions: None,
            audit: None,
            shadow: None,
        });
    }
}
