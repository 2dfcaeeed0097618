//! A startup snapshot of 50,000 decisions, from LAPI's last byte to the first refusal, and what
//! requests notice of it.
//!
//! `cargo bench -p palisade-benches --bench snapshot`. A LAPI on loopback sends the document to the
//! poller, which has a thread of its own as in the product; this thread judges requests of others
//! meanwhile, and of a client that the document bans.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program for a terminal"
)]

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use http::HeaderValue;
use palisade_benches::browser::BrowserRequest;
use palisade_benches::decisions::{decisions, lapi_document};
use palisade_benches::figures::{
    machine, median, nanos, processor_nanos_of_other_threads, quantile,
};
use palisade_benches::scene::{NOW, Scene, header_value};
use palisade_benches::settings::Rules;
use palisade_crowdsec::{Credentials, Poller, Secret, Settings};
use palisade_decisions::{Decision, Scope};
use palisade_proxy::judge::Scratch;
use palisade_vocabulary::Cidr;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// The product's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const DECISIONS: usize = 50_000;
const ROUNDS: usize = 10;

/// For so long requests are judged before there is anything to poll.
const QUIET_TIME: Duration = Duration::from_millis(300);

/// Requests come in bursts, which leave most of a core to others; each ends with one of the client
/// that will be banned.
const REQUESTS_PER_BURST: usize = 32;
const PAUSE: Duration = Duration::from_micros(150);

/// Where the client comes from that the last decision of the document bans.
const BANNED: &str = "203.0.113.77";

fn main() {
    println!("{}", machine());
    let document = document();
    println!(
        "{DECISIONS} decisions, {:.1} MB",
        document.len() as f64 / 1e6
    );
    let mut rounds: Vec<Round> = (0..ROUNDS).map(|_| Round::run(&document)).collect();
    let mut live: Vec<f64> = rounds
        .iter()
        .map(|round| round.live_after_last_byte)
        .collect();
    let mut work: Vec<f64> = rounds.iter().map(|round| round.work).collect();
    println!(
        "from the last byte to the first refusal: {:.0} ms median, {:.0} ms least (at most 250)",
        median(&mut live),
        quantile(&mut live, 0.0),
    );
    println!(
        "processor time, from the question to the first refusal, LAPI's own included: {:.0} ms median",
        median(&mut work),
    );
    let mut before: Vec<f64> = rounds.iter_mut().flat_map(|r| r.before.drain(..)).collect();
    let mut meanwhile: Vec<f64> = rounds
        .iter_mut()
        .flat_map(|r| r.meanwhile.drain(..))
        .collect();
    print_latency("before", &mut before);
    print_latency("meanwhile", &mut meanwhile);
}

fn print_latency(when: &str, latencies: &mut [f64]) {
    println!(
        "ns a judged request {when}: {:.0} median, {:.0} p99, {:.0} p99.9, of {}",
        median(latencies),
        quantile(latencies, 0.99),
        quantile(latencies, 0.999),
        latencies.len(),
    );
}

/// Decisions that ban the probing client last of all.
fn document() -> String {
    let mut announced = decisions(DECISIONS, NOW);
    if let Some(last) = announced.last_mut() {
        let banned: Cidr = BANNED.parse().expect("an address");
        *last = Decision {
            scope: Scope::Address(banned),
            remedy: palisade_decisions::Remedy::Ban,
            ..last.clone()
        };
    }
    lapi_document(&announced)
}

/// What one snapshot cost.
struct Round {
    /// Milliseconds.
    live_after_last_byte: f64,
    /// Milliseconds that other threads than this were at work: what other processes can't lengthen.
    work: f64,
    /// Nanoseconds of each request.
    before: Vec<f64>,
    meanwhile: Vec<f64>,
}

impl Round {
    fn run(document: &str) -> Self {
        let scene = Scene::new(Rules::Shipped, 0);
        let mut requests = Requests::new(&scene);
        let mut before = Vec::new();
        let quiet_until = Instant::now() + QUIET_TIME;
        while Instant::now() < quiet_until {
            requests.judge_burst(&mut before);
        }
        let worked_before = processor_nanos_of_other_threads();
        let (address, last_byte_sent) = serve(document.to_owned());
        let polling = Polling::start(address, &scene);
        let mut meanwhile = Vec::new();
        while !requests.is_banned() {
            requests.judge_burst(&mut meanwhile);
        }
        let live = Instant::now();
        let work = processor_nanos_of_other_threads() - worked_before;
        let sent = last_byte_sent.recv().expect("a LAPI that sent all");
        polling.stop();
        assert_eq!(
            scene.state.decisions.len(),
            DECISIONS,
            "all are live at once"
        );
        Self {
            live_after_last_byte: nanos(live.saturating_duration_since(sent)) / 1e6,
            work: work / 1e6,
            before,
            meanwhile,
        }
    }
}

/// Requests of benign clients and of one that will be banned.
struct Requests<'a> {
    scene: &'a Scene,
    clients: std::iter::Cycle<std::vec::IntoIter<HeaderValue>>,
    benign: BrowserRequest,
    banned: BrowserRequest,
    scratch: Scratch,
}

impl<'a> Requests<'a> {
    fn new(scene: &'a Scene) -> Self {
        // Most of them stay benign when the decisions come; the others are refused, which is no less
        // work.
        let clients = scene.benign_clients(10_000);
        let mut banned = BrowserRequest::new();
        banned.set_client(&header_value(BANNED));
        Self {
            scene,
            clients: clients.into_iter().cycle(),
            benign: BrowserRequest::new(),
            banned,
            scratch: Scratch::default(),
        }
    }

    /// Judges some requests, notes how long each took, and pauses.
    fn judge_burst(&mut self, latencies: &mut Vec<f64>) {
        for client in self.clients.by_ref().take(REQUESTS_PER_BURST) {
            self.benign.set_client(&client);
            let started = Instant::now();
            black_box(self.scene.judge(&self.benign, &mut self.scratch));
            latencies.push(nanos(started.elapsed()));
        }
        std::thread::sleep(PAUSE);
    }

    fn is_banned(&mut self) -> bool {
        !self.scene.passes(&self.banned, &mut self.scratch)
    }
}

/// A poller at work, on a runtime as the product has one beside its requests.
struct Polling {
    runtime: Runtime,
    stop: oneshot::Sender<()>,
}

impl Polling {
    fn start(lapi: SocketAddr, scene: &Scene) -> Self {
        let key = Credentials::ApiKey(Secret::new("key").expect("a key"));
        let url = format!("http://{lapi}/").parse().expect("a URL");
        let settings = Settings::new(url, key).expect("settings");
        let zero = Instant::now();
        let poller = Poller::new(
            &settings,
            Arc::clone(&scene.state.decisions),
            Arc::new(move || NOW + zero.elapsed()),
            Arc::new(|_: &_| {}),
        );
        let poller = poller.expect("a client");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        let (stop, stopped) = oneshot::channel();
        runtime.spawn(poller.run(async {
            // An error means the same.
            let _ = stopped.await;
        }));
        Self { runtime, stop }
    }

    fn stop(self) {
        // An error means that it has stopped already.
        let _ = self.stop.send(());
        self.runtime.shutdown_timeout(Duration::from_secs(5));
    }
}

/// A LAPI on loopback for one question; tells when its last byte was sent.
fn serve(document: String) -> (SocketAddr, Receiver<Instant>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let address = listener.local_addr().expect("its address");
    let (sender, last_byte_sent) = sync_channel(1);
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().expect("the poller's connection");
        let mut question = [0; 4_096];
        let asked = connection.read(&mut question).expect("a question");
        assert!(
            question
                .get(..asked)
                .is_some_and(|q| q.starts_with(b"GET ")),
            "a short question"
        );
        let length = document.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        connection
            .write_all(head.as_bytes())
            .expect("a poller that reads");
        connection
            .write_all(document.as_bytes())
            .expect("a poller that reads");
        // Nobody hears it if the round is over, which it can't be.
        let _ = sender.send(Instant::now());
    });
    (address, last_byte_sent)
}
