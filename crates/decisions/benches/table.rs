//! What the decision table costs: time of a look-up, of a document, and memory.
//!
//! `cargo bench -p palisade-decisions --bench table`. Prints one line a figure; the smallest of
//! several rounds, which is what the code costs when nothing else runs.

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

fn deletions(decisions: &[Decision]) -> Vec<Deletion> {
    let deleted = decisions.iter().map(|decision| Deletion {
        scope: decision.scope,
        id: decision.id,
        remedy: Some(decision.remedy),
    });
    deleted.collect()
}

fn place() -> Place {
    Place {
        country: "NZ".parse().map_or(Known::Unlisted, Known::Is),
        asn: Known::Is(Asn(64_496)),
    }
}

/// The smallest time of one call of `run`, of `rounds`.
fn smallest(rounds: usize, mut run: impl FnMut() -> Duration) -> Duration {
    (0..rounds).map(|_| run()).min().unwrap_or_default()
}

fn print(name: &str, figure: f64, unit: &str) {
    let mut line = format!("{name:<64} {figure:>12.1} {unit}\n");
    #[expect(clippy::print_stdout, reason = "figures are what a benchmark is for")]
    {
        print!("{}", std::mem::take(&mut line));
    }
}

/// Time of one look-up in a table of `count`: apart from each other, as a processor overlaps them,
/// and each after the other's answer, as a request waits for its own.
fn bench_lookup(mix: Mix, count: usize) {
    const LOOKUPS: usize = 32_768;
    let mut random = Random(7);
    let table = DecisionTable::new();
    let added = decisions(mix, 1, count, &mut random);
    let banned: Vec<Ip> = added
        .iter()
        .filter_map(|decision| match decision.scope {
            Scope::Address(range) => Some(range.network()),
            _ => None,
        })
        .collect();
    table.apply(
        SourceId::CrowdSec,
        Delta {
            deleted: Vec::new(),
            added,
        },
        NOW,
    );
    let client = if mix == Mix::V6 { v6 } else { v4 };
    let clients: Vec<Ip> = (0..LOOKUPS).map(|_| client(&mut random)).collect();
    let found: Vec<Ip> = (0..LOOKUPS)
        .map(|_| banned[random.below(count as u64) as usize])
        .collect();

    for (kind, addresses) in [("any client", &clients), ("banned client", &found)] {
        let place = place();
        let apart = smallest(25, || {
            let start = Instant::now();
            for address in addresses {
                black_box(table.lookup(black_box(*address), &place, NOW));
            }
            start.elapsed()
        });
        let after_each_other = smallest(25, || {
            let start = Instant::now();
            let mut next = 0;
            for round in 0..LOOKUPS {
                let hit = black_box(table.lookup(addresses[next], &place, NOW)).is_some();
                next = (round * 7919 + usize::from(hit)) & (LOOKUPS - 1);
            }
            start.elapsed()
        });
        let name = format!("look-up, {count} {mix:?}, {kind}");
        print(&name, apart.as_nanos() as f64 / LOOKUPS as f64, "ns");
        print(
            &format!("{name}, one after the other"),
            after_each_other.as_nanos() as f64 / LOOKUPS as f64,
            "ns",
        );
    }
}

/// Memory of a table, filled in one document: what remains when the document is gone.
fn bench_memory(mix: Mix, count: usize) {
    let before = LIVE_BYTES.load(Ordering::Relaxed);
    let table = DecisionTable::new();
    let added = decisions(mix, 1, count, &mut Random(11));
    table.apply(
        SourceId::CrowdSec,
        Delta {
            deleted: Vec::new(),
            added,
        },
        NOW,
    );
    let bytes = LIVE_BYTES.load(Ordering::Relaxed) - before;
    print(
        &format!("memory, {count} {mix:?}"),
        bytes as f64 / table.len() as f64,
        "bytes/decision",
    );
    print(
        &format!("memory, {count} {mix:?}, own estimate"),
        table.bytes_resident() as f64 / table.len() as f64,
        "bytes/decision",
    );
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Time of documents of several sizes.
fn bench_documents(mix: Mix) {
    const HELD: usize = 1_000_000;
    let mut random = Random(13);
    for count in [50_000, HELD] {
        let added = decisions(mix, 1, count, &mut random);
        let first = smallest(5, || {
            let delta = Delta {
                deleted: Vec::new(),
                added: added.clone(),
            };
            let table = DecisionTable::new();
            let start = Instant::now();
            table.apply_snapshot(SourceId::CrowdSec, delta, NOW);
            start.elapsed()
        });
        print(
            &format!("first snapshot of {count} {mix:?}"),
            millis(first),
            "ms",
        );
    }
    let table = DecisionTable::new();
    let held = decisions(mix, 1, HELD, &mut random);
    let snapshot = || Delta {
        deleted: Vec::new(),
        added: held.clone(),
    };
    table.apply_snapshot(SourceId::CrowdSec, snapshot(), NOW);
    for count in [10, 50_000] {
        let added = decisions(mix, 2_000_000, count, &mut random);
        let deleted = deletions(&added);
        let (mut adding, mut deleting) = (Duration::MAX, Duration::MAX);
        for _ in 0..5 {
            let delta = Delta {
                deleted: Vec::new(),
                added: added.clone(),
            };
            let start = Instant::now();
            table.apply(SourceId::CrowdSec, delta, NOW);
            adding = adding.min(start.elapsed());
            let delta = Delta {
                deleted: deleted.clone(),
                added: Vec::new(),
            };
            let start = Instant::now();
            table.apply(SourceId::CrowdSec, delta, NOW);
            deleting = deleting.min(start.elapsed());
        }
        print(
            &format!("{count} added to 1000000 {mix:?}"),
            millis(adding),
            "ms",
        );
        print(
            &format!("{count} deleted from 1000000 {mix:?}"),
            millis(deleting),
            "ms",
        );
    }
    let again = smallest(3, || {
        let delta = snapshot();
        let start = Instant::now();
        table.apply_snapshot(SourceId::CrowdSec, delta, NOW);
        start.elapsed()
    });
    print(
        &format!("the same snapshot of 1000000 {mix:?} again"),
        millis(again),
        "ms",
    );
    let late = NOW + Duration::from_secs(3600 + 60_000);
    let start = Instant::now();
    let purged = table.purge_expired(late);
    print(
        &format!("{purged} of 1000000 {mix:?} purged"),
        millis(start.elapsed()),
        "ms",
    );
}

/// Time of single look-ups while another thread applies documents of 50,000, and while it doesn't.
fn bench_readers_under_writes() {
    const LOOKUPS: usize = 1_000_000;
    let mut random = Random(17);
    let table = DecisionTable::new();
    let added = decisions(Mix::Singles, 1, 1_000_000, &mut random);
    table.apply(
        SourceId::CrowdSec,
        Delta {
            deleted: Vec::new(),
            added,
        },
        NOW,
    );
    let delta = decisions(Mix::Singles, 2_000_000, 50_000, &mut random);
    let measure = |name: &str| {
        let mut random = Random(19);
        let mut nanos: Vec<u64> = Vec::with_capacity(LOOKUPS);
        for _ in 0..LOOKUPS {
            let client = v4(&mut random);
            let start = Instant::now();
            black_box(table.lookup(client, &Place::UNAVAILABLE, NOW));
            nanos.push(start.elapsed().as_nanos() as u64);
        }
        nanos.sort_unstable();
        for (part, per_mille) in [("median", 500), ("99.9 %", 999)] {
            print(
                &format!("look-up with clock reads, {name}, {part}"),
                nanos[LOOKUPS / 1000 * per_mille] as f64,
                "ns",
            );
        }
    };
    measure("no writer");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let added = Delta {
                    deleted: Vec::new(),
                    added: delta.clone(),
                };
                table.apply(SourceId::CrowdSec, added, NOW);
                let deleted = Delta {
                    deleted: deletions(&delta),
                    added: Vec::new(),
                };
                table.apply(SourceId::CrowdSec, deleted, NOW);
            }
        });
        measure("50000 changed over and over");
        stop.store(true, Ordering::Relaxed);
    });
}

fn main() {
    let quick = std::env::args().any(|a| a == "lookup");
    for mix in [Mix::Singles, Mix::Lists, Mix::V6] {
        for count in [1_000, 50_000, 1_000_000] {
            bench_lookup(mix, count);
        }
        bench_memory(mix, 1_000_000);
    }
    if quick {
        return;
    }
    bench_documents(Mix::Singles);
    bench_documents(Mix::Lists);
    bench_readers_under_writes();
}
