//! How many requests came, and by whose word how many of them were refused.

use std::sync::atomic::{AtomicU64, Ordering};

use palisade_decisions::OriginId;
use palisade_vocabulary::{Ip, IpFamily};

use crate::Cause;

/// Running totals since the process began, by family of the client's address. They survive
/// reloads. Read while requests come, each total is current by itself.
#[derive(Debug)]
pub struct Usage {
    processed: ByFamily,
    /// By [`OriginId::index`].
    by_decision: Box<[ByFamily]>,
    own: [ByFamily; OwnOrigin::ALL.len()],
}

type ByFamily = [AtomicU64; IpFamily::ALL.len()];

/// What refuses beside decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnOrigin {
    /// Access rules and protected paths.
    Access,
    /// The rules of HTTP.
    Hygiene,
    /// Decisions that are too old to go by.
    Stale,
    /// SecLang rules.
    Waf,
    /// Lockouts.
    Limits,
}

impl OwnOrigin {
    /// All of them; `ALL[origin as usize]` is `origin`.
    pub const ALL: [Self; 5] = [
        Self::Access,
        Self::Hygiene,
        Self::Stale,
        Self::Waf,
        Self::Limits,
    ];

    /// The name beside those of CrowdSec's origins.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Access => "palisade-access",
            Self::Hygiene => "palisade-hygiene",
            Self::Stale => "palisade-stale",
            Self::Waf => "palisade-waf",
            Self::Limits => "palisade-limits",
        }
    }
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            processed: ByFamily::default(),
            by_decision: (0..OriginId::COUNT).map(|_| ByFamily::default()).collect(),
            own: Default::default(),
        }
    }
}

impl Usage {
    /// Counts a request. Hot path: runs per request, takes no lock, allocates nothing.
    pub fn count_processed(&self, client: Ip) {
        add(&self.processed, client);
    }

    /// Counts a refusal. Hot path: as [`Self::count_processed`].
    pub fn count_dropped(&self, client: Ip, cause: &Cause) {
        let own = match cause {
            Cause::Decision(found) => {
                if let Some(counts) = self.by_decision.get(found.origin_id().index()) {
                    add(counts, client);
                }
                return;
            }
            Cause::Rule { .. } | Cause::Protected { .. } | Cause::Credentials(_) => {
                OwnOrigin::Access
            }
            Cause::LockedOut { .. } => OwnOrigin::Limits,
            Cause::Hygiene(_) => OwnOrigin::Hygiene,
            Cause::DecisionsStale => OwnOrigin::Stale,
        };
        self.count_dropped_by(client, own);
    }

    /// Counts what something refused that is no cause of a check's. Hot path: as [`Self::count_processed`].
    pub fn count_dropped_by(&self, client: Ip, own: OwnOrigin) {
        if let Some(counts) = self.own.get(own as usize) {
            add(counts, client);
        }
    }

    /// How many requests came.
    #[must_use]
    pub fn processed(&self, family: IpFamily) -> u64 {
        read(&self.processed, family)
    }

    /// How many of them were refused, by origin: those of decisions by the index of their
    /// [`OriginId`], then Palisade's own. Origins that refused nobody are left out.
    pub fn dropped(&self) -> impl Iterator<Item = (DroppedBy, IpFamily, u64)> + '_ {
        let decisions = self.by_decision.iter().enumerate();
        let decisions = decisions.map(|(index, counts)| (DroppedBy::Decision(index), counts));
        let own = OwnOrigin::ALL.into_iter().zip(&self.own);
        let own = own.map(|(origin, counts)| (DroppedBy::Own(origin), counts));
        let all = decisions.chain(own).flat_map(|(by, counts)| {
            let families = IpFamily::ALL.into_iter();
            families.map(move |family| (by, family, read(counts, family)))
        });
        all.filter(|(_, _, count)| *count > 0)
    }
}

/// Who refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DroppedBy {
    /// A decision, by the index of its origin's name.
    Decision(usize),
    /// Palisade itself.
    Own(OwnOrigin),
}

fn add(counts: &ByFamily, client: Ip) {
    if let Some(count) = counts.get(client.family() as usize) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

fn read(counts: &ByFamily, family: IpFamily) -> u64 {
    let count = counts.get(family as usize);
    count.map_or(0, |count| count.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use palisade_decisions::{Decision, DecisionTable, Delta, Remedy, Scope, SourceId};
    use palisade_hygiene::RefusalReason;
    use palisade_vocabulary::{Place, Tick};

    use super::*;

    fn match_of(origin: &str, client: Ip) -> (DecisionTable, Cause) {
        let table = DecisionTable::new();
        let decision = Decision {
            id: None,
            scope: Scope::from(client),
            remedy: Remedy::Ban,
            origin: origin.into(),
            scenario: "tor".into(),
            expires: Tick::from_millis(10),
        };
        let delta = Delta {
            added: vec![decision],
            ..Delta::default()
        };
        let now = Tick::from_millis(1);
        table.apply(SourceId::CrowdSec, delta, now);
        let found = table.lookup(client, &Place::UNAVAILABLE, now).unwrap();
        (table, Cause::Decision(found))
    }

    #[test]
    fn refusals_are_counted_by_origin_and_family() {
        let usage = Usage::default();
        let v4: Ip = "192.0.2.1".parse().unwrap();
        let v6: Ip = "2001:db8::1".parse().unwrap();
        let (table, cause) = match_of("lists", v6);
        for _ in 0..3 {
            usage.count_processed(v4);
            usage.count_dropped(v6, &cause);
        }
        usage.count_processed(v6);
        usage.count_dropped(v4, &Cause::Hygiene(RefusalReason::HostMissing));
        assert_eq!(usage.processed(IpFamily::V4), 3);
        assert_eq!(usage.processed(IpFamily::V6), 1);
        let names = table.origin_names();
        let dropped: Vec<_> = usage
            .dropped()
            .map(|(by, family, count)| match by {
                DroppedBy::Decision(index) => (names[index].to_string(), family, count),
                DroppedBy::Own(origin) => (origin.as_str().to_owned(), family, count),
            })
            .collect();
        let expected = [
            ("lists:tor".to_owned(), IpFamily::V6, 3),
            ("palisade-hygiene".to_owned(), IpFamily::V4, 1),
        ];
        assert_eq!(dropped, expected);
    }
}
