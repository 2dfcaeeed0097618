//! Abuse: what hostile clients can do, and what an innocent one notices of it.
//!
//! Each test attacks the real binary while an innocent client asks on, and asserts three things that a
//! busy machine can't break: the innocent got every answer, the attack was counted, and memory stayed
//! under a bound. What the innocent waited before and meanwhile is printed (`--nocapture`).

mod bodies;
mod connections;
mod heads;
mod http2;
mod memory;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use palisade_testkit::crowd::{Crowd, Speech};
use palisade_testkit::process::{forget_peak, peak_resident_bytes, processor_time, resident_bytes};

use crate::harness::{Backend, Palisade, wait_for};

/// Resident memory of the whole process at any time of any of these attacks, in MiB.
const RESIDENT_MIB_MAX: u64 = 192;

/// What an innocent client waits at most, whatever else the machine does; it is milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many requests of the innocent are enough for its p99.
const REQUESTS: usize = 100;

/// A gate, and an innocent client at it.
struct Siege {
    palisade: Palisade,
    backend: Backend,
    innocent: Innocent,
    before: Duration,
}

impl Siege {
    /// With a listener that has these settings, in front of a backend that answers `ok`.
    fn begin(listener: &str) -> Self {
        Self::begin_before(Backend::start(), listener)
    }

    fn begin_before(backend: Backend, listener: &str) -> Self {
        let palisade = Palisade::start(&format!(
            "
listeners: [{{ address: 127.0.0.1:0{listener} }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
        ));
        Self::at(palisade, backend)
    }

    /// At the first listener of a gate that runs already.
    fn at(palisade: Palisade, backend: Backend) -> Self {
        let innocent = Innocent::at(palisade.address());
        let before = innocent.p99();
        Self {
            palisade,
            backend,
            innocent,
            before,
        }
    }

    fn address(&self) -> SocketAddr {
        self.palisade.address()
    }

    /// What the innocent sees, and what the process takes, while `attack` goes on.
    fn under<T>(&self, name: &str, attack: impl FnOnce() -> T) -> T {
        self.under_at_most(name, RESIDENT_MIB_MAX, attack)
    }

    /// The same, with another bound of memory.
    fn under_at_most<T>(&self, name: &str, mib_max: u64, attack: impl FnOnce() -> T) -> T {
        let pid = self.palisade.pid();
        let resident_before = resident_bytes(pid).unwrap();
        // Where it may not be done, what was before counts too, which was less.
        let _ = forget_peak(pid);
        let processor_before = processor_time(pid).unwrap();
        let during = self.innocent.start();
        let held = attack();
        let p99 = during.finish();
        // Not what is resident now: by now the attackers may be gone.
        let peak = peak_resident_bytes(pid).unwrap();
        let processor = processor_time(pid).unwrap() - processor_before;
        let grown = peak.saturating_sub(resident_before) / 1024;
        println!(
            "{name}: the innocent's p99 {:?} before, {p99:?} meanwhile; {processor:?} of processor, \
             {grown} KiB more memory at its peak, {} MiB in all",
            self.before,
            peak >> 20
        );
        assert!(p99 < PATIENCE, "{name}: {p99:?}");
        assert!(peak >> 20 <= mib_max, "{name}: {} MiB", peak >> 20);
        held
    }

    /// Waits until so many requests were answered with 200, whoever asked.
    fn wait_for_answers(&self, count: u32) {
        wait_for("answers", || {
            let answered = "palisade_requests_total{outcome=\"forwarded\",status=\"2xx\"}";
            (self.metric(answered) >= f64::from(count)).then_some(())
        });
    }

    /// The value of a metric.
    fn metric(&self, name: &str) -> f64 {
        self.palisade.metric(name)
    }

    /// How often hygiene refused for this reason.
    fn refusals(&self, reason: &str) -> f64 {
        self.metric(&format!(
            "palisade_hygiene_refusals_total{{reason=\"{reason}\"}}"
        ))
    }
}

/// A client that has an address of its own and does nothing wrong. It asks on a connection that it
/// keeps, and every fourth time on a new one.
struct Innocent(SocketAddr);

impl Innocent {
    fn at(gate: SocketAddr) -> Self {
        Self(gate)
    }

    /// The p99 of so many requests.
    fn p99(&self) -> Duration {
        self.start().finish()
    }

    fn start(&self) -> Asking {
        let (gate, stop) = (self.0, Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut waited = Vec::new();
            let mut kept = connect(gate);
            while waited.len() < REQUESTS || !stopped.load(Ordering::Relaxed) {
                let asked = Instant::now();
                if waited.len() % 4 == 3 {
                    ask_anew(gate);
                } else if kept.ask() == 0 {
                    // RFC 9112 section 9.3.1: an idle connection may end at any time, and another is
                    // tried.
                    kept = ask_anew(gate);
                }
                waited.push(asked.elapsed());
                std::thread::sleep(Duration::from_millis(2));
            }
            waited.sort_unstable();
            waited[(waited.len() - 1) * 99 / 100]
        });
        Asking { stop, thread }
    }
}

/// An innocent client at work.
struct Asking {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

impl Asking {
    /// Its p99, once it has asked often enough.
    fn finish(self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        let p99 = self.thread.join();
        p99.expect("the innocent client got all its answers")
    }
}

/// A connection on which the innocent has got an answer. On a busy machine a crowd may fill all slots
/// between its connect and its request, and then it is who has waited longest; or all slots are at work
/// for a moment. It tries for as long as it is patient, and all of that counts as waiting.
fn ask_anew(gate: SocketAddr) -> Crowd {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let mut connection = connect(gate);
        if connection.ask() == 1 {
            return connection;
        }
    }
    panic!("no answer on any new connection for {PATIENCE:?}")
}

/// A connection of the innocent, on which nothing was asked; its address isn't in the crowds'.
fn connect(gate: SocketAddr) -> Crowd {
    let connected = Crowd::connect(Ipv4Addr::new(127, 200, 0, 1), gate, &Speech::default());
    connected.expect("a connection")
}
