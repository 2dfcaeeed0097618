//! What running traffic notices of a reload: 10,000 rules are read again while 1,000,000 decisions are
//! in force and requests come at a fixed rate.
//!
//! `cargo build --release --bin palisade`, then `cargo bench -p palisade-benches --bench
//! reload_latency`: the real binary between browsers on loopback and an nginx with a page of 1 KiB.
//! `-- 5` measures so many pairs of windows instead of 20. `PALISADE` names another binary.
//!
//! Windows with a reload in their middle and windows without one take turns. Latency counts from when
//! a request was to be sent, so that one that waits behind another counts with its wait.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program for a terminal"
)]

use std::fs;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use http::HeaderValue;
use palisade_bench::lapi::Lapi;
use palisade_bench::metrics::sum_of_metric;
use palisade_benches::decisions::{decisions, lapi_document};
use palisade_benches::figures::{
    machine, median, processor_nanos, processor_nanos_of, quantile, thread_named,
};
use palisade_benches::load::{self, Scheduled};
use palisade_benches::nginx::Nginx;
use palisade_benches::palisade::{Palisade, free_address};
use palisade_benches::scene::{NOW, Scene};
use palisade_benches::settings::{Rules, SettingsFiles};
use rustix::process::Signal;

const RULES: Rules = Rules::Made(10_000);
/// Where [`RULES`] are.
const RULE_FILE: &str = "rules/made.yaml";
const DECISIONS: usize = 1_000_000;

const CLIENTS: usize = 10_000;
const CONNECTIONS: usize = 16;
/// Requests a second: a tenth of what two cores do.
const RATE: u32 = 2_000;
const THREADS: u8 = 2;

const WINDOW: Duration = Duration::from_secs(3);
const PAIRS: u32 = 20;
/// The first windows count for nothing.
const WARM_UP: u32 = 2;
/// How often it is looked whether the reload is over, in windows without one too.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A thread that was at work for less since the last look only looked whether files have changed.
const AT_WORK_NANOS: f64 = 200_000.0;
/// What requests notice of new settings they notice at first.
const AFTERWARDS: Duration = Duration::from_millis(100);

/// Decisions take a while to be sent and read.
const START_PATIENCE: Duration = Duration::from_secs(120);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let pairs = arguments.find_map(|argument| argument.parse().ok());
    let pairs = pairs.unwrap_or(PAIRS);
    println!("{}", machine());
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let nginx = Nginx::start(folder.path());
    let scene = Scene::new(RULES, DECISIONS);
    println!("{} rules, {DECISIONS} decisions", scene.rule_count());
    let clients = scene.benign_clients(CLIENTS);
    drop(scene);
    let gate = Gate::start(&folder.path().join("gate"), nginx.address());
    let (windows, requests) = gate.measure(pairs, &clients);
    gate.assert_reloaded(pairs);
    println!("{} at the end", machine());
    tell(&windows, &requests);
}

/// A running Palisade that can be asked to read its settings again.
struct Gate {
    palisade: Palisade,
    address: SocketAddr,
    metrics: SocketAddr,
    rule_file: PathBuf,
    /// The thread that reads settings again.
    reload_thread: PathBuf,
}

/// What happened in one window. Times are since the load began.
struct Window {
    span: Range<Duration>,
    /// Milliseconds of processor time of the whole process.
    work: f64,
    reload: Option<Reload>,
}

struct Reload {
    span: Range<Duration>,
    /// Milliseconds of processor time of the thread that reads settings.
    work: f64,
}

impl Gate {
    /// Starts it, and waits until it has all decisions.
    fn start(folder: &Path, backend: SocketAddr) -> Self {
        let lapi = Lapi::start(lapi_document(&decisions(DECISIONS, NOW))).expect("a port");
        let lapi = lapi.address();
        let (address, metrics) = (free_address(), free_address());
        let more = format!(
            "crowdsec: {{ lapi_url: \"http://{lapi}/\", api_key: key, update_interval: 1h }}
metrics: {{ address: {metrics} }}
"
        );
        let files = SettingsFiles::new(RULES, &address.to_string(), &backend.to_string());
        let palisade = Palisade::start(folder, &files.with_settings(&more), THREADS, &[]);
        let patience = Instant::now() + START_PATIENCE;
        let held = || sum_of_metric(metrics, "palisade_decisions").expect("metrics");
        while held() < DECISIONS as f64 {
            assert!(Instant::now() < patience, "{} decisions only", held());
            std::thread::sleep(Duration::from_millis(100));
        }
        let reload_thread = thread_named(palisade.pid(), "reload");
        Self {
            reload_thread: reload_thread.expect("a thread that reads settings"),
            palisade,
            address,
            metrics,
            rule_file: folder.join(RULE_FILE),
        }
    }

    /// Every second window has a reload.
    fn measure(&self, pairs: u32, clients: &[HeaderValue]) -> (Vec<Window>, Vec<Scheduled>) {
        let count = WARM_UP + 2 * pairs;
        // Not before all clients are there.
        let begun = Instant::now() + Duration::from_millis(500);
        std::thread::scope(|scope| {
            let load = scope.spawn(|| {
                let duration = WINDOW * count;
                load::offer(self.address, RATE, CONNECTIONS, begun, duration, clients)
            });
            let windows = (0..count).map(|number| self.pass(number, begun)).collect();
            let requests = load.join().expect("clients");
            (windows, requests.expect("an answer to each request"))
        })
    }

    /// Waits until the window of this number is over.
    fn pass(&self, number: u32, begun: Instant) -> Window {
        let span = WINDOW * number..WINDOW * (number + 1);
        let middle = span.start + WINDOW / 2;
        sleep_until(begun + span.start);
        let before = processor_nanos(self.palisade.pid());
        sleep_until(begun + middle);
        let is_reload = number % 2 == 1;
        let began = begun.elapsed();
        let worked = processor_nanos_of(&self.reload_thread).expect("its thread");
        if is_reload {
            self.reload(number);
        }
        let (ended, works) = self.watch_reload(begun, span.end);
        let reload = is_reload.then(|| Reload {
            span: began..ended,
            work: (works - worked) / 1e6,
        });
        Window {
            span,
            work: (processor_nanos(self.palisade.pid()) - before) / 1e6,
            reload,
        }
    }

    /// Changes the rules and asks for them at once: the process looks every two seconds whether files
    /// have changed, and would read them twice.
    fn reload(&self, number: u32) {
        let rules = fs::read_to_string(&self.rule_file).expect("rules");
        let new = self.rule_file.with_extension("new");
        fs::write(&new, format!("{rules}# {number}\n")).expect("a folder that can be written");
        fs::rename(new, &self.rule_file).expect("a folder that can be written");
        self.palisade.signal(Signal::HUP);
    }

    /// Waits until `until`, since `begun`; when the thread that reads settings was last seen at work,
    /// and for how long it was in all.
    fn watch_reload(&self, begun: Instant, until: Duration) -> (Duration, f64) {
        let mut last_at_work = begun.elapsed();
        let mut worked = processor_nanos_of(&self.reload_thread).expect("its thread");
        while begun.elapsed() + LOOK_EVERY < until {
            std::thread::sleep(LOOK_EVERY);
            let works = processor_nanos_of(&self.reload_thread).expect("its thread");
            if works - worked > AT_WORK_NANOS {
                last_at_work = begun.elapsed();
            }
            worked = works;
        }
        (last_at_work, worked)
    }

    /// All settings were good ones, and none were read twice.
    fn assert_reloaded(&self, pairs: u32) {
        let reloads = sum_of_metric(self.metrics, "palisade_reloads_total").expect("metrics");
        let expected = f64::from(pairs + WARM_UP / 2);
        assert!(reloads >= expected, "{reloads} reloads, not {expected}");
        let failed = sum_of_metric(self.metrics, "palisade_last_reload_failed");
        assert_eq!(failed.expect("metrics").to_bits(), 0, "it was a good one");
        if reloads > expected {
            println!("{reloads} reloads instead of {expected}: some files were read twice");
        }
    }
}

fn sleep_until(time: Instant) {
    std::thread::sleep(time.saturating_duration_since(Instant::now()));
}

fn tell(windows: &[Window], requests: &[Scheduled]) {
    let counted = windows.iter().skip(WARM_UP as usize);
    let (with, without): (Vec<&Window>, Vec<&Window>) =
        counted.partition(|window| window.reload.is_some());
    let reloads: Vec<&Reload> = with
        .iter()
        .filter_map(|window| window.reload.as_ref())
        .collect();
    let median_of = |values: &mut dyn Iterator<Item = f64>| median(&mut values.collect::<Vec<_>>());
    let lasted = |reload: &&Reload| (reload.span.end - reload.span.start).as_secs_f64();
    let lasts = Duration::from_secs_f64(median_of(&mut reloads.iter().map(lasted)));
    println!(
        "{RATE} requests a second over {CONNECTIONS} connections; milliseconds from when a request was \
         to be sent [from when it was], medians of {} windows each:",
        reloads.len()
    );
    let whole = |window: &&Window| window.span.clone();
    tell_latencies("without a reload", &without, requests, whole);
    tell_latencies("with a reload", &with, requests, whole);
    tell_latencies("the same part without one", &without, requests, |window| {
        let middle = window.span.start + WINDOW / 2;
        middle..middle + lasts + AFTERWARDS
    });
    tell_latencies("during the reload", &with, requests, |window| {
        let reload = window.reload.as_ref().map(|reload| reload.span.clone());
        let span = reload.unwrap_or_default();
        span.start..span.end + AFTERWARDS
    });
    let quiet_work = median_of(&mut without.iter().map(|window| window.work));
    let mut works: Vec<f64> = reloads.iter().map(|reload| reload.work).collect();
    println!(
        "a reload takes {:.0} ms, {:.0} ms of processor time of its thread (least {:.0}), {:.0} ms of the \
         process, which takes {quiet_work:.0} ms in a window without one (at most 500)",
        lasts.as_secs_f64() * 1e3,
        median(&mut works),
        quantile(&mut works, 0.0),
        median_of(&mut with.iter().map(|window| window.work - quiet_work)),
    );
}

/// Prints the medians, over `windows`, of quantiles of the requests in a part of each.
fn tell_latencies(
    what: &str,
    windows: &[&Window],
    requests: &[Scheduled],
    part: impl Fn(&&Window) -> Range<Duration>,
) {
    print!("{what:<26}");
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        let over_windows = |latency: fn(&Scheduled) -> Duration| {
            let of_window = |window| {
                let part = part(window);
                let within = requests.iter().filter(|request| part.contains(&request.at));
                let mut millis: Vec<f64> = within
                    .map(|request| latency(request).as_secs_f64() * 1e3)
                    .collect();
                quantile(&mut millis, share)
            };
            let mut quantiles: Vec<f64> = windows.iter().map(of_window).collect();
            median(&mut quantiles)
        };
        let took = over_windows(|request| request.took);
        let took_sent = over_windows(|request| request.took_sent);
        print!("  {name} {took:6.2} [{took_sent:.2}]");
    }
    println!();
}
