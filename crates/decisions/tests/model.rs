//! The table agrees with the obvious one: a vector that is read from end to end.
//!
//! Several sources, lists among them, overlaps and duplicates, each scope, addresses in both of their
//! forms, allow lists, the tick at which a decision ends and the one before it. A version that was taken before a step still says
//! after it what it said before.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use palisade_decisions::{
    Applied, Decision, DecisionId, DecisionTable, Deletion, Delta, Filter, ListId, Match, Remedy,
    RemedyKind, Scope, SourceId, Version,
};
use palisade_vocabulary::{Asn, Cidr, Ip, Known, Place, Tick};
use proptest::prelude::*;

/// Each kind of source, and of lists two: neither has a say in what the other holds.
const SOURCES: [SourceId; 4] = [
    SourceId::Local,
    SourceId::CrowdSec,
    SourceId::List(ListId(0)),
    SourceId::List(ListId(7)),
];

/// Allow lists; the last has the number of a block list, with which it has nothing to do.
const ALLOW_LISTS: [ListId; 3] = [ListId(1), ListId(2), ListId(7)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    source: SourceId,
    scope: Scope,
    id: Option<DecisionId>,
    remedy: Remedy,
    expires: Tick,
    doubted: bool,
    named: bool,
}

impl Held {
    fn rank(&self) -> (RemedyKind, Tick, bool) {
        (
            self.remedy.kind(),
            self.expires,
            self.source == SourceId::Local,
        )
    }
}

/// The table as its documentation says it, without any thought of speed.
#[derive(Clone, Default)]
struct Model {
    held: Vec<Held>,
    names_all: bool,
    allowed: BTreeMap<ListId, Vec<Cidr>>,
}

impl Model {
    fn apply(&mut self, source: SourceId, delta: &Delta, is_snapshot: bool, now: Tick) -> Applied {
        let mut applied = Applied::default();
        self.held.retain(|held| held.expires > now);
        for deletion in &delta.deleted {
            self.delete(source, deletion, &mut applied);
        }
        for decision in &delta.added {
            self.add(source, decision, now, &mut applied);
        }
        if is_snapshot {
            self.sweep(source, &mut applied);
        }
        if source == SourceId::CrowdSec {
            self.names_all = (self.names_all && !is_snapshot) || names_overlaps(delta, now);
        }
        for held in &mut self.held {
            held.named = false;
            let is_named = delta
                .deleted
                .iter()
                .any(|deletion| deletion.scope == held.scope)
                || delta
                    .added
                    .iter()
                    .any(|decision| decision.scope == held.scope);
            applied.doubted +=
                usize::from(held.doubted && held.source == source && (is_named || is_snapshot));
        }
        applied
    }

    fn delete(&mut self, source: SourceId, deletion: &Deletion, applied: &mut Applied) {
        let is_meant = |held: &Held| {
            let by_id = deletion.id.is_none_or(|id| held.id == Some(id));
            let by_remedy = deletion.remedy.is_none_or(|remedy| match deletion.id {
                Some(_) => remedy.kind() == held.remedy.kind(),
                None => remedy == held.remedy,
            });
            held.source == source && held.scope == deletion.scope && by_id && by_remedy
        };
        let before = self.held.len();
        self.held.retain(|held| !is_meant(held));
        applied.deleted += before - self.held.len();
        applied.not_held += usize::from(before == self.held.len());
        if source == SourceId::CrowdSec && !self.names_all && deletion.id.is_some() {
            for held in &mut self.held {
                held.doubted |= held.source == source
                    && held.scope == deletion.scope
                    && deletion.remedy.is_none_or(|remedy| remedy == held.remedy);
            }
        }
    }

    fn add(&mut self, source: SourceId, decision: &Decision, now: Tick, applied: &mut Applied) {
        if decision.expires <= now {
            applied.stale += 1;
            return;
        }
        let same = self.held.iter_mut().find(|held| {
            held.source == source
                && held.scope == decision.scope
                && held.id == decision.id
                && (decision.id.is_some() || held.remedy == decision.remedy)
        });
        let new = Held {
            source,
            scope: decision.scope,
            id: decision.id,
            remedy: decision.remedy,
            expires: decision.expires,
            doubted: false,
            named: true,
        };
        if let Some(held) = same {
            applied.updated += 1;
            let expires = match decision.id {
                Some(_) => new.expires,
                None => new.expires.max(held.expires),
            };
            *held = Held { expires, ..new };
        } else {
            applied.added += 1;
            self.held.push(new);
        }
    }

    fn sweep(&mut self, source: SourceId, applied: &mut Applied) {
        let before = self.held.len();
        self.held
            .retain(|held| held.source != source || held.named || !held.doubted);
        applied.dropped += before - self.held.len();
        for held in &mut self.held {
            held.doubted |= held.source == source && !held.named;
        }
    }

    fn strongest(
        &self,
        of: Option<SourceId>,
        ip: Ip,
        place: &Place,
        now: Tick,
    ) -> Option<(RemedyKind, Tick, bool)> {
        let holds = |held: &&Held| {
            of.is_none_or(|source| source == held.source)
                && held.expires > now
                && held.scope.covers(ip, place)
        };
        self.held.iter().filter(holds).map(Held::rank).max()
    }

    fn is_allowed(&self, ip: Ip) -> bool {
        let mut ranges = self.allowed.values().flatten();
        ranges.any(|range| range.contains(ip))
    }

    fn asks_for_places(&self, now: Tick) -> bool {
        let is_place = |held: &Held| held.expires > now && !matches!(held.scope, Scope::Address(_));
        self.held.iter().any(is_place)
    }

    /// The `number`th end that is still to come, if any is.
    fn end(&self, number: usize, now: Tick) -> Option<Tick> {
        let mut ends: Vec<Tick> = self.held.iter().map(|held| held.expires).collect();
        ends.retain(|end| *end > now);
        ends.sort_unstable();
        let number = number.checked_rem(ends.len())?;
        ends.get(number).copied()
    }

    fn sorted(&self, now: Tick) -> Vec<Held> {
        let mut held = self.held.clone();
        held.retain(|held| held.expires > now);
        sort(&mut held);
        held
    }
}

fn names_overlaps(delta: &Delta, now: Tick) -> bool {
    delta.added.iter().enumerate().any(|(number, first)| {
        let next = delta.added[number + 1..]
            .iter()
            .find(|next| next.scope == first.scope);
        next.is_some_and(|second| {
            let ids = first
                .id
                .zip(second.id)
                .is_some_and(|(first, second)| first != second);
            let apart = first
                .expires
                .as_millis()
                .abs_diff(second.expires.as_millis());
            ids && apart >= 2000
                && first.remedy == second.remedy
                && first.expires > now
                && second.expires > now
        })
    })
}

fn sort(held: &mut [Held]) {
    held.sort_by(|a, b| {
        let key = |held: &Held| {
            (
                held.source,
                held.scope,
                held.id,
                held.expires,
                held.remedy.to_string(),
            )
        };
        key(a).cmp(&key(b))
    });
}

#[derive(Clone, Debug)]
enum Step {
    Delta(SourceId, Delta),
    Snapshot(SourceId, Delta),
    Flush(SourceId),
    Allow(ListId, Vec<Cidr>),
    Purge,
    Wait(u64),
    /// Until one of the decisions ends, or so many milliseconds before.
    WaitForAnEnd(usize, u64),
}

const ADDRESSES: [&str; 12] = [
    "0.0.0.0",
    "10.0.0.1",
    "10.0.4.9",
    "10.0.255.255",
    "10.1.0.1",
    "11.0.0.1",
    "255.255.255.255",
    "::",
    "2001:db8::1",
    "2001:db8::2:0:0:1",
    "2001:db8:0:8000::1",
    "2001:db9:ffff::1",
];

/// Addresses that decisions name by no more than a range, and one in its other form.
const STRANGERS: [&str; 4] = ["10.0.4.8", "10.0.3.255", "2001:db8::3", "::ffff:10.0.0.1"];

fn scopes() -> impl Strategy<Value = Scope> {
    let v4_lengths = prop::sample::select(vec![0, 7, 8, 12, 15, 16, 20, 21, 22, 24, 31, 32, 32]);
    let v6_lengths = prop::sample::select(vec![
        0, 12, 15, 16, 29, 32, 47, 48, 56, 63, 64, 65, 127, 128,
    ]);
    let mapped = (prop::sample::select(&ADDRESSES[1..6]), v4_lengths.clone());
    let address = (prop::sample::select(&ADDRESSES[..]), v4_lengths, v6_lengths);
    prop_oneof![
        12 => address.prop_map(|(address, v4_length, v6_length)| {
            let length = if address.contains(':') { v6_length } else { v4_length };
            Scope::parse("range", &format!("{address}/{length}")).unwrap()
        }),
        2 => mapped.prop_map(|(address, length)| {
            Scope::parse("range", &format!("::ffff:{address}/{}", 96 + length)).unwrap()
        }),
        1 => prop::sample::select(vec!["DE", "FR"]).prop_map(|text| Scope::Country(text.parse().unwrap())),
        1 => (1_u32..3).prop_map(|number| Scope::As(Asn(number))),
    ]
}

/// What allow lists hold: the ranges that decisions are about.
fn ranges() -> impl Strategy<Value = Cidr> {
    scopes().prop_filter_map("a place is in no allow list", |scope| match scope {
        Scope::Address(range) => Some(range),
        _ => None,
    })
}

fn remedies() -> impl Strategy<Value = Remedy> {
    let names = vec!["ban", "ban", "ban", "captcha", "throttle", "mfa", "slow"];
    prop::sample::select(names).prop_map(Remedy::parse)
}

fn deletions() -> impl Strategy<Value = Deletion> {
    (scopes(), 0_u64..5, prop::option::weighted(0.8, remedies())).prop_map(|(scope, id, remedy)| {
        Deletion {
            scope,
            id: DecisionId::new(id),
            remedy,
        }
    })
}

/// Expiries are relative here: the run adds the time.
fn decisions() -> impl Strategy<Value = Decision> {
    (scopes(), 0_u64..5, remedies(), 0_u64..6000).prop_map(|(scope, id, remedy, millis)| Decision {
        id: DecisionId::new(id),
        scope,
        remedy,
        origin: "crowdsec".into(),
        scenario: format!("scenario-{id}").into(),
        expires: Tick::from_millis(millis),
    })
}

fn documents(len_max: usize) -> impl Strategy<Value = Delta> {
    let deleted = prop::collection::vec(deletions(), 0..len_max);
    let added = prop::collection::vec(decisions(), 0..len_max);
    (deleted, added).prop_map(|(deleted, added)| Delta { deleted, added })
}

fn steps() -> impl Strategy<Value = Step> {
    let sources = || prop::sample::select(&SOURCES[..]);
    let lists = prop::sample::select(&ALLOW_LISTS[..]);
    prop_oneof![
        8 => (sources(), documents(12)).prop_map(|(source, delta)| Step::Delta(source, delta)),
        3 => (sources(), documents(30)).prop_map(|(source, delta)| Step::Snapshot(source, delta)),
        1 => sources().prop_map(Step::Flush),
        2 => (lists, prop::collection::vec(ranges(), 0..4)).prop_map(|(list, ranges)| Step::Allow(list, ranges)),
        1 => Just(Step::Purge),
        1 => (0_u64..4000).prop_map(Step::Wait),
        3 => (0_usize..8, 0_u64..3).prop_map(|(number, before)| Step::WaitForAnEnd(number, before)),
    ]
}

fn at(mut delta: Delta, now: Tick) -> Delta {
    for decision in &mut delta.added {
        decision.expires = now + Duration::from_millis(decision.expires.as_millis());
    }
    delta
}

/// What was cleared away in passing depends on the table's layout, which the model doesn't know.
fn without_expired(applied: Applied) -> String {
    let text = format!("{applied:?}");
    text.split(", expired")
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn check_content(table: &DecisionTable, model: &Model, now: Tick) {
    let listing = table.list(&Filter::default(), now);
    let mut listed: Vec<Held> = Vec::new();
    for row in &listing.decisions {
        listed.push(Held {
            source: row.source,
            scope: row.decision.scope,
            id: row.decision.id,
            remedy: row.decision.remedy,
            expires: row.decision.expires,
            doubted: row.is_doubted,
            named: false,
        });
    }
    sort(&mut listed);
    assert_eq!(listed, model.sorted(now));
    assert_eq!(listing.total, listed.len());
    let counted: usize = table.counts().iter().map(|count| count.decisions).sum();
    assert_eq!(counted, table.len());
    assert!(counted >= listed.len());
}

fn check_lookups(version: &Version, model: &Model, now: Tick) {
    let home = Place {
        country: Known::Is("DE".parse().unwrap()),
        asn: Known::Is(Asn(1)),
    };
    assert!(version.asks_for_places() || !model.asks_for_places(now));
    for address in ADDRESSES.into_iter().chain(STRANGERS) {
        let ip: Ip = address.parse().unwrap();
        assert_eq!(version.is_allowed(ip), model.is_allowed(ip), "{ip}");
        for place in [Place::UNAVAILABLE, home] {
            check_lookup(version, model, ip, &place, now);
        }
    }
}

fn check_lookup(version: &Version, model: &Model, ip: Ip, place: &Place, now: Tick) {
    let found = version.lookup(ip, place, now);
    let rank = found.as_ref().map(rank_of);
    assert_eq!(rank, model.strongest(None, ip, place, now), "{ip}");
    if let Some(found) = found {
        let is_found = |held: &Held| {
            held.scope == found.scope() && held.id == found.id() && held.rank() == rank_of(&found)
        };
        assert!(model.held.iter().any(is_found), "{found:?}");
        assert!(found.scope().covers(ip, place));
    }
    for source in SOURCES {
        let of_source = version.lookup_among(|asked| asked == source, ip, place, now);
        let rank = of_source.as_ref().map(rank_of);
        assert_eq!(rank, model.strongest(Some(source), ip, place, now), "{ip}");
    }
}

fn rank_of(found: &Match) -> (RemedyKind, Tick, bool) {
    let is_local = found.source() == SourceId::Local;
    (found.remedy().kind(), found.expires(), is_local)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_table_agrees_with_a_vector(steps in prop::collection::vec(steps(), 1..20)) {
        let (table, mut model) = (DecisionTable::new(), Model::default());
        let mut now = Tick::from_millis(1_000_000);
        for step in steps {
            let (version_before, model_before, time_before) = (table.version(), model.clone(), now);
            now = run(step, &table, &mut model, now);
            check_content(&table, &model, now);
            check_lookups(&table.version(), &model, now);
            check_lookups(&version_before, &model_before, time_before);
        }
    }
}

/// Takes a step with both; what time it is then.
fn run(step: Step, table: &DecisionTable, model: &mut Model, now: Tick) -> Tick {
    match step {
        Step::Delta(source, delta) => {
            let delta = at(delta, now);
            let expected = model.apply(source, &delta, false, now);
            let applied = table.apply(source, delta, now);
            assert_eq!(without_expired(applied), without_expired(expected));
        }
        Step::Snapshot(source, delta) => {
            let delta = at(delta, now);
            let expected = model.apply(source, &delta, true, now);
            let applied = table.apply_snapshot(source, delta, now);
            assert_eq!(without_expired(applied), without_expired(expected));
        }
        Step::Flush(source) => {
            model
                .held
                .retain(|held| held.expires > now && held.source != source);
            table.flush(source, now);
        }
        Step::Allow(list, ranges) => {
            table.allow(list, ranges.iter().copied().collect());
            model.allowed.insert(list, ranges);
        }
        Step::Purge => {
            table.purge_expired(now);
            assert_eq!(table.len(), model.sorted(now).len());
        }
        Step::Wait(millis) => return now + Duration::from_millis(millis),
        Step::WaitForAnEnd(number, millis_before) => {
            let end = model.end(number, now).map_or(0, Tick::as_millis);
            return Tick::from_millis(end.saturating_sub(millis_before).max(now.as_millis()));
        }
    }
    now
}
