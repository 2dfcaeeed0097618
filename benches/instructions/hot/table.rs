//! The table of decisions: look-ups, and a snapshot.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use gungraun::{library_benchmark, library_benchmark_group};
use palisade_bench::random::Random;
use palisade_benches::scene::NOW;
use palisade_decisions::{
    Decision, DecisionId, DecisionTable, Delta, ListId, Remedy, Scope, SourceId,
};
use palisade_vocabulary::{Cidr, CidrSet, Ip, Place};

library_benchmark_group!(
    name = decisions,
    benchmarks = [look_up, is_allowed, snapshot]
);

/// How many clients are looked up in one count.
const CLIENTS: usize = 1_000;

/// As block lists have them: four in five single addresses, the others ranges from /20 to /29.
fn delta(count: usize) -> Delta {
    let mut random = Random::new(13);
    let (origin, scenario): (Arc<str>, Arc<str>) = ("lists".into(), "blocklist".into());
    let decision = |number: usize| {
        let address = Ip::from(random.address());
        let bits = match random.below(5) {
            0 => 20 + u8::try_from(random.below(10)).unwrap_or(0),
            _ => 32,
        };
        Decision {
            id: DecisionId::new(number as u64 + 1),
            scope: Scope::Address(Cidr::new(address, bits).unwrap_or(Cidr::single(address))),
            remedy: Remedy::Ban,
            origin: Arc::clone(&origin),
            scenario: Arc::clone(&scenario),
            expires: NOW + Duration::from_secs(3_600),
        }
    };
    Delta {
        deleted: Vec::new(),
        added: (0..count).map(decision).collect(),
    }
}

/// A table of so many decisions, and clients: any, or such as are banned.
fn full_table(count: usize, are_banned: bool) -> (DecisionTable, Vec<Ip>) {
    let (table, delta) = (DecisionTable::new(), delta(count));
    let any = |random: &mut Random| Ip::from(random.address());
    let mut random = Random::new(17);
    let clients = (0..CLIENTS).map(|_| match are_banned {
        false => any(&mut random),
        true => {
            let number = random.below(count as u64) as usize;
            match delta.added.get(number).map(|decision| decision.scope) {
                Some(Scope::Address(range)) => range.network(),
                _ => any(&mut random),
            }
        }
    });
    let clients = clients.collect();
    table.apply_snapshot(SourceId::CrowdSec, delta, NOW);
    (table, clients)
}

#[library_benchmark(setup = full_table)]
#[bench::of_50000_any_client(50_000, false)]
#[bench::of_50000_banned_client(50_000, true)]
#[bench::of_1000000_any_client(1_000_000, false)]
fn look_up((table, clients): (DecisionTable, Vec<Ip>)) -> (DecisionTable, Vec<Ip>) {
    for client in &clients {
        black_box(table.lookup(black_box(*client), &Place::UNAVAILABLE, NOW));
    }
    (table, clients)
}

/// An allow list of so many ranges, and clients of which it names half.
fn named_clients(count: usize) -> (DecisionTable, Vec<Ip>) {
    let mut random = Random::new(19);
    let named: Vec<Ip> = (0..count).map(|_| Ip::from(random.address())).collect();
    let ranges: CidrSet = named.iter().map(|client| Cidr::single(*client)).collect();
    let table = DecisionTable::new();
    table.allow(ListId(1), ranges);
    let others = (0..CLIENTS / 2).map(|_| Ip::from(random.address()));
    let clients = named.into_iter().take(CLIENTS / 2).chain(others);
    let clients = clients.collect();
    (table, clients)
}

#[library_benchmark]
#[bench::of_1000_ranges(named_clients(1_000))]
fn is_allowed((table, clients): (DecisionTable, Vec<Ip>)) -> (DecisionTable, Vec<Ip>) {
    let mut allowed = 0;
    for client in &clients {
        allowed += usize::from(table.version().is_allowed(black_box(*client)));
    }
    assert!(allowed >= CLIENTS / 2, "those that are named");
    (table, clients)
}

fn empty_table(count: usize) -> (DecisionTable, Delta) {
    (DecisionTable::new(), delta(count))
}

#[library_benchmark(setup = empty_table)]
#[bench::of_10000(10_000)]
fn snapshot((table, delta): (DecisionTable, Delta)) -> DecisionTable {
    table.apply_snapshot(SourceId::CrowdSec, delta, NOW);
    table
}
