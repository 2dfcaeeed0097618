//! What an exclusion does: to the request that it is for, and to attacks.

use std::net::{IpAddr, Ipv4Addr};

use palisade_ftw::{Test, TestId};

use super::attack::{Attack, attacks};
use super::plant::{Planted, plant, replay};
use super::proposal::Proposal;
use super::record::AuditRecord;
use super::scope::Spared;
use super::text::SparedRule;
use super::trial::{Trial, Trials};
use crate::RuleSet;

/// The same requests before rules without an exclusion, and with it.
#[derive(Debug)]
pub struct Proving {
    without: Trials,
    with: Trials,
}

/// What becomes of the request that an exclusion is for.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// What of it is not as it was sent, or missing.
    pub missing: Vec<String>,
    /// Without the exclusion.
    pub without: Trial,
    /// With it.
    pub with: Trial,
}

/// What becomes of the attacks that a rule finds, where an exclusion spares it.
#[derive(Clone, Debug, Default)]
pub struct AttacksThere {
    /// The suite's attacks that the rule finds.
    pub known: usize,
    /// Those that it finds at the place too.
    pub found_there: usize,
    /// Those of them that pass without the exclusion too, since their score is low.
    pub passing_anyway: usize,
    /// Those that are refused with the exclusion too, by other rules.
    pub still_refused: usize,
    /// Those that the exclusion lets through.
    pub let_through: Vec<Attack>,
    /// Whether the place has room for one value alone, so that no attack can be put there.
    pub is_fixed: bool,
}

/// What becomes of a suite's requests as they are.
#[derive(Clone, Debug, Default)]
pub struct SuiteAsItIs {
    /// How many tests ran.
    pub tests: usize,
    /// Those of which something else comes with the exclusion.
    pub changed: Vec<TestId>,
}

impl Proving {
    /// With these rules, and the same with an exclusion; requests come from the client of `record`.
    #[must_use]
    pub fn new(without: &RuleSet, with: &RuleSet, record: &AuditRecord) -> Self {
        let client = record.client_ip;
        let client = client.unwrap_or(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
        Self {
            without: Trials::new(without, client),
            with: Trials::new(with, client),
        }
    }

    /// The request of the log; `None` where it can't be made again at all.
    pub fn replay(&mut self, record: &AuditRecord, proposal: &Proposal) -> Option<Replayed> {
        let (request, missing) = replay(record, proposal.host.as_ref())?;
        Some(Replayed {
            missing,
            without: self.without.judge(&request),
            with: self.with.judge(&request),
        })
    }

    /// The attacks of a suite, put where the exclusion holds: for each of its rules.
    pub fn attacks(&mut self, tests: &[Test], proposal: &Proposal) -> Vec<AttacksThere> {
        let ids: Vec<u64> = proposal.places().map(|(rule, _)| rule.id).collect();
        let known = attacks(&mut self.without, tests, &ids);
        let mut all = Vec::new();
        for ((rule, place), known) in proposal.places().zip(known) {
            let mut there = AttacksThere {
                known: known.len(),
                ..AttacksThere::default()
            };
            let mut planted: Vec<Vec<u8>> = Vec::new();
            for attack in known {
                match plant(&place, &attack) {
                    Planted::Fixed => there.is_fixed = true,
                    Planted::Request(request) if !planted.contains(&request) => {
                        self.count(&mut there, rule, attack, &request);
                        planted.push(request);
                    }
                    // The same value in another test.
                    Planted::Request(_) => there.known -= 1,
                    Planted::Impossible => {}
                }
            }
            all.push(there);
        }
        all
    }

    fn count(
        &mut self,
        there: &mut AttacksThere,
        rule: &SparedRule,
        attack: Attack,
        request: &[u8],
    ) {
        let without = self.without.judge(request);
        if without.is_malformed || !is_found(&without, rule) {
            return;
        }
        there.found_there += 1;
        if without.refused_by.is_none() {
            there.passing_anyway += 1;
        } else if self.with.judge(request).is_refused() {
            there.still_refused += 1;
        } else {
            there.let_through.push(attack);
        }
    }

    /// The requests of the suite as they are.
    pub fn suite(&mut self, tests: &[Test]) -> SuiteAsItIs {
        let mut seen = SuiteAsItIs::default();
        for test in tests {
            seen.tests += 1;
            let is_changed = test.stages.iter().any(|stage| {
                let request = stage.input.message.to_bytes();
                self.without.judge(&request) != self.with.judge(&request)
            });
            if is_changed {
                seen.changed.push(test.id);
            }
        }
        seen
    }
}

/// Whether a rule finds something in what it is to be spared, or where it can't be said in what.
fn is_found(trial: &Trial, rule: &SparedRule) -> bool {
    let matches = trial.matches.iter().filter(|one| one.rule == rule.id);
    let mut found = matches.map(|one| Spared::of_match(&one.name).ok());
    found.any(|found| match (found, &rule.spared) {
        (_, Spared::Everything) | (Some(Spared::Everything), _) => true,
        (found, spared) => is_same(found.as_ref(), spared),
    })
}

/// Whether two are the same: names are, in upper and lower case.
fn is_same(found: Option<&Spared>, spared: &Spared) -> bool {
    let found = found.and_then(Spared::target);
    found
        .zip(spared.target())
        .is_some_and(|(one, other)| one.eq_ignore_ascii_case(&other))
}

impl Replayed {
    /// Whether the request matched all of an exclusion's rules again.
    #[must_use]
    pub fn is_reproduced(&self, rules: &[SparedRule]) -> bool {
        rules.iter().all(|rule| is_found(&self.without, rule))
    }

    /// The rules that still find what they are to be spared.
    #[must_use]
    pub fn still_found(&self, rules: &[SparedRule]) -> Vec<u64> {
        let still = rules.iter().filter(|rule| is_found(&self.with, rule));
        still.map(|rule| rule.id).collect()
    }
}

/// The paranoia level up to which OWASP CRS's rules count for a request of the log, where rules say.
#[must_use]
pub fn paranoia(rules: &RuleSet, record: &AuditRecord) -> Option<u8> {
    let (request, _) = replay(record, None)?;
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Trials::new(rules, client).judge(&request).paranoia
}
