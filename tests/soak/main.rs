//! A long run of the real binary: clients of every kind ask all the time, while settings are read again,
//! LAPI restarts, backends die and come back, and logs are rotated. At its end nothing was lost, and
//! nothing has grown.
//!
//! Two minutes as a test; `make soak MINUTES=30 IDLE=10000` for longer, with so many idle connections.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test that fails shall say so, helpers of tests included"
)]

mod backend;
mod events;
#[path = "../e2e/harness/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the end-to-end tests need more of it"
)]
mod harness;
mod meter;
mod report;
mod traffic;

use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_testkit::crowd::{Crowd, Speech};
use palisade_testkit::process::raise_open_files;

use backend::Backend;
use events::{Events, Scene};
use harness::{Authority, Lapi, Palisade, TlsClient, wait_for};
use meter::{Meter, Sample};
use report::{FILES_AT_REST_SLACK, IdleKept, Report};
use traffic::{BANNED, BLOCKED, Doors, HOST, Traffic};

/// The variables that say how long, and with how many idle connections.
const MINUTES: &str = "PALISADE_SOAK_MINUTES";
const IDLE: &str = "PALISADE_SOAK_IDLE";
const MINUTES_AS_A_TEST: f64 = 2.0;
/// Of one address: below what an address may have.
const IDLE_PER_ADDRESS: usize = 100;
/// How often it is looked whether there is still something to look at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What else needs file descriptors.
const OPEN_FILES_BESIDE: usize = 2_000;

#[test]
fn nothing_is_lost_and_nothing_grows() {
    let duration = Duration::from_secs_f64(60.0 * setting(MINUTES).unwrap_or(MINUTES_AS_A_TEST));
    let idle = idle_connections();
    let connections = idle.unwrap_or(0) + OPEN_FILES_BESIDE;

    let authority = Authority::new();
    let (scene, _steady) = set_up(&authority, connections);
    let begun = Instant::now();
    let mut crowd = idle.map(|count| open_crowd(&scene, count));
    let before = Sample::take(&scene, begun);

    let traffic = start_traffic(&scene, &authority);
    let (meter, events) = (Meter::begin(&scene), Events::begin(&scene));
    let loaded = Instant::now();
    while loaded.elapsed() < duration {
        std::thread::sleep(LOOK_EVERY);
        assert!(
            meter.is_measuring(),
            "palisade tells nothing of itself any more"
        );
    }
    let (events, took) = (events.finish(), loaded.elapsed());
    let outcomes = traffic.finish();
    let samples = meter.finish();
    let idle = crowd.as_mut().map(|crowd| IdleKept {
        opened: crowd.len(),
        answered: crowd.ask(),
    });
    drop(crowd);
    let report = Report {
        took,
        outcomes,
        events,
        samples,
        at_rest: [before, at_rest(&scene, begun, before)],
        idle,
    };
    println!("{report}");
    let faults = report.faults();
    assert!(faults.is_empty(), "{}\n{report}", faults.join("\n"));
}

/// As many as are wanted, or as this machine has file descriptors for.
fn idle_connections() -> Option<usize> {
    let wanted = setting::<usize>(IDLE).filter(|idle| *idle > 0)?;
    let files = u64::try_from(wanted + OPEN_FILES_BESIDE).unwrap();
    let allowed = usize::try_from(raise_open_files(files)).unwrap() - OPEN_FILES_BESIDE;
    if allowed < wanted {
        eprintln!("{allowed} idle connections instead of {wanted}: see `ulimit -Hn`");
    }
    Some(wanted.min(allowed))
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    let Ok(value) = text.parse() else {
        panic!("{name}={text}: expected a number");
    };
    Some(value)
}

/// Palisade, its pools and LAPI. The second value is the backend that is always there.
fn set_up(authority: &Authority, connections: usize) -> (Arc<Scene>, Backend) {
    let (folder, lapi) = (tempfile::tempdir().unwrap(), Lapi::start());
    authority.certify(&[HOST]).save(folder.path(), "own");
    let (backends, steady) = ([Backend::start(), Backend::start()], Backend::start());
    lapi.ban(BANNED, "24h");
    let settings = settings(&backends, &steady, &lapi, connections);
    let scene = Arc::new(Scene {
        palisade: Palisade::start_in(folder, &settings),
        lapi,
        backends,
    });
    wait_for("the ban to arrive", || {
        (scene.palisade.get_from(BANNED, "/").status == 403).then_some(())
    });
    (scene, steady)
}

fn settings(backends: &[Backend; 2], steady: &Backend, lapi: &Lapi, connections: usize) -> String {
    let [one, other] = backends.each_ref().map(Backend::address);
    let (steady, lapi_url, key) = (steady.address(), lapi.url(), lapi.key());
    format!(
        "
listeners:
  - {{ address: 127.0.0.1:0, proxy_protocol: {{ mode: required, from: 127.0.0.0/8 }} }}
  - {{ address: 127.0.0.1:0 }}
  - address: 127.0.0.1:0
    tls: {{ certificates: [{{ certificate: own.crt, private_key: own.key }}] }}
  - address: 127.0.0.1:0
    deadlines: {{ idle: 24h }}
    limits: {{ connections: {connections} }}
upstreams:
  app:
    servers: [\"{one}\", \"{other}\"]
    ejection: {{ failures: 3, period: 1s }}
    keep_alive: {{ idle_connections: 16, idle_timeout: 5s }}
  steady:
    servers: [\"{steady}\"]
    keep_alive: {{ idle_connections: 16, idle_timeout: 5s }}
sites:
  - upstream: app
    routes: [{{ path_prefix: /steady, upstream: steady }}]
    misdirected: serve
access:
  rules:
    - {{ id: blocked, match: {{ path: {BLOCKED} }}, action: block }}
    - {{ id: changes, match: {{ path: /nothing }}, action: block }}
crowdsec: {{ lapi_url: \"{lapi_url}\", api_key: {key}, update_interval: 1s }}
"
    )
}

fn open_crowd(scene: &Scene, count: usize) -> Crowd {
    let speech = Speech {
        per_address: IDLE_PER_ADDRESS,
        ..Speech::default()
    };
    Crowd::open(scene.palisade.listeners()[3], count, &speech).expect("idle connections")
}

fn start_traffic(scene: &Scene, authority: &Authority) -> Traffic {
    let listeners = scene.palisade.listeners();
    let doors = Doors {
        behind_proxy: listeners[0],
        plain: listeners[1],
        tls: listeners[2],
    };
    let http1 = Arc::new(TlsClient::new(authority, &["http/1.1"]));
    let http2 = Arc::new(TlsClient::new(authority, &["h2"]));
    Traffic::start(&doors, &http1, &http2)
}

/// Once no client is connected any more, or as it is when that doesn't come about.
fn at_rest(scene: &Scene, begun: Instant, before: Sample) -> Sample {
    const PATIENCE: Duration = Duration::from_secs(30);
    let since = Instant::now();
    loop {
        let sample = Sample::take(scene, begun);
        let is_at_rest =
            sample.connections == 0.0 && sample.files <= before.files + FILES_AT_REST_SLACK;
        if is_at_rest || since.elapsed() > PATIENCE {
            return sample;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
