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
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use http::HeaderValue;
use palisade_benches::binary::binary;
use palisade_benches::figures::{machine, median, processor_nanos};
use palisade_benches::load;
use palisade_benches::scene::Scene;
use palisade_benches::settings::{Rules, SETTINGS_FILE, SettingsFiles};

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

/// Nothing takes longer to start, under valgrind neither.
const START_PATIENCE: Duration = Duration::from_secs(300);

fn main() {
    let is_counted = std::env::args().any(|argument| argument == "--callgrind");
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let nginx = Nginx::start(folder.path());
    let clients = Scene::new(MANY, 0).benign_clients(CLIENTS);
    println!("{}", machine());
    if is_counted {
        count_instructions(folder.path(), nginx.address, &clients);
    } else {
        measure_time(folder.path(), nginx.address, &clients);
    }
}

fn measure_time(folder: &Path, backend: SocketAddr, clients: &[HeaderValue]) {
    let few = Palisade::start(&folder.join("few"), FEW, backend, &[]);
    let many = Palisade::start(&folder.join("many"), MANY, backend, &[]);
    for palisade in [&few, &many] {
        palisade.serve(REQUESTS_PER_TURN, clients);
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
        let palisade = Palisade::start(&folder, rules, backend, &valgrind);
        palisade.serve(CONNECTIONS, clients);
        palisade.control_callgrind(&["--instr=on"]);
        palisade.serve(CONNECTIONS, clients);
        palisade.control_callgrind(&["--zero"]);
        palisade.serve(REQUESTS_COUNTED, clients);
        palisade.control_callgrind(&["--dump"]);
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
struct Palisade {
    child: Child,
    address: SocketAddr,
}

impl Palisade {
    /// Starts one with settings in `folder`, run by `runner` if there is one.
    fn start(folder: &Path, rules: Rules, backend: SocketAddr, runner: &[&str]) -> Self {
        let address = free_address();
        let files = SettingsFiles::new(rules, &address.to_string(), &backend.to_string());
        files
            .write_into(folder)
            .expect("a folder that can be written");
        let binary = binary();
        let binary = binary.to_str().expect("a path in UTF-8");
        let mut words = runner
            .iter()
            .copied()
            .chain([binary, "run", "--threads", "1"]);
        let child = Command::new(words.next().unwrap_or(binary))
            .args(words)
            .arg("--config")
            .arg(folder.join(SETTINGS_FILE))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.expect("a palisade: cargo build --release --bin palisade");
        let stderr = child.stderr.take().expect("its standard error");
        let palisade = Self { child, address };
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let is_ready = lines.any(|line| line.contains("msg=ready"));
        assert!(
            is_ready,
            "palisade doesn't start; try it with {}",
            folder.display()
        );
        // What it says later is not to fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        palisade
    }

    fn serve(&self, count: usize, clients: &[HeaderValue]) {
        load::send(self.address, CONNECTIONS, count, clients).expect("an answer to each request");
    }

    /// Microseconds of processor time for one request.
    fn take_turn(&self, clients: &[HeaderValue]) -> f64 {
        let before = processor_nanos(self.child.id());
        self.serve(REQUESTS_PER_TURN, clients);
        (processor_nanos(self.child.id()) - before) / REQUESTS_PER_TURN as f64 / 1e3
    }

    fn control_callgrind(&self, arguments: &[&str]) {
        let pid = self.child.id().to_string();
        let said = Command::new("callgrind_control")
            .args(arguments)
            .arg(pid)
            .output();
        let said = said.expect("valgrind's callgrind_control");
        assert!(
            said.status.success(),
            "{}",
            String::from_utf8_lossy(&said.stderr)
        );
    }
}

impl Drop for Palisade {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// An nginx that answers everything with a page of 1 KiB.
struct Nginx {
    child: Child,
    address: SocketAddr,
}

impl Nginx {
    fn start(folder: &Path) -> Self {
        let address = free_address();
        let (prefix, page) = (folder.display(), "palisade".repeat(128));
        let settings = format!(
            "daemon off; master_process off; pid {prefix}/nginx.pid; error_log stderr error;
             events {{ worker_connections 256; }}
             http {{
                 access_log off; keepalive_requests 100000000; root {prefix};
                 client_body_temp_path {prefix}; proxy_temp_path {prefix};
                 fastcgi_temp_path {prefix}; uwsgi_temp_path {prefix}; scgi_temp_path {prefix};
                 server {{ listen {address}; location / {{ try_files /page.html =404; }} }}
             }}"
        );
        let path = folder.join("nginx.conf");
        fs::write(&path, settings).expect("a folder that can be written");
        fs::write(folder.join("page.html"), page).expect("a folder that can be written");
        let program = if Path::new("/usr/sbin/nginx").exists() {
            "/usr/sbin/nginx"
        } else {
            "nginx"
        };
        let child = Command::new(program)
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(path)
            .spawn();
        let nginx = Self {
            child: child.expect("nginx"),
            address,
        };
        let patience = Instant::now() + START_PATIENCE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < patience, "nginx doesn't start");
            std::thread::sleep(Duration::from_millis(10));
        }
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    // An error means that it has ended already.
    let _ = child.kill();
    let _ = child.wait();
}

/// An address on loopback that nobody listens on.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.expect("a port on loopback")
}
