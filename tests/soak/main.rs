//! A long run of the real binary: clients of every kind ask all the time, while settings are read again,
//! processes take each other's place, LAPI restarts, backends die and come back, and logs are rotated.
//! At its end nothing was lost, and nothing has grown.
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
mod idle;
mod meter;
mod report;
mod traffic;

use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use palisade_testkit::process::raise_open_files;

use backend::Backend;
use events::{Events, Scene};
use harness::{Authority, Dynasty, Lapi, Palisade, TlsClient, wait_for};
use idle::Idle;
use meter::{Meter, Sample};
use report::{FILES_AT_REST_SLACK, Report, TASKS_AT_REST_SLACK};
use traffic::{BANNED, BLOCKED, Doors, HOST, Traffic};

/// The variables that say how long, and with how many idle connections.
const MINUTES: &str = "PALISADE_SOAK_MINUTES";
const IDLE: &str = "PALISADE_SOAK_IDLE";
const MINUTES_AS_A_TEST: f64 = 2.0;
/// How often it is looked whether there is still something to look at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What else needs file descriptors.
const OPEN_FILES_BESIDE: usize = 2_000;

#[test]
fn nothing_is_lost_and_nothing_grows() {
    let duration = Duration::from_secs_f64(60.0 * setting(MINUTES).unwrap_or(MINUTES_AS_A_TEST));
    let idle = idle_connections();

    let authority = Authority::new();
    let (scene, _steady) = set_up(&authority, idle);
    let begun = Instant::now();
    let before = before_any_client(&scene, begun);

    let traffic = start_traffic(&scene, &authority);
    let meter = Meter::begin(&scene);
    let events = Events::begin(&scene, duration);
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
    let idle = scene.idle.as_ref().map(Idle::finish);
    let at_rest = [before, at_rest(&scene, begun, before)];
    scene.gate.write().unwrap().stop();
    let report = Report {
        took,
        outcomes,
        events,
        upgrades: std::mem::take(&mut *scene.upgrades.lock().unwrap()),
        samples,
        at_rest,
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
fn set_up(authority: &Authority, idle: Option<usize>) -> (Arc<Scene>, Backend) {
    let (folder, lapi) = (tempfile::tempdir().unwrap(), Lapi::start());
    authority.certify(&[HOST]).save(folder.path(), "own");
    let (backends, steady) = ([Backend::start(), Backend::start()], Backend::start());
    lapi.ban(BANNED, "24h");
    let connections = idle.unwrap_or(0) + OPEN_FILES_BESIDE;
    let settings = settings(&backends, &steady, &lapi, connections);
    let palisade = Palisade::start_in(folder, &settings);
    wait_for("the ban to arrive", || {
        (palisade.get_from(BANNED, "/").status == 403).then_some(())
    });
    let scene = Scene {
        idle: idle.map(|count| Idle::open(palisade.listeners()[3], count)),
        gate: RwLock::new(Dynasty::of(palisade)),
        lapi,
        backends,
        upgrades: Mutex::default(),
    };
    (Arc::new(scene), steady)
}

fn settings(backends: &[Backend; 2], steady: &Backend, lapi: &Lapi, connections: usize) -> String {
    let [one, other] = backends.each_ref().map(Backend::address);
    let (steady, lapi_url, key) = (steady.address(), lapi.url(), lapi.key());
    format!(
        "
shutdown: {{ drain_time: 20s }}
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

fn start_traffic(scene: &Scene, authority: &Authority) -> Traffic {
    let gate = scene.gate();
    let listeners = gate.first.listeners();
    let doors = Doors {
        behind_proxy: listeners[0],
        plain: listeners[1],
        tls: listeners[2],
    };
    let http1 = Arc::new(TlsClient::new(authority, &["http/1.1"]));
    let http2 = Arc::new(TlsClient::new(authority, &["h2"]));
    Traffic::start(&doors, &http1, &http2)
}

/// Once the process has begun all that it does by itself: its tasks are counted once a second, and a count of the first
/// one would have less of them.
fn before_any_client(scene: &Scene, begun: Instant) -> Sample {
    const UNCHANGED: Duration = Duration::from_millis(2_500);
    const PATIENCE: Duration = Duration::from_secs(30);
    let (waits_since, mut since) = (Instant::now(), Instant::now());
    let mut last = Sample::take(scene, begun);
    while since.elapsed() < UNCHANGED && waits_since.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(200));
        let sample = Sample::take(scene, begun);
        if sample.tasks.total_cmp(&last.tasks).is_ne() {
            since = Instant::now();
        }
        last = sample;
    }
    last
}

/// Once no client is connected any more, or as it is when that doesn't come about.
fn at_rest(scene: &Scene, begun: Instant, before: Sample) -> Sample {
    const PATIENCE: Duration = Duration::from_secs(30);
    let since = Instant::now();
    loop {
        let sample = Sample::take(scene, begun);
        let is_at_rest = sample.connections == 0.0
            && sample.files <= before.files + FILES_AT_REST_SLACK
            && sample.tasks <= before.tasks + TASKS_AT_REST_SLACK;
        if is_at_rest || since.elapsed() > PATIENCE {
            return sample;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
