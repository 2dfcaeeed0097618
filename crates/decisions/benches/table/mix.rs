//! Decisions as lists have them: the same each time.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use palisade_decisions::{Decision, DecisionId, Delta, Remedy, Scope};
use palisade_vocabulary::{Cidr, Ip, Tick};

pub(crate) const NOW: Tick = Tick::from_millis(1_000_000);

/// Each kind of list.
pub(crate) const MIXES: [Mix; 3] = [Mix::Singles, Mix::Lists, Mix::V6];

/// Knuth's MMIX generator: the same numbers each time.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 ^ self.0 >> 29
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }
}

/// What a table is filled with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mix {
    /// Single IPv4 addresses, as CrowdSec's community list.
    Singles,
    /// Four in five single IPv4 addresses, the others ranges from /22 to /31, and 300 ranges from
    /// /12 to /19, as published block lists.
    Lists,
    /// IPv6: half addresses, a quarter /64, the others ranges from /32 to /56.
    V6,
}

pub(crate) fn v4(random: &mut Random) -> Ip {
    Ipv4Addr::from_bits(random.next() as u32).into()
}

pub(crate) fn v6(random: &mut Random) -> Ip {
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

pub(crate) fn decisions(
    mix: Mix,
    first_id: u64,
    count: usize,
    random: &mut Random,
) -> Vec<Decision> {
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

/// The document that brings `decisions`.
pub(crate) fn added(decisions: &[Decision]) -> Delta {
    Delta {
        deleted: Vec::new(),
        added: decisions.to_vec(),
    }
}
