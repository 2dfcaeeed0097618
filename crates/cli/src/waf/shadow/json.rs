//! The report as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::tally::{Counted, Tally};

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Report<'t> {
    from: Option<&'t str>,
    to: Option<&'t str>,
    damaged_lines: u64,
    evaluated: u64,
    agreed: u64,
    skipped: &'t BTreeMap<String, u64>,
    new_refusals: u64,
    lost_refusals: u64,
    other_rule: u64,
    other_matches: u64,
    shadow_failed: u64,
    /// Requests that pass now and that promotion would refuse.
    would_be_refused: u64,
    rules: Vec<RuleReport<'t>>,
    paths: Vec<KeyReport<'t>>,
    clients: Vec<KeyReport<'t>>,
}

#[derive(Debug, Serialize)]
struct RuleReport<'t> {
    id: u64,
    message: &'t str,
    target: &'t str,
    would_be_refused: u64,
    all: u64,
}

#[derive(Debug, Serialize)]
struct KeyReport<'t> {
    name: &'t str,
    would_be_refused: u64,
    all: u64,
}

impl<'t> Report<'t> {
    pub(super) fn of(tally: &'t Tally, top: usize) -> Self {
        let times = tally.times.as_ref();
        let rules = tally.rules.top(top).shown.into_iter();
        let rules = rules.map(|(id, counted)| RuleReport {
            id: *id,
            message: &counted.about.message,
            target: &counted.about.target,
            would_be_refused: counted.would_be_refused,
            all: counted.all,
        });
        Self {
            from: times.map(|(from, _)| &**from),
            to: times.map(|(_, to)| &**to),
            damaged_lines: tally.damaged,
            evaluated: tally.evaluated(),
            agreed: tally.agreed,
            skipped: &tally.skipped,
            new_refusals: tally.kinds.new_refusal,
            lost_refusals: tally.kinds.lost_refusal,
            other_rule: tally.kinds.other_rule,
            other_matches: tally.kinds.other_matches,
            shadow_failed: tally.kinds.shadow_failed,
            would_be_refused: tally.would_be_refused,
            rules: rules.collect(),
            paths: keys(tally.paths.top(top).shown),
            clients: keys(tally.clients.top(top).shown),
        }
    }
}

fn keys<'t>(shown: Vec<(&'t String, &'t Counted<()>)>) -> Vec<KeyReport<'t>> {
    let keys = shown.into_iter().map(|(name, counted)| KeyReport {
        name,
        would_be_refused: counted.would_be_refused,
        all: counted.all,
    });
    keys.collect()
}
