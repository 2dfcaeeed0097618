//! No reader sees half of a document.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use palisade_decisions::{
    Decision, DecisionId, DecisionTable, Deletion, Delta, Filter, ListId, Remedy, Scope, SourceId,
};
use palisade_vocabulary::{Asn, Cidr, Known, Place, Tick};

const NOW: Tick = Tick::from_millis(1000);
const DOCUMENTS: u64 = 1_500;

/// Each kind of source, and of lists two.
const SOURCES: [SourceId; 4] = [
    SourceId::Local,
    SourceId::CrowdSec,
    SourceId::List(ListId(0)),
    SourceId::List(ListId(1)),
];

const CLIENT: &str = "198.51.100.7";
const PLACE: (&str, Asn) = ("NZ", Asn(64_496));

/// The client is under one ban at any time, which moves between scopes that lie far apart in the
/// table: other pages, other indexes.
const SCOPES: [(&str, &str); 6] = [
    ("ip", "198.51.100.7"),
    ("as", "64496"),
    ("range", "198.0.0.0/8"),
    ("country", "NZ"),
    ("range", "198.51.100.0/24"),
    ("range", "0.0.0.0/0"),
];

/// The document that moves the ban from its place in round `round - 1` to that in `round`.
fn document(round: u64) -> Delta {
    let scope = |round: u64| {
        let (name, value) = SCOPES[usize::try_from(round).unwrap() % SCOPES.len()];
        Scope::parse(name, value).unwrap()
    };
    Delta {
        deleted: vec![Deletion {
            scope: scope(round - 1),
            id: DecisionId::new(round - 1),
            remedy: Some(Remedy::Ban),
        }],
        added: vec![Decision {
            id: DecisionId::new(round),
            scope: scope(round),
            remedy: Remedy::Ban,
            origin: "cscli".into(),
            scenario: format!("round {round}").into(),
            expires: Tick::from_millis(u64::MAX),
        }],
    }
}

fn place() -> Place {
    let (country, asn) = PLACE;
    Place {
        country: Known::Is(country.parse().unwrap()),
        asn: Known::Is(asn),
    }
}

#[test]
fn a_ban_that_moves_is_always_somewhere() {
    let table = DecisionTable::new();
    table.apply(SourceId::Local, document(1), NOW);
    let stop = AtomicBool::new(false);
    let place = place();
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let found = table.lookup(CLIENT.parse().unwrap(), &place, NOW);
                    let found = found.expect("a document seen by half");
                    let round = found.id().unwrap().get();
                    assert_eq!(
                        found.scenario(),
                        format!("round {round}"),
                        "a label of another version"
                    );
                }
            });
        }
        threads.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(table.list(&Filter::default(), NOW).total, 1);
            }
        });
        let writer = threads.spawn(|| {
            for round in 2..DOCUMENTS {
                let applied = table.apply(SourceId::Local, document(round), NOW);
                assert_eq!((applied.added, applied.deleted), (1, 1));
            }
        });
        let ended = writer.join();
        stop.store(true, Ordering::Relaxed);
        ended.unwrap();
    });
    assert_eq!(table.len(), 1);
}

/// How many documents a source brought: all of them are seen from then on.
#[derive(Default)]
struct Brought([AtomicU64; SOURCES.len()]);

impl Brought {
    fn of(&self, source: SourceId) -> &AtomicU64 {
        let place = SOURCES.iter().position(|other| *other == source);
        &self.0[place.unwrap()]
    }
}

/// Every third document is a snapshot: it names the new ban, and doubts or drops older ones.
fn write(table: &DecisionTable, source: SourceId, brought: &Brought) {
    for round in 2..DOCUMENTS {
        let mut document = document(round);
        // What one snapshot doesn't name still holds: the newest shall be the one that is found.
        document.added[0].expires = NOW + Duration::from_secs(3600 + round);
        match round % 3 {
            0 => table.apply_snapshot(source, document, NOW),
            _ => table.apply(source, document, NOW),
        };
        brought.of(source).store(round, Ordering::SeqCst);
    }
}

/// What a version says of the client; the same however often it is asked.
fn read(table: &DecisionTable, source: SourceId, brought: &Brought) {
    let at_least = brought.of(source).load(Ordering::SeqCst);
    let version = table.version();
    let round = || {
        let client = CLIENT.parse().unwrap();
        let found = version.lookup_among(|asked| asked == source, client, &place(), NOW);
        found.expect("a document seen by half").id().unwrap().get()
    };
    let first = round();
    assert!(first >= at_least, "{first} after {at_least}");
    assert_eq!(first, round(), "a version that changes");
    let is_allowed = |client: &str| version.is_allowed(client.parse().unwrap());
    assert!(is_allowed(CLIENT), "an allow list seen by half");
    assert!(!is_allowed("203.0.113.1"), "an allow list that is nobody's");
}

/// An allow list that always names the client, each time by another range, and one beside it that
/// comes and goes.
fn allow(table: &DecisionTable, round: u64) {
    let range = |text: &str| text.parse::<Cidr>().unwrap();
    let around = ["198.51.100.7/32", "198.51.100.0/24", "198.0.0.0/8"];
    let others = [Some("10.0.0.0/8"), None];
    let round = usize::try_from(round).unwrap();
    let other = others[round % others.len()].map(range);
    table.allow(
        ListId(0),
        [range(around[round % around.len()])].into_iter().collect(),
    );
    table.allow(ListId(1), other.into_iter().collect());
}

#[test]
fn sources_that_write_at_once_are_each_seen_whole() {
    let (table, stop, brought) = (
        DecisionTable::new(),
        AtomicBool::new(false),
        Brought::default(),
    );
    for source in SOURCES {
        table.apply(source, document(1), NOW);
    }
    allow(&table, 1);
    std::thread::scope(|threads| {
        for source in SOURCES {
            let (table, brought, stop) = (&table, &brought, &stop);
            threads.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    read(table, source, brought);
                }
            });
        }
        threads.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                table.purge_expired(NOW);
            }
        });
        threads.spawn(|| {
            let rounds = (2..).take_while(|_| !stop.load(Ordering::Relaxed));
            rounds.for_each(|round| allow(&table, round));
        });
        let writers = SOURCES.map(|source| {
            let (table, brought) = (&table, &brought);
            threads.spawn(move || write(table, source, brought))
        });
        let ended = writers.map(ScopedJoinHandle::join);
        stop.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok));
    });
}
