//! Nothing grows without limit, and what is past a limit is counted.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use palisade_decisions::{
    Decision, DecisionId, DecisionTable, Deletion, Delta, Filter, Remedy, Scope, SourceId,
};
use palisade_vocabulary::{Ip, Place, Tick};

const NOW: Tick = Tick::from_millis(1000);

fn decision(id: u64, remedy: &str, value: &str, expires_millis: u64) -> Decision {
    Decision {
        id: DecisionId::new(id),
        scope: Scope::parse("ip", value).unwrap(),
        remedy: Remedy::parse(remedy),
        origin: "cscli".into(),
        scenario: "manual".into(),
        expires: Tick::from_millis(expires_millis),
    }
}

fn added(added: Vec<Decision>) -> Delta {
    Delta {
        deleted: Vec::new(),
        added,
    }
}

fn distinct(count: u32) -> Delta {
    let decisions = (1..=count).map(|number| {
        let address = std::net::Ipv4Addr::from(number).to_string();
        decision(number.into(), "ban", &address, 5000)
    });
    added(decisions.collect())
}

#[test]
fn a_source_has_at_most_as_many_decisions_as_it_may() {
    let table = DecisionTable::with_limit(100);
    let applied = table.apply(SourceId::CrowdSec, distinct(150), NOW);
    assert_eq!((applied.added, applied.refused), (100, 50));
    let applied = table.apply(SourceId::CrowdSec, distinct(150), NOW);
    assert_eq!(
        (applied.updated, applied.refused),
        (100, 50),
        "those held are kept up to date"
    );
    let applied = table.apply(SourceId::Local, distinct(50), NOW);
    assert_eq!(
        (applied.added, applied.refused),
        (50, 0),
        "the operator's are counted apart"
    );

    assert_eq!(table.flush(SourceId::CrowdSec, NOW), 100);
    assert_eq!(table.len(), 50);
    assert_eq!(
        table.apply(SourceId::CrowdSec, distinct(150), NOW).added,
        100
    );
}

#[test]
fn what_a_document_takes_back_makes_room_for_what_it_brings() {
    #[track_caller]
    fn check(deleted: &str, added: [&str; 2]) {
        let table = DecisionTable::with_limit(3);
        table.apply(SourceId::Local, distinct(3), NOW);
        let held = ["0.0.0.1", "77.0.0.1", "fd00::1"].map(|value| decision(1, "ban", value, 5000));
        table.apply(SourceId::CrowdSec, self::added(held.to_vec()), NOW);
        let document = Delta {
            deleted: vec![Deletion {
                scope: Scope::parse("ip", deleted).unwrap(),
                id: DecisionId::new(1),
                remedy: Some(Remedy::Ban),
            }],
            added: added
                .map(|value| decision(2, "captcha", value, 5000))
                .to_vec(),
        };
        let generation = table.generation();
        let applied = table.apply(SourceId::CrowdSec, document, NOW);
        assert_eq!((applied.deleted, applied.not_held), (1, 0), "{deleted}");
        assert_eq!((applied.added, applied.refused), (1, 1), "{deleted}");
        assert_eq!(table.generation(), generation + 1);
        assert_eq!(table.export(SourceId::CrowdSec, NOW).len(), 3, "{deleted}");
    }
    // Before and behind what is taken back, in the table's order.
    for deleted in ["0.0.0.1", "77.0.0.1", "fd00::1"] {
        check(deleted, ["0.0.0.2", "0.0.0.3"]);
        check(deleted, ["99.0.0.2", "99.0.0.3"]);
        check(deleted, ["fd00::2", "0.0.0.3"]);
    }
}

#[test]
fn decisions_that_ended_make_room() {
    let table = DecisionTable::with_limit(100);
    table.apply(SourceId::CrowdSec, distinct(100), NOW);
    let late = Tick::from_millis(5000);
    assert_eq!(table.purge_expired(Tick::from_millis(4999)), 0);
    assert_eq!(table.purge_expired(late), 100);
    assert!(table.is_empty());
    let applied = table.apply(
        SourceId::CrowdSec,
        added(vec![decision(1, "ban", "9.9.9.9", 9000)]),
        late,
    );
    assert_eq!(applied.added, 1);
}

#[test]
fn on_one_scope_the_weakest_that_ends_first_gives_way() {
    let table = DecisionTable::new();
    let mut decisions = vec![decision(1, "ban", "9.9.9.9", 2000)];
    decisions.extend((2..1002).map(|id| decision(id, "captcha", "9.9.9.9", 2000 + id)));
    let applied = table.apply(SourceId::CrowdSec, added(decisions), NOW);
    assert_eq!((table.len(), applied.crowded), (256, 1001 - 256));
    let local = added(vec![decision(1, "throttle", "9.9.9.9", 1500)]);
    assert_eq!(table.apply(SourceId::Local, local, NOW).crowded, 0);

    let nine: Ip = "9.9.9.9".parse().unwrap();
    let at = |millis| table.lookup(nine, &Place::UNAVAILABLE, Tick::from_millis(millis));
    assert_eq!(at(1000).unwrap().remedy(), Remedy::Ban);
    assert_eq!(at(2000).unwrap().id(), DecisionId::new(1001));
    assert!(at(3001).is_none());
}

#[test]
fn texts_past_the_bound_are_other_and_decisions_hold() {
    let table = DecisionTable::new();
    let decisions = (1..=9000_u32).map(|number| Decision {
        scenario: format!("scenario {number}").into(),
        ..decision(
            number.into(),
            "ban",
            &std::net::Ipv4Addr::from(number).to_string(),
            5000,
        )
    });
    table.apply(SourceId::CrowdSec, added(decisions.collect()), NOW);
    let found = |number: u32| {
        table
            .lookup(
                Ip::from(std::net::Ipv4Addr::from(number)),
                &Place::UNAVAILABLE,
                NOW,
            )
            .unwrap()
    };
    assert_eq!(found(1).scenario(), "scenario 1");
    assert_eq!(
        (found(9000).scenario(), found(9000).origin()),
        ("other", "other")
    );
    assert_eq!(found(9000).remedy(), Remedy::Ban);
    let long = Decision {
        origin: "o".repeat(1000).into(),
        ..decision(1, "ban", "9.9.9.9", 5000)
    };
    let table = DecisionTable::new();
    table.apply(SourceId::CrowdSec, added(vec![long]), NOW);
    let listing = table.list(&Filter::default(), NOW);
    assert_eq!(
        listing.decisions.first().unwrap().decision.origin.len(),
        Decision::ORIGIN_BYTES_MAX
    );
}

#[test]
fn a_listing_has_at_most_its_limit() {
    let table = DecisionTable::new();
    table.apply(SourceId::CrowdSec, distinct(2000), NOW);
    let filter = Filter {
        limit: 3,
        ..Filter::default()
    };
    let listing = table.list(&filter, NOW);
    let shown: Vec<String> = listing
        .decisions
        .iter()
        .map(|row| row.decision.scope.to_string())
        .collect();
    assert_eq!(
        (shown.join(" "), listing.total),
        ("0.0.0.1 0.0.0.2 0.0.0.3".to_owned(), 2000)
    );
}

#[test]
fn of_equals_the_longest_holds_and_then_the_operators() {
    let table = DecisionTable::new();
    let ban = |id, expires| added(vec![decision(id, "ban", "9.9.9.9", expires)]);
    let found = || {
        table
            .lookup("9.9.9.9".parse().unwrap(), &Place::UNAVAILABLE, NOW)
            .unwrap()
    };
    table.apply(SourceId::CrowdSec, ban(1, 5000), NOW);
    table.apply(SourceId::Local, ban(1, 5000), NOW);
    assert_eq!(found().source(), SourceId::Local);
    table.flush(SourceId::CrowdSec, NOW);
    table.apply(SourceId::CrowdSec, ban(1, 5000), NOW);
    assert_eq!(found().source(), SourceId::Local);
    table.apply(SourceId::CrowdSec, ban(2, 5001), NOW);
    assert_eq!(found().source(), SourceId::CrowdSec);
}

#[test]
fn an_empty_document_changes_nothing() {
    let table = DecisionTable::new();
    table.apply(SourceId::CrowdSec, distinct(10), NOW);
    let generation = table.generation();
    table.apply(SourceId::CrowdSec, Delta::default(), NOW);
    let deletion = Deletion {
        scope: Scope::parse("country", "DE").unwrap(),
        id: None,
        remedy: None,
    };
    let applied = table.apply(
        SourceId::CrowdSec,
        Delta {
            deleted: vec![deletion],
            added: Vec::new(),
        },
        NOW,
    );
    assert_eq!((applied.not_held, table.purge_expired(NOW)), (1, 0));
    assert_eq!(table.generation(), generation);
}
