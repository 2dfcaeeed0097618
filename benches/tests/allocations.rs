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

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::HeaderValue;
use palisade_benches::browser::{BrowserRequest, HEAD};
use palisade_benches::scene::{Scene, header_value};
use palisade_benches::settings::{Rules, SettingsFiles};
use palisade_gate::Snapshot;
use palisade_hygiene::HeadLimits;
use palisade_hygiene::h1::{HeadSearch, check_head};
use palisade_proxy::judge::{Ruling, Scratch};
use palisade_proxy::{Clock, Generation, Listener, RulesState, Shared, Verifications};
use palisade_telemetry::{
    AccessEvent, AccessFormat, AccessLogSettings, LogSettings, MetricLabels, Metrics, OperatorLog,
    Outcome, RequestLine, Sink, Telemetry, WallTime,
};
use palisade_testkit::alloc::{CountingAllocator, allocations, allocations_of};
use palisade_upstream::Upstreams;
use palisade_vocabulary::{ClientAddr, HttpVersion, RequestId};
use tokio::sync::{oneshot, watch};

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

fn telemetry(settings: &LogSettings) -> (Arc<Metrics>, Telemetry) {
    let labels = MetricLabels {
        version: "1.2.3",
        hygiene_reasons: &[],
        proxy_reasons: &[],
    };
    let metrics = Arc::new(Metrics::new(labels).unwrap());
    let report = OperatorLog::stderr(metrics.sink(&Sink::Stderr).unwrap()).unwrap();
    let telemetry = Telemetry::open(settings, Arc::clone(&metrics), Arc::new(report)).unwrap();
    (metrics, telemetry)
}

#[track_caller]
fn check_observing_allocates_nothing(settings: &LogSettings) {
    let (_, telemetry) = telemetry(settings);
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

/// How often a thread allocates that passes a browser's request on to a backend, and its answer back: both
/// connections are there already, all checks are made. Measured; it may only become less.
const ALLOCATIONS_PER_REQUEST: u64 = 15;

const REQUESTS: u64 = 1_000;
const REQUESTS_BEFORE: u64 = 100;

#[test]
fn a_request_that_is_passed_on_allocates_as_little_as_it_did() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let allocated = runtime.block_on(allocations_of_requests());
    // A second that begins meanwhile makes a date: that is no request's.
    let each = allocated / REQUESTS;
    assert!(
        each <= ALLOCATIONS_PER_REQUEST,
        "a request that is passed on allocates {each} times, {ALLOCATIONS_PER_REQUEST} before"
    );
    assert_eq!(
        each, ALLOCATIONS_PER_REQUEST,
        "it has become less: lower ALLOCATIONS_PER_REQUEST, so that it stays so"
    );
}

/// All of the proxy is on this thread; its client and its backend have threads of their own.
async fn allocations_of_requests() -> u64 {
    let (_drain, draining) = watch::channel(false);
    let proxy = proxy(backend(), draining);
    let ((warm, is_warm), (done, is_done)) = (oneshot::channel(), oneshot::channel());
    let (go, may_go) = mpsc::sync_channel(1);
    let client = std::thread::spawn(move || {
        let mut connection = TcpStream::connect(proxy).unwrap();
        (0..REQUESTS_BEFORE).for_each(|_| get(&mut connection));
        warm.send(()).unwrap();
        may_go.recv().unwrap();
        (0..REQUESTS).for_each(|_| get(&mut connection));
        done.send(()).unwrap();
    });
    is_warm.await.unwrap();
    let before = allocations();
    go.send(()).unwrap();
    is_done.await.unwrap();
    let after = allocations();
    client.join().unwrap();
    after - before
}

/// The proxy with the shipped rules, lists and 50,000 decisions.
fn proxy(backend: SocketAddr, draining: watch::Receiver<bool>) -> SocketAddr {
    let files = SettingsFiles::new(Rules::Shipped, "127.0.0.1:0", &backend.to_string());
    let settings = files.load();
    let snapshot = Snapshot::build(settings.gate, settings.geo).unwrap();
    let upstreams = Upstreams::build(settings.upstreams).unwrap();
    let (metrics, telemetry) = telemetry(&LogSettings::default());
    let telemetry = Arc::new(telemetry);
    let generation = Generation::new(1, snapshot, Default::default(), upstreams, telemetry);
    let shared = Shared {
        generation: ArcSwap::from_pointee(generation.unwrap()),
        state: Arc::new(Scene::new(Rules::Shipped, 50_000).state),
        rules: RulesState::default(),
        verifications: Verifications::default(),
        metrics,
        clock: Clock::start(),
        draining,
        shutdown: ArcSwap::from_pointee(settings.shutdown),
    };
    let listener = Listener::bind(settings.listeners.into_iter().next().unwrap()).unwrap();
    let address = listener.address();
    tokio::spawn(listener.accept(Arc::new(shared)));
    address
}

/// A backend that answers with a page of 1 KiB.
fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            std::thread::spawn(move || answer_all(&mut connection.unwrap()));
        }
    });
    address
}

fn answer_all(connection: &mut TcpStream) {
    let answer = format!(
        "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 30 Nov 2026 12:00:00 GMT\r\n\
         Content-Type: text/html\r\nContent-Length: 1024\r\nConnection: keep-alive\r\n\
         ETag: \"687f1a2b-400\"\r\nAccept-Ranges: bytes\r\n\r\n{}",
        "palisade".repeat(128)
    );
    while !read_until(connection, |got| got.ends_with(b"\r\n\r\n")).is_empty() {
        connection.write_all(answer.as_bytes()).unwrap();
    }
}

fn get(connection: &mut TcpStream) {
    connection.write_all(HEAD.as_bytes()).unwrap();
    let body = "palisade".repeat(128);
    let answer = read_until(connection, |got| got.ends_with(body.as_bytes()));
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{answer:?}");
}

/// Reads until it is `whole`; nothing at the end of the connection.
fn read_until(connection: &mut TcpStream, whole: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let (mut got, mut piece) = (Vec::new(), [0; 4096]);
    while !whole(&got) {
        match connection.read(&mut piece) {
            Ok(length @ 1..) => got.extend_from_slice(&piece[..length]),
            _ => return Vec::new(),
        }
    }
    got
}
