//! CRS's tests in blocking mode at paranoia 1: what is refused, and what is let through.

use std::collections::BTreeMap;

use palisade_ftw::{Engine, Exchange, Observed, Overrides, Test, run_test};
use palisade_seclang::{CompileOptions, Program, WorkerOptions};
use palisade_waf::SuiteEngine;

use crate::files::crs;
use crate::rules::{clock, program};
use crate::suite::tests;

/// Rules that refuse by the score.
const REFUSING: [u64; 4] = [949_110, 949_111, 959_100, 959_101];
/// `severity:CRITICAL`, whose score alone is the threshold.
const CRITICAL: u8 = 2;

/// Attacks on limits of arguments, which have none unless an operator sets them.
const UNSET_LIMITS: [&str; 4] = ["920360-1", "920370-1", "920380-1", "920390-1"];

/// Keeps what was observed.
struct Recorder {
    engine: SuiteEngine,
    observed: Vec<Observed>,
}

impl Engine for Recorder {
    fn judge(&mut self, exchange: &Exchange<'_>) -> Observed {
        let observed = self.engine.judge(exchange);
        self.observed.push(observed.clone());
        observed
    }
}

/// Critical rules of paranoia 1, by id.
fn critical_rules(program: &Program) -> BTreeMap<u64, u8> {
    let rules = program.rules().filter_map(|rule| {
        let is_first_level = rule.tags().any(|tag| tag == b"paranoia-level/1");
        let severity = rule.severity().filter(|severity| *severity <= CRITICAL);
        is_first_level.then_some((rule.id(), severity?))
    });
    rules.collect()
}

/// What a test is at paranoia 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A critical rule of paranoia 1 is expected to match.
    Attack,
    /// No rule is expected to.
    Benign,
    /// Rules of other levels, or less severe ones.
    Other,
}

fn kind(test: &Test, critical: &BTreeMap<u64, u8>) -> Kind {
    let expected = || {
        test.stages
            .iter()
            .flat_map(|stage| &stage.output.log.expect_ids)
    };
    if expected().any(|id| critical.contains_key(id)) {
        Kind::Attack
    } else if expected().next().is_none() {
        Kind::Benign
    } else {
        Kind::Other
    }
}

fn is_refused(observed: &Observed) -> bool {
    let response = observed.response.as_ref();
    response.is_none_or(|response| response.status >= 400)
}

#[test]
fn attacks_are_refused_at_paranoia_1_and_nothing_is_without_a_reason() {
    let Some(crs) = crs("CRS's tests in blocking mode") else {
        return;
    };
    let program = program(&crs, &["blocking.conf"], CompileOptions::default());
    let critical = critical_rules(&program);
    let mut recorder = Recorder {
        engine: SuiteEngine::new(program, WorkerOptions::new(clock)),
        observed: Vec::new(),
    };
    let mut totals: BTreeMap<(Kind, bool), usize> = BTreeMap::new();
    let mut missed = Vec::new();
    for test in tests(&crs) {
        recorder.observed.clear();
        run_test(&mut recorder, &test, &Overrides::default());
        for observed in &recorder.observed {
            let is_denied = observed
                .response
                .as_ref()
                .is_some_and(|one| one.status == 403);
            let ids = observed.rule_ids();
            let has_score = ids.iter().any(|id| REFUSING.contains(id));
            assert_eq!(is_denied, has_score, "{}: {ids:?}", test.id);
        }
        let kind = kind(&test, &critical);
        let refused = recorder.observed.iter().any(is_refused);
        *totals.entry((kind, refused)).or_default() += 1;
        if kind == Kind::Attack && !refused {
            missed.push(test.id.to_string());
        }
    }
    say!(
        "CRS 4.28, 5003 tests in blocking mode at paranoia 1, by what they are and whether refused: {totals:?}"
    );
    assert_eq!(missed, UNSET_LIMITS);
    assert_eq!(totals.values().sum::<usize>(), 5_003);
}
