//! What judging a request costs: client address, site, trusted clients, decisions, access rules.
//!
//! `cargo bench -p palisade-benches --bench judge` prints nanoseconds for one request, by what it is
//! judged by. `make instructions` counts the same in instructions.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program for a terminal"
)]

use std::hint::black_box;
use std::time::Instant;

use http::HeaderValue;
use palisade_benches::browser::{BrowserRequest, HEAD};
use palisade_benches::figures::{machine, median, nanos};
use palisade_benches::scene::Scene;
use palisade_benches::settings::Rules;
use palisade_hygiene::HeadLimits;
use palisade_hygiene::h1::{HeadSearch, check_head};
use palisade_proxy::judge::Scratch;
use palisade_testkit::alloc::CountingAllocator;

/// It counts bytes for the memory of decisions; judging doesn't come near it.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// As many different clients come, so that what is looked up is seldom in the nearest cache.
const CLIENTS: usize = 100_000;

/// Short enough that most batches are over before another process gets the core.
const REQUESTS_PER_BATCH: usize = 1_000;

/// Scenes take turns, so that what disturbs the machine for a while disturbs all.
const TURNS: usize = 20;
const BATCHES_PER_TURN: usize = 20;

/// What a request is judged by.
#[derive(Clone, Copy)]
struct Variant {
    name: &'static str,
    rules: Rules,
    decisions: usize,
}

const BASE: Variant = Variant {
    name: "base",
    rules: Rules::Shipped,
    decisions: 50_000,
};

const VARIANTS: [Variant; 6] = [
    BASE,
    Variant {
        name: "country",
        rules: Rules::ShippedAndCountry,
        ..BASE
    },
    Variant {
        name: "rules-100",
        rules: Rules::Made(100),
        ..BASE
    },
    Variant {
        name: "rules-10000",
        rules: Rules::Made(10_000),
        ..BASE
    },
    Variant {
        name: "decisions-1000",
        decisions: 1_000,
        ..BASE
    },
    Variant {
        name: "decisions-1000000",
        decisions: 1_000_000,
        ..BASE
    },
];

fn main() {
    println!("{}", machine());
    println!("a browser's request, {} bytes of head", HEAD.len());
    measure_head();
    let mut benches: Vec<Bench> = VARIANTS
        .into_iter()
        .map(|v| Bench::new(v, CLIENTS))
        .collect();
    for turn in 0..TURNS {
        for bench in &mut benches {
            bench.take_turn(turn);
        }
    }
    println!(
        "ns a request, median and least of {} batches:",
        TURNS * BATCHES_PER_TURN
    );
    println!(
        "{:<20} {:>6} {:>9}   any client     the same client",
        "", "rules", "decisions"
    );
    for bench in &mut benches {
        bench.print();
    }
    let mut ratio = |of: &str, to: &str| {
        let mut median_of = |name| {
            let bench = benches.iter_mut().find(|bench| bench.variant.name == name);
            let bench = bench.expect("its name");
            (
                median(&mut bench.any_client),
                median(&mut bench.same_client),
            )
        };
        let (of_medians, to_medians) = (median_of(of), median_of(to));
        let any = of_medians.0 / to_medians.0;
        let same = of_medians.1 / to_medians.1;
        println!("{of} / {to}: {any:.2} any client, {same:.2} the same client (at most 1.5)");
    };
    ratio("rules-10000", "rules-100");
    ratio("decisions-1000000", "decisions-1000");
    for name in ["base", "decisions-1000000"] {
        let bench = benches.iter().find(|bench| bench.variant.name == name);
        bench.expect("its name").print_memory();
    }
}

/// A scene, its clients, and what was measured of it.
struct Bench {
    variant: Variant,
    scene: Scene,
    clients: Vec<HeaderValue>,
    same_clients: Vec<HeaderValue>,
    request: BrowserRequest,
    scratch: Scratch,
    any_client: Vec<f64>,
    same_client: Vec<f64>,
}

impl Bench {
    fn new(variant: Variant, client_count: usize) -> Self {
        let scene = Scene::new(variant.rules, variant.decisions);
        let clients = scene.benign_clients(client_count);
        let same_client = clients.first().expect("a client");
        Self {
            variant,
            scene,
            same_clients: vec![same_client.clone(); REQUESTS_PER_BATCH],
            clients,
            request: BrowserRequest::new(),
            scratch: Scratch::default(),
            any_client: Vec::new(),
            same_client: Vec::new(),
        }
    }

    fn take_turn(&mut self, turn: usize) {
        let batches = self.clients.len() / REQUESTS_PER_BATCH;
        self.warm_up();
        for batch in 0..BATCHES_PER_TURN {
            let batch = (turn * BATCHES_PER_TURN + batch) % batches;
            let from = batch * REQUESTS_PER_BATCH;
            let clients = self.clients.get(from..from + REQUESTS_PER_BATCH);
            let clients = clients.unwrap_or_default();
            let (scene, request, scratch) = (&self.scene, &mut self.request, &mut self.scratch);
            self.any_client.push(time(scene, request, clients, scratch));
        }
        self.warm_up();
        for _ in 0..BATCHES_PER_TURN {
            let (scene, request, scratch) = (&self.scene, &mut self.request, &mut self.scratch);
            self.same_client
                .push(time(scene, request, &self.same_clients, scratch));
        }
    }

    /// Fills the scratch, and the caches with what every request needs.
    fn warm_up(&mut self) {
        let clients = &self.same_clients;
        judge_each(&self.scene, &mut self.request, clients, &mut self.scratch);
    }

    fn print(&mut self) {
        let Variant {
            name, decisions, ..
        } = self.variant;
        let rules = self.scene.rule_count();
        let figure = |values: &mut [f64]| {
            let middle = median(values);
            let least = values.first().copied().unwrap_or(f64::NAN);
            format!("{middle:>6.0} {least:>6.0}")
        };
        println!(
            "{name:<20} {rules:>6} {decisions:>9}  {}  {}",
            figure(&mut self.any_client),
            figure(&mut self.same_client),
        );
    }

    /// Tables of a fixed size, some 5 MB, are spread over all decisions.
    fn print_memory(&self) {
        let (count, bytes) = (self.variant.decisions, self.scene.decision_bytes);
        let megabytes = bytes as f64 / 1e6;
        let each = bytes / count;
        println!("{count} decisions: {megabytes:.1} MB, {each} bytes each (at most 64 of 1000000)");
    }
}

/// Nanoseconds for one of `clients`.
fn time(
    scene: &Scene,
    request: &mut BrowserRequest,
    clients: &[HeaderValue],
    scratch: &mut Scratch,
) -> f64 {
    let started = Instant::now();
    judge_each(scene, request, clients, scratch);
    nanos(started.elapsed()) / clients.len() as f64
}

/// Judges the request once for each client. What it takes to name the client in the header is
/// counted too: some ten nanoseconds.
fn judge_each(
    scene: &Scene,
    request: &mut BrowserRequest,
    clients: &[HeaderValue],
    scratch: &mut Scratch,
) {
    for client in clients {
        request.set_client(client);
        assert!(scene.passes(black_box(request), scratch), "a benign client");
    }
}

/// What comes before: finding the end of the head, and hygiene.
fn measure_head() {
    let batch = |_| {
        let started = Instant::now();
        check_heads(REQUESTS_PER_BATCH);
        nanos(started.elapsed()) / REQUESTS_PER_BATCH as f64
    };
    let mut batches: Vec<f64> = (0..TURNS * BATCHES_PER_TURN).map(batch).collect();
    let middle = median(&mut batches);
    let least = batches.first().copied().unwrap_or(f64::NAN);
    println!("head found and checked: {middle:.0} ns median, {least:.0} ns least");
}

fn check_heads(count: usize) {
    let (head, limits) = (HEAD.as_bytes(), HeadLimits::default());
    for _ in 0..count {
        let found = HeadSearch::default().find(black_box(head), &limits);
        assert!(black_box(found).is_ok(), "a whole head");
        let checked = check_head(black_box(head), &limits);
        assert!(black_box(checked).is_ok(), "a clean head");
    }
}
