//! What the decision table costs: time of a look-up, of a document, and memory.
//!
//! `cargo bench -p palisade-decisions --bench table`. Prints one line a figure; the smallest of
//! several rounds, which is what the code costs when nothing else runs.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark may panic"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use palisade_decisions::{
    Decision, DecisionId, DecisionTable, Deletion, Delta, Remedy, Scope, SourceId,
};
use palisade_vocabulary::{Asn, Cidr, Ip, Known, Place, Tick};

/// Counts the bytes that are allocated and not yet freed.
struct CountingAllocator;

static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);

#[expect(
    unsafe_code,
    reason = "an allocator can't be written without; it only counts and passes on"
)]
// SAFETY: every call goes to `System` with the caller's own arguments.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE_BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const NOW: Tick = Tick::from_millis(1_000_000);

/// Knuth's MMIX generator: the same numbers each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 ^ self.0 >> 29
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }
}

/// What a table is filled with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mix {
    /// Single IPv4 addresses, as CrowdSec's community list.
    Singles,
    /// Four in five single IPv4 addresses, the others ranges from /22 to /31, and 300 ranges from
    /// /12 to /19, as published block lists.
    Lists,
    /// IPv6: half addresses, a quarter /64, the others ranges from /32 to /56.
    V6,
}

fn v4(random: &mut Random) -> Ip {
    Ipv4Addr::from_bits(random.next() as u32).into()
}

fn v6(random: &mut Random) -> Ip {
    let site = 0x2000 << 112 | u128::from(random.below(1 << 40)) << 80;
    Ipv6Addr::from_bits(site | u128::from(random.next())).into()
}

fn scope(mix: Mix, id: u64, random: &mut Random) -> Scope {
    let dice = random.below(100);
    let (address, prefix_len) = match mix {
        Mix::Singles => (v4(random), 32),
        Mix::Lists if id <= 300 => (v4(random), 12 + random.below(8)),
        Mix::Lists if dice < 80 => (v4(random), 32),
        Mix::Lists => (v4(random), 22 + random.below(10)),
        Mix::V6 if dice < 50 => (v6(random), 128),
        Mix::V6 if dice < 75 => (v6(random), 64),
        Mix::V6 => (v6(random), 32 + random.below(25)),
    };
    Cidr::new(address, prefix_len as u8)
        .unwrap_or(Cidr::single(address))
        .into()
}

fn decisions(mix: Mix, first_id: u64, count: usize, random: &mut Random) -> Vec<Decision> {
    let scenarios: Vec<Arc<str>> = (0..50)
        .map(|n| format!("crowdsecurity/scenario-{n}").into())
        .collect();
    let origin: Arc<str> = "CAPI".into();
    let made = (first_id..).take(count).map(|id| Decision {
        id: DecisionId::new(id),
        scope: scope(mix, id, random),
        remedy: if random.below(20) == 0 {
            Remedy::Captcha
        } else {
            Remedy::Ban
        },
        origin: Arc::clone(&origin),
        scenario: Arc::clone(&scenarios[random.below(50) as usize]),
        expires: NOW + Duration::from_secs(3600 + random.below(600_000)),
    });
    made.collect()
}

/// The document that brings `decisions`.
fn added(decisions: &[Decision]) -> Delta {
    Delta {
        deleted: Vec::new(),
        added: decisions.to_vec(),
    }
}

/// The document that takes `decisions` back.
fn deleted(decisions: &[Decision]) -> Delta {
    let deleted = decisions.iter().map(|decision| Deletion {
        scope: decision.scope,
        id: decision.id,
        remedy: Some(decision.remedy),
    });
    Delta {
        deleted: deleted.collect(),
        added: Vec::new(),
    }
}

fn place() -> Place {
    Place {
        country: "NZ".parse().map_or(Known::Unlisted, Known::Is),
        asn: Known::Is(Asn(64_496)),
    }
}

fn timed<T>(run: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(run());
    start.elapsed()
}

/// The smallest time of `rounds` rounds.
fn smallest(rounds: usize, round: impl FnMut() -> Duration) -> Duration {
    let times = std::iter::repeat_with(round).take(rounds);
    times.min().unwrap_or_default()
}

#[expect(clippy::print_stdout, reason = "figures are what a benchmark is for")]
fn print(name: &str, figure: f64, unit: &str) {
    println!("{name:<64} {figure:>10.1} {unit}");
}

fn print_millis(name: &str, duration: Duration) {
    print(name, duration.as_secs_f64() * 1000.0, "ms");
}

/// Time of one look-up in a table of `count`.
fn bench_lookup(mix: Mix, count: usize) {
    const LOOKUPS: usize = 32_768;
    let mut random = Random(7);
    let held = decisions(mix, 1, count, &mut random);
    let banned = |random: &mut Random| match held[random.below(count as u64) as usize].scope {
        Scope::Address(range) => range.network(),
        other => panic!("{other} is no range"),
    };
    let any = if mix == Mix::V6 { v6 } else { v4 };
    let any_clients: Vec<Ip> = (0..LOOKUPS).map(|_| any(&mut random)).collect();
    let banned_clients: Vec<Ip> = (0..LOOKUPS).map(|_| banned(&mut random)).collect();
    let table = DecisionTable::new();
    table.apply(SourceId::CrowdSec, added(&held), NOW);
    drop(held);

    let place = place();
    for (kind, clients) in [
        ("any client", any_clients),
        ("banned client", banned_clients),
    ] {
        let time = smallest(25, || {
            timed(|| {
                for client in &clients {
                    black_box(table.lookup(black_box(*client), &place, NOW));
                }
            })
        });
        let name = format!("look-up, {count} {mix:?}, {kind}");
        print(&name, time.as_nanos() as f64 / LOOKUPS as f64, "ns");
    }
}

/// Memory of a table, filled in one document: what remains when the document is gone.
fn bench_memory(mix: Mix, count: usize) {
    let before = LIVE_BYTES.load(Ordering::Relaxed);
    let table = DecisionTable::new();
    let held = decisions(mix, 1, count, &mut Random(11));
    table.apply(SourceId::CrowdSec, added(&held), NOW);
    drop(held);
    let bytes = LIVE_BYTES.load(Ordering::Relaxed) - before;
    for (name, bytes) in [("", bytes), (", own estimate", table.bytes_resident())] {
        let name = format!("memory, {count} {mix:?}{name}");
        print(&name, bytes as f64 / table.len() as f64, "bytes/decision");
    }
}

/// Time of first snapshots.
fn bench_first_snapshots(mix: Mix) {
    for count in [50_000, 1_000_000] {
        let held = decisions(mix, 1, count, &mut Random(13));
        let time = smallest(5, || {
            let (table, snapshot) = (DecisionTable::new(), added(&held));
            timed(|| table.apply_snapshot(SourceId::CrowdSec, snapshot, NOW))
        });
        print_millis(&format!("first snapshot of {count} {mix:?}"), time);
    }
}

/// Time of documents into a table of a million.
fn bench_documents(mix: Mix) {
    let mut random = Random(13);
    let table = DecisionTable::new();
    let held = decisions(mix, 1, 1_000_000, &mut random);
    table.apply_snapshot(SourceId::CrowdSec, added(&held), NOW);
    let apply = |delta: Delta| timed(|| table.apply(SourceId::CrowdSec, delta, NOW));
    for count in [10, 50_000] {
        let more = decisions(mix, 2_000_000, count, &mut random);
        let rounds = (0..5).map(|_| (apply(added(&more)), apply(deleted(&more))));
        let (adding, deleting): (Vec<Duration>, Vec<Duration>) = rounds.unzip();
        let least = |times: Vec<Duration>| times.into_iter().min().unwrap_or_default();
        print_millis(&format!("{count} added to 1000000 {mix:?}"), least(adding));
        print_millis(
            &format!("{count} deleted from 1000000 {mix:?}"),
            least(deleting),
        );
    }
    let again = smallest(3, || {
        let snapshot = added(&held);
        timed(|| table.apply_snapshot(SourceId::CrowdSec, snapshot, NOW))
    });
    print_millis(
        &format!("the same snapshot of 1000000 {mix:?} again"),
        again,
    );
    let late = NOW + Duration::from_secs(3600 + 60_000);
    let purging = timed(|| table.purge_expired(late));
    print_millis(
        &format!("purge, {} of 1000000 {mix:?} left", table.len()),
        purging,
    );
}

/// Time of single look-ups while another thread applies documents of 50,000, and while it doesn't.
fn bench_readers_under_writes() {
    let mut random = Random(17);
    let table = DecisionTable::new();
    let held = decisions(Mix::Singles, 1, 1_000_000, &mut random);
    table.apply(SourceId::CrowdSec, added(&held), NOW);
    let more = decisions(Mix::Singles, 2_000_000, 50_000, &mut random);
    print_percentiles(&table, "no writer");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                table.apply(SourceId::CrowdSec, added(&more), NOW);
                table.apply(SourceId::CrowdSec, deleted(&more), NOW);
            }
        });
        print_percentiles(&table, "50000 changed over and over");
        stop.store(true, Ordering::Relaxed);
    });
}

fn print_percentiles(table: &DecisionTable, name: &str) {
    const LOOKUPS: usize = 1_000_000;
    let mut random = Random(19);
    let mut nanos: Vec<u64> = Vec::with_capacity(LOOKUPS);
    for _ in 0..LOOKUPS {
        let client = v4(&mut random);
        let time = timed(|| table.lookup(client, &Place::UNAVAILABLE, NOW));
        nanos.push(time.as_nanos() as u64);
    }
    nanos.sort_unstable();
    for (part, per_mille) in [("median", 500), ("99.9 %", 999)] {
        let name = format!("look-up and clock, {name}, {part}");
        print(&name, nanos[LOOKUPS / 1000 * per_mille] as f64, "ns");
    }
}

fn main() {
    // `cargo test --all-targets` runs benchmarks too, without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    for mix in [Mix::Singles, Mix::Lists, Mix::V6] {
        for count in [1_000, 50_000, 1_000_000] {
            bench_lookup(mix, count);
        }
        bench_memory(mix, 1_000_000);
        bench_first_snapshots(mix);
        bench_documents(mix);
    }
    bench_readers_under_writes();
}
