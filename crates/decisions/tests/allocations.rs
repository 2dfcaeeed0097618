//! A look-up allocates nothing, and a decision takes few bytes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::Ipv4Addr;
use std::time::Duration;

use palisade_decisions::{Decision, DecisionId, DecisionTable, Delta, Remedy, Scope, SourceId};
use palisade_vocabulary::{Asn, Ip, Known, Place, Tick};

/// Counts, for each thread, allocations and the bytes that it has not yet freed.
struct CountingAllocator;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
}

fn note(allocations: u64, bytes: isize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + allocations);
    LIVE_BYTES.set(LIVE_BYTES.get() + bytes);
}

#[expect(
    unsafe_code,
    reason = "an allocator can't be written without; it only counts and passes on"
)]
// SAFETY: every call goes to `System` with the caller's own arguments.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(0, -layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const NOW: Tick = Tick::from_millis(1000);

fn decision(id: u64, scope: Scope) -> Decision {
    Decision {
        id: DecisionId::new(id),
        scope,
        remedy: Remedy::Ban,
        origin: "lists".into(),
        scenario: "firehol_voipbl".into(),
        expires: NOW + Duration::from_secs(3600),
    }
}

fn filled(scopes: impl Iterator<Item = Scope>) -> DecisionTable {
    let table = DecisionTable::new();
    let added = (1..).zip(scopes).map(|(id, scope)| decision(id, scope));
    let delta = Delta {
        deleted: Vec::new(),
        added: added.collect(),
    };
    table.apply(SourceId::CrowdSec, delta, NOW);
    table
}

#[test]
fn a_lookup_allocates_nothing() {
    let scopes = [
        "192.0.2.1",
        "10.0.0.0/8",
        "198.51.100.0/24",
        "2001:db8::/32",
        "2001:db8:1::1",
    ];
    let scopes = scopes.map(|value| Scope::parse("ip", value).unwrap());
    let places = [
        Scope::As(Asn(64_496)),
        Scope::Country("NZ".parse().unwrap()),
    ];
    let table = filled(scopes.into_iter().chain(places));
    let banned_place = Place {
        country: Known::Is("NZ".parse().unwrap()),
        asn: Known::Is(Asn(64_496)),
    };
    let clients = [
        "192.0.2.1",
        "192.0.2.2",
        "10.9.8.7",
        "198.51.100.9",
        "2001:db8::9",
        "2001:db9::",
        "9.9.9.9",
    ];
    let clients: Vec<Ip> = clients
        .iter()
        .map(|client| client.parse().unwrap())
        .collect();
    // The first look-up of a thread makes the thread's own part of the swap's bookkeeping.
    let _ = table.lookup(clients[0], &banned_place, NOW);

    let before = ALLOCATIONS.get();
    let mut found = 0;
    for client in &clients {
        for place in [&banned_place, &Place::UNAVAILABLE] {
            let hit = table.lookup(*client, place, NOW);
            found +=
                usize::from(hit.is_some_and(|hit| hit.origin_label() == "lists:firehol_voipbl"));
        }
    }
    assert_eq!(ALLOCATIONS.get(), before);
    assert_eq!(found, 7 + 4);
}

#[test]
fn a_decision_takes_at_most_64_bytes() {
    const DECISIONS: u32 = 200_000;
    // The golden ratio spreads addresses over the whole family: the worst case for what is kept
    // once for each part of it.
    let spread = |number: u32| number.wrapping_mul(0x9e37_79b9);
    let v4 = |number| Scope::from(Ip::from(Ipv4Addr::from(spread(number))));
    let v6 = |number| {
        let site = 0x2000 << 112 | u128::from(spread(number)) << 80 | u128::from(number);
        Scope::from(Ip::from(std::net::Ipv6Addr::from(site)))
    };
    let before = LIVE_BYTES.get();
    let table = filled((0..DECISIONS).map(v4));
    let bytes = usize::try_from(LIVE_BYTES.get() - before).unwrap();
    assert_eq!(table.len(), DECISIONS as usize);
    assert!(bytes / table.len() <= 64, "{bytes}");
    assert!(
        bytes.abs_diff(table.bytes_resident()) < bytes / 100,
        "{bytes} {}",
        table.bytes_resident()
    );
    drop(table);

    let before = LIVE_BYTES.get();
    let table = filled((0..DECISIONS).map(v6));
    let bytes = usize::try_from(LIVE_BYTES.get() - before).unwrap();
    assert_eq!(table.len(), DECISIONS as usize);
    assert!(bytes / table.len() <= 64, "{bytes}");
}
