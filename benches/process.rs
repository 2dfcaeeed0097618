//! What a request costs the whole process, with 100 access rules and with 10,000.
//!
//! `cargo build --release --bin palisade`, then `cargo bench -p palisade-benches --bench process`:
//! processor time of the real binary between browsers on loopback and an nginx with a page of 1 KiB.
//! `-- --callgrind` counts instructions instead, under valgrind: slow, but no neighbour disturbs it.
//! `PALISADE` names another binary.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program for a terminal"
)]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use http::HeaderValue;
use palisade_benches::figures::{machine, median, processor_nanos};
use palisade_benches::load;
use palisade_benches::nginx::Nginx;
use palisade_benches::palisade::{Palisade, free_address};
use palisade_benches::scene::Scene;
use palisade_benches::settings::{Rules, SettingsFiles};

const FEW: Rules = Rules::Made(100);
const MANY: Rules = Rules::Made(10_000);

const CONNECTIONS: usize = 16;
const CLIENTS: usize = 10_000;
/// Both processes take turns, a tenth of a second each: what disturbs the machine for a while
/// disturbs both.
const TURNS: usize = 61;
const REQUESTS_PER_TURN: usize = 3_200;
/// Under valgrind.
const REQUESTS_COUNTED: usize = 3_200;

fn main() {
    let is_counted = std::env::args().any(|argument| argument == "--callgrind");
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let nginx = Nginx::start(folder.path());
    let clients = Scene::new(MANY, 0).benign_clients(CLIENTS);
    println!("{}", machine());
    if is_counted {
        count_instructions(folder.path(), nginx.address(), &clients);
    } else {
        measure_time(folder.path(), nginx.address(), &clients);
    }
}

fn measure_time(folder: &Path, backend: SocketAddr, clients: &[HeaderValue]) {
    let few = Gate::start(&folder.join("few"), FEW, backend, &[]);
    let many = Gate::start(&folder.join("many"), MANY, backend, &[]);
    for gate in [&few, &many] {
        gate.serve(REQUESTS_PER_TURN, clients);
    }
    let (mut of_few, mut of_many, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..TURNS {
        let (cost_of_few, cost_of_many) = if turn % 2 == 0 {
            (few.take_turn(clients), many.take_turn(clients))
        } else {
            let cost_of_many = many.take_turn(clients);
            (few.take_turn(clients), cost_of_many)
        };
        ratios.push(cost_of_many / cost_of_few);
        of_few.push(cost_of_few);
        of_many.push(cost_of_many);
    }
    println!(
        "processor time a request, median of {TURNS} turns of {REQUESTS_PER_TURN} requests over \
         {CONNECTIONS} connections:"
    );
    println!("100 rules: {:.2} us", median(&mut of_few));
    println!("10000 rules: {:.2} us", median(&mut of_many));
    println!("median ratio: {:.3} (at most 1.10)", median(&mut ratios));
}

fn count_instructions(folder: &Path, backend: SocketAddr, clients: &[HeaderValue]) {
    let count = |name: &str, rules| {
        let folder = folder.join(name);
        let dump = folder.join("callgrind");
        let out = format!("--callgrind-out-file={}", dump.display());
        // Not before `callgrind_control` says so: to compile the rules is none of the figure.
        let valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", &out];
        let gate = Gate::start(&folder, rules, backend, &valgrind);
        gate.serve(CONNECTIONS, clients);
        gate.control_callgrind(&["--instr=on"]);
        gate.serve(CONNECTIONS, clients);
        gate.control_callgrind(&["--zero"]);
        gate.serve(REQUESTS_COUNTED, clients);
        gate.control_callgrind(&["--dump"]);
        let dumped = fs::read_to_string(folder.join("callgrind.1")).expect("a dump");
        let total = dumped
            .lines()
            .find_map(|line| line.strip_prefix("summary: "));
        let total: f64 = total.and_then(|total| total.parse().ok()).expect("a sum");
        let each = total / REQUESTS_COUNTED as f64;
        println!("{name}: {each:.0} instructions a request, of {REQUESTS_COUNTED}");
        each
    };
    let few = count("100 rules", FEW);
    let many = count("10000 rules", MANY);
    println!("ratio: {:.3} (at most 1.10)", many / few);
}

/// A running Palisade with one thread for requests.
struct Gate {
    palisade: Palisade,
    address: SocketAddr,
}

impl Gate {
    /// Starts one with settings in `folder`, run by `runner` if there is one.
    fn start(folder: &Path, rules: Rules, backend: SocketAddr, runner: &[&str]) -> Self {
        let address = free_address();
        let files = SettingsFiles::new(rules, &address.to_string(), &backend.to_string());
        let palisade = Palisade::start(folder, &files, 1, runner);
        Self { palisade, address }
    }

    fn serve(&self, count: usize, clients: &[HeaderValue]) {
        load::send(self.address, CONNECTIONS, count, clients).expect("an answer to each request");
    }

    /// Microseconds of processor time for one request.
    fn take_turn(&self, clients: &[HeaderValue]) -> f64 {
        let before = processor_nanos(self.palisade.pid());
        self.serve(REQUESTS_PER_TURN, clients);
        (processor_nanos(self.palisade.pid()) - before) / REQUESTS_PER_TURN as f64 / 1e3
    }

    fn control_callgrind(&self, arguments: &[&str]) {
        let said = Command::new("callgrind_control")
            .args(arguments)
            .arg(self.palisade.pid().to_string())
            .output();
        let said = said.expect("valgrind's callgrind_control");
        assert!(
            said.status.success(),
            "{}",
            String::from_utf8_lossy(&said.stderr)
        );
    }
}
