//! No reader sees half of a document.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::sync::atomic::{AtomicBool, Ordering};

use palisade_decisions::{
    Decision, DecisionId, DecisionTable, Deletion, Delta, Filter, Remedy, Scope, SourceId,
};
use palisade_vocabulary::{Asn, Known, Place, Tick};

const NOW: Tick = Tick::from_millis(1000);
const DOCUMENTS: u64 = 1_500;

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

#[test]
fn a_ban_that_moves_is_always_somewhere() {
    let table = DecisionTable::new();
    table.apply(SourceId::Local, document(1), NOW);
    let stop = AtomicBool::new(false);
    let place = Place {
        country: Known::Is("NZ".parse().unwrap()),
        asn: Known::Is(Asn(64_496)),
    };
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let found = table.lookup("198.51.100.7".parse().unwrap(), &place, NOW);
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
        for round in 2..DOCUMENTS {
            let applied = table.apply(SourceId::Local, document(round), NOW);
            assert_eq!((applied.added, applied.deleted), (1, 1));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(table.len(), 1);
}
