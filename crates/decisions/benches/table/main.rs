//! What the decision table costs in time, of a look-up and of a document: `cargo bench -p palisade-decisions --bench table`.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark may panic"
)]

mod mix;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use divan::{Bencher, black_box};
use mix::{MIXES, Mix, NOW, Random, added, decisions, v4, v6};
use palisade_decisions::{Decision, DecisionTable, Deletion, Delta, Scope, SourceId};
use palisade_vocabulary::{Asn, Ip, Known, Place};

const MILLION: usize = 1_000_000;

/// Tables that are looked up in.
const TABLES: [(Mix, usize); 9] = [
    (Mix::Singles, 1_000),
    (Mix::Singles, 50_000),
    (Mix::Singles, MILLION),
    (Mix::Lists, 1_000),
    (Mix::Lists, 50_000),
    (Mix::Lists, MILLION),
    (Mix::V6, 1_000),
    (Mix::V6, 50_000),
    (Mix::V6, MILLION),
];

/// Clients that are looked up, one after another.
const LOOKUPS: u32 = 32_768;

fn main() {
    divan::main();
}

#[divan::bench(args = TABLES, sample_count = 25, sample_size = LOOKUPS)]
fn look_up_any_client(bencher: Bencher<'_, '_>, (mix, count): (Mix, usize)) {
    let any = if mix == Mix::V6 { v6 } else { v4 };
    bench_look_up(bencher, mix, count, |_, random| any(random));
}

#[divan::bench(args = TABLES, sample_count = 25, sample_size = LOOKUPS)]
fn look_up_banned_client(bencher: Bencher<'_, '_>, (mix, count): (Mix, usize)) {
    bench_look_up(bencher, mix, count, |held, random| {
        match held[random.below(held.len() as u64) as usize].scope {
            Scope::Address(range) => range.network(),
            other => panic!("{other} is no range"),
        }
    });
}

fn bench_look_up(
    bencher: Bencher<'_, '_>,
    mix: Mix,
    count: usize,
    client: impl Fn(&[Decision], &mut Random) -> Ip,
) {
    let mut random = Random(7);
    let held = decisions(mix, 1, count, &mut random);
    let clients: Vec<Ip> = (0..LOOKUPS).map(|_| client(&held, &mut random)).collect();
    let table = DecisionTable::new();
    table.apply(SourceId::CrowdSec, added(&held), NOW);
    drop(held);

    let (place, mut clients) = (place(), clients.iter().cycle());
    bencher.bench_local(|| {
        let client = clients.next();
        client.map(|client| table.lookup(black_box(*client), &place, NOW).is_some())
    });
}

#[divan::bench(args = MIXES, consts = [50_000, MILLION], sample_count = 5, sample_size = 1)]
fn first_snapshot<const COUNT: usize>(bencher: Bencher<'_, '_>, mix: Mix) {
    let held = decisions(mix, 1, COUNT, &mut Random(13));
    bencher
        .with_inputs(|| (DecisionTable::new(), added(&held)))
        .bench_values(|(table, snapshot)| {
            table.apply_snapshot(SourceId::CrowdSec, snapshot, NOW);
            table
        });
}

/// A table of a million, and more decisions that may come to it.
fn full_table(mix: Mix, more: usize) -> (DecisionTable, Vec<Decision>, Vec<Decision>) {
    let mut random = Random(13);
    let table = DecisionTable::new();
    let held = decisions(mix, 1, MILLION, &mut random);
    table.apply_snapshot(SourceId::CrowdSec, added(&held), NOW);
    let more = decisions(mix, 2_000_000, more, &mut random);
    (table, held, more)
}

#[divan::bench(args = MIXES, consts = [10, 50_000], sample_count = 5, sample_size = 1)]
fn added_to_a_million<const COUNT: usize>(bencher: Bencher<'_, '_>, mix: Mix) {
    let (table, _, more) = full_table(mix, COUNT);
    let before = || {
        table.apply(SourceId::CrowdSec, deleted(&more), NOW);
        added(&more)
    };
    bencher
        .with_inputs(before)
        .bench_local_values(|delta| table.apply(SourceId::CrowdSec, delta, NOW));
}

#[divan::bench(args = MIXES, consts = [10, 50_000], sample_count = 5, sample_size = 1)]
fn deleted_from_a_million<const COUNT: usize>(bencher: Bencher<'_, '_>, mix: Mix) {
    let (table, _, more) = full_table(mix, COUNT);
    let before = || {
        table.apply(SourceId::CrowdSec, added(&more), NOW);
        deleted(&more)
    };
    bencher
        .with_inputs(before)
        .bench_local_values(|delta| table.apply(SourceId::CrowdSec, delta, NOW));
}

#[divan::bench(args = MIXES, sample_count = 3, sample_size = 1)]
fn the_same_snapshot_of_a_million_again(bencher: Bencher<'_, '_>, mix: Mix) {
    let (table, held, _) = full_table(mix, 0);
    bencher
        .with_inputs(|| added(&held))
        .bench_local_values(|snapshot| table.apply_snapshot(SourceId::CrowdSec, snapshot, NOW));
}

/// A tenth of a million has expired.
#[divan::bench(args = MIXES, sample_count = 3, sample_size = 1)]
fn purge(bencher: Bencher<'_, '_>, mix: Mix) {
    let late = NOW + Duration::from_secs(3600 + 60_000);
    bencher
        .with_inputs(|| full_table(mix, 0).0)
        .bench_local_values(|table| {
            table.purge_expired(late);
            table
        });
}

/// Single look-ups and the clock.
#[divan::bench(sample_count = 100_000, sample_size = 1)]
fn look_up_without_writer(bencher: Bencher<'_, '_>) {
    bench_single_look_ups(bencher, &full_table(Mix::Singles, 0).0);
}

/// Single look-ups and the clock, while another thread applies documents of 50,000 over and over.
#[divan::bench(sample_count = 100_000, sample_size = 1)]
fn look_up_beside_writer(bencher: Bencher<'_, '_>) {
    let (table, _, more) = full_table(Mix::Singles, 50_000);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                table.apply(SourceId::CrowdSec, added(&more), NOW);
                table.apply(SourceId::CrowdSec, deleted(&more), NOW);
            }
        });
        bench_single_look_ups(bencher, &table);
        stop.store(true, Ordering::Relaxed);
    });
}

fn bench_single_look_ups(bencher: Bencher<'_, '_>, table: &DecisionTable) {
    let mut random = Random(19);
    bencher
        .with_inputs(|| v4(&mut random))
        .bench_local_values(|client| table.lookup(client, &Place::UNAVAILABLE, NOW).is_some());
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
