//! No request is judged by half of a document, through all that judging does: where the client is,
//! and what decisions say of it there.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails shall say so, helpers of tests included"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use http::HeaderMap;
use palisade_decisions::{
    Decision, DecisionId, DecisionTable, Deletion, Delta, Match, Remedy, Scope, SourceId,
};
use palisade_gate::settings::{GateSettings, SiteSettings};
use palisade_gate::{Cause, Snapshot, State};
use palisade_geo::{GeoDatabase, GeoDatabases};
use palisade_hygiene::HeadLimits;
use palisade_hygiene::h1::check_head;
use palisade_proxy::judge::{Case, Court, Ruling, Scratch, judge};
use palisade_testkit::mmdb::{asn_database, country_database};
use palisade_vocabulary::{ClientAddr, Scheme, Tick};

const NOW: Tick = Tick::from_millis(1_000);
const DOCUMENTS: u64 = 10_000;
const READERS: usize = 3;
const CLIENT: [u8; 4] = [198, 51, 100, 7];

/// The client is under one ban at any time. Where no decision is about places, nobody looks up where
/// a client is: each move between an address and a place changes that too.
const SCOPES: [(&str, &str); 5] = [
    ("ip", "198.51.100.7"),
    ("as", "64496"),
    ("range", "198.51.0.0/16"),
    ("country", "NZ"),
    ("range", "0.0.0.0/0"),
];

fn scope(round: u64) -> Scope {
    let (name, value) = SCOPES[usize::try_from(round).unwrap() % SCOPES.len()];
    Scope::parse(name, value).unwrap()
}

/// The document that moves the ban from where it is in round `round - 1`.
fn document(round: u64) -> Delta {
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
            scenario: "manual".into(),
            expires: Tick::from_millis(u64::MAX),
        }],
    }
}

fn snapshot() -> Snapshot {
    let settings = GateSettings {
        sites: vec![SiteSettings::new(
            "default".into(),
            vec![],
            Some("app".into()),
        )],
        ..GateSettings::default()
    };
    let country = country_database(&[("198.51.100.0/24", "NZ")]);
    let asn = asn_database(&[("198.51.100.0/24", 64_496)]);
    let geo = GeoDatabases {
        country: Some(GeoDatabase::from_bytes(country).unwrap()),
        asn: Some(GeoDatabase::from_bytes(asn).unwrap()),
        ..GeoDatabases::default()
    };
    Snapshot::build(settings, Arc::new(geo)).unwrap()
}

/// The decision that refuses the client now.
fn refused_by(snapshot: &Snapshot, state: &State, scratch: &mut Scratch) -> Match {
    let bytes = b"GET / HTTP/1.1\r\nHost: test.example\r\n\r\n";
    let head = check_head(bytes, &HeadLimits::default()).unwrap();
    let court = Court {
        snapshot,
        state,
        hops: &[],
        now: NOW,
    };
    let case = Case {
        connection: &ClientAddr::peer(std::net::Ipv4Addr::from(CLIENT).into(), 40_000),
        scheme: Scheme::Http,
        version: head.version,
        method: head.method,
        host: head.host.as_ref().map(|host| host.name()),
        target: &head.target,
        headers: &HeaderMap::new(),
        certificate_is_for_host: true,
        client_certificate: None,
    };
    match judge(&court, &case, scratch, &mut ()).ruling {
        Ruling::Refuse(refusal) => match refusal.cause {
            Cause::Decision(found) => found,
            other => panic!("refused by {other:?}"),
        },
        other => panic!("a document seen by half: {other:?}"),
    }
}

#[test]
fn a_client_whose_ban_moves_never_passes() {
    let (snapshot, state) = (snapshot(), State::new(Arc::new(DecisionTable::new())));
    state.decisions.apply(SourceId::CrowdSec, document(1), NOW);
    let (stop, applied) = (AtomicBool::new(false), AtomicU64::new(1));
    std::thread::scope(|threads| {
        for _ in 0..READERS {
            threads.spawn(|| {
                let mut scratch = Scratch::default();
                while !stop.load(Ordering::Relaxed) {
                    let at_least = applied.load(Ordering::SeqCst);
                    let found = refused_by(&snapshot, &state, &mut scratch);
                    let round = found.id().unwrap().get();
                    assert_eq!(found.scope(), scope(round));
                    assert!(round >= at_least, "{round} after {at_least} was applied");
                }
            });
        }
        let writer = threads.spawn(|| {
            for round in 2..DOCUMENTS {
                let document = document(round);
                state.decisions.apply(SourceId::CrowdSec, document, NOW);
                applied.store(round, Ordering::SeqCst);
            }
        });
        let ended = writer.join();
        stop.store(true, Ordering::Relaxed);
        ended.unwrap();
    });
}
